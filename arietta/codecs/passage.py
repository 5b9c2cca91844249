"""The grammar of a passage: new notes between given music, with notes that stay, and a seam that is exact.

What is given of a passage comes at its own time: a token that would pass the next given one gives way to it. New notes
and pedal begin inside a window; a key is released before it is struck by what is given; the pedal is, at the window's
end, as what follows has it. Then BACK waits until exactly what follows begins, or, where nothing does, END closes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import CodecError
from ..music.notes import Note, Pedal
from .codec import Masks
from .grid import (
    BACK,
    DURATION_STEPS,
    END,
    KEY_COUNT,
    PEDAL_DOWN,
    PEDAL_UP,
    REST,
    SHORT_WAITS,
    STEPS_PER_SECOND,
    TIME_COUNT,
    TIME_STEPS,
)
from .note_decoder import LONGEST_IDLENESS, NEVER, NoteDecoder

ENDLESS = 1 << 40  # steps: later than anything
SHORTEST_REPEAT = 8  # steps between two strikes of a key, of which the second is given


@dataclass(frozen=True)
class Frame:
    """What is given around and inside a passage, in steps of the piece.

    `given` int64 [M, 5]: step, symbol, duration, velocity and step of the release of the notes and pedal tokens that
    stay, in the order of the grammar. New tokens lie in `first` <= step < `stop`. `is_pedal_down` at the end of that
    window; where `is_pedal_given` no new pedal is played. `end` is the step at which what follows begins, or None.
    `strikes` int64 [88] is the step at which what follows first strikes each key, `ENDLESS` where it does not.
    """

    given: NDArray[np.int64]
    first: int
    stop: int
    is_pedal_down: bool
    is_pedal_given: bool
    end: int | None
    strikes: NDArray[np.int64]


class Due(NamedTuple):
    """What must come next, and when: a given token, the pedal's last move, or the close."""

    step: int
    symbol: int
    duration: int = 0
    velocity: int = 0

    @property
    def position(self) -> tuple[int, int]:
        """Its place in the order of tokens."""
        return self.step, rank_of(self.symbol)


def rank_of(symbol: int) -> int:
    """Return the place of a symbol among those of one moment, the close last."""
    if symbol < KEY_COUNT:
        return 2 + symbol
    return {PEDAL_UP: 0, PEDAL_DOWN: 1}.get(symbol, 2 + KEY_COUNT)


