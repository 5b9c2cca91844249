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

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .codec import Booleans, Description, Events, Losses, Masks, fold
from .errors import CodecError
from .notes import HIGHEST_PITCH, LOWEST_PITCH, Note, Notes, Pedal

STEPS_PER_SECOND = 100
KEY_COUNT = HIGHEST_PITCH - LOWEST_PITCH + 1
PEDAL_DOWN, PEDAL_UP, REST, START, CODA, END = range(KEY_COUNT, KEY_COUNT + 6)
WHAT_COUNT = KEY_COUNT + 6
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
NEVER = TIME_COUNT
LONGEST_IDLENESS = 32  # rows without a note after which a planned piece must go on with one
LATEST_GAP = 5  # steps of silence that a piece of so many seconds may have before its end


class NoteCodec:
    """Notes <-> events uint16 [T, 4]. It has no parameters: its description names its version."""

    name = "note"
    can_continue = True
    field_names = ("time", "what", "duration", "velocity")
    field_sizes = (TIME_COUNT, WHAT_COUNT, DURATION_COUNT, VELOCITY_COUNT)

    def describe(self) -> Description:
        return {"name": self.name, "version": 1, "field_sizes": list(self.field_sizes)}

    @cached_property
    def tables(self) -> Mapping[int, tuple[int, Booleans]]:
        """`what` depends on time (only a rest waits long, marks take no time), the rest on `what`."""
        time = np.arange(TIME_COUNT)[:, None]
        what_on_time = np.repeat(time < SHORT_WAITS, WHAT_COUNT, axis=1)
        what_on_time[:, REST] = time[:, 0] >= SHORT_WAITS
        what_on_time[:, [START, CODA, END]] = time == 0
        is_note = np.arange(WHAT_COUNT) < KEY_COUNT
        duration = np.repeat(is_note[:, None], DURATION_COUNT, axis=1)
        duration[:, 0] |= ~is_note
        duration[CODA] = True
        duration[CODA, 0] = False
        velocity = np.repeat(is_note[:, None], VELOCITY_COUNT, axis=1)
        velocity[:, 0] |= ~is_note
        return {1: (0, what_on_time), 2: (1, duration), 3: (1, velocity)}

    def encode(self, notes: Notes, *, whole: bool = True, coda: int = 0) -> Events:
        """Turn notes into rows [T, 4]; raises CodecError where `coda` is neither 0 nor 16-64."""
        if coda and not SHORTEST_CODA <= coda <= LONGEST_CODA:
            raise CodecError(f"a coda announces {SHORTEST_CODA} to {LONGEST_CODA} notes, not {coda}")
        columns = _timed_rows(notes)
        places = np.flatnonzero(columns[:, 1] < KEY_COUNT)
        if not whole:
            columns = columns[: int(places[-1]) + 1 if len(places) else 0]
        parts = [_mark(START), _delta_rows(columns)]
        if 0 < coda <= len(places):
            rows = parts[1]
            place = int(np.searchsorted(np.cumsum(rows[:, 1] < KEY_COUNT), len(places) - coda))
            place = 0 if coda == len(places) else place + 1  # straight after the note before
            parts[1:] = [rows[:place], _mark(CODA, coda), rows[place:]]
        if whole:
            parts.append(_mark(END))
        return np.concatenate(parts).astype(np.uint16)

    def decode(self, events: Events) -> Notes:
        return fold(NoteDecoder(), events)

    def quantise(self, notes: Notes) -> Notes:
        return _quantise(notes)[0]

    def losses(self, notes: Notes) -> Losses:
        return _quantise(notes)[1]

    def counted(self, events: Events) -> Booleans:
        what = events[..., 1]
        is_note = what < KEY_COUNT
        is_predicted = (what != START) & (what != CODA)  # those two are placed by the composer
        return np.stack([is_predicted, is_predicted, is_note, is_note], axis=-1)

    def decoder(self) -> NoteDecoder:
        return NoteDecoder()


