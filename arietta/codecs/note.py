"""NoteCodec: one token per note, with four fields (time, symbol, duration, velocity) on a 10 ms grid.

    time      steps since the token before: 0-99 are those steps; 100-127 are long waits, for rests only
    symbol    0-87 the keys from A0, then pedal down, pedal up, rest, start, coda, end; in version 2 also after, kept,
              fill, back, for given music (`generation/given`), and six that stand for nothing
    duration  of a note until its key is released; in a coda, how many notes remain; else 0
    velocity  32 bins of four; 0 in tokens other than notes

A piece is `start`, tokens in the order of time (pedal up, pedal down, notes by rising pitch at one time), `end`.
Onsets are rounded once, on the piece's own clock, and tokens carry whole steps between them: errors stay within
5 ms and never add up. Durations are counted from the rounded onset to the true release, so that a passage of equal
notes keeps its mean length. A wait of a second or more is a rest with the longest step that fits, and the next token
carries what remains: chords stay together after any silence, where a coarse step in the note's own token would
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
    AFTER,
    BACK,
    CODA,
    DURATION_COUNT,
    DURATION_STEPS,
    END,
    FIELD_SIZES,
    FILL,
    KEPT,
    KEY_COUNT,
    LONGEST_CODA,
    PEDAL_DOWN,
    PEDAL_UP,
    REST,
    SHORT_WAITS,
    SHORTEST_CODA,
    START,
    STEPS_PER_SECOND,
    TIME_COUNT,
    VELOCITY_COUNT,
    merge_by_column,
    quantise,
    respace,
)
from .note_decoder import NoteDecoder

PLACED = (START, CODA, AFTER, KEPT, FILL)  # by who asks for the music: a model does not predict them


class NoteCodec:
    """Notes <-> tokens uint16 [T, 4], in one of two versions that differ in how many symbols they have."""

    name = "note"
    can_continue = True
    sampled_field = 1
    field_names = ("time", "symbol", "duration", "velocity")

    def __init__(self, version: int = 2) -> None:
        """Models of today have version 2; raises CodecError where there is no such version."""
        if version not in FIELD_SIZES:
            raise CodecError(f"the note codec has versions {' and '.join(map(str, FIELD_SIZES))}, not {version}")
        self.version = version
        self.field_sizes: tuple[int, ...] = FIELD_SIZES[version]

    def describe(self) -> Description:
        return {"name": self.name, "version": self.version, "field_sizes": list(self.field_sizes)}

    @cached_property
    def tables(self) -> Mapping[int, tuple[int, Booleans]]:
        """The symbol depends on time (only a rest waits long, marks take no time), the others on the symbol."""
        time = np.arange(TIME_COUNT)[:, None]
        symbol_count = self.field_sizes[1]
        symbol_on_time = np.repeat(time < SHORT_WAITS, symbol_count, axis=1)
        symbol_on_time[:, REST] = time[:, 0] >= SHORT_WAITS
        symbol_on_time[:, [START, CODA, END]] = time == 0
        if self.version > 1:
            symbol_on_time[:, [AFTER, KEPT, FILL]] = time == 0
        symbol_on_time[:, BACK + 1 :] = False
        is_note = np.arange(symbol_count) < KEY_COUNT
        duration = np.repeat(is_note[:, None], DURATION_COUNT, axis=1)
        duration[:, 0] |= ~is_note
        duration[CODA] = True
        duration[CODA, 0] = False
        velocity = np.repeat(is_note[:, None], VELOCITY_COUNT, axis=1)
        velocity[:, 0] |= ~is_note
        return {1: (0, symbol_on_time), 2: (1, duration), 3: (1, velocity)}

    def encode(self, notes: Notes, *, is_complete: bool = True, coda: int = 0) -> Tokens:
        """Turn notes into tokens [T, 4]; raises CodecError where `coda` is neither 0 nor 16-64."""
        if coda and not SHORTEST_CODA <= coda <= LONGEST_CODA:
            raise CodecError(f"a coda announces {SHORTEST_CODA} to {LONGEST_CODA} notes, not {coda}")
        rows = _timed_rows(notes)
        note_rows = np.flatnonzero(rows[:, 1] < KEY_COUNT)
        if not is_complete:
            rows = rows[: int(note_rows[-1]) + 1 if len(note_rows) else 0]
        parts = [_mark(START), respace(rows, rows[:, 0])]
        if 0 < coda <= len(note_rows):
            body = parts[1]
            before = len(note_rows) - coda
            # Straight after the note before it, ahead of any pedal or rest: a decoder announces it there.
            split = int(np.searchsorted(np.cumsum(body[:, 1] < KEY_COUNT), before)) + 1 if before else 0
            parts[1:] = [body[:split], _mark(CODA, coda), body[split:]]
        if is_complete:
            parts.append(_mark(END))
        return np.concatenate(parts).astype(np.uint16)

    def decode(self, tokens: Tokens) -> Notes:
        return decode_with(self.decoder(), tokens)

    def quantise(self, notes: Notes) -> Notes:
        return quantise(notes)[0]

    def losses(self, notes: Notes) -> Losses:
        return quantise(notes)[1]

    def loss_mask(self, tokens: Tokens) -> Booleans:
        symbol = tokens[..., 1]
        is_note = symbol < KEY_COUNT
        is_predicted = ~np.isin(symbol, PLACED)
        return np.stack([is_predicted, is_predicted, is_note, is_note], axis=-1)

    def decoder(self) -> NoteDecoder:
        return NoteDecoder(self.field_sizes)


def _mark(symbol: int, duration: int = 0) -> NDArray[np.int64]:
    return np.array([[0, symbol, duration, 0]])


def _timed_rows(notes: Notes) -> NDArray[np.int64]:
    """Columns (step, symbol, duration, velocity) int64 [T, 4], in the grammar's order, without rests and marks."""
    step, key, duration, velocity = _grid_notes(notes)
    presses = np.rint(notes.pedal * STEPS_PER_SECOND).astype(np.int64)
    presses = presses[presses[:, 1] > presses[:, 0]]
    blank = np.zeros(2 * len(presses), dtype=np.int64)
    pedal_symbol = np.repeat([PEDAL_DOWN, PEDAL_UP], len(presses))
    rows = np.stack(
        [
            np.concatenate([step, presses.T.reshape(-1)]),
            np.concatenate([key, pedal_symbol]),
            np.concatenate([duration, blank]),
            np.concatenate([velocity, blank]),
        ],
        axis=1,
    )
    # At one time: pedal up (0), pedal down (1), then notes by rising pitch, as in `NoteDecoder`.
    rank = np.concatenate([2 + key, PEDAL_UP - pedal_symbol])
    return rows[np.lexsort((rank, rows[:, 0]))]


def _grid_notes(notes: Notes) -> tuple[NDArray[np.int64], ...]:
    """Onset steps, keys, duration values and velocity bins of the notes that the grid keeps, int64 [N] each."""
    chosen, key, step = merge_by_column(notes)
    middles = (DURATION_STEPS[1:] + DURATION_STEPS[:-1]) / 2
    duration = np.searchsorted(middles, notes.release[chosen] * STEPS_PER_SECOND - step, side="left")
    room = np.full(len(key), DURATION_STEPS[-1])
    same = key[1:] == key[:-1]
    room[:-1][same] = np.diff(step)[same]  # a note ends where its key is struck again
    duration = np.minimum(duration, np.searchsorted(DURATION_STEPS, room, side="right") - 1)
    return step, key, duration, notes.velocity[chosen].astype(np.int64) // 4
