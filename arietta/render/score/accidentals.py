"""Accidentals: which notes of a staff need a sharp, flat or natural before them.

A note shows one where it differs from the key signature, or from what the bar has last shown on its line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .spelling import octave, signature_alters, step_and_alter
from .voices import Value

ACCIDENTALS = {-1: "flat", 0: "natural", 1: "sharp"}


@dataclass(frozen=True)
class Head:
    """A note's MIDI pitch, and the name it is written by (a place on the line of fifths)."""

    pitch: int
    name: int


def find_accidentals(
    voices: Iterable[Iterable[Value]], heads: Sequence[Head], sharps: int
) -> dict[tuple[int, int], str]:
    """Find the accidentals of one bar of a staff: (start of the value, index of the note) -> flat, natural or sharp."""
    signature = signature_alters(sharps)
    accidentals: dict[tuple[int, int], str] = {}
    shown: dict[tuple[str, int], int] = {}  # letter and octave -> what holds there since
    for value in sorted((value for voice in voices for value in voice), key=lambda value: value.start):
        if value.was_tied:  # the accidental of a tied note holds over the bar line, for that note alone
            continue
        for note in value.notes:
            head = heads[note]
            step, alter = step_and_alter(head.name)
            line = step, octave(head.pitch, head.name)
            if shown.get(line, signature[step]) != alter:
                accidentals[value.start, note] = ACCIDENTALS[alter]
            shown[line] = alter
    return accidentals
