"""Pieces that were ordered together: takes of a passage in order of their likelihood, and the best of others marked.

They are marked once the last of them has ended; none is deleted.

The mark stands in the figures of every finished piece of the order: whether it is chosen, its score and the parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...evaluation.ranking import rank_takes, typical_nats
from ...generation.request import likelihood_key
from ...model.bundle import Bundle
from ...music.notes import Notes
from .event_log import to_notes
from .history.pieces import History
from .history.records import ORDER, Record
from .job import State

BEST = "best"  # key in `Record.asked`: how many of the order shall be marked
MARK = "choice"  # key in `JobOutcome.figures`


def rank_records(records: Iterable[Record]) -> list[Record]:
    """Sort takes as `likeliest_first` does; those that have no figures, not yet or never, come last, by their seeds."""

    def key(record: Record) -> tuple[bool, float, int]:
        figures, seed = record.outcome.figures or {}, record.asked.get("seed", 0)
        if "nll_per_note" not in figures:
            return True, 0.0, seed
        nats = figures.get("nats_per_token")
        return False, *likelihood_key(nats and nats["both"], figures["nll_per_note"], seed)

    return sorted(records, key=key)


@dataclass(frozen=True)
class Candidate:
    """A stored piece as `rank_takes` looks at it; `is_original` is None where that was not looked up."""

    key: str
    notes: Notes
    prompt_notes: int
    nll: float
    is_original: bool | None

    @classmethod
    def of(cls, piece: Record, notes: Notes) -> Candidate:
        """Take the figures of a finished piece from its record."""
        figures: Mapping[str, Any] = piece.outcome.figures or {}
        originality = figures.get("originality")
        return cls(
            key=piece.id,
            notes=notes,
            prompt_notes=piece.asked.get("prompt_notes", 0),
            nll=figures["nll_per_note"],
            is_original=None if originality is None else originality["is_inside"],
        )


def mark_best(history: History, record: Record, bundle: Bundle | None) -> None:
    """Mark the best finished pieces of a piece's order, if that was asked for and none of them is under way."""
    if BEST not in record.asked:
        return
    pieces = history.order(record.asked[ORDER])
    finished = [piece for piece in pieces if piece.state is State.DONE]
    if not finished or any(piece.state is State.WAITING for piece in pieces):
        return
    candidates = [Candidate.of(piece, to_notes(history.events(piece.id))) for piece in finished]
    ranking = rank_takes(
        candidates,
        min(record.asked[BEST], len(finished)),
        typical_nats=None if bundle is None else typical_nats(bundle),
        is_original=lambda candidate: candidate.is_original,
    )
    marks = {
        ranked.take.key: {"is_chosen": ranked.is_chosen, "score": ranked.score, "parts": ranked.parts}
        for ranked in ranking
    }
    history.set_outcomes(
        {
            piece.id: replace(piece.outcome, figures={**(piece.outcome.figures or {}), MARK: marks[piece.id]})
            for piece in finished
        }
    )
