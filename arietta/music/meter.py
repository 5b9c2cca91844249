"""The metre of a piece: where its bars, beats and tempo changes lie, in seconds.

Positions in the metre are counted in quarter notes; written notes lie on a lattice of 24 positions to a quarter. A
metre comes from a MIDI file that carries one (`midi.read_meter`) or is found in the timing of the notes
(`beats.find_meter`); a score is written by it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import RequestError

FOLLOWED = 0.4  # 0.77-1 in 16 sequenced files, at most 0.15 in 160 performances under a nominal tempo
WRITTEN = 0.7  # 0.98-1 in those sequenced files, 0.3 by chance
LATTICE = 24  # positions in a quarter note: thirty-second notes and sextuplets
MOST_MARKS = 20_000  # of a kind that a description may have: beats of more than an hour
LATEST = 86_400  # seconds, of a mark in a description: as many as a file may last
SHORTEST_BAR, LONGEST_QUARTER = 0.1, 16.7  # seconds, of a description; the second is the most that MIDI files hold
SAME = 1e-3  # seconds, or positions: what floats lose of a moment
SHORTEST_LEAD = 0.1  # seconds before the first beat that get a tempo of their own; less is counted to that beat
THIRTY_SECOND = LATTICE // 8  # the shortest note value that is written

UNITS = (1, 2, 4, 8, 16, 32)  # of a whole note, that a time signature may count
UNITS_SAID = f"{', '.join(map(str, UNITS[:-1]))} or {UNITS[-1]}"
MOST_BEATS = 16  # of a metre that is asked for
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TimeSignature:
    """A time signature from `seconds` on: 6/8 has 6 `beats` of `unit` 8. A bar begins there."""

    seconds: float
    beats: int
    unit: int

    @classmethod
    def read(cls, text: Any, seconds: float = 0.0) -> TimeSignature:
        """Read a metre such as "3/4"; raises RequestError where it is none that music may be asked for in."""
        match = re.fullmatch(r"(\d{1,3})/(\d{1,3})", text.strip()) if isinstance(text, str) else None
        if match is None:
            raise RequestError(f"a metre is beats and a unit, such as 3/4, not {str(text)[:40]!r}")
        beats, unit = int(match[1]), int(match[2])
        if not 1 <= beats <= MOST_BEATS or unit not in UNITS:
            raise RequestError(f"a metre has 1 to {MOST_BEATS} beats of {UNITS_SAID}, not {beats}/{unit}")
        return cls(seconds, beats, unit)

    @property
    def quarters(self) -> float:
        """Length of a bar."""
        return 4 * self.beats / self.unit

    @property
    def beat_count(self) -> int:
        """How many beats a bar is felt in: two in 6/8."""
        return self.beats // 3 if self.is_compound else self.beats

    @property
    def is_compound(self) -> bool:
        """Whether beats are dotted, as 6/8 is felt."""
        return self.beats % 3 == 0 and self.unit >= 8


@dataclass(frozen=True)
class Tempo:
    """Quarter notes of `quarter` seconds from `seconds` on."""

    seconds: float
    quarter: float


@dataclass(frozen=True)
class KeySignature:
    """A key signature from `seconds` on: sharps (flats when negative), -7 to 7, and the mode it names."""

    seconds: float
    sharps: int
    is_minor: bool = False


@dataclass(frozen=True)
class Meter:
    """Signatures and tempos in rising order of time, `keys` if any; positions count from the first tempo on.

    `is_exact` says that the notes lie where they are written, as in a sequenced file; a metre that was found, or that
    a performance was played to, leaves them to be rounded.
    """

    signatures: tuple[TimeSignature, ...]
    tempos: tuple[Tempo, ...]
    keys: tuple[KeySignature, ...] = ()
    is_exact: bool = False

    @classmethod
    def constant(cls, bpm: float, signature: TimeSignature) -> Meter:
        """Return bars of one signature from its `seconds` on, at so many beats a minute: dotted ones in 6/8."""
        return cls((signature,), (Tempo(signature.seconds, 60 / bpm * signature.beat_count / signature.quarters),))

    def describe(self) -> dict[str, Any]:
        """Return the metre as JSON values, which `from_description` reads: rows of what each mark has."""
        return {
            "signatures": [[mark.seconds, mark.beats, mark.unit] for mark in self.signatures],
            "tempos": [[tempo.seconds, tempo.quarter] for tempo in self.tempos],
            "keys": [[key.seconds, key.sharps, key.is_minor] for key in self.keys],
            "is_exact": self.is_exact,
        }

    @classmethod
    def from_description(cls, values: Mapping[str, Any]) -> Meter:
        """Read what `describe` returned, from a stranger too; raises ValueError with what is wrong of it."""
        signatures, tempos, keys = _read_marks(values)
        for marks, fewest in ((signatures, 1), (tempos, 1), (keys, 0)):
            times = [mark.seconds for mark in marks]
            is_rising = all(before < after for before, after in pairwise(times))
            if not fewest <= len(times) <= MOST_MARKS or not is_rising:
                raise ValueError(f"a metre has {fewest} to {MOST_MARKS} marks of a kind, in rising order of time")
            if not all(abs(second) <= LATEST for second in times):
                raise ValueError(f"the marks of a metre lie within {LATEST} s of the beginning")
        shortest, longest = (choose(tempo.quarter for tempo in tempos) for choose in (min, max))
        if not 0 < shortest <= longest <= LONGEST_QUARTER:
            raise ValueError(f"quarter notes last up to {LONGEST_QUARTER} s, more than 0")
        for mark in signatures:
            if not (1 <= mark.beats <= 64 and mark.unit in UNITS):
                raise ValueError(f"a time signature has 1 to 64 beats of {UNITS_SAID}, not {mark.beats}/{mark.unit}")
            if mark.quarters * shortest < SHORTEST_BAR:
                raise ValueError(f"bars last {SHORTEST_BAR} s or more")
        if any(not -7 <= key.sharps <= 7 for key in keys):
            raise ValueError("a key signature has -7 to 7 sharps")
        return cls(tuple(signatures), tuple(tempos), tuple(keys), bool(values.get("is_exact", False)))

    def quarters(self, seconds: ArrayLike) -> Floats:
        """Turn times into positions, float64 like `seconds`."""
        starts, rates, positions = self._map()
        times = np.asarray(seconds, dtype=np.float64)
        change = np.maximum(np.searchsorted(starts, times, side="right") - 1, 0)
        return np.asarray(positions[change] + (times - starts[change]) / rates[change])

    def seconds(self, quarters: ArrayLike) -> Floats:
        """Turn positions into times, float64 like `quarters`."""
        starts, rates, positions = self._map()
        targets = np.asarray(quarters, dtype=np.float64)
        change = np.maximum(np.searchsorted(positions, targets, side="right") - 1, 0)
        return np.asarray(starts[change] + (targets - positions[change]) * rates[change])

    @property
    def pickup(self) -> float:
        """Quarter notes before the first full bar; 0 where there is no pickup."""
        first = lay_out_bars(self, 0)[0]
        return first.length / LATTICE if first.is_pickup else 0.0

    def bar_lines(self, until: float) -> Floats:
        """Return when bars begin (s), in order, to the first bar line that is not before `until` or later.

        Bar 1 is the first; a pickup is not counted.
        """
        bars = lay_out_bars(self, int(np.ceil(self.quarters(until) * LATTICE - SAME)))
        starts = [bar.start for bar in bars if not bar.is_pickup]
        return self.seconds(np.array([*starts, bars[-1].start + bars[-1].length]) / LATTICE)

    def bar_line_after(self, second: float, count: int) -> float:
        """Return when the bar line comes that is `count` bars after the first one not before `second`."""
        until, span = second, self.signatures[-1].quarters * self.tempos[-1].quarter * (count + 1)
        while True:  # by so many bars of the last kind, until there are as many: others before may be longer or shorter
            lines = self.bar_lines(until)
            number = int(np.searchsorted(lines, second - SAME)) + count
            if number < len(lines):
                return float(lines[number])
            until, span = until + span, 2 * span

    def shifted(self, seconds: float) -> Meter:
        """Return the same metre for notes that begin `seconds` later (earlier when negative)."""
        return Meter(
            _later(self.signatures, seconds), _later(self.tempos, seconds), _later(self.keys, seconds), self.is_exact
        )

    def stretched(self, factor: float) -> Meter:
        """Return the same metre for notes that are so many times as long, as `notes.stretch` makes them."""
        return replace(
            self,
            signatures=_stretched(self.signatures, factor),
            tempos=tuple(replace(tempo, quarter=tempo.quarter * factor) for tempo in _stretched(self.tempos, factor)),
            keys=_stretched(self.keys, factor),
        )

    def from_zero(self) -> Meter:
        """Return the metre as it is, or, where it begins before 0 s, from the first bar line on that does not."""
        if self.tempos[0].seconds >= 0:
            return self
        begin = float(next(second for second in self.bar_lines(0.0) if second >= -SAME))
        return Meter(_from(self.signatures, begin), _from(self.tempos, begin), _from(self.keys, begin), self.is_exact)

    def led_in(self) -> Meter:
        """Return the metre from second 0 on: whole beats at a tempo of their own lengthen the pickup to the first."""
        first, lead = self.tempos[0], self.tempos[0].seconds
        if lead <= 0:
            return self
        if lead < SHORTEST_LEAD:
            second, *later = self.tempos[1:] or [replace(first, seconds=lead + first.quarter)]
            stretched = Tempo(0.0, first.quarter * second.seconds / (second.seconds - lead))
            signatures = (replace(self.signatures[0], seconds=0.0), *self.signatures[1:])
            return replace(self, tempos=(stretched, second, *later), signatures=signatures)
        has_pickup = len(self.signatures) > 1 and self.signatures[0].quarters < self.signatures[1].quarters
        full = self.signatures[has_pickup]
        unit = 4 / full.unit  # of a quarter note
        pickup = round(self.signatures[0].quarters / unit) if has_pickup else 0
        per_beat = 3 if full.is_compound else 1
        count = per_beat * max(round(lead / (first.quarter * unit * per_beat)), 1)
        tempos = (Tempo(0.0, lead / (count * unit)), *self.tempos)
        short = (count + pickup) % full.beats
        bar_line = float(Meter((), tempos).seconds(short * unit))
        lead_in = [TimeSignature(0.0, short, full.unit)] if short else []
        signatures = (*lead_in, replace(full, seconds=bar_line), *self.signatures[1 + has_pickup :])
        return replace(self, tempos=tempos, signatures=signatures)

    def _map(self) -> tuple[Floats, Floats, Floats]:
        """Where tempos begin (s), their quarter notes (s), and their beginnings as positions."""
        starts = np.array([tempo.seconds for tempo in self.tempos])
        rates = np.array([tempo.quarter for tempo in self.tempos])
        positions = np.concatenate([[0.0], np.cumsum(np.diff(starts) / rates[:-1])])
        return starts, rates, positions


def _read_marks(values: Mapping[str, Any]) -> tuple[list[TimeSignature], list[Tempo], list[KeySignature]]:
    """Read the rows of a description; raises ValueError where they are none, or hold what is no number."""
    try:
        signatures = [TimeSignature(*row) for row in values["signatures"]]
        tempos = [Tempo(*row) for row in values["tempos"]]
        keys = [KeySignature(*row) for row in values.get("keys", ())]
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"a metre has signatures, tempos and keys, each a list of rows: {error}") from error
    counted = [number for mark in signatures for number in (mark.beats, mark.unit)] + [key.sharps for key in keys]
    marks: list[TimeSignature | Tempo | KeySignature] = [*signatures, *tempos, *keys]
    timed = [mark.seconds for mark in marks] + [tempo.quarter for tempo in tempos]
    if not all(isinstance(number, int) for number in counted) or not all(
        isinstance(time, int | float) for time in timed
    ):
        raise ValueError("beats, units and sharps are whole numbers, and times are numbers of seconds")
    return signatures, tempos, keys


AnyMark = TypeVar("AnyMark", bound=TimeSignature | Tempo | KeySignature)


def _later(marks: tuple[AnyMark, ...], seconds: float) -> tuple[AnyMark, ...]:
    return tuple(replace(mark, seconds=mark.seconds + seconds) for mark in marks)


def _stretched(marks: tuple[AnyMark, ...], factor: float) -> tuple[AnyMark, ...]:
    return tuple(replace(mark, seconds=mark.seconds * factor) for mark in marks)


def _from(marks: tuple[AnyMark, ...], seconds: float) -> tuple[AnyMark, ...]:
    """Return the marks that hold from so many seconds on, the first of them from there."""
    count = sum(mark.seconds <= seconds + SAME for mark in marks)
    return (*(replace(mark, seconds=seconds) for mark in marks[:count][-1:]), *marks[count:])


@dataclass(frozen=True)
class Bar:
    """A bar from lattice position `start`, `length` long, in beats of `beat`; `signature` (beats, unit) if it changes.

    A pickup is shorter than its signature and not counted.
    """

    start: int
    length: int
    beat: int
    signature: tuple[int, int] | None = None
    is_pickup: bool = False

    @property
    def cell(self) -> int:
        """Length of the stretches that are in triplets or not: a quarter note, an eighth where beats are dotted."""
        return LATTICE if self.beat % LATTICE == 0 else LATTICE // 2


def lay_out_beats(beats: Floats, downbeat: int, signature: TimeSignature) -> Meter:
    """Lay a tempo under every beat, float64 [B] s, and bars so that one begins with beat `downbeat`, after a pickup."""
    parts, downbeat = signature.beats // signature.beat_count, downbeat % signature.beat_count
    lengths = np.append(np.diff(beats), beats[-1] - beats[-2]) / (4 * parts / signature.unit)
    signatures = [replace(signature, seconds=float(beats[downbeat]))]
    if downbeat:
        signatures.insert(0, TimeSignature(float(beats[0]), downbeat * parts, signature.unit))
    return Meter(tuple(signatures), tuple(map(Tempo, beats.tolist(), lengths.tolist())))


def lay_out_bars(meter: Meter, end: int) -> list[Bar]:
    """Lay out the bars from the first signature until lattice position `end` is past, one at least.

    After the end only what tells whether the first bar is a pickup is looked at: marks may lie a day later. A
    signature that changes within a bar ends it there, at the nearest thirty-second: shorter bars cannot be written.
    A first bar that is alone in its signature and shorter than the next one is that one's pickup.
    """
    signatures = meter.signatures
    changes = meter.quarters([signature.seconds for signature in signatures])
    starts = (THIRTY_SECOND * np.rint(changes * LATTICE / THIRTY_SECOND)).astype(int).tolist()
    bars: list[Bar] = []
    for signature, start, stop in zip(signatures, starts, [*starts[1:], max(end, starts[-1] + 1)], strict=True):
        is_after_first = len(bars) == 1 and bars[0].start + bars[0].length == start
        if bars and start >= end and not is_after_first:
            break
        length = round(signature.quarters * LATTICE)
        beat = 3 * length // signature.beats if signature.is_compound else LATTICE
        is_last = signature is signatures[-1]
        for bar_start in range(start, min(stop, max(end, start + 1)), length):
            bar_length = length if is_last else min(length, stop - bar_start)
            written = (signature.beats, signature.unit) if bar_start == start else None
            bars.append(Bar(bar_start, bar_length, beat, written))
    if len(bars) > 1 and bars[1].signature and bars[0].length < bars[1].length:
        bars[0] = replace(bars[0], signature=bars[1].signature, beat=bars[1].beat, is_pickup=True)
        bars[1] = replace(bars[1], signature=None)
    return bars


def follows_meter(onset: Floats) -> bool:
    """Return whether onsets, as positions, follow the metre: whether they gather on some fraction of a quarter note.

    Recordings under one nominal tempo do not. Held against FOLLOWED is the largest mean of cos(2 pi d x) over onsets
    x, for fractions d; the V-test for a known direction (Batschelet 1981, "Circular Statistics in Biology", 4.3).
    """
    if not len(onset):
        return False
    return max(float(np.cos(2 * np.pi * fraction * onset).mean()) for fraction in (2, 3, 4, 6, 8, 12)) >= FOLLOWED


def are_on_lattice(onset: Floats) -> bool:
    """Return whether onsets, as positions, lie where they would be written: on the lattice, but for a few."""
    return bool(np.mean(np.abs(onset * LATTICE - np.rint(onset * LATTICE)) < 0.15) >= WRITTEN)
