"""Measures in the order in which they are played: their notes, loudness, pedal and metre, in one time.

Positions are in quarter notes from the beginning of the piece.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np

from ..meter import Floats, KeySignature, Meter, Tempo, TimeSignature
from .measures import GRACE, LOUDNESS, PartMeasure, Position, WrittenNote

SLOWEST, FASTEST = 4.0, 2000.0  # quarter notes a minute


def join_ties(measures: Sequence[tuple[Position, PartMeasure]]) -> list[WrittenNote]:
    """Put the notes of a part at their positions in the piece, tied ones as one note, grace notes before theirs."""
    notes: list[WrittenNote] = []
    open_ties: dict[int, int] = {}  # pitch -> the note that waits to be gone on with
    for begin, measure in measures:
        for note in sorted(measure.notes, key=lambda note: note.start):
            start = begin + note.start
            tied = open_ties.pop(note.pitch, None) if note.was_tied else None
            if tied is not None and notes[tied].start + notes[tied].length == start:
                notes[tied] = replace(notes[tied], length=notes[tied].length + note.length)
            else:
                tied = len(notes)
                notes.append(replace(note, start=max(start - note.grace * GRACE, Fraction(0))))
            if note.is_tied:
                open_ties[note.pitch] = tied
    return [note for note in notes if note.length > 0]


def find_velocities(notes: Sequence[WrittenNote], measures: Sequence[tuple[Position, PartMeasure]]) -> list[int]:
    """Give each note the velocity of the dynamics sign before it, a mezzo forte where none is."""
    signs = sorted((begin + at, velocity) for begin, measure in measures for at, velocity in measure.dynamics)
    edges = np.array([float(at) for at, _ in signs])
    levels = [LOUDNESS["mf"], *(velocity for _, velocity in signs)]
    owners = np.searchsorted(edges, [float(note.start) for note in notes], side="right")
    return [levels[owner] for owner in owners.tolist()]


def pair_pedal_marks(measures: Sequence[tuple[Position, Sequence[PartMeasure]]], end: Position) -> Floats:
    """Pair the pedal marks to presses, float64 [P, 2] quarters; one that is not lifted is at the end.

    Where it is lifted and pressed at once, it is lifted first if it was down, and not pressed at all if it was not.
    """
    marks: dict[Position, set[str]] = defaultdict(set)
    for begin, column in measures:
        for measure in column:
            for at, kind in measure.pedal:
                marks[begin + at] |= {kind} & {"start", "stop", "change"}
    presses: list[tuple[Position, Position]] = []
    down: Position | None = None
    for at, kinds in sorted(marks.items()):
        was_down = down is not None
        if down is not None and kinds:
            presses.append((down, at))
            down = None
        if "change" in kinds or ("start" in kinds and (was_down or "stop" not in kinds)):
            down = at
    if down is not None and end > down:
        presses.append((down, end))
    return np.array([(float(first), float(last)) for first, last in presses]).reshape(-1, 2)


def lay_meter(measures: Sequence[tuple[Position, Sequence[PartMeasure]]], lengths: Sequence[Position]) -> Meter:
    """Lay the metre of the measures: a signature where it changes, and where a bar is shorter than its signature."""
    tempos = sorted(
        (begin + at, 60 / min(max(tempo, SLOWEST), FASTEST))
        for begin, column in measures
        for measure in column
        for at, tempo in measure.tempos
    )
    changes = dict([(Fraction(0), 0.5), *tempos])
    positions = sorted(changes)
    seconds = [0.0]
    for here, following in pairwise(positions):
        seconds.append(seconds[-1] + float(following - here) * changes[here])
    meter = Meter((), tuple(Tempo(at, changes[position]) for at, position in zip(seconds, positions, strict=True)))
    signatures: list[TimeSignature] = []
    keys: list[KeySignature] = []
    time, is_short, key = (4, 4), True, None
    for (begin, column), length in zip(measures, lengths, strict=True):
        at = float(meter.seconds(float(begin)))
        before, time = time, next((measure.time for measure in column if measure.time), time)
        if is_short or time != before:
            signatures.append(TimeSignature(at, *time))
        is_short = length < Fraction(4 * time[0], time[1])
        changed = next((measure.key for measure in column if measure.key), key)
        if changed is not None and changed != key:
            keys.append(KeySignature(at, *changed))
            key = changed
    return replace(meter, signatures=tuple(signatures or [TimeSignature(0.0, 4, 4)]), keys=tuple(keys), is_exact=True)
