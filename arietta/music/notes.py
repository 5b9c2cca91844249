"""Notes, the one musical value of the program, and what musicians do to them.

`Notes` holds a piece as columns: onset and duration in seconds, pitch and velocity as in MIDI, and the sustain
pedal as (down, up) intervals. Seconds are the only clock; ticks and tempo live in `midi`, grids in the codecs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import NUMBER, quote, require

Seconds = NDArray[np.float64]
Bytes = NDArray[np.uint8]

LOWEST_PITCH, HIGHEST_PITCH = 21, 108  # A0 and C8, the 88 keys


class Note(NamedTuple):
    """One note: onset and duration in seconds, pitch 0-127, velocity 1-127."""

    onset: float
    duration: float
    pitch: int
    velocity: int


class Pedal(NamedTuple):
    """One pressing of the sustain pedal, in seconds."""

    down: float
    up: float


@dataclass(frozen=True, eq=False)
class Notes:
    """A piece: `onset`, `duration` float64 [N] s, `pitch`, `velocity` uint8 [N], `pedal` float64 [P, 2] s.

    Sorted by (onset, pitch); pedal intervals are sorted and do not overlap. The arrays are read-only.
    Build it with `Notes.of`, which sorts and checks. `notes[3]` is a note and `notes[:40]` the first forty at their own
    times; `a + b` plays b after a, and `a | b` both together.
    """

    onset: Seconds
    duration: Seconds
    pitch: Bytes
    velocity: Bytes
    pedal: Seconds

    @classmethod
    def of(
        cls,
        onset: ArrayLike = (),
        duration: ArrayLike = (),
        pitch: ArrayLike = (),
        velocity: ArrayLike = (),
        pedal: ArrayLike = (),
    ) -> Notes:
        """Build notes from columns in any order; raises ValueError where a column is out of range."""
        onsets, durations = _as_seconds(onset, "onset").reshape(-1), _as_seconds(duration, "duration").reshape(-1)
        pitches, velocities = _as_bytes(pitch, "pitch", 0), _as_bytes(velocity, "velocity", 1)
        lengths = [len(column) for column in (onsets, durations, pitches, velocities)]
        if len(set(lengths)) > 1:
            raise ValueError(f"columns differ in length: {lengths}")
        order = np.lexsort((pitches, onsets))
        presses = _as_seconds(pedal, "pedal")
        if presses.size % 2:
            raise ValueError(f"pedal is pairs of seconds, down and up, not {quote(pedal)}")
        presses = presses.reshape(-1, 2)
        presses = presses[np.argsort(presses[:, 0], kind="stable")]
        columns = onsets[order], durations[order], pitches[order], velocities[order], presses
        _check(columns[0], columns[1], presses)
        for column in columns:
            column.setflags(write=False)
        return cls(*columns)

    @classmethod
    def from_events(cls, events: Iterable[Note | Pedal]) -> Notes:
        """Gather what a decoder gave, in any order; raises TypeError for what is neither a Note nor a Pedal."""
        events = list(events)
        notes = [event for event in events if isinstance(event, Note)]
        pedal = [event for event in events if isinstance(event, Pedal)]
        onset, duration, pitch, velocity = zip(*notes, strict=True) if notes else ((), (), (), ())
        if len(notes) + len(pedal) < len(events):
            others: list[object] = [event for event in events if type(event) not in (Note, Pedal)]
            raise TypeError(f"events are Note and Pedal, not {quote(others[0])}")
        return cls.of(onset, duration, pitch, velocity, pedal)

    def __len__(self) -> int:
        return len(self.onset)

    @overload
    def __getitem__(self, index: int) -> Note: ...

    @overload
    def __getitem__(self, index: slice | NDArray[np.bool_]) -> Notes: ...

    def __getitem__(self, index: int | slice | NDArray[np.bool_]) -> Note | Notes:
        """Return a note, or for a slice its notes with the pedal from the first of them to the next note after them.

        A mask bool [N], such as a take's `is_new`, keeps all of the pedal. Times stay as they are. Raises IndexError
        for a note that is not there, TypeError for any other index.
        """
        if isinstance(index, slice):
            chosen = np.arange(len(self))[index]
            before, after = (chosen.min(), chosen.max() + 1) if len(chosen) else (0, 0)
            start = self.onset[before] if before else 0.0  # at both ends of the piece all of its pedal is kept
            end = self.onset[after] if after < len(self) else np.inf
            pedal = clip_pedal(self.pedal, float(start), float(end))
            return select(self, chosen, pedal if len(chosen) or not len(self) else pedal[:0])
        if isinstance(index, bool) or not isinstance(index, int | np.integer):
            if isinstance(index, np.ndarray) and index.dtype == np.bool_ and index.shape == self.onset.shape:
                return select(self, index)
            raise TypeError(f"notes have whole numbers, slices and masks of all notes as indices, not {quote(index)}")
        if not -len(self) <= index < len(self):
            raise IndexError(f"there is no note {index}: there are {len(self)}")
        return Note(
            float(self.onset[index]), float(self.duration[index]), int(self.pitch[index]), int(self.velocity[index])
        )

    def __iter__(self) -> Iterator[Note]:
        """Give the notes in their order."""
        return (self[index] for index in range(len(self)))

    def between(self, start: float, end: float) -> Notes:
        """Return what begins in [start, end) seconds, at its own time; a pedal held across an edge is cut there."""
        for second in (start, end):
            require(second, (*NUMBER, np.number), "`between` takes two numbers of seconds", TypeError)
        return select(self, (self.onset >= start) & (self.onset < end), clip_pedal(self.pedal, start, end))

    def __add__(self, after: Notes) -> Notes:
        """Play `after` from its first sound on, when this has been released entirely."""
        if not isinstance(after, Notes):
            return NotImplemented
        return join(self, trim(after))

    def __or__(self, beside: Notes) -> Notes:
        """Play both together: of two notes with one onset and pitch the longer length and the higher velocity stay.

        The pedal is down where either has it down.
        """
        if not isinstance(beside, Notes):
            return NotImplemented
        columns = [np.concatenate(pair) for pair in zip(self._columns(), beside._columns(), strict=True)]
        onset, duration, pitch, velocity, pedal = columns
        keys, twin = np.unique(np.stack([onset, pitch]), axis=1, return_inverse=True)
        longest, loudest = np.zeros(keys.shape[1]), np.zeros(keys.shape[1], dtype=np.uint8)
        np.maximum.at(longest, twin, duration)
        np.maximum.at(loudest, twin, velocity)
        return Notes.of(keys[0], longest, keys[1], loudest, merge_pedal(pedal))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Notes):
            return NotImplemented
        mine, theirs = self._columns(), other._columns()
        return all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True))

    __hash__ = None  # type: ignore[assignment]  # arrays inside

    def __repr__(self) -> str:
        spans = [
            f", {name} {column.min()}-{column.max()}"
            for name, column in (("pitch", self.pitch), ("velocity", self.velocity))
            if len(column)
        ]
        counts = f"{_count(len(self), 'note')}, {_count(len(self.pedal), 'pedal')}"
        return f"Notes({counts}, {self.seconds:.2f} s{''.join(spans)})"

    @property
    def release(self) -> Seconds:
        """Key releases, float64 [N] s."""
        return self.onset + self.duration

    @property
    def seconds(self) -> float:
        """Time of the last release of a key or of the pedal; 0 when empty."""
        return max(float(self.release.max(initial=0.0)), float(self.pedal.max(initial=0.0)))

    def _columns(self) -> tuple[NDArray[Any], ...]:
        return self.onset, self.duration, self.pitch, self.velocity, self.pedal


def select(notes: Notes, chosen: NDArray[Any], pedal: Seconds | None = None) -> Notes:
    """Keep the notes that `chosen` (a mask or indices) picks, and `pedal` or all of the pedal."""
    presses = notes.pedal if pedal is None else pedal
    return Notes.of(notes.onset[chosen], notes.duration[chosen], notes.pitch[chosen], notes.velocity[chosen], presses)


def crop(notes: Notes, start: float, end: float) -> Notes:
    """Keep what begins in [start, end) seconds, moved to begin at 0; a pedal held across an edge is cut there."""
    return shift(notes.between(start, end), -start)


def first(notes: Notes, note_count: int) -> Notes:
    """Keep the first `note_count` notes; a pedal held at the last of their onsets stays, later ones go."""
    if note_count >= len(notes):
        return notes
    if note_count <= 0:
        return Notes.of()
    kept = notes.pedal[notes.pedal[:, 0] <= notes.onset[note_count - 1]]
    return select(notes, np.arange(note_count), kept)


def excerpt(notes: Notes, start: int, stop: int) -> Notes:
    """Keep notes [start, stop) without the pedal, moved so that the first begins at 0."""
    chosen = slice(start, stop)
    columns = notes.duration[chosen], notes.pitch[chosen], notes.velocity[chosen]
    return Notes.of(notes.onset[chosen] - notes.onset[chosen][:1], *columns)


def window(notes: Notes, start: int, stop: int) -> Notes:
    """Keep notes [start, stop) and the pedal from the first of them to what comes after, moved to begin at 0."""
    end = notes.onset[stop] if stop < len(notes) else notes.seconds
    return trim(select(notes, np.arange(start, stop), clip_pedal(notes.pedal, notes.onset[start], end)))


def shift(notes: Notes, seconds: float) -> Notes:
    """Move everything later by `seconds` (earlier when negative); raises ValueError if that begins before 0.

    A pedal too short to be told apart at its new time is left out.
    """
    pedal = notes.pedal + seconds
    pedal = pedal[pedal[:, 1] > pedal[:, 0]]
    return Notes.of(notes.onset + seconds, notes.duration, notes.pitch, notes.velocity, pedal)


def trim(notes: Notes) -> Notes:
    """Move everything so that the first note, or a pedal pressed before it, begins at 0."""
    return shift(notes, -beginning(notes))


def beginning(notes: Notes) -> float:
    """Return when the first note begins, or a pedal pressed before it, in seconds; 0 where there is neither."""
    return float(min((column.min() for column in (notes.onset, notes.pedal) if column.size), default=0.0))


def join(before: Notes, after: Notes, gap: float = 0.0) -> Notes:
    """Play `after` when `before` has ended, `gap` seconds later."""
    later = shift(after, before.seconds + gap)
    columns = zip(before._columns(), later._columns(), strict=True)
    return Notes.of(*(np.concatenate(pair) for pair in columns))


def transpose(notes: Notes, semitones: int) -> Notes:
    """Move all pitches by `semitones`; raises ValueError when one would leave the 88 keys."""
    pitch = notes.pitch.astype(np.int64) + semitones
    if len(pitch) and (pitch.min() < LOWEST_PITCH or pitch.max() > HIGHEST_PITCH):
        raise ValueError(f"transposing by {semitones} leaves the 88 keys (pitches {LOWEST_PITCH}-{HIGHEST_PITCH})")
    return Notes.of(notes.onset, notes.duration, pitch, notes.velocity, notes.pedal)


def stretch(notes: Notes, factor: float) -> Notes:
    """Make everything `factor` times as long (1.05 is slower, 0.95 faster)."""
    return Notes.of(notes.onset * factor, notes.duration * factor, notes.pitch, notes.velocity, notes.pedal * factor)


def clip_pedal(pedal: Seconds, start: float, end: float) -> Seconds:
    """Cut the pedal [P, 2] at both ends of a span of seconds; nothing is left of what lies outside."""
    # Found first: of a long piece's pedal a short span has a few presses.
    first = int(np.searchsorted(pedal[:, 1], start, side="right"))
    last = int(np.searchsorted(pedal[:, 0], end, side="left"))
    clipped = np.clip(pedal[first : max(first, last)], start, end)
    return np.asarray(clipped[clipped[:, 1] > clipped[:, 0]], dtype=np.float64)


def merge_pedal(pedal: Seconds) -> Seconds:
    """Join presses that overlap or touch, float64 [P, 2] s in any order."""
    if not len(pedal):
        return pedal
    pedal = pedal[np.argsort(pedal[:, 0], kind="stable")]
    lifted = np.maximum.accumulate(pedal[:, 1])
    begins = np.append(True, pedal[1:, 0] > lifted[:-1])
    return np.stack([pedal[begins, 0], lifted[np.append(begins[1:], True)]], axis=1)


def fold_pedal(notes: Notes) -> Notes:
    """Give each note the length it sounds: up to the lifting of the pedal that holds it, or its next striking.

    The result has no pedal. This is what Magenta's `apply_sustain_control_changes` does, with the key struck
    again under the pedal ending the earlier note.
    """
    release = notes.release
    if len(notes.pedal):
        press = np.searchsorted(notes.pedal[:, 0], release, side="right") - 1
        held = (press >= 0) & (release < notes.pedal[np.maximum(press, 0), 1])
        release = np.where(held, notes.pedal[np.maximum(press, 0), 1], release)
    release = np.minimum(release, next_strike(notes))
    return Notes.of(notes.onset, release - notes.onset, notes.pitch, notes.velocity)


def next_strike(notes: Notes) -> Seconds:
    """Time at which the pitch of each note is struck again later, float64 [N] s; inf where it is not."""
    order = np.lexsort((notes.onset, notes.pitch))
    onset, pitch = notes.onset[order], notes.pitch[order]
    is_new = np.ones(len(notes), dtype=np.bool_)
    is_new[1:] = (pitch[1:] != pitch[:-1]) | (onset[1:] > onset[:-1])
    strikes = np.flatnonzero(is_new)
    is_same = pitch[strikes[1:]] == pitch[strikes[:-1]]
    following = np.append(np.where(is_same, onset[strikes[1:]], np.inf), np.inf)
    result = np.empty(len(notes))
    result[order] = following[np.cumsum(is_new) - 1]
    return result


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _as_seconds(values: ArrayLike, name: str) -> Seconds:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers of seconds, not {quote(values)}") from error


def _as_bytes(values: ArrayLike, name: str, lowest: int) -> Bytes:
    array = np.asarray(values).reshape(-1)
    if array.size and array.dtype.kind not in "biuf":
        if all(isinstance(value, int) for value in array):  # one has more than 64 bits
            raise ValueError(f"{name} must lie in {lowest}-127, not {quote(values)}")
        raise ValueError(f"{name} must be whole numbers, not {quote(values)}")
    if array.size and (array.min() < lowest or array.max() > 127):
        found = array[(array < lowest) | (array > 127)][0]
        raise ValueError(f"{name} must lie in {lowest}-127, not {found}")
    if array.dtype.kind == "f" and not np.array_equal(array, np.rint(array)):
        raise ValueError(f"{name} must be whole numbers")
    return array.astype(np.uint8)


def _check(onset: Seconds, duration: Seconds, pedal: Seconds) -> None:
    if not all(np.isfinite(column).all() for column in (onset, duration, pedal)):
        raise ValueError("times must be finite")
    if onset.min(initial=0.0) < 0 or pedal.min(initial=0.0) < 0:
        raise ValueError("time begins at 0: no onset or pedal may lie before it")
    if len(duration) and duration.min() <= 0:
        raise ValueError(f"a duration must be above 0, found {duration.min()}")
    if (pedal[:, 1] <= pedal[:, 0]).any() or (pedal[1:, 0] < pedal[:-1, 1]).any():
        raise ValueError("pedal intervals must end after they begin, and may not overlap")
