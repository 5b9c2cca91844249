"""Regenerates takes that share more with the training music than human works share with each other.

    index = require_index(engine.bundle)
    for take, originality in generate_original([Request(notes=300, seed=7)], engine, index):
        take.request.seed, originality.is_inside, [rejected.work for rejected in originality.rejected]

What was composed is looked up, without its prompt. The seeds of further attempts follow from the request alone, so
that the same request gives the same take, whatever is composed beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..errors import RequestError
from ..model.bundle import Bundle
from ..model.engine import Engine
from ..music.notes import excerpt
from ..originality.baseline import measure_percentiles
from ..originality.index import PassageIndex, find_index
from ..originality.search import find_passages
from .batch import generate_all
from .request import Request, Take

MAX_ATTEMPTS = 8
SEED_STRIDE = 100  # between attempts: no command or request asks for more takes, whose seeds count up by one

Progress = Callable[[float, float], None]


@dataclass(frozen=True)
class Rejected:
    """An attempt that shared too much: `longest` notes in one passage, with `work`."""

    seed: int
    longest: int
    work: str | None


@dataclass(frozen=True)
class Originality:
    """What the composed part of a take shares with an index.

    `longest` notes in one passage, which is of `work`, and `share` of all notes in any passage, 0 to 1. The percentiles
    are of human works that share less, None where not known. `rejected` are the attempts before it that lay outside the
    human interval, and the take itself where all of them did.
    """

    longest: int
    share: float
    longest_percentile: float | None
    share_percentile: float | None
    is_inside: bool
    work: str | None
    rejected: tuple[Rejected, ...] = ()

    def describe(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return asdict(self) | {"rejected": [asdict(rejected) for rejected in self.rejected]}

    @classmethod
    def from_description(cls, values: Mapping[str, Any]) -> Originality:
        """Read what `describe` returned."""
        return cls(**{**values, "rejected": tuple(Rejected(**rejected) for rejected in values.get("rejected", ()))})


def measure_originality(take: Take, index: PassageIndex) -> Originality:
    """Look up what was composed, without its prompt: of a copy that begins in the prompt, the rest counts."""
    likeness = find_passages(excerpt(take.notes, take.prompt_notes, len(take.notes)), index)
    percentiles = measure_percentiles(likeness, index)
    return Originality(
        longest=likeness.longest,
        share=round(likeness.share, 4),
        longest_percentile=None if percentiles is None else round(percentiles.longest, 1),
        share_percentile=None if percentiles is None else round(percentiles.share, 1),
        is_inside=percentiles is None or percentiles.is_inside,
        work=likeness.passages[0].piece.name if likeness.passages else None,
    )


class Attempts:
    """The takes tried for one request: compose `next_request` and `add` its take until `is_settled`.

    Then `take` is the one to keep: the first inside the human interval, or the most original of all.
    """

    def __init__(self, request: Request) -> None:
        self.next_request = request
        self.is_settled = False
        self.take: Take | None = None
        self._originality: Originality | None = None
        self._rejected: list[Rejected] = []

    @property
    def originality(self) -> Originality:
        """How original `take` is, with the attempts that were rejected."""
        assert self._originality is not None
        return replace(self._originality, rejected=tuple(self._rejected))

    def add(self, take: Take, originality: Originality) -> None:
        """Keep the take if it is the most original so far, and settle if it is inside or was the last attempt."""
        if not originality.is_inside:
            self._rejected.append(Rejected(take.request.seed, originality.longest, originality.work))
        if self._originality is None or _distance(originality) < _distance(self._originality):
            self.take, self._originality = take, originality
        self.is_settled = originality.is_inside or len(self._rejected) == MAX_ATTEMPTS
        # Seeds follow from the request alone, so that the same request gives the same take in any company.
        self.next_request = replace(self.next_request, seed=(self.next_request.seed + SEED_STRIDE) % 2**32)


def require_index(bundle: Bundle) -> PassageIndex:
    """Open the index that a model came with; raises RequestError where it has none, CorpusError where it is damaged."""
    index = find_index(bundle.index_folder)
    if index is None:
        raise RequestError(
            f"{bundle.name} came without an index of its training music, which tells what is original: "
            "name one with --index, or build it (arietta originality --build)"
        )
    return index


def generate_original(
    requests: Sequence[Request], engine: Engine, index: PassageIndex, *, progress: Progress | None = None
) -> Iterator[tuple[Take, Originality]]:
    """Yield a take of each request as it is settled, and what it shares; raises as `generate_all` does.

    `progress` is called with how much is composed, and of how much: more with each take that is composed again.
    """
    pending, before = [Attempts(request.resolve(engine.bundle)) for request in requests], 0.0
    while pending:
        # Requests may be equal to each other, so their attempts are looked up by identity.
        attempts_of = {id(attempts.next_request): attempts for attempts in pending}
        round_requests = [attempts.next_request for attempts in pending]
        for take in generate_all(round_requests, engine, progress=_progress_after(progress, before)):
            attempts = attempts_of[id(take.request)]
            attempts.add(take, measure_originality(take, index))
            if attempts.is_settled:
                assert attempts.take is not None
                yield attempts.take, attempts.originality
        pending = [attempts for attempts in pending if not attempts.is_settled]
        before += sum(request.notes or request.seconds or 0.0 for request in round_requests)


def _distance(originality: Originality) -> tuple[float, ...]:
    """Order takes, the most original first; the share of passages tells apart what the human percentiles cannot."""
    percentiles = originality.longest_percentile or 0.0, originality.share_percentile or 0.0
    return not originality.is_inside, max(percentiles), originality.longest, originality.share


def _progress_after(progress: Progress | None, before: float) -> Progress | None:
    """Add what earlier rounds composed to both figures of `progress`."""
    if progress is None:
        return None
    return lambda done, total: progress(before + done, before + total)
