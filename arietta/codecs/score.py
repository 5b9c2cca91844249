"""The grammar of a written score that is played: every note once, near its time; the rest is the player's.

    written = WrittenNotes.of(notes, origin=0.0)
    decoder = ScoreDecoder(codec.decoder(), written, is_played=np.zeros(len(written), dtype=np.bool_), stop=200)

A note may come from half a written step before its time to half a written step after it, `LONGEST_REACH` at most. The
next token is one of the pending notes whose time that may be, a move of the pedal or a rest; none comes later than the
last moment of the note that is due first. Lengths and loudness are free, but that a key is released before it is struck
again. Where notes are exact, each comes at its written time, and the pedal moves with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CodecError
from ..music.notes import Note, Notes, Pedal
from .codec import Booleans, Masks, Tokens
from .grid import (
    DURATION_STEPS,
    KEY_COUNT,
    PEDAL_DOWN,
    PEDAL_UP,
    REST,
    SHORT_WAITS,
    STEPS_PER_SECOND,
    TIME_COUNT,
    TIME_STEPS,
    merge_by_column,
    respace,
)
from .note_decoder import LONGEST_IDLENESS, NEVER, NoteDecoder

SHORTEST_REACH, LONGEST_REACH = 2, 4  # steps before and after its written time in which a note may come
LONGEST_WRITTEN_WAIT = 1000  # steps: longer silences are written as this one


@dataclass(frozen=True)
class WrittenNotes:
    """What a score says, in order of time and then of pitch: int64 [N] each.

    `step` of the onset, `key` from 0, `duration` as a value of that field; a note may be struck from the step
    `earliest` to `latest`, which is `step` for all where they are exact.
    """

    step: NDArray[np.int64]
    key: NDArray[np.int64]
    duration: NDArray[np.int64]
    earliest: NDArray[np.int64]
    latest: NDArray[np.int64]

    @classmethod
    def of(cls, notes: Notes, origin: float, *, is_exact: bool = False) -> WrittenNotes:
        """Put notes on the grid that begins at `origin` (s); of notes with one pitch in one step the longest stays."""
        moved = Notes.of(notes.onset - origin, notes.duration, notes.pitch, notes.velocity)
        chosen, key, step = merge_by_column(moved)
        onsets = sorted(set(step.tolist()))
        gaps = np.diff(onsets, prepend=-(1 << 40), append=1 << 40)
        to_nearest = np.minimum(gaps[:-1], gaps[1:])[np.searchsorted(onsets, step)]
        reach = np.zeros_like(step) if is_exact else np.clip(to_nearest // 2, SHORTEST_REACH, LONGEST_REACH)
        # The moments of two notes of one key never meet, so that each is struck once and in its turn.
        same = np.flatnonzero(np.diff(key) == 0)
        most = (step[same + 1] - step[same] - 1) // 2
        for side in (same, same + 1):
            reach[side] = np.minimum(reach[side], most)
        middles = (DURATION_STEPS[1:] + DURATION_STEPS[:-1]) / 2
        duration = np.searchsorted(middles, moved.duration[chosen] * STEPS_PER_SECOND)
        order = np.lexsort((key, step))
        columns = step, key, duration, np.maximum(step - reach, 0), step + reach
        return cls(*(column[order] for column in columns))

    def __len__(self) -> int:
        return len(self.step)

    def tokens(self, chosen: Booleans, begin: int) -> Tokens:
        """Return chosen notes as one writes them down, tokens [T, 4] without loudness; the first waits from `begin`."""
        step, key, duration = self.step[chosen], self.key[chosen], self.duration[chosen]
        waits = np.diff(np.maximum(step - begin, 0), prepend=0)
        rows = np.stack([np.zeros_like(key), key, duration, np.zeros_like(key)], axis=1)
        return respace(rows, np.minimum(waits, LONGEST_WRITTEN_WAIT).cumsum()).astype(np.uint16)


class ScoreDecoder:
    """A decoder that plays what is written, from where another one stands until `stop` notes are played in all."""

    def __init__(self, decoder: NoteDecoder, written: WrittenNotes, is_played: Booleans, stop: int) -> None:
        """Go on from `decoder`, which has taken what was played: the notes `is_played` bool [N]."""
        self._decoder, self._written, self._stop = decoder, written, stop
        self._is_exact = bool((written.earliest == written.latest).all())
        order = np.lexsort((written.key, written.latest))
        self._pending: list[int] = order[~is_played[order]].tolist()  # the one that is due first comes first
        self._next_strike = np.full(len(written), 1 << 40)  # the earliest step at which its key is struck again
        by_key = np.lexsort((written.step, written.key)).tolist()
        for note, following in pairwise(by_key):
            if written.key[note] == written.key[following]:
                self._next_strike[note] = written.earliest[following]

    @property
    def clock(self) -> float:
        return self._decoder.clock

    @property
    def note_count(self) -> int:
        return self._decoder.note_count

    @property
    def pedal_down_since(self) -> float | None:
        return self._decoder.pedal_down_since

    @property
    def is_ended(self) -> bool:
        return self.note_count >= self._stop

    @property
    def steps_left(self) -> None:
        """Nothing follows a score that would have to begin at a certain step."""
        return None

    def plan(self, *, notes_left: int | None = None, until: float | None = None) -> None:
        """Raise CodecError: a score has its own length."""
        raise CodecError("the length of a performance is that of its score: ask for none")

    def announce_end(self, notes_left: int) -> None:
        """Do nothing: the end of a score is known from the beginning."""

    def hold(self, pitch: int, until: float) -> None:
        """Do nothing: no key is held but by what is played."""

    def avoid(self, pitch: int) -> None:
        """Do nothing: a score repeats what it repeats."""

    def masks(self) -> Masks:
        """Say what may be drawn; a note that would pass the one due gives way to it in `fit`."""
        if self.is_ended:
            raise CodecError("the score is played: no token may follow its end")
        decoder, due = self._decoder, self._pending[0]
        masks = decoder.masks()
        earliest, time = masks.earliest, masks.allowed[:TIME_COUNT]
        until = min(int(self._written.latest[due]) - decoder.step, min(decoder.waits_below, SHORT_WAITS) - 1)
        waits = earliest.copy()
        earliest[:] = NEVER
        for note in self._reachable(decoder.step + until):
            key = int(self._written.key[note])
            earliest[key] = max(int(waits[key]), int(self._written.earliest[note]) - decoder.step)
        if decoder.tokens_since_note < LONGEST_IDLENESS:
            earliest[[PEDAL_DOWN, PEDAL_UP]] = waits[[PEDAL_DOWN, PEDAL_UP]]
        earliest[earliest > until] = NEVER
        time[:] = False
        time[int(earliest.min()) : max(until, 0) + 1] = True
        if self._is_exact:
            time[:until] = False
            earliest[:KEY_COUNT][np.arange(KEY_COUNT) != self._written.key[due]] = NEVER
        if decoder.waits_below == TIME_COUNT and self._written.step[due] - decoder.step >= SHORT_WAITS:
            earliest[REST] = SHORT_WAITS
            time[SHORT_WAITS:] = True
        np.less(earliest, NEVER, out=masks.allowed[TIME_COUNT : TIME_COUNT + len(earliest)])
        return masks

    def fit(self, token: Sequence[int]) -> Sequence[int]:
        """Return the token, a rest as long as fits before the note due, a key released before it is struck again."""
        time, symbol, duration, velocity = token
        due, step = self._pending[0], self._decoder.step
        if symbol == REST:
            wait = int(self._written.step[due]) - step
            return int(np.searchsorted(TIME_STEPS, wait, side="right")) - 1, REST, 0, 0
        if symbol >= KEY_COUNT:
            return token
        at = step + int(TIME_STEPS[time])
        if at == self._written.latest[due]:  # in one moment notes rise in pitch, and none may pass what is due
            symbol = min(symbol, int(self._written.key[due]))
        note = self._find(symbol, at)
        room = DURATION_STEPS[-1] if note is None else int(self._next_strike[note]) - at
        return time, symbol, min(duration, int(np.searchsorted(DURATION_STEPS, room, side="right")) - 1), velocity

    def push(self, token: Sequence[int] | NDArray[Any]) -> list[Note | Pedal]:
        """Take one token, return what it completes; raises CodecError for what is not written or comes too late."""
        time, symbol, duration, velocity = (int(value) for value in token)
        at = self._decoder.step + int(TIME_STEPS[time])
        note = self._find(symbol, at) if symbol < KEY_COUNT and not self.is_ended else None
        is_missing = symbol < KEY_COUNT and note is None
        if self.is_ended or is_missing or symbol > REST or at > self._written.latest[self._pending[0]]:
            raise CodecError(f"token {(time, symbol, duration, velocity)}: a score is played as it is written")
        events = self._decoder.push(token)
        if note is not None:
            self._pending.remove(note)
        return events

    def finish(self) -> list[Note | Pedal]:
        """Lift the pedal with the last key at the end of the score; before it, say that it is down for a step more."""
        if not self._pending:
            return self._decoder.finish()
        down = self.pedal_down_since
        return [] if down is None else [Pedal(down, self.clock + 1 / STEPS_PER_SECOND)]

    def _reachable(self, step: int) -> list[int]:
        """The pending notes that may be struck at some moment up to a step."""
        notes = []
        for note in self._pending:
            if self._written.latest[note] > step + 2 * LONGEST_REACH:
                break
            if self._written.earliest[note] <= step:
                notes.append(note)
        return notes

    def _find(self, key: int, step: int) -> int | None:
        """The pending note of a key that may be struck at a step."""
        for note in self._reachable(step):
            if self._written.key[note] == key:
                return note
        return None
