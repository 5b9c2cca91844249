"""Voices and note values: placed notes to what stands in each bar of each staff.

A staff has two voices, four where the metre is exact; a chord that finds all of them busy cuts the one that would have
ended first. Voices are filled with rests and cut at bar lines; what is left is cut into values that can be written,
at the beats that a reader needs to see, and held together with ties.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...music.meter import LATTICE, Bar

# Lattice places of a value: its name and dots.
STRAIGHT = {
    3: ("32nd", 0), 6: ("16th", 0), 9: ("16th", 1), 12: ("eighth", 0), 18: ("eighth", 1), 24: ("quarter", 0),
    36: ("quarter", 1), 48: ("half", 0), 72: ("half", 1), 96: ("whole", 0), 144: ("whole", 1),
}  # fmt: skip
TRIPLE = {4: ("16th", 0), 8: ("eighth", 0), 12: ("eighth", 1), 16: ("quarter", 0)}  # three in the time of two
REST = {3, 6, 12, 24, 48, 96}


@dataclass
class _Chord:
    """Notes that begin and end together; `end` may still be cut."""

    start: int
    end: int
    notes: tuple[int, ...]


@dataclass
class _Voice:
    chords: list[_Chord] = field(default_factory=list)

    @property
    def free(self) -> int:
        return self.chords[-1].end if self.chords else -(10**9)


@dataclass(frozen=True)
class Value:
    """One written value: notes (their numbers; a rest has none) in [start, start + length) of the lattice.

    `is_tied` says that the notes go on into the next value, `was_tied` that they come from the one before; `tuplet`
    is "start", "stop" or "in" within a triplet; `fills` that a rest is its bar's only value.
    """

    start: int
    length: int
    name: str
    dots: int
    notes: tuple[int, ...] = ()
    is_tied: bool = False
    was_tied: bool = False
    tuplet: str = ""
    fills: bool = False


def write_voices(
    start: NDArray[np.int64], end: NDArray[np.int64], pitch: NDArray[np.uint8], bars: Sequence[Bar], most: int
) -> list[list[list[Value]]]:
    """Write the notes of one staff: for each bar its voices, each a list of values that fills the bar.

    Columns [N] of places and pitches; values name notes by their index. A voice without notes in a bar is empty, but
    for the first, which rests.
    """
    voices = _voices(start, end, pitch, most)
    written = [[_fill(voice.chords, bar) for bar in bars] for voice in voices or [_Voice()]]
    by_bar = [[voice[number] for voice in written] for number in range(len(bars))]
    return [[voice if place == 0 or not voice[0].fills else [] for place, voice in enumerate(bar)] for bar in by_bar]


# Voices


def _voices(start: NDArray[np.int64], end: NDArray[np.int64], pitch: NDArray[np.uint8], most: int) -> list[_Voice]:
    voices: list[_Voice] = []
    groups: dict[tuple[int, int], list[int]] = {}
    for note in np.lexsort((-pitch.astype(int), start)).tolist():
        groups.setdefault((int(start[note]), int(end[note])), []).append(note)
    for (begins, ends), notes in groups.items():
        _give(_Chord(begins, ends, tuple(notes)), voices, most)
    return voices


def _give(chord: _Chord, voices: list[_Voice], most: int) -> None:
    """Put a chord into the first voice that is free, or into one that can be cut."""
    free = [voice for voice in voices if voice.free <= chord.start]
    if free:
        free[0].chords.append(chord)
    elif len(voices) < most:
        voices.append(_Voice([chord]))
    else:
        older = [voice for voice in voices if voice.chords[-1].start < chord.start]
        if older:
            voice = min(older, key=lambda voice: voice.free)
            voice.chords[-1].end = chord.start
            voice.chords.append(chord)
        else:
            near = min(voices, key=lambda voice: abs(voice.free - chord.end)).chords[-1]
            near.notes += chord.notes


# Bars


def _fill(chords: Sequence[_Chord], bar: Bar) -> list[Value]:
    """Write one voice of one bar, its gaps filled with rests."""
    spans = list(_spans(chords, bar))
    if not any(chord for _, _, chord in spans):
        return [Value(bar.start, bar.length, "", 0, fills=True)]
    cells = _triple_cells((edge - bar.start for begins, ends, _ in spans for edge in (begins, ends)), bar)
    values: list[Value] = []
    for begins, ends, chord in spans:
        pieces = _cut(begins - bar.start, ends - bar.start, bar, cells, is_rest=chord is None)
        values += [_value(piece, chord, bar) for piece in pieces]
    return values


def _spans(chords: Sequence[_Chord], bar: Bar) -> Iterator[tuple[int, int, _Chord | None]]:
    """Chords and the gaps between them, as far as they lie in the bar."""
    place, stop = bar.start, bar.start + bar.length
    for chord in chords:
        begins, ends = max(chord.start, bar.start), min(chord.end, stop)
        if begins >= ends:
            continue
        if begins > place:
            yield place, begins, None
        yield begins, ends, chord
        place = ends
    if place < stop:
        yield place, stop, None


def _value(piece: tuple[int, int, str], chord: _Chord | None, bar: Bar) -> Value:
    begins, length, tuplet = piece
    place = bar.start + begins
    name, dots = (TRIPLE if tuplet else STRAIGHT)[length]
    if chord is None:
        return Value(place, length, name, dots, tuplet=tuplet)
    return Value(place, length, name, dots, chord.notes, place + length < chord.end, chord.start < place, tuplet)


def _triple_cells(edges: Iterable[int], bar: Bar) -> dict[int, int]:
    """Find which stretches of the bar are in triplets: their start -> their length, a quarter or an eighth."""
    size = bar.cell
    inside: dict[int, set[int]] = {}
    for edge in edges:
        inside.setdefault(edge // size * size, set()).add(edge % size)
    cells: dict[int, int] = {}
    for cell, places in inside.items():
        odd = {place for place in places if place % 3}
        half = size // 2
        if odd and size == LATTICE and half in places:
            cells |= {cell + place // half * half: half for place in odd}
        elif odd:
            cells[cell] = size
    return cells


def _cut(begins: int, ends: int, bar: Bar, cells: dict[int, int], *, is_rest: bool) -> Iterator[tuple[int, int, str]]:
    """Cut a span, in places from the bar's start, into what can be written: start, length, place in a triplet."""
    while begins < ends:
        cell = next((at for at, size in cells.items() if at <= begins < at + size), None)
        if cell is None:
            stop = min([ends, *(at for at in cells if begins < at)])
            yield from ((*piece, "") for piece in _straight(begins, stop, bar, is_rest=is_rest))
        else:
            stop = min(ends, cell + cells[cell])
            yield from _triple(begins, stop, cell, cells[cell])
        begins = stop


