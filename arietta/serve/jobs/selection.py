"""The best of several pieces asked for at once: chosen when the last of them is over. They are marked, none goes.

The mark stands in the figures of every finished piece of the order: whether it is chosen, its score and the parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...evaluation.ranking import rank_takes, typical_nats
from ...model.bundle import Bundle
from ...music.notes import Notes
from .event_log import to_notes
from .history import DONE, WAITING, History, Outcome, Record

ORDER, BEST = "order", "best"  # in what was asked for: the first piece of the order, and how many shall be chosen
CHOICE = "choice"


@dataclass(frozen=True)
class Candidate:
    """A kept piece, as `rank_takes` looks at it; `is_original` is None where that was not looked up."""

    key: str
    notes: Notes
    prompt_notes: int
    nll: float
    is_original: bool | None


def in_order(records: Sequence[Record], best: int | None) -> list[Record]:
    """Write down with pieces asked for together that `best` of them shall be chosen; None leaves them as they are."""
    if best is None:
        return list(records)
    wish = {ORDER: records[0].id, BEST: best}
    return [replace(record, asked={**record.asked, **wish}) for record in records]


def mark_best(history: History, record: Record, bundle: Bundle | None) -> None:
    """Choose among the finished pieces of a piece's order, if best ones are wished and none is under way any more."""
    if BEST not in record.asked:
        return
    pieces = history.order(record.asked[ORDER])
    done = [piece for piece in pieces if piece.state == DONE]
    if not done or any(piece.state == WAITING for piece in pieces):
        return
    candidates = [_candidate(piece, to_notes(history.told(piece.id))) for piece in done]
    ranked = rank_takes(
        candidates,
        min(record.asked[BEST], len(done)),
        typical_nats=None if bundle is None else typical_nats(bundle),
        is_original=lambda candidate: candidate.is_original,
    )
    marks = {one.take.key: {"is_chosen": one.is_chosen, "score": one.score, "parts": one.parts} for one in ranked}
    history.judge({piece.id: _marked(piece.outcome, marks[piece.id]) for piece in done})


def _candidate(piece: Record, notes: Notes) -> Candidate:
    figures: Mapping[str, Any] = piece.outcome.figures or {}
    placed = figures.get("originality")
    return Candidate(
        key=piece.id,
        notes=notes,
        prompt_notes=piece.asked.get("prompt_notes", 0),
        nll=figures["nll_per_note"],
        is_original=None if placed is None else placed["is_inside"],
    )


def _marked(outcome: Outcome, mark: Mapping[str, Any]) -> Outcome:
    return replace(outcome, figures={**(outcome.figures or {}), CHOICE: mark})
