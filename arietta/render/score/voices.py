"""Voices and note values: quantised notes to what stands in each bar of each staff.

A staff has two voices, four where the metre is exact; a chord that finds all of them busy cuts the one that would have
ended first. Voices are filled with rests and cut at bar lines; what is left is cut into note values that exist, at the
beats that a reader needs to see, and joined with ties.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...music.meter import LATTICE, Bar

# Length in lattice positions -> name and dots of the note value.
STRAIGHT = {
    3: ("32nd", 0), 6: ("16th", 0), 9: ("16th", 1), 12: ("eighth", 0), 18: ("eighth", 1), 24: ("quarter", 0),
    36: ("quarter", 1), 48: ("half", 0), 72: ("half", 1), 96: ("whole", 0), 144: ("whole", 1),
}  # fmt: skip
TRIPLET = {4: ("16th", 0), 8: ("eighth", 0), 12: ("eighth", 1), 16: ("quarter", 0)}  # three in the time of two

Tuplet = Literal["", "start", "in", "stop"]


@dataclass
class _Chord:
    """Notes that begin and end together; `end` may still be cut."""

    start: int
    end: int
    notes: tuple[int, ...]


@dataclass(frozen=True)
class Value:
    """One written value: notes (their indices; a rest has none) in [start, start + length) of the lattice.

    `is_tied` says that the notes go on into the next value, `was_tied` that they come from the one before; `tuplet`
    where in a triplet it stands, `fills` that a rest is its bar's only value.
    """

    start: int
    length: int
    name: str
    dots: int
    notes: tuple[int, ...] = ()
    is_tied: bool = False
    was_tied: bool = False
    tuplet: Tuplet = ""
    fills: bool = False


def write_voices(
    start: NDArray[np.int64], end: NDArray[np.int64], pitch: NDArray[np.uint8], bars: Sequence[Bar], most: int
) -> list[list[list[Value]]]:
    """Write the notes of one staff: for each bar its voices, each a list of values that fills the bar.

    Columns [N] of positions and pitches; values name notes by their index. At most `most` voices; one without notes in
    a bar is empty, but for the first, which rests.
    """
    voices = _separate_voices(start, end, pitch, most) or [[]]
    written: list[list[list[Value]]] = []
    for bar in bars:
        in_bar = [_write_bar(voice, bar) for voice in voices]
        written.append([in_bar[0], *([] if voice[0].fills else voice for voice in in_bar[1:])])
    return written


def _separate_voices(
    start: NDArray[np.int64], end: NDArray[np.int64], pitch: NDArray[np.uint8], most: int
) -> list[list[_Chord]]:
    """Give each chord to the first voice that is free, to a new one, or to one that can be cut."""
    chords: dict[tuple[int, int], list[int]] = {}
    for note in np.lexsort((-pitch.astype(int), start)).tolist():
        chords.setdefault((int(start[note]), int(end[note])), []).append(note)
    voices: list[list[_Chord]] = []
    for (begin, stop), notes in chords.items():
        chord = _Chord(begin, stop, tuple(notes))
        free = [voice for voice in voices if voice[-1].end <= begin]
        older = [voice for voice in voices if voice[-1].start < begin]
        if free:
            free[0].append(chord)
        elif len(voices) < most:
            voices.append([chord])
        elif older:
            voice = min(older, key=lambda voice: voice[-1].end)
            voice[-1].end = begin
            voice.append(chord)
        else:  # all voices begin here: the notes join the chord that ends nearest to them, and take its length
            min(voices, key=lambda voice: abs(voice[-1].end - stop))[-1].notes += chord.notes
    return voices


# Bars


def _write_bar(chords: Sequence[_Chord], bar: Bar) -> list[Value]:
    """Write one voice of one bar, its gaps filled with rests."""
    spans = list(_spans(chords, bar))
    if not any(chord for _, _, chord in spans):
        return [Value(bar.start, bar.length, "", 0, fills=True)]
    triplets = _find_triplets({edge for begin, end, _ in spans for edge in (begin, end)}, bar)
    values: list[Value] = []
    for begin, end, chord in spans:
        for start, length, tuplet in _cut(begin, end, bar, triplets, is_rest=chord is None):
            position = bar.start + start
            value = Value(position, length, *(TRIPLET if tuplet else STRAIGHT)[length], tuplet=tuplet)
            if chord is not None:
                is_tied, was_tied = position + length < chord.end, chord.start < position
                value = replace(value, notes=chord.notes, is_tied=is_tied, was_tied=was_tied)
            values.append(value)
    return values


def _spans(chords: Sequence[_Chord], bar: Bar) -> Iterator[tuple[int, int, _Chord | None]]:
    """Chords and the gaps between them, as far as they lie in the bar: begin and end from its start."""
    position = 0
    first = bisect_right(chords, bar.start, key=attrgetter("end"))
    stop = bisect_left(chords, bar.start + bar.length, first, key=attrgetter("start"))
    for chord in chords[first:stop]:
        begin, end = max(chord.start - bar.start, 0), min(chord.end - bar.start, bar.length)
        if begin > position:
            yield position, begin, None
        yield begin, end, chord
        position = end
    if position < bar.length:
        yield position, bar.length, None


def _find_triplets(edges: set[int], bar: Bar) -> dict[int, int]:
    """Find which stretches of the bar are in triplets: their start -> their length, a quarter or an eighth."""
    triplets: dict[int, int] = {}
    for edge in edges:
        if edge % 3:  # off the thirty-second notes: only a triplet can write it
            cell, half = edge // bar.cell * bar.cell, bar.cell // 2
            if bar.cell == LATTICE and cell + half in edges:
                triplets[edge // half * half] = half
            else:
                triplets[cell] = bar.cell
    return triplets


def _cut(
    begin: int, end: int, bar: Bar, triplets: dict[int, int], *, is_rest: bool
) -> Iterator[tuple[int, int, Tuplet]]:
    """Cut a span of a bar into note values: start, length, and where in a triplet."""
    while begin < end:
        start = next((at for at, size in triplets.items() if at <= begin < at + size), None)
        if start is None:
            stop = min([end, *(at for at in triplets if begin < at)])
            yield from ((*piece, "") for piece in _cut_straight(begin, stop, bar, is_rest=is_rest))
            begin = stop
            continue
        size = triplets[start]
        length = max(length for length in TRIPLET if begin + length <= min(end, start + size))
        yield begin, length, "start" if begin == start else "stop" if begin + length == start + size else "in"
        begin += length


def _cut_straight(begin: int, end: int, bar: Bar, *, is_rest: bool) -> Iterator[tuple[int, int]]:
    """Cut a span where no triplets are: one value if a reader can follow it, else two at the strongest beat within."""
    if _is_readable(begin, end - begin, bar, is_rest=is_rest):
        yield begin, end - begin
        return
    units = [48] * (bar.length % 96 == 0) + [bar.beat, LATTICE, 12, 6, 3]
    cut = next(beat for unit in units if (beat := (begin // unit + 1) * unit) < end)
    yield from _cut_straight(begin, cut, bar, is_rest=is_rest)
    yield from _cut_straight(cut, end, bar, is_rest=is_rest)


def _is_readable(begin: int, length: int, bar: Bar, *, is_rest: bool) -> bool:
    """Whether one value shows the beats that it has to show: those it does not begin on, and a bar's middle."""
    if length not in STRAIGHT:
        return False
    is_dotted, beat, phase = STRAIGHT[length][1] > 0, bar.beat, begin % bar.beat
    if begin == 0 and length == bar.length:
        return True
    if is_rest and is_dotted and beat == LATTICE:  # rests are dotted only where the beats are
        return False
    if length < beat:
        base = length * 2 // 3 if is_dotted else length
        return phase + length <= beat and (phase % base == 0 or (not is_rest and phase % (base // 2) == 0))
    if is_rest and beat == LATTICE:
        return begin % length == 0
    if length == LATTICE == beat:  # a syncopated quarter may cross a beat, but not the middle of a whole bar
        return begin % 12 == 0 and not (bar.length == 96 and begin < 48 < begin + length)
    return phase == 0 and (length % beat == 0 or beat == LATTICE)