def _triple(begins: int, ends: int, cell: int, size: int) -> Iterator[tuple[int, int, str]]:
    while begins < ends:
        length = max(length for length in TRIPLE if begins + length <= ends)
        where = "start" if begins == cell else "stop" if begins + length == cell + size else "in"
        yield begins, length, where
        begins += length


def _straight(begins: int, ends: int, bar: Bar, *, is_rest: bool) -> Iterator[tuple[int, int]]:
    """Cut a span where no triplets are: whole if a reader can follow it, else at the strongest place within."""
    if _is_readable(begins, ends - begins, bar, is_rest=is_rest):
        yield begins, ends - begins
        return
    units = [48] * (bar.length % 96 == 0) + [bar.beat, LATTICE, 12, 6, 3]
    cut = next(first for unit in units if (first := (begins // unit + 1) * unit) < ends)
    yield from _straight(begins, cut, bar, is_rest=is_rest)
    yield from _straight(cut, ends, bar, is_rest=is_rest)


def _is_readable(begins: int, length: int, bar: Bar, *, is_rest: bool) -> bool:
    """Tell whether a value shows the beats that it has to show: those it does not begin on, and a bar's middle."""
    if length not in STRAIGHT:
        return False
    is_dotted, beat, within = STRAIGHT[length][1] > 0, bar.beat, begins % bar.beat
    if begins == 0 and length == bar.length:
        return True
    if is_rest and is_dotted and beat == LATTICE:
        return False
    if length < beat:
        base = length * 2 // 3 if is_dotted else length
        return within + length <= beat and (within % base == 0 or (not is_rest and within % (base // 2) == 0))
    if is_rest and beat == LATTICE:
        return begins % length == 0
    if length == LATTICE == beat:
        return begins % 12 == 0 and not (bar.length == 96 and begins < 48 < begins + length)
    return within == 0 and (length % beat == 0 or beat == LATTICE)
