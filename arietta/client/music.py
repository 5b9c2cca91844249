"""Music as a server takes and gives it: rows of notes and pedal, a metre, and which notes to keep."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..music.meter import Meter
from ..music.notes import Note, Notes, Pedal

if TYPE_CHECKING:
    from ..generation.verbs import Keep


def received_notes(music: Mapping[str, Any]) -> Notes:
    """Read notes and pedal as the server gives them."""
    return Notes.from_events([*(Note(*row) for row in music["notes"]), *(Pedal(*row) for row in music["pedal"])])


def received_meter(music: Mapping[str, Any]) -> Meter | None:
    """Read a metre as the server gives it."""
    return Meter.from_description(music["meter"]) if music.get("meter") else None


def sent_music(notes: Notes, meter: Meter | None = None) -> dict[str, Any]:
    """Write notes, pedal and metre as the server takes them."""
    columns = (notes.onset.tolist(), notes.duration.tolist(), notes.pitch.tolist(), notes.velocity.tolist())
    described = {} if meter is None else {"meter": meter.describe()}
    return {"notes": list(zip(*columns, strict=True)), "pedal": notes.pedal.tolist()} | described


def sent_given(music: Any) -> dict[str, Any]:
    """Write music for a verb: a stored piece by its id, anything else as notes, pedal and metre."""
    from ..generation.conversion import as_piece

    if is_stored(music):
        return {"piece": music}
    piece = as_piece(music)
    return sent_music(piece.notes, piece.meter)


def is_stored(music: Any) -> bool:
    """Whether what is given as music is the id of a piece that a server stores, and no file's name."""
    return isinstance(music, str) and re.fullmatch("[0-9a-f]{16}", music) is not None


def sent_keep(keep: Keep) -> Any:
    """Write notes to keep as the server takes them: a range of pitches is a text, and a mask the numbers of notes."""
    if isinstance(keep, np.ndarray):
        return (np.flatnonzero(keep) if keep.dtype == np.bool_ else keep).tolist()
    return f"{keep[0]}-{keep[1]}" if isinstance(keep, tuple) else keep
