"""One row a note: NoteCodec, with four fields (time, what, duration, velocity) on a 10 ms grid.

    time      steps since the row before: 0-99 are those steps; 100-127 are long waits, for rest rows only
    what      0-87 the keys from A0, then pedal down, pedal up, rest, start, coda, end
    duration  of a note until its key is released; in a coda row, how many notes remain; else 0
    velocity  32 bins of four; 0 in rows other than notes

A piece is `start`, rows in the order of time (pedal up, pedal down, notes by rising pitch at one time), `end`.
Onsets are rounded once, on the piece's own clock, and rows carry whole steps between them: errors stay within
5 ms and never add up. Durations are counted from the rounded onset to the true release, so that a passage of equal
notes keeps its mean length. A wait of a second or more is a rest row with the longest step that fits, and the next row
carries what remains: chords stay together after any silence, where a coarse step in the note's own row would
strike the first note of a chord early.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..errors import CodecError
from ..music.notes import Notes
from .codec import Booleans, Description, Losses, Tokens, decode_with
from .grid import (
    CODA,
    DURATION_COUNT,
    DURATION_STEPS,
    END,
    FIELD_SIZES,
    KEY_COUNT,
    LONGEST_CODA,
    PEDAL_DOWN,
    PEDAL_UP,
    REST,
    SHORT_WAITS,
    SHORTEST_CODA,
    START,
    STEPS_PER_SECOND,
    SYMBOL_COUNT,
    TIME_COUNT,
    TIME_STEPS,
    VELOCITY_COUNT,
    kept_on_grid,
    quantise,
)
from .note_decoder import NoteDecoder


class NoteCodec:
    """Notes <-> tokens uint16 [T, 4]. It has no parameters: its description names its version."""

    name = "note"
    can_continue = True
    sampled_field = 1
    field_names = ("time", "what", "duration", "velocity")
    field_sizes = FIELD_SIZES

    def describe(self) -> Description:
        return {"name": self.name, "version": 1, "field_sizes": list(self.field_sizes)}

    @cached_property
    def tables(self) -> Mapping[int, tuple[int, Booleans]]:
        """`what` depends on time (only a rest waits long, marks take no time), the rest on `what`."""
        time = np.arange(TIME_COUNT)[:, None]
        what_on_time = np.repeat(time < SHORT_WAITS, SYMBOL_COUNT, axis=1)
        what_on_time[:, REST] = time[:, 0] >= SHORT_WAITS
        what_on_time[:, [START, CODA, END]] = time == 0
        is_note = np.arange(SYMBOL_COUNT) < KEY_COUNT
        duration = np.repeat(is_note[:, None], DURATION_COUNT, axis=1)
        duration[:, 0] |= ~is_note
        duration[CODA] = True
        duration[CODA, 0] = False
        velocity = np.repeat(is_note[:, None], VELOCITY_COUNT, axis=1)
        velocity[:, 0] |= ~is_note
        return {1: (0, what_on_time), 2: (1, duration), 3: (1, velocity)}

    def encode(self, notes: Notes, *, is_complete: bool = True, coda: int = 0) -> Tokens:
        """Turn notes into rows [T, 4]; raises CodecError where `coda` is neither 0 nor 16-64."""
        if coda and not SHORTEST_CODA <= coda <= LONGEST_CODA:
            raise CodecError(f"a coda announces {SHORTEST_CODA} to {LONGEST_CODA} notes, not {coda}")
        columns = _timed_rows(notes)
        places = np.flatnonzero(columns[:, 1] < KEY_COUNT)
        if not is_complete:
            columns = columns[: int(places[-1]) + 1 if len(places) else 0]
        parts = [_mark(START), _delta_rows(columns)]
        if 0 < coda <= len(places):
            rows = parts[1]
            place = int(np.searchsorted(np.cumsum(rows[:, 1] < KEY_COUNT), len(places) - coda))
            place = 0 if coda == len(places) else place + 1  # straight after the note before
            parts[1:] = [rows[:place], _mark(CODA, coda), rows[place:]]
        if is_complete:
            parts.append(_mark(END))
        return np.concatenate(parts).astype(np.uint16)

    def decode(self, tokens: Tokens) -> Notes:
        return decode_with(NoteDecoder(), tokens)

    def quantise(self, notes: Notes) -> Notes:
        return quantise(notes)[0]

    def losses(self, notes: Notes) -> Losses:
        return quantise(notes)[1]

    def loss_mask(self, tokens: Tokens) -> Booleans:
        what = tokens[..., 1]
        is_note = what < KEY_COUNT
        is_predicted = (what != START) & (what != CODA)  # those two are placed by the composer
        return np.stack([is_predicted, is_predicted, is_note, is_note], axis=-1)

    def decoder(self) -> NoteDecoder:
        return NoteDecoder()


def _mark(what: int, duration: int = 0) -> NDArray[np.int64]:
    return np.array([[0, what, duration, 0]])


def _timed_rows(notes: Notes) -> NDArray[np.int64]:
    """Columns (step, what, duration, velocity) int64 [T, 4], in the grammar's order, without rests and marks."""
    step, key, duration, velocity = _grid_notes(notes)
    presses = np.rint(notes.pedal * STEPS_PER_SECOND).astype(np.int64)
    presses = presses[presses[:, 1] > presses[:, 0]]
    blank = np.zeros(2 * len(presses), dtype=np.int64)
    pedal_what = np.repeat([PEDAL_DOWN, PEDAL_UP], len(presses))
    rows = np.stack(
        [
            np.concatenate([step, presses.T.reshape(-1)]),
            np.concatenate([key, pedal_what]),
            np.concatenate([duration, blank]),
            np.concatenate([velocity, blank]),
        ],
        axis=1,
    )
    rank = np.concatenate([2 + key, PEDAL_UP - pedal_what])
    return rows[np.lexsort((rank, rows[:, 0]))]


def _grid_notes(notes: Notes) -> tuple[NDArray[np.int64], ...]:
    """Onset steps, keys, duration values and velocity bins of the notes that the grid keeps, int64 [N] each."""
    chosen, key, step = kept_on_grid(notes)
    middles = (DURATION_STEPS[1:] + DURATION_STEPS[:-1]) / 2
    duration = np.searchsorted(middles, notes.release[chosen] * STEPS_PER_SECOND - step, side="left")
    room = np.full(len(key), DURATION_STEPS[-1])
    same = key[1:] == key[:-1]
    room[:-1][same] = np.diff(step)[same]
    duration = np.minimum(duration, np.searchsorted(DURATION_STEPS, room, side="right") - 1)
    return step, key, duration, notes.velocity[chosen].astype(np.int64) // 4


def _delta_rows(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Turn steps into waits, with a rest row before each that waits a second or more."""
    waits = np.diff(rows[:, 0], prepend=0)
    result = rows.copy()
    result[:, 0] = waits
    for place in np.flatnonzero(waits >= SHORT_WAITS)[::-1]:
        left, rests = int(waits[place]), []
        while left >= SHORT_WAITS:
            value = int(np.searchsorted(TIME_STEPS, left, side="right")) - 1
            rests.append([value, REST, 0, 0])
            left -= int(TIME_STEPS[value])
        result[place, 0] = left
        result = np.insert(result, place, rests, axis=0)
    return result