class NoteDecoder:
    """The grammar of NoteCodec's rows: clock, held keys, pedal, and the order inside one moment."""

    def __init__(self) -> None:
        self._step = 0
        self._free_at = np.zeros(KEY_COUNT, dtype=np.int64)  # step at which each key is released
        self._pedal_at: int | None = None
        self._rank = -1  # place in the order of this moment: 0 pedal up, 1 pedal down, 2 + key
        self._last: int | None = None  # `what` of the row before
        self._waits_below = TIME_COUNT  # after a rest, only waits that the rest could not have carried
        self._notes_left: int | None = None
        self._until: int | None = None  # step at which a piece of so many seconds ends
        self._is_late = False  # that step was passed: only the close is left
        self._coda_due = 0
        self._avoided = -1
        self._rows_since_note = 0
        self._note_count = 0

    @property
    def clock(self) -> float:
        return self._step / STEPS_PER_SECOND

    @property
    def note_count(self) -> int:
        return self._note_count

    @property
    def is_ended(self) -> bool:
        return self._last == END

    def plan(self, *, notes_left: int | None = None, until: float | None = None) -> None:
        self._notes_left = notes_left
        self._until = None if until is None else round(until * STEPS_PER_SECOND)

    def hold(self, pitch: int, until: float) -> None:
        key = pitch - LOWEST_PITCH
        self._free_at[key] = max(int(self._free_at[key]), int(np.ceil(until * STEPS_PER_SECOND)))

    def avoid(self, pitch: int) -> None:
        self._avoided = pitch - LOWEST_PITCH

    def announce_end(self, notes_left: int) -> None:
        self._coda_due = int(np.clip(notes_left, SHORTEST_CODA, LONGEST_CODA))

    def masks(self) -> Masks:
        """Say what may be composed next; a coda is offered only when announced, and then alone."""
        if self.is_ended:
            raise CodecError("the piece is closed: no row may follow its end")
        if self._last is None:
            return _only(0, START)
        if self._coda_due and self._last != REST:
            return _only(0, CODA, self._coda_due)
        if self._is_late:
            return _only(*self._closing_row())
        earliest = np.full(WHAT_COUNT, NEVER, dtype=np.int64)
        if self._notes_left != 0:
            waits = np.maximum(self._free_at - self._step, 0)
            passed = waits[: max(self._rank - 1, 0)]
            np.maximum(passed, 1, out=passed)
            earliest[:KEY_COUNT] = np.where(waits < min(self._waits_below, SHORT_WAITS), waits, NEVER)
            if self._avoided >= 0:
                earliest[self._avoided] = NEVER
        is_idle = self._rows_since_note >= LONGEST_IDLENESS and self._is_planned() and bool((earliest < NEVER).any())
        for what in (END,) if is_idle else (PEDAL_DOWN, PEDAL_UP, REST, END):
            earliest[what] = self._earliest_mark(what)
        allowed = np.ones(sum(NoteCodec.field_sizes), dtype=np.bool_)
        time = allowed[:TIME_COUNT]
        time[: int(earliest[: PEDAL_UP + 1].min())] = False
        time[SHORT_WAITS:] = earliest[REST] < NEVER
        time[self._waits_below :] = False
        time[0] |= earliest[END] == 0
        allowed[TIME_COUNT : TIME_COUNT + WHAT_COUNT] = earliest < NEVER
        return Masks(allowed, earliest)

    def _earliest_mark(self, what: int) -> int:
        """The least wait before a pedal row, a rest or the end; NEVER where it has no place now."""
        is_closing, is_pedalled = self._notes_left == 0, self._pedal_at is not None
        if what == PEDAL_UP:
            return (0 if self._rank < 0 else 1) if is_pedalled else NEVER
        if what == PEDAL_DOWN:
            return (0 if self._rank < 1 else 1) if not is_pedalled and not is_closing else NEVER
        if what == REST:
            return SHORT_WAITS if self._waits_below == TIME_COUNT and not self._is_rest_idle() else NEVER
        may_end = not self._notes_left and (self._until is None or self._is_late)
        return 0 if not is_pedalled and may_end and self._last != REST else NEVER

    def _is_planned(self) -> bool:
        return self._notes_left is not None or self._until is not None

    def _is_rest_idle(self) -> bool:
        """True where a rest would only delay the end: nothing is left to play but to lift the pedal once."""
        return self._notes_left == 0 and (self._pedal_at is None or self._last == REST)

    def fit(self, row: Sequence[int]) -> Sequence[int]:
        """Amend a composed row so that a piece planned until a moment ends there: keys are released by then."""
        time, what, duration, velocity = row
        if self._until is None or self._is_late or what in (START, CODA):
            return row
        left = self._until - self._step - int(TIME_STEPS[time])
        if left <= 0:
            self._is_late = True
            return (*self._closing_row(), 0, 0)
        fitting = int(np.searchsorted(DURATION_STEPS, left, side="right")) - 1
        return (time, what, min(duration, fitting), velocity) if what < KEY_COUNT else row

    def _closing_row(self) -> tuple[int, int]:
        """The next (time, what) of the close: the pedal carries the last sound to the planned end."""
        assert self._until is not None
        left = self._until - self._step
        pause = 0 if self._rank < 0 else 1
        if self._pedal_at is not None:
            if left >= SHORT_WAITS and self._waits_below == TIME_COUNT:
                return int(np.searchsorted(TIME_STEPS, left, side="right")) - 1, REST
            return max(left, pause, 0 if self._pedal_at < self._step else 1), PEDAL_UP
        pause = 0 if self._rank < 1 else 1
        is_filled = int(self._free_at.max()) >= self._until - LATEST_GAP or left <= pause
        return (0, END) if is_filled and self._last != REST else (pause, PEDAL_DOWN)

    def push(self, row: Sequence[int] | NDArray[Any]) -> list[Note | Pedal]:
        time, what, duration, velocity = (int(value) for value in row)
        self._check(time, what, duration, velocity)
        self._step += int(TIME_STEPS[time])
        self._rank = -1 if time else self._rank
        self._waits_below = TIME_COUNT
        self._last = what
        self._rows_since_note = 0 if what < KEY_COUNT else self._rows_since_note + 1
        if what < KEY_COUNT:
            return [self._strike(what, duration, velocity)]
        if what == PEDAL_DOWN:
            self._pedal_at, self._rank = self._step, 1
        elif what == PEDAL_UP:
            return [self._lift()]
        elif what == CODA:
            self._coda_due = 0
        elif what == REST and time < LONGEST_WAIT:
            self._waits_below = int(TIME_STEPS[time + 1] - TIME_STEPS[time])
        return []

    def _strike(self, key: int, duration: int, velocity: int) -> Note:
        steps = int(DURATION_STEPS[duration])
        self._free_at[key] = self._step + steps
        self._rank = 2 + key
        self._avoided = -1
        self._note_count += 1
        if self._notes_left is not None:
            self._notes_left -= 1
        return Note(self.clock, steps / STEPS_PER_SECOND, key + LOWEST_PITCH, int(VELOCITY_CENTRES[velocity]))

    def _lift(self) -> Pedal:
        assert self._pedal_at is not None
        pedal = Pedal(self._pedal_at / STEPS_PER_SECOND, self.clock)
        self._pedal_at, self._rank = None, 0
        return pedal

    def finish(self) -> list[Note | Pedal]:
        """Lift the pedal with the last key (at least one step after it went down), and end."""
        self._last = END
        if self._pedal_at is None:
            return []
        self._step = max(self._pedal_at + 1, self._step, int(self._free_at.max()))
        return [self._lift()]

    def _check(self, time: int, what: int, duration: int, velocity: int) -> None:
        reason = self._refusal(time, what, duration, velocity)
        if reason:
            raise CodecError(f"row (time {time}, what {what}, duration {duration}, velocity {velocity}): {reason}")

    def _refusal(self, time: int, what: int, duration: int, velocity: int) -> str:
        """Why the grammar forbids the row; empty where it does not. `masks` says the same for all rows at once."""
        if not all(0 <= v < n for v, n in zip((time, what, duration, velocity), NoteCodec.field_sizes, strict=True)):
            return f"a field lies outside its size {NoteCodec.field_sizes}"
        if self.is_ended or (self._last is None) != (what == START):
            return "a piece begins with its only start row and nothing follows its end"
        if time >= self._waits_below or (time >= SHORT_WAITS) != (what == REST):
            return "long waits belong to rests, and each rest takes the longest that fits"
        if what < KEY_COUNT:
            return self._key_refusal(time, what)
        if velocity or (duration and what != CODA):
            return "only notes have a velocity, only notes and codas a duration"
        if what == CODA:
            is_placed = time == 0 and SHORTEST_CODA <= duration <= LONGEST_CODA and self._last != REST
            return "" if is_placed else f"a coda announces {SHORTEST_CODA}-{LONGEST_CODA} notes, at once"
        if what in (START, END) and time:
            return "start and end take no time"
        return "" if what == START or time >= self._earliest_mark(what) else "it has no place here"

    def _key_refusal(self, time: int, key: int) -> str:
        if self._notes_left == 0:
            return "all the notes asked for have been composed"
        if self._step + time < self._free_at[key]:
            return f"key {key} still sounds"
        return "" if time or self._rank < 2 + key else "notes of one moment rise in pitch"


