"""How likely music is under a model: the figure by which models are compared, and takes judged; and which of its
notes the model would not have expected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..codecs.codec import Tokens
from ..codecs.grid import KEY_COUNT
from ..codecs.note import NoteCodec
from ..model.bundle import condition_of
from ..model.engine import Engine
from ..music.notes import Note, Notes, trim


@dataclass(frozen=True)
class Likelihood:
    """`nll` float64 [T, F] in nats, 0 where a field is fixed by the grammar; one row an event of `events`."""

    events: Tokens
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
    counted = bundle.codec.loss_mask(events)
    nll = engine.score(events, condition).astype(np.float64) * counted
    kept = bundle.codec.quantise(trim(notes))
    return Likelihood(events, nll, len(kept), kept.seconds)


@dataclass(frozen=True)
class Surprise:
    """A note and how unlikely it was, in nats: its time, pitch, length and velocity together, and its `pitch` alone.

    `place` counts the notes of the piece on the codec's grid, which lie within milliseconds of the file's own.
    """

    place: int
    note: Note
    nats: float
    pitch_nats: float


def surprises(notes: Notes, scored: Likelihood, engine: Engine, *, most: int = 10) -> list[Surprise]:
    """List the notes that were least likely, the most surprising first; none where a row is not a note.

    The first note is left out: nothing came before it.
    """
    codec = engine.bundle.codec
    if not isinstance(codec, NoteCodec):
        return []
    kept = codec.quantise(trim(notes))
    rows = np.flatnonzero(scored.events[:, 1] < KEY_COUNT)
    nats = scored.nll[rows].sum(axis=1)
    order = [int(place) for place in np.argsort(-nats, kind="stable") if place > 0]
    return [
        Surprise(place, kept[place], float(nats[place]), float(scored.nll[rows[place], 1])) for place in order[:most]
    ]