class PassageDecoder:
    """A decoder that stands at the beginning of a passage, and ends with it."""

    def __init__(self, decoder: NoteDecoder, frame: Frame) -> None:
        """Go on from `decoder`, which has taken what comes before; raises ValueError for a window under two steps."""
        if frame.stop - max(frame.first, decoder.step) < 2:
            raise ValueError("a passage takes at least two steps of 10 ms")
        self._decoder, self._frame = decoder, frame
        self._given_count = 0  # of the given tokens, those that have come
        self._given_note_count = decoder.note_count
        self._is_committed = False  # a token gave way, and rests lead to what is due
        self._is_back = False
        for key in range(KEY_COUNT):
            decoder.free_at[key] = min(int(decoder.free_at[key]), self._next_strike(key, decoder.step - 1))

    @property
    def clock(self) -> float:
        return self._decoder.clock

    @property
    def note_count(self) -> int:
        """New notes begun so far."""
        return self._decoder.note_count - self._given_note_count

    @property
    def pedal_down_since(self) -> float | None:
        return self._decoder.pedal_down_since

    @property
    def is_ended(self) -> bool:
        return self._is_back or self._decoder.is_ended

    @property
    def steps_left(self) -> int | None:
        """Steps until what follows begins; None where nothing does."""
        return None if self._frame.end is None else self._frame.end - self._decoder.step

    def plan(self, *, notes_left: int | None = None, until: float | None = None) -> None:
        """Raise CodecError: a passage ends where what follows it begins."""
        raise CodecError("the length of a passage is given by what follows it")

    def announce_end(self, notes_left: int) -> None:
        """Do nothing: the end of a passage is known from the beginning."""

    def hold(self, pitch: int, until: float) -> None:
        self._decoder.hold(pitch, until)

    def avoid(self, pitch: int) -> None:
        self._decoder.avoid(pitch)

    def masks(self) -> Masks:
        """Say what may be drawn; a drawn token that passes what is due gives way to it in `fit`."""
        if self.is_ended:
            raise CodecError("the passage is closed: no token may follow its end")
        due = self._due()
        frame, step = self._frame, self._decoder.step
        if not self._is_committed and max(frame.first, step) <= min(frame.stop - 1, due.step):
            masks = self._free_masks(due)
            if masks.allowed[:TIME_COUNT].any():
                return masks
        return self._decoder.only(*self._row_toward(due))

    def _free_masks(self, due: Due) -> Masks:
        """Say what may be drawn inside the window."""
        frame, decoder = self._frame, self._decoder
        masks = decoder.masks()
        earliest, time = masks.earliest, masks.allowed[:TIME_COUNT]
        until_window = max(frame.first - decoder.step, 0)
        earliest[END] = NEVER
        if frame.is_pedal_given:
            earliest[[PEDAL_DOWN, PEDAL_UP]] = NEVER
        if decoder.tokens_since_note >= LONGEST_IDLENESS and (earliest[:KEY_COUNT] < NEVER).any():
            earliest[KEY_COUNT : REST + 1] = NEVER
        np.maximum(earliest[:REST], until_window, out=earliest[:REST])
        longest = min(decoder.waits_below, SHORT_WAITS)
        if self._must_strike(due):
            earliest[KEY_COUNT : REST + 1] = NEVER
            longest = min(longest, frame.stop - decoder.step)
        earliest[:REST][earliest[:REST] >= longest] = NEVER
        time[:] = False
        time[int(earliest[:REST].min()) : longest] = True
        if earliest[REST] < NEVER:
            # Where a rest ends, or in the time that it leaves over, a key is free and the window is open.
            until_free = max(until_window, int(decoder.free_at.min()) - decoder.step)
            time[max(_rest_toward(until_free), SHORT_WAITS) :] = True
        if due.symbol == BACK and due.step - decoder.step < longest:
            earliest[BACK] = due.step - decoder.step
            time[due.step - decoder.step] = True
        np.less(earliest, NEVER, out=masks.allowed[TIME_COUNT : TIME_COUNT + len(earliest)])
        return masks

    def fit(self, token: Sequence[int]) -> Sequence[int]:
        """Return the token, its key released in time, or what is due where the token would pass that."""
        due = self._due()
        time, symbol, duration, velocity = token
        at = self._decoder.step + int(TIME_STEPS[time])
        room = self._next_strike(symbol, at) - at if symbol < KEY_COUNT else ENDLESS
        # A note just before a given one of its key is that one, drawn early: two would stutter.
        is_double = room < SHORTEST_REPEAT and not self._must_strike(due)
        if self._is_committed or is_double or not self._is_before(due, time, symbol):
            self._is_committed = True
            return self._row_toward(due)
        if symbol >= KEY_COUNT:
            return token
        if self._frame.end is None:
            room = min(room, self._frame.stop - at)
        return time, symbol, min(duration, int(np.searchsorted(DURATION_STEPS, room, side="right")) - 1), velocity

    def _must_strike(self, due: Due) -> bool:
        """Whether a note must come, inside the window: after a rest, neither the end nor another rest may."""
        decoder = self._decoder
        return decoder.last == REST and (due.symbol == END or due.step - decoder.step >= decoder.waits_below)

    def _is_before(self, due: Due, time: int, symbol: int) -> bool:
        """Whether a new token lies in the window and comes before what is due."""
        frame, step = self._frame, self._decoder.step
        at = step + int(TIME_STEPS[time])
        if symbol == REST:
            return time >= _rest_toward(frame.first - step) and at <= min(due.step, frame.stop - 1)
        if symbol in (PEDAL_DOWN, PEDAL_UP):
            # The last step is left to the pedal's last move.
            is_free = not frame.is_pedal_given and at < frame.stop - 1
        else:
            is_free = symbol < KEY_COUNT and at < frame.stop
        return is_free and at >= frame.first and (at, rank_of(symbol)) < due.position

    def push(self, token: Sequence[int] | NDArray[Any]) -> list[Note | Pedal]:
        """Take one token, return what it completes of the new music; raises CodecError where it may not come."""
        row = tuple(int(value) for value in token)
        due = self._due()
        is_due = row == self._row_toward(due)
        if self.is_ended or not (is_due or self._is_before(due, row[0], row[1])):
            raise CodecError(f"token {row}: new music keeps to its passage and passes nothing that is given")
        if row[1] != REST:
            self._is_committed = False
        if is_due and row[1] == BACK:
            self._decoder.step, self._is_back = due.step, True
            return []
        if is_due and row[1] < KEY_COUNT:
            # Given notes strike whenever they do, also a key that is still held.
            self._decoder.free_at[row[1]] = min(int(self._decoder.free_at[row[1]]), due.step)
        events = self._decoder.push(row)
        if not is_due or self._given_count == len(self._frame.given) or row[1] == REST:
            return events
        release = int(self._frame.given[self._given_count, 4])
        if due != self._given_due():
            return events  # the pedal's last move, which is new
        self._given_count += 1
        if row[1] >= KEY_COUNT:
            return events
        self._given_note_count += 1
        self._decoder.free_at[row[1]] = min(release, self._next_strike(row[1], due.step))
        return []

    def finish(self) -> list[Note | Pedal]:
        """Return the part that the passage has of a press that goes on into what follows, to the end of its window."""
        down = self._decoder.pedal_down_since
        until = max(self._decoder.clock, (self._frame.stop + 1) / STEPS_PER_SECOND)
        return [] if down is None or down >= self._decoder.clock else [Pedal(down, until)]

    def _given_due(self) -> Due | None:
        """The next token that is given."""
        if self._given_count == len(self._frame.given):
            return None
        return Due(*self._frame.given[self._given_count, :4].tolist())

    def _due(self) -> Due:
        frame, is_down = self._frame, self._decoder.pedal_down_since is not None
        due = self._given_due()
        if due is None:
            due = Due(frame.stop, END) if frame.end is None else Due(frame.end, BACK)
        last_move = Due(frame.stop - 1, PEDAL_UP if is_down else PEDAL_DOWN)
        is_missing = is_down != frame.is_pedal_down and not frame.is_pedal_given and self._decoder.step < frame.stop
        return last_move if is_missing and last_move.position < due.position else due

    def _row_toward(self, due: Due) -> tuple[int, int, int, int]:
        """The next token on the way to what is due: itself, or a rest."""
        wait = due.step - self._decoder.step if due.symbol != END else 0
        if wait >= SHORT_WAITS:
            return _rest_toward(wait), REST, 0, 0
        return wait, due.symbol, due.duration, due.velocity

    def _next_strike(self, key: int, step: int) -> int:
        """The first step after this one at which a key is struck by what is given."""
        given = self._frame.given[self._given_count :]
        strikes = given[(given[:, 1] == key) & (given[:, 0] > step), 0]
        return int(strikes[0]) if len(strikes) else int(self._frame.strikes[key])


def _rest_toward(steps: int) -> int:
    """The time value of the longest rest within so many steps, or these steps themselves."""
    return int(np.searchsorted(TIME_STEPS, steps, side="right")) - 1