def _mark(what: int, duration: int = 0) -> NDArray[np.int64]:
    return np.array([[0, what, duration, 0]])


def _only(time: int, what: int, duration: int = 0) -> Masks:
    """Masks that force one row without a velocity."""
    allowed = np.zeros(sum(NoteCodec.field_sizes), dtype=np.bool_)
    start = 0
    for size, value in zip(NoteCodec.field_sizes, (time, what, duration, 0), strict=True):
        allowed[start + value] = True
        start += size
    return Masks(allowed, np.zeros(WHAT_COUNT, dtype=np.int64))


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
    keys = notes.pitch.astype(np.int64) - LOWEST_PITCH
    inside = (keys >= 0) & (keys < KEY_COUNT)
    keys, onset, length = keys[inside], notes.onset[inside], notes.duration[inside]
    velocity = notes.velocity[inside]
    step = np.rint(onset * STEPS_PER_SECOND).astype(np.int64)
    order = np.lexsort((velocity, length, onset, step, keys))
    keys, step = keys[order], step[order]
    is_last = np.ones(len(keys), dtype=np.bool_)  # of those that share (key, step)
    is_last[:-1] = (keys[1:] != keys[:-1]) | (step[1:] != step[:-1])
    keys, step, order = keys[is_last], step[is_last], order[is_last]
    middles = (DURATION_STEPS[1:] + DURATION_STEPS[:-1]) / 2
    duration = np.searchsorted(middles, (onset + length)[order] * STEPS_PER_SECOND - step, side="left")
    room = np.full(len(keys), DURATION_STEPS[-1])
    same = keys[1:] == keys[:-1]
    room[:-1][same] = (step[1:] - step[:-1])[same]
    duration = np.minimum(duration, np.searchsorted(DURATION_STEPS, room, side="right") - 1)
    return step, keys, duration, velocity[order].astype(np.int64) // 4


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


