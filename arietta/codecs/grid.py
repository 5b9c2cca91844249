"""The grid of NoteCodec: what its four fields can say, and what a piece becomes on it.

`quantise` works note by note, as one would by hand; `note` reaches the same by columns, and tests hold the two
against each other.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..music.notes import HIGHEST_PITCH, LOWEST_PITCH, Note, Notes, Pedal
from .codec import Losses

Row = TypeVar("Row", np.uint16, np.int64)
STEPS_PER_SECOND = 100
KEY_COUNT = HIGHEST_PITCH - LOWEST_PITCH + 1
PEDAL_DOWN, PEDAL_UP, REST, START, CODA, END = range(KEY_COUNT, KEY_COUNT + 6)
# Of version 2, which has six symbols to spare besides: what follows a passage, what stays of it, the passage, its end.
AFTER, KEPT, FILL, BACK = range(END + 1, END + 5)
SYMBOL_COUNTS = {1: END + 1, 2: BACK + 7}  # by version
SHORT_WAITS = 100  # time values 0-99 are steps
# Long waits grow by 2^(1/8), 9 %, from 1 s to 10.4 s: what remains after one is below 0.9 s, so it fits a short wait.
LONG_WAITS = np.rint(SHORT_WAITS * 2 ** (np.arange(28) / 8)).astype(np.int64)
TIME_COUNT = SHORT_WAITS + len(LONG_WAITS)
LONGEST_WAIT = TIME_COUNT - 1
TIME_STEPS = np.concatenate([np.arange(SHORT_WAITS), LONG_WAITS])
# Every step to 0.16 s (the median note of MAESTRO lasts 0.09 s), then steps of 5.4 % up to 60 s (its longest, 60.9 s).
DURATION_STEPS = np.concatenate([np.arange(1, 17), np.rint(np.geomspace(16, 6000, 113)[1:])]).astype(np.int64)
DURATION_COUNT = len(DURATION_STEPS)
VELOCITY_COUNT = 32
# The middle of a bin of four lies between two velocities: taking the upper and the lower by turns has no bias.
VELOCITY_CENTRES = np.array([4 * b + (1 if b % 2 else 2) for b in range(VELOCITY_COUNT)])
SHORTEST_CODA, LONGEST_CODA = 16, 64
FIELD_SIZES = {version: (TIME_COUNT, count, DURATION_COUNT, VELOCITY_COUNT) for version, count in SYMBOL_COUNTS.items()}


def quantise(notes: Notes) -> tuple[Notes, Losses]:
    """Return the notes as the grid holds them, and what that cost.

    A note that would sound into the next of its pitch is shortened to the longest value that fits.
    """
    kept, outside = merge_by_note(notes)
    events: list[Note | Pedal] = []
    shortened = 0
    for strike, following in pairwise([*sorted(kept), (-1, 0)]):  # the last has no note after it on its key
        (pitch, step), (onset, duration, velocity) = strike, kept[strike]
        sounding = (onset + duration) * STEPS_PER_SECOND - step
        steps = int(DURATION_STEPS[np.abs(DURATION_STEPS - sounding).argmin()])
        room = following[1] - step if following[0] == pitch else steps
        if steps > room:
            steps, shortened = int(DURATION_STEPS[room >= DURATION_STEPS].max()), shortened + 1
        events.append(
            Note(step / STEPS_PER_SECOND, steps / STEPS_PER_SECOND, pitch, int(VELOCITY_CENTRES[velocity // 4]))
        )
    presses = [(round(down * STEPS_PER_SECOND), round(up * STEPS_PER_SECOND)) for down, up in notes.pedal.tolist()]
    events += [Pedal(down / STEPS_PER_SECOND, up / STEPS_PER_SECOND) for down, up in presses if up > down]
    merged = len(notes) - outside - len(kept)
    return Notes.from_events(events), Losses(merged, outside, shortened, sum(up <= down for down, up in presses))


def merge_by_note(notes: Notes) -> tuple[dict[tuple[int, int], tuple[float, float, int]], int]:
    """Map (pitch, step) -> (onset, duration, velocity) of the note that stays there; count those outside the keys.

    Of notes with one pitch in one step the later stays, then the longer, then the louder.
    """
    kept: dict[tuple[int, int], tuple[float, float, int]] = {}
    outside = 0
    for onset, duration, pitch, velocity in (notes[i] for i in range(len(notes))):
        if not LOWEST_PITCH <= pitch <= HIGHEST_PITCH:
            outside += 1
            continue
        strike = (pitch, round(onset * STEPS_PER_SECOND))
        kept[strike] = max(kept.get(strike, (-1.0, 0.0, 0)), (onset, duration, velocity))
    return kept, outside


def merge_by_column(notes: Notes) -> tuple[NDArray[np.int64], ...]:
    """Reach the same by columns: indices into `notes`, keys and onset steps, int64 [N] each, by key, then step."""
    inside = np.flatnonzero((notes.pitch >= LOWEST_PITCH) & (notes.pitch <= HIGHEST_PITCH))
    onset, duration, velocity = notes.onset[inside], notes.duration[inside], notes.velocity[inside]
    key = notes.pitch[inside].astype(np.int64) - LOWEST_PITCH
    step = np.rint(onset * STEPS_PER_SECOND).astype(np.int64)
    order = np.lexsort((velocity, duration, onset, step, key))
    key, step = key[order], step[order]
    is_last = np.ones(len(key), dtype=np.bool_)  # of those that share (key, step)
    is_last[:-1] = (key[1:] != key[:-1]) | (step[1:] != step[:-1])
    return inside[order[is_last]], key[is_last], step[is_last]


def respace(tokens: NDArray[Row], steps: NDArray[np.int64]) -> NDArray[Row]:
    """Return tokens [T, 4], none of them a rest, moved to `steps` int64 [T], with rests where waits are long."""
    waits = np.diff(steps, prepend=0)
    spaced = tokens.copy()
    spaced[:, 0] = np.minimum(waits, SHORT_WAITS - 1)
    parts: list[NDArray[Row]] = []
    done = 0
    for index in np.flatnonzero(waits >= SHORT_WAITS).tolist():
        parts += [spaced[done:index], after_wait(tokens[index], int(waits[index]))]
        done = index + 1
    return np.concatenate([*parts, spaced[done:]])


def after_wait(token: NDArray[Row], steps: int) -> NDArray[Row]:
    """Return rests, where the wait is long, and then the token [4] with what remains of it."""
    rows = []
    while steps >= SHORT_WAITS:
        value = int(np.searchsorted(TIME_STEPS, steps, side="right")) - 1
        rows.append([value, REST, 0, 0])
        steps -= int(TIME_STEPS[value])
    rows.append([steps, *token[1:].tolist()])
    return np.array(rows, dtype=token.dtype)
