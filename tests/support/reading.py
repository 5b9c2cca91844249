"""What a MIDI file is read as, in rows of round numbers that tests can write down."""

from __future__ import annotations

import numpy as np

from arietta.music.midi import read_midi

Rows = list[tuple[float, float, int, int]]


def rows(data: bytes, *, tracks: list[int] | None = None) -> Rows:
    """Read as (onset, release, pitch, velocity), times in milliseconds."""
    notes = read_midi(data, tracks=tracks)
    times = (np.round(column * 1000, 6).tolist() for column in (notes.onset, notes.release))
    return list(zip(*times, notes.pitch.tolist(), notes.velocity.tolist(), strict=True))


def presses(data: bytes, *, tracks: list[int] | None = None) -> list[list[float]]:
    """Read as [down, up] of the pedal, times in milliseconds."""
    pedal: list[list[float]] = np.round(read_midi(data, tracks=tracks).pedal * 1000, 6).tolist()
    return pedal