def _quantise(notes: Notes) -> tuple[Notes, Losses]:
    """Apply the grid note by note, as one would by hand; `encode` reaches the same by columns.

    Of notes with one pitch in one step the later wins, then the longer, then the louder. A note that would
    sound into the next of its pitch is shortened to the longest value that fits.
    """
    kept: dict[tuple[int, int], tuple[float, float, int]] = {}
    outside = 0
    for onset, duration, pitch, velocity in (notes[i] for i in range(len(notes))):
        if not LOWEST_PITCH <= pitch <= HIGHEST_PITCH:
            outside += 1
            continue
        place = (pitch, round(onset * STEPS_PER_SECOND))
        kept[place] = max(kept.get(place, (-1.0, 0.0, 0)), (onset, duration, velocity))
    found: list[Note | Pedal] = []
    shortened = 0
    places = sorted(kept)
    for place, following in pairwise([*places, (-1, 0)]):
        (pitch, step), (onset, duration, velocity) = place, kept[place]
        sounding = (onset + duration) * STEPS_PER_SECOND - step
        steps = int(DURATION_STEPS[np.abs(DURATION_STEPS - sounding).argmin()])
        room = following[1] - step if following[0] == pitch else steps
        if steps > room:
            steps, shortened = int(DURATION_STEPS[DURATION_STEPS <= room].max()), shortened + 1
        found.append(
            Note(step / STEPS_PER_SECOND, steps / STEPS_PER_SECOND, pitch, int(VELOCITY_CENTRES[velocity // 4]))
        )
    presses = [(round(down * STEPS_PER_SECOND), round(up * STEPS_PER_SECOND)) for down, up in notes.pedal.tolist()]
    found += [Pedal(down / STEPS_PER_SECOND, up / STEPS_PER_SECOND) for down, up in presses if up > down]
    merged = len(notes) - outside - len(kept)
    return Notes.from_events(found), Losses(merged, outside, shortened, sum(up <= down for down, up in presses))
