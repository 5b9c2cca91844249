"""The grammar of NoteCodec's tokens, as the state of a decoder: which tokens may follow, and what each one plays.

The same state answers a sampler (`masks`, all tokens at once) and a reader (`push`, one token, refused with a reason).
A plan makes it count: exactly so many notes, or until a moment of the piece, and then only the close is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CodecError
from ..music.notes import LOWEST_PITCH, Note, Pedal
from .codec import Masks
from .grid import (
    CODA,
    DURATION_STEPS,
    END,
    KEY_COUNT,
    LONGEST_CODA,
    LONGEST_WAIT,
    PEDAL_DOWN,
    PEDAL_UP,
    REST,
    SHORT_WAITS,
    SHORTEST_CODA,
    START,
    STEPS_PER_SECOND,
    TIME_COUNT,
    TIME_STEPS,
    VELOCITY_CENTRES,
)

NEVER = TIME_COUNT
LONGEST_IDLENESS = 32  # tokens without a note after which a planned piece must go on with one
MARKS = (PEDAL_DOWN, PEDAL_UP, REST, END)
# Transcribed recordings begin with a room's noises, heard as a pedal or a stray note, and then seconds of silence.
OPENING_NOTES = 8
# Made once, as every token asks for it: the least wait before each key by what came last in its moment, whose rank is
# -1 to 89, as notes of one moment rise in pitch.
LEAST_WAITS = (np.arange(KEY_COUNT) < np.arange(-2, KEY_COUNT + 1)[:, None]).astype(np.int64)
SHORTEST_LAST = 10  # steps before the end of a planned piece in which nothing is struck any more
LATEST_GAP = 5  # steps of silence that a piece of so many seconds may have before its end, and at most 1 % of it


class NoteDecoder:
    """The grammar of NoteCodec's tokens: clock, held keys, pedal, and the order inside one moment.

    `passage` reads what is public here beside the methods of a decoder: the step of the clock, the steps at which keys
    are free, the rank of the last token in its moment, and the waits that a rest before leaves.
    """

    def __init__(self, field_sizes: tuple[int, ...]) -> None:
        self._field_sizes = field_sizes
        self._nothing = np.full(field_sizes[1], NEVER, dtype=np.int64)  # no symbol, and any value of any field
        self._anything = np.ones(sum(field_sizes), dtype=np.bool_)
        self.step = 0
        self.free_at = np.zeros(KEY_COUNT, dtype=np.int64)  # step at which each key is released
        self._pedal_at: int | None = None
        self.rank = -1  # place in the order of this moment: 0 pedal up, 1 pedal down, 2 + key
        self.last: int | None = None  # symbol of the token before
        self.waits_below = TIME_COUNT  # after a rest, only waits that the rest could not have carried
        self._notes_left: int | None = None
        self._until: int | None = None  # step at which a piece of so many seconds ends
        self._latest_gap = LATEST_GAP
        self._is_late = False  # that step was passed: only the close is left
        self._coda_due = 0
        self._avoided = -1
        self.tokens_since_note = 0
        self._note_count = 0

    @property
    def clock(self) -> float:
        return self.step / STEPS_PER_SECOND

    @property
    def note_count(self) -> int:
        return self._note_count

    @property
    def pedal_down_since(self) -> float | None:
        return None if self._pedal_at is None else self._pedal_at / STEPS_PER_SECOND

    @property
    def is_ended(self) -> bool:
        return self.last == END

    def plan(self, *, notes_left: int | None = None, until: float | None = None) -> None:
        self._notes_left = notes_left
        self._until = None if until is None else round(until * STEPS_PER_SECOND)
        if self._until is not None:
            self._latest_gap = min(LATEST_GAP, (self._until - self.step) // 100)

    def hold(self, pitch: int, until: float) -> None:
        key = pitch - LOWEST_PITCH
        self.free_at[key] = max(int(self.free_at[key]), int(np.ceil(until * STEPS_PER_SECOND)))

    def avoid(self, pitch: int) -> None:
        self._avoided = pitch - LOWEST_PITCH

    def announce_end(self, notes_left: int) -> None:
        self._coda_due = int(np.clip(notes_left, SHORTEST_CODA, LONGEST_CODA))

    def masks(self) -> Masks:
        """Say what may be composed next; a coda is offered only when announced, and then alone."""
        if self.is_ended:
            raise CodecError("the piece is closed: no token may follow its end")
        if self.last is None:
            return self.only(0, START)
        if self._coda_due and self.last != REST:
            return self.only(0, CODA, self._coda_due)
        if self._is_late:
            return self.only(*self._closing_row())
        earliest = self._nothing.copy()
        if self._notes_left != 0:
            waits = np.maximum(self.free_at - self.step, LEAST_WAITS[self.rank + 1])
            waits[waits >= min(self.waits_below, SHORT_WAITS)] = NEVER
            earliest[:KEY_COUNT] = waits
            if self._avoided >= 0:
                earliest[self._avoided] = NEVER
        is_idle = self.tokens_since_note >= LONGEST_IDLENESS and self._is_planned() and bool((earliest < NEVER).any())
        # The first notes of a planned piece follow one another without a long wait.
        is_opening = self._is_planned() and self._notes_left != 0 and self._note_count < OPENING_NOTES
        marks = (END,) if is_idle else (PEDAL_DOWN, PEDAL_UP, END) if is_opening else MARKS
        for symbol in marks:
            earliest[symbol] = self._earliest_mark(symbol)
        allowed = self._anything.copy()
        time = allowed[:TIME_COUNT]
        time[: int(earliest[: PEDAL_UP + 1].min())] = False
        time[SHORT_WAITS:] = earliest[REST] < NEVER
        time[self.waits_below :] = False
        time[0] |= earliest[END] == 0
        np.less(earliest, NEVER, out=allowed[TIME_COUNT : TIME_COUNT + len(earliest)])
        return Masks(allowed, earliest)

    def only(self, time: int, symbol: int, duration: int = 0, velocity: int = 0) -> Masks:
        """Return masks that force one token."""
        allowed, start = np.zeros(sum(self._field_sizes), dtype=np.bool_), 0
        for size, value in zip(self._field_sizes, (time, symbol, duration, velocity), strict=True):
            allowed[start + value] = True
            start += size
        return Masks(allowed, np.zeros(self._field_sizes[1], dtype=np.int64))

    def _earliest_mark(self, symbol: int) -> int:
        """The least wait before a pedal token, a rest or the end; NEVER where it has no place now."""
        is_closing, is_pedalled = self._notes_left == 0, self._pedal_at is not None
        if symbol == PEDAL_UP:
            return (0 if self.rank < 0 else 1) if is_pedalled else NEVER
        if symbol == PEDAL_DOWN:
            return (0 if self.rank < 1 else 1) if not is_pedalled and not is_closing else NEVER
        if symbol == REST:
            # Once the notes are all there, a rest would only delay the end, but for one before the pedal is lifted.
            is_idle = self._notes_left == 0 and (self._pedal_at is None or self.last == REST)
            return SHORT_WAITS if self.waits_below == TIME_COUNT and not is_idle else NEVER
        may_end = not self._notes_left and (self._until is None or self._is_late)
        return 0 if not is_pedalled and may_end and self.last != REST else NEVER

    def _is_planned(self) -> bool:
        return self._notes_left is not None or self._until is not None

    def fit(self, token: Sequence[int]) -> Sequence[int]:
        """Amend a composed token so that a piece planned until a moment ends there: keys are released by then.

        A note that would sound for less than `SHORTEST_LAST` is not struck: with it begins the close.
        """
        time, symbol, duration, velocity = token
        if self._until is None or self._is_late or symbol in (START, CODA):
            return token
        left = self._until - self.step - int(TIME_STEPS[time])
        if left <= 0 or (symbol < KEY_COUNT and left < SHORTEST_LAST):
            self._is_late = True
            return (*self._closing_row(), 0, 0)
        fitting = int(np.searchsorted(DURATION_STEPS, left, side="right")) - 1
        return (time, symbol, min(duration, fitting), velocity) if symbol < KEY_COUNT else token

    def _closing_row(self) -> tuple[int, int]:
        """The next (time, symbol) of the close: the pedal carries the last sound to the planned end."""
        assert self._until is not None
        left = self._until - self.step
        pause = 0 if self.rank < 0 else 1
        if self._pedal_at is not None:
            if left >= SHORT_WAITS and self.waits_below == TIME_COUNT:
                return int(np.searchsorted(TIME_STEPS, left, side="right")) - 1, REST
            return max(left, pause, 0 if self._pedal_at < self.step else 1), PEDAL_UP
        pause = 0 if self.rank < 1 else 1
        is_filled = int(self.free_at.max()) >= self._until - self._latest_gap or left <= pause
        return (0, END) if is_filled and self.last != REST else (pause, PEDAL_DOWN)

    def push(self, token: Sequence[int] | NDArray[Any]) -> list[Note | Pedal]:
        time, symbol, duration, velocity = (int(value) for value in token)
        self._check(time, symbol, duration, velocity)
        self.step += int(TIME_STEPS[time])
        self.rank = -1 if time else self.rank
        self.waits_below = TIME_COUNT
        self.last = symbol
        self.tokens_since_note = 0 if symbol < KEY_COUNT else self.tokens_since_note + 1
        if symbol < KEY_COUNT:
            return [self._strike(symbol, duration, velocity)]
        if symbol == PEDAL_DOWN:
            self._pedal_at, self.rank = self.step, 1
        elif symbol == PEDAL_UP:
            return [self._lift()]
        elif symbol == CODA:
            self._coda_due = 0
        elif symbol == REST and time < LONGEST_WAIT:
            self.waits_below = int(TIME_STEPS[time + 1] - TIME_STEPS[time])
        return []

    def _strike(self, key: int, duration: int, velocity: int) -> Note:
        steps = int(DURATION_STEPS[duration])
        self.free_at[key] = self.step + steps
        self.rank = 2 + key
        self._avoided = -1
        self._note_count += 1
        if self._notes_left is not None:
            self._notes_left -= 1
        return Note(self.clock, steps / STEPS_PER_SECOND, key + LOWEST_PITCH, int(VELOCITY_CENTRES[velocity]))

    def _lift(self) -> Pedal:
        assert self._pedal_at is not None
        pedal = Pedal(self._pedal_at / STEPS_PER_SECOND, self.clock)
        self._pedal_at, self.rank = None, 0
        return pedal

    def finish(self) -> list[Note | Pedal]:
        """Lift the pedal with the last key (at least one step after it went down), and end."""
        self.last = END
        if self._pedal_at is None:
            return []
        self.step = max(self._pedal_at + 1, self.step, int(self.free_at.max()))
        return [self._lift()]

    def _check(self, time: int, symbol: int, duration: int, velocity: int) -> None:
        reason = self._refusal(time, symbol, duration, velocity)
        if reason:
            raise CodecError(f"time {time}, symbol {symbol}, duration {duration}, velocity {velocity}: {reason}")

    def _refusal(self, time: int, symbol: int, duration: int, velocity: int) -> str:
        """Why the grammar forbids the token; empty where it does not. `masks` says the same for all tokens at once."""
        if not all(0 <= v < n for v, n in zip((time, symbol, duration, velocity), self._field_sizes, strict=True)):
            return f"a field lies outside its size {self._field_sizes}"
        if self.is_ended or (self.last is None) != (symbol == START):
            return "a piece begins with its only start token and nothing follows its end"
        if time >= self.waits_below or (time >= SHORT_WAITS) != (symbol == REST):
            return "long waits belong to rests, and each rest takes the longest that fits"
        if symbol < KEY_COUNT:
            return self._key_refusal(time, symbol)
        if velocity or (duration and symbol != CODA):
            return "only notes have a velocity, only notes and codas a duration"
        if symbol == CODA:
            is_placed = time == 0 and SHORTEST_CODA <= duration <= LONGEST_CODA and self.last != REST
            return "" if is_placed else f"a coda announces {SHORTEST_CODA}-{LONGEST_CODA} notes, at once"
        if symbol > END:
            return "after, kept, fill and back stand in a layout of given music only"
        if symbol in (START, END) and time:
            return "start and end take no time"
        return "" if symbol == START or time >= self._earliest_mark(symbol) else "it has no place here"

    def _key_refusal(self, time: int, key: int) -> str:
        if self._notes_left == 0:
            return "all the notes asked for have been composed"
        if self.step + time < self.free_at[key]:
            return f"key {key} still sounds"
        return "" if time or self.rank < 2 + key else "notes of one moment rise in pitch"
