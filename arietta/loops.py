"""Loops: a pattern of pitches and onset intervals that comes eight times in a row, as composing guards against."""

from __future__ import annotations

from .composing import LoopGuard
from .notes import Notes


def find_loops(notes: Notes) -> list[int]:
    """Number of the note with which each loop reaches its eighth turn; how long it then goes on does not matter."""
    guard, loops, was_looping = LoopGuard(), [], False
    for place in range(len(notes)):
        guard.hear(notes[place])
        is_looping = guard.repeated is not None
        if is_looping and not was_looping:
            loops.append(place)
        was_looping = is_looping
    return loops
