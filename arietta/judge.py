"""How likely music is under a model: the figure by which models are compared, and takes judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .codec import Events
from .composing import condition_of
from .engine import Engine
from .notes import Notes, trim


@dataclass(frozen=True)
class Likelihood:
    """`nll` float64 [T, F] in nats, 0 where a field is fixed by the grammar; one row an event of `events`."""

    events: Events
    nll: NDArray[np.float64]
    note_count: int
    seconds: float

    @property
    def per_note(self) -> float:
        """Nats a note, pedal and ends included."""
        return float(self.nll.sum()) / max(self.note_count, 1)

    @property
    def per_second(self) -> float:
        return float(self.nll.sum()) / max(self.seconds, 1e-9)


def likelihood(notes: Notes, engine: Engine, *, style: str = "any", source: str | None = None) -> Likelihood:
    """Score a whole piece from its first row, in the context that the engine's cache holds; nothing is skipped.

    `source` names where the notes come from ("any" when None). Raises RequestError for an unknown `style`.
    """
    bundle = engine.bundle
    composer, _ = condition_of(style, bundle)
    condition = (composer, bundle.model.condition_ids("any", source or "any")[1])
    events = bundle.codec.encode(trim(notes))
    counted = bundle.codec.counted(events)
    nll = engine.score(events, condition).astype(np.float64) * counted
    kept = bundle.codec.quantise(trim(notes))
    return Likelihood(events, nll, len(kept), kept.seconds)
