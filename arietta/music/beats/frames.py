"""What the beat network hears: a performance in frames of 20 ms, float32 columns that no absolute loudness enters.

Of each frame: which registers are struck and how hard beside the piece's mean, which pitch classes sound, in the bass
too, how many keys go down at once, the longest of their notes, the wait before and after them, releases and pedal.
`train.beats` learns from the same columns.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..notes import LOWEST_PITCH, Notes, Seconds

FRAME_RATE = 50  # per second
REGISTERS, REGISTER_WIDTH = 22, 4  # of the keyboard, in semitones
BASS = 55  # pitches below it have pitch classes of their own
SAME_CHORD = 0.035  # seconds within which keys go down together
SHORTEST, LONGEST = 0.03, 4.0  # seconds of notes and waits, which are told by their logarithm
SCALARS = ("count", "loudest", "length", "wait", "waited", "releases", "pedal down", "pedal up", "pedal")
COLUMNS = REGISTERS + 12 + 12 + len(SCALARS)

Floats = NDArray[np.float32]


def frame_columns(notes: Notes, frame_count: int) -> Floats:
    """Describe the first frames of a performance: float32 [frame_count, COLUMNS]; frame f is centred on f / 50 s."""
    columns = np.zeros((frame_count, COLUMNS), dtype=np.float32)
    if not len(notes):
        return columns
    struck = np.clip(np.rint(notes.onset * FRAME_RATE).astype(np.int64), 0, frame_count - 1)
    force = notes.velocity / notes.velocity.mean()
    register = np.clip((notes.pitch.astype(np.int64) - LOWEST_PITCH) // REGISTER_WIDTH, 0, REGISTERS - 1)
    columns[:, :REGISTERS] = np.log1p(_histogram(struck, register, frame_count, REGISTERS, force))
    columns[:, REGISTERS : REGISTERS + 12] = _sounding(notes, notes.pitch >= 0, frame_count)
    columns[:, REGISTERS + 12 : REGISTERS + 24] = _sounding(notes, notes.pitch < BASS, frame_count)
    scalars = columns[:, REGISTERS + 24 :]
    scalars[:, 0] = np.log1p(np.bincount(struck, minlength=frame_count))
    before = np.searchsorted(notes.onset, notes.onset - SAME_CHORD) - 1
    after = np.searchsorted(notes.onset, notes.onset + SAME_CHORD, side="right")
    padded = np.concatenate([[-LONGEST], notes.onset, [notes.onset[-1] + LONGEST]])
    wait, waited = padded[after + 1] - notes.onset, notes.onset - padded[before + 1]
    for column, values in enumerate((force, _logarithm(notes.duration), _logarithm(wait), _logarithm(waited)), 1):
        np.maximum.at(scalars[:, column], struck, values.astype(np.float32))
    scalars[:, 5] = np.log1p(_count(notes.release, frame_count))
    scalars[:, 6], scalars[:, 7] = (_count(edge, frame_count).clip(0, 1) for edge in notes.pedal.T)
    scalars[:, 8] = _held(notes.pedal[:, 0], notes.pedal[:, 1], frame_count).clip(0, 1)
    return columns


def _logarithm(seconds: Seconds) -> Seconds:
    """Tell a length from 0, the shortest, to 1, the longest."""
    return np.asarray(np.log(np.clip(seconds, SHORTEST, LONGEST) / SHORTEST) / np.log(LONGEST / SHORTEST))


def _histogram(
    row: NDArray[np.int64], column: NDArray[np.int64], rows: int, columns: int, weight: Seconds
) -> NDArray[np.float64]:
    sums = np.bincount(row * columns + column, weight, minlength=rows * columns)
    return np.asarray(sums.reshape(rows, columns), dtype=np.float64)


def _count(seconds: Seconds, frame_count: int) -> NDArray[np.int64]:
    frame = np.rint(seconds * FRAME_RATE).astype(np.int64)
    return np.bincount(frame[(frame >= 0) & (frame < frame_count)], minlength=frame_count).astype(np.int64)


def _held(down: Seconds, up: Seconds, frame_count: int) -> NDArray[np.int64]:
    """How many of the spans from `down` to `up` hold in each frame, the first of a span always."""
    first = np.clip(np.rint(down * FRAME_RATE).astype(np.int64), 0, frame_count)
    last = np.clip(np.maximum(np.rint(up * FRAME_RATE).astype(np.int64), first + 1), 0, frame_count)
    steps = np.bincount(first, minlength=frame_count + 1) - np.bincount(last, minlength=frame_count + 1)
    return np.cumsum(steps)[:frame_count]


def _sounding(notes: Notes, is_heard: NDArray[np.bool_], frame_count: int) -> NDArray[np.float64]:
    """How many keys of each pitch class are down, as log(1 + count): float64 [frame_count, 12]."""
    columns = np.zeros((frame_count, 12))
    for pitch_class in range(12):
        chosen = is_heard & (notes.pitch % 12 == pitch_class)
        columns[:, pitch_class] = _held(notes.onset[chosen], notes.release[chosen], frame_count)
    return np.log1p(columns)
