"""PerformanceCodec: one event per token, in the vocabulary of Oore et al. 2018 as the Music Transformer used it.

    0-87     note off, from A0       88-175   note on
    176-275  time shift, 1-100 steps of 10 ms
    276-307  velocity of the notes that follow, 32 bins of four

(Oore et al., "This Time with Feeling"; Huang et al. 2018, "Music Transformer".) The pedal is folded into the notes
first. It is here so that likelihoods can be held against published ones; it has no pedal, no coda and no end: a
piece is over when nothing sounds.

One piece has one spelling. At one moment: note offs by rising pitch, then note ons by rising pitch, each after a
velocity where that changes. Between moments: time shifts of 100 as long as they fit, then what remains. Onsets and
releases are rounded on the piece's own clock, so errors stay within 5 ms; a note lasts a step at least.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CodecError
from ..music.notes import LOWEST_PITCH, Note, Notes, Pedal, fold_pedal
from .codec import Booleans, Description, Losses, Masks, Tokens, decode_with
from .grid import KEY_COUNT, STEPS_PER_SECOND, VELOCITY_CENTRES, VELOCITY_COUNT, merge_by_column, merge_by_note

LONGEST_SHIFT = 100
NOTE_OFF, NOTE_ON, SHIFT, VELOCITY = 0, KEY_COUNT, 2 * KEY_COUNT, 2 * KEY_COUNT + LONGEST_SHIFT
FULL_SHIFT = VELOCITY - 1
EVENT_COUNT = VELOCITY + VELOCITY_COUNT
LONGEST_SILENCE = 4000  # steps a planned piece may wait for a note or a release; MAESTRO's longest gap is 37 s
SILENT = -1


class PerformanceCodec:
    """Notes <-> tokens uint16 [T, 1]. It has no parameters: its description names its version."""

    name = "performance"
    can_continue = False
    sampled_field = 0
    field_names = ("event",)
    field_sizes = (EVENT_COUNT,)

    @property
    def tables(self) -> Mapping[int, tuple[int, Booleans]]:
        return {}

    def describe(self) -> Description:
        return {"name": self.name, "version": 1, "field_sizes": list(self.field_sizes)}

    def encode(self, notes: Notes, *, is_complete: bool = True, coda: int = 0) -> Tokens:
        """Turn notes into tokens [T, 1]; `coda` is without effect."""
        moves = _moves(notes)
        if not is_complete:
            begun = np.flatnonzero(moves[:, 1] >= NOTE_ON)
            moves = moves[: int(begun[-1]) + 1 if len(begun) else 0]
        return _spell(moves).astype(np.uint16)[:, None]

    def decode(self, tokens: Tokens) -> Notes:
        return decode_with(PerformanceDecoder(), tokens)

    def quantise(self, notes: Notes) -> Notes:
        """Apply the grid note by note, as one would by hand; `encode` reaches the same by columns."""
        kept, _ = merge_by_note(fold_pedal(notes))
        events: list[Note | Pedal] = []
        for strike, following in pairwise([*sorted(kept), (-1, 0)]):  # the last has no note after it on its key
            (pitch, step), (onset, duration, velocity) = strike, kept[strike]
            release = max(round((onset + duration) * STEPS_PER_SECOND), step + 1)
            if following[0] == pitch:
                release = min(release, following[1])
            events.append(_note(pitch - LOWEST_PITCH, step, release, velocity // 4))
        return Notes.from_events(events)

    def losses(self, notes: Notes) -> Losses:
        """Count the notes that share a key and a step, and those that no key plays; a folded pedal is no loss."""
        kept, outside = merge_by_note(fold_pedal(notes))
        return Losses(merged=len(notes) - outside - len(kept), outside=outside)

    def loss_mask(self, tokens: Tokens) -> Booleans:
        return np.ones(tokens.shape, dtype=np.bool_)

    def decoder(self) -> PerformanceDecoder:
        return PerformanceDecoder()


class PerformanceDecoder:
    """The grammar of the events: clock, sounding keys, velocity, and the order inside one moment."""

    def __init__(self) -> None:
        self._step = 0
        self._struck_at = [SILENT] * KEY_COUNT  # step at which each sounding key went down
        self._struck_with = [0] * KEY_COUNT  # and its velocity bin
        self._sounding_count = 0
        self._velocity = -1
        self._rank = -1  # the last note off or note on of this moment: those that follow are higher
        self._last = -1
        self._last_onset = 0
        self._notes_left: int | None = None
        self._avoided = -1
        self._note_count = 0
        self._is_finished = False

    @property
    def clock(self) -> float:
        return self._step / STEPS_PER_SECOND

    @property
    def note_count(self) -> int:
        return self._note_count

    @property
    def pedal_down_since(self) -> None:
        """None: this codec has no pedal."""
        return None

    @property
    def is_ended(self) -> bool:
        """True once finished, or when a planned piece has all its notes and the last was let go."""
        return self._is_finished or (self._notes_left == 0 and not self._sounding_count)

    def plan(self, *, notes_left: int | None = None, until: float | None = None) -> None:
        """Compose `notes_left` notes and let them go; raises CodecError for `until`: no event fills the time."""
        if until is not None:
            raise CodecError("the performance codec composes a number of notes, not of seconds")
        self._notes_left, self._last_onset = notes_left, self._step

    def hold(self, pitch: int, until: float) -> None:
        raise CodecError("the performance codec does not continue a prompt; the note codec does")

    def avoid(self, pitch: int) -> None:
        self._avoided = pitch - LOWEST_PITCH

    def fit(self, token: Sequence[int]) -> Sequence[int]:
        return token

    def announce_end(self, notes_left: int) -> None:
        """Do nothing: there is no coda."""

    def masks(self) -> Masks:
        """Say what may be composed next: the grammar, less a pitch to avoid and, after 40 s, mere waiting."""
        if self.is_ended:
            raise CodecError("the piece is closed: no token may follow its end")
        allowed = np.zeros(EVENT_COUNT, dtype=np.bool_)
        struck_at = np.array(self._struck_at)
        keys = np.arange(KEY_COUNT)
        strikable = (struck_at == SILENT) & (keys + NOTE_ON > self._rank) & (self._notes_left != 0)
        if self._avoided >= 0 and strikable.sum() > strikable[self._avoided]:
            strikable[self._avoided] = False
        allowed[NOTE_ON:SHIFT] = strikable & (self._velocity >= 0)
        if self._last < VELOCITY:
            allowed[NOTE_OFF:NOTE_ON] = (struck_at != SILENT) & (struck_at < self._step) & (keys > self._rank)
            allowed[VELOCITY:] = strikable.any()
            if self._velocity >= 0:
                allowed[VELOCITY + self._velocity] = False
            is_idle = self._notes_left is not None and self._step - self._last_onset >= LONGEST_SILENCE
            allowed[SHIFT:VELOCITY] = not self._is_shifted() and not (is_idle and allowed.any())
        return Masks(allowed, np.zeros(0, dtype=np.int64))

    def _is_shifted(self) -> bool:
        """True after a shift that could have been longer: nothing may lengthen it."""
        return SHIFT <= self._last < FULL_SHIFT

    def push(self, token: Sequence[int] | NDArray[Any]) -> list[Note | Pedal]:
        (event,) = (int(value) for value in token)
        reason = self._refusal(event)
        if reason:
            raise CodecError(f"event {event}: {reason}")
        self._last = event
        if event >= VELOCITY:
            self._velocity = event - VELOCITY
        elif event >= SHIFT:
            self._step += event - SHIFT + 1
            self._rank = -1
        elif event >= NOTE_ON:
            self._strike(event - NOTE_ON)
        else:
            return [self._let_go(event)]
        return []

    def _strike(self, key: int) -> None:
        self._struck_at[key], self._struck_with[key] = self._step, self._velocity
        self._rank, self._avoided, self._last_onset = NOTE_ON + key, -1, self._step
        self._sounding_count += 1
        self._note_count += 1
        if self._notes_left is not None:
            self._notes_left -= 1

    def _let_go(self, key: int) -> Note:
        note = _note(key, self._struck_at[key], max(self._step, self._struck_at[key] + 1), self._struck_with[key])
        self._struck_at[key], self._rank = SILENT, key
        self._sounding_count -= 1
        return note

    def finish(self) -> list[Note | Pedal]:
        """Release every key where the clock stands, at least a step after it was struck, and end."""
        self._is_finished = True
        return [self._let_go(key) for key in range(KEY_COUNT) if self._struck_at[key] != SILENT]

    def _refusal(self, event: int) -> str:
        """Why the grammar forbids the event; empty where it does not. `masks` says the same for all at once."""
        if not 0 <= event < EVENT_COUNT:
            return f"events lie in 0-{EVENT_COUNT - 1}"
        if self.is_ended:
            return "nothing follows the end of a piece"
        if self._last >= VELOCITY and not NOTE_ON <= event < SHIFT:
            return "a velocity stands before its note"
        if event < NOTE_ON:
            is_sounding = self._struck_at[event] != SILENT and self._struck_at[event] < self._step
            return self._rank_refusal(event) if is_sounding else f"key {event} does not sound from an earlier moment"
        if event < SHIFT:
            return self._strike_refusal(event)
        if event < VELOCITY:
            return "a time shift takes the longest that fits" if self._is_shifted() else ""
        can_strike = self._notes_left != 0 and SILENT in self._struck_at[max(self._rank - NOTE_ON + 1, 0) :]
        is_news = event - VELOCITY != self._velocity
        return "" if can_strike and is_news else "a velocity is given when it changes and a note can follow"

    def _strike_refusal(self, event: int) -> str:
        if self._notes_left == 0:
            return "all the notes asked for have been composed"
        if self._velocity < 0:
            return "the first note needs a velocity"
        is_silent = self._struck_at[event - NOTE_ON] == SILENT
        return self._rank_refusal(event) if is_silent else f"key {event - NOTE_ON} still sounds"

    def _rank_refusal(self, event: int) -> str:
        return "" if event > self._rank else "at one moment note offs, then note ons, rise in pitch"


def _note(key: int, step: int, release: int, velocity: int) -> Note:
    seconds = step / STEPS_PER_SECOND, (release - step) / STEPS_PER_SECOND
    return Note(*seconds, key + LOWEST_PITCH, int(VELOCITY_CENTRES[velocity]))


def _moves(notes: Notes) -> NDArray[np.int64]:
    """Columns (step, note off or note on, velocity bin) int64 [2 N, 3], in the order of playing."""
    notes = fold_pedal(notes)
    chosen, key, step = merge_by_column(notes)
    release = np.maximum(np.rint(notes.release[chosen] * STEPS_PER_SECOND).astype(np.int64), step + 1)
    same = key[1:] == key[:-1]
    release[:-1][same] = np.minimum(release[:-1], step[1:])[same]
    velocity = notes.velocity[chosen].astype(np.int64) // 4
    ons = np.stack([step, NOTE_ON + key, velocity], axis=1)
    offs = np.stack([release, NOTE_OFF + key, velocity], axis=1)
    moves = np.concatenate([ons, offs])
    return moves[np.lexsort((moves[:, 1], moves[:, 0]))]


def _spell(moves: NDArray[np.int64]) -> NDArray[np.int64]:
    """Put time shifts and velocities between the moves, int64 [T]."""
    full, rest = np.divmod(np.diff(moves[:, 0], prepend=0), LONGEST_SHIFT)
    is_on = moves[:, 1] >= NOTE_ON
    is_news = np.zeros(len(moves), dtype=np.bool_)
    is_news[is_on] = np.diff(moves[is_on, 2], prepend=-1) != 0
    ends = np.cumsum(full + (rest > 0) + is_news + 1)
    tokens = np.full(int(ends[-1]) if len(ends) else 0, FULL_SHIFT, dtype=np.int64)
    tokens[ends - 1] = moves[:, 1]
    tokens[(ends - 2)[is_news]] = VELOCITY + moves[is_news, 2]
    tokens[(ends - 2 - is_news)[rest > 0]] = SHIFT + rest[rest > 0] - 1
    return tokens
