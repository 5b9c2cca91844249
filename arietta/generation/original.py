"""Composing again what shares more with the training music than works of people share with each other.

    index = find_index(engine.bundle.index_folder)
    for take, found in generate_original([Request(notes=300, seed=7)], engine, index):
        take.request.seed, found.is_inside, [one.work for one in found.rejected]

What was composed is looked up, without its prompt. Seeds of further tries follow from the request alone, so that the
same request gives the same take, whatever is composed beside it.
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

MOST_TRIES = 8
SEEDS_APART = 100  # from one try to the next: no command or request asks for more takes, whose seeds count up by one

Progress = Callable[[float, float], None]


@dataclass(frozen=True)
class Rejected:
    """A try that shared too much: `longest` notes in one passage, with `work`."""

    seed: int
    longest: int
    work: str | None


@dataclass(frozen=True)
class Originality:
    """What the composed part of a take shares with an index: `longest` notes in one passage, which is of `work`, and
    `share` of all notes in any, 0 to 1. The percentiles are of works of people that have less, None where not known.

    `rejected` are the tries before it that lay outside the human interval, and itself where all of them did.
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
        return asdict(self) | {"rejected": [asdict(one) for one in self.rejected]}

    @classmethod
    def from_description(cls, values: Mapping[str, Any]) -> Originality:
        return cls(**{**values, "rejected": tuple(Rejected(**one) for one in values.get("rejected", ()))})


def originality_of(take: Take, index: PassageIndex) -> Originality:
    """Look up what was composed; of a copy that begins in the prompt, the part that goes on counts."""
    likeness = find_passages(excerpt(take.notes, take.prompt_notes, len(take.notes)), index)
    placed = measure_percentiles(likeness, index)
    return Originality(
        longest=likeness.longest,
        share=round(likeness.share, 4),
        longest_percentile=None if placed is None else round(placed.longest, 1),
        share_percentile=None if placed is None else round(placed.share, 1),
        is_inside=placed is None or placed.is_inside,
        work=likeness.passages[0].piece.name if likeness.passages else None,
    )


class Search:
    """The tries at one request: `request` is the one to compose next, until `is_over`; then `take` is the outcome."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.is_over = False
        self.take: Take | None = None
        self._found: Originality | None = None
        self._rejected: list[Rejected] = []

    @property
    def found(self) -> Originality:
        """How original `take` is."""
        assert self._found is not None
        return replace(self._found, rejected=tuple(self._rejected))

    def judge(self, take: Take, found: Originality) -> None:
        """Settle on a take that lies inside the human interval, or on the most original of MOST_TRIES."""
        if not found.is_inside:
            self._rejected.append(Rejected(take.request.seed, found.longest, found.work))
        if self._found is None or _rank(found) < _rank(self._found):
            self.take, self._found = take, found
        self.is_over = found.is_inside or len(self._rejected) == MOST_TRIES
        self.request = replace(self.request, seed=(self.request.seed + SEEDS_APART) % 2**32)


def index_of(bundle: Bundle) -> PassageIndex:
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
    """Yield a take of each request, as they are settled, and what it shares; raises as `generate_all` does.

    `progress` is told how much is composed, and of how much: more with each take that is composed again.
    """
    searches, before = [Search(request) for request in requests], 0.0
    while searches:
        waiting = {id(search.request): search for search in searches}
        asked = [search.request for search in searches]
        for take in generate_all(asked, engine, progress=_after(progress, before)):
            search = waiting[id(take.request)]
            search.judge(take, originality_of(take, index))
            if search.is_over:
                assert search.take is not None
                yield search.take, search.found
        searches = [search for search in searches if not search.is_over]
        before += sum(request.notes or request.seconds or 0.0 for request in asked)


def sentences(taken: int, found: Originality) -> list[str]:
    """Tell of the tries that shared too much, and plainly where all of them did; `taken` is the seed of the take."""
    following = [one.seed for one in found.rejected[1:]] + ([taken] if found.is_inside else [])
    told = [
        f"{_shared(one)}: composed again with seed {seed}."
        for one, seed in zip(found.rejected, following, strict=False)
    ]
    if not found.is_inside:
        told.append(f"{_shared(found.rejected[-1])}.")
        told.append(
            f"All {len(found.rejected)} tries share more than people's works do with each other: "
            f"seed {taken}, the most original, is kept."
        )
    return told


def _rank(found: Originality) -> tuple[float, ...]:
    """The less the more original; the share of passages tells apart what people's works cannot."""
    percentiles = found.longest_percentile or 0.0, found.share_percentile or 0.0
    return not found.is_inside, max(percentiles), found.longest, found.share


def _shared(one: Rejected) -> str:
    return f"Seed {one.seed} shared {one.longest} notes with {one.work}"


def _after(progress: Progress | None, before: float) -> Progress | None:
    """Count on from what earlier rounds composed."""
    if progress is None:
        return None
    return lambda done, whole: progress(before + done, before + whole)
