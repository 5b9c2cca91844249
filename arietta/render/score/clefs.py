"""Which clef each bar of a staff has, and which bars are written an octave or two lower or higher than they sound.

A note with more than four ledger lines is hard to read. Another clef and an octave sign (8va, 15ma, 8vb) spare such
notes, and cost a reader something too: a clef changes once in two bars at most, an octave sign lasts two beats or more
and whole bars, and where one begins or ends, notes held over the bar line tear. The cheapest row of registers is found
by dynamic programming. An octave sign is no transposition: MusicXML names notes as they sound under it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...music.meter import Bar
from .quantise import Positions

CHANGE = 1.0  # far notes that a change of clef must spare at least
OCTAVE_SIGN = 2.0  # far notes that an octave sign must spare at least
TORN = 1.0  # for a note held into or out of an octave sign
FEWEST_BARS = 2  # from one change of clef to the next
FEWEST_BEATS = 2.0  # under one octave sign


class Register(NamedTuple):
    """A clef, and by how many octaves notes sound higher than they stand."""

    clef: Literal["G", "F"]
    octaves: int = 0


# Pitches that stand within four ledger lines: C3 to A6 under the G clef, E1 to C5 under the F clef. Under an octave
# sign notes on the far side of the middle C that they would stand on count as far too: no one would write them so.
NEAR = {
    Register("G"): (48, 93),
    Register("F"): (28, 72),
    Register("G", 1): (72, 105),
    Register("G", 2): (84, 117),
    Register("F", -1): (16, 48),
}


class _State(NamedTuple):
    """What has to be known of the bars so far: their last register, for how long its clef and its octave sign hold."""

    register: Register
    bars: int = FEWEST_BARS  # no more are counted
    beats: float = FEWEST_BEATS

    def follow(self, register: Register, beats: float) -> _State | None:
        """Return the state after another bar; None where it comes too soon."""
        if register != self.register and self.register.octaves and self.beats < FEWEST_BEATS:
            return None
        if register.clef != self.register.clef and self.bars < FEWEST_BARS:
            return None
        bars = min(self.bars + 1, FEWEST_BARS) if register.clef == self.register.clef else 1
        held = self.beats if register == self.register else 0.0
        return _State(register, bars, min(held + beats, FEWEST_BEATS) if register.octaves else FEWEST_BEATS)


def choose_registers(
    start: Positions, end: Positions, pitch: NDArray[np.uint8], bars: Sequence[Bar], other: Sequence[Register] = ()
) -> list[Register]:
    """Choose the register of each bar of a staff from its notes, columns [N].

    The upper staff begins with the G clef. The lower one, told those of the `other` staff, begins with the F clef, and
    has no octave sign where that has one: verovio mistakes the end of one for the end of both.
    """
    edges = np.array([bar.start for bar in bars])
    owner = np.searchsorted(edges, start, side="right") - 1
    is_taken = np.array([register.octaves != 0 for register in other] or [False] * len(bars))
    far = {}
    for register, (low, high) in NEAR.items():
        counts = np.bincount(owner[(pitch < low) | (pitch > high)], minlength=len(bars))
        far[register] = np.where(is_taken & (register.octaves != 0), np.inf, counts).tolist()
    first = Register("F" if other else "G")
    if not any(far[first]):
        return [first] * len(bars)
    held = (np.searchsorted(np.sort(start), edges) - np.searchsorted(np.sort(end), edges, side="right")).tolist()
    # For each state the least cost so far, and the states that led there.
    paths: dict[_State, tuple[float, _State | None]] = {_State(first): (0.0, None)}
    table = []
    for number, bar in enumerate(bars):
        following: dict[_State, tuple[float, _State | None]] = {}
        for before, (so_far, _) in paths.items():
            for register in NEAR:
                state = before.follow(register, bar.length / bar.beat)
                if state is None:
                    continue
                cost = so_far + far[register][number] + _change_cost(before.register, register, held[number])
                if state not in following or cost < following[state][0]:
                    following[state] = cost, before
        table.append(following)
        paths = following
    state = min((state for state in paths if state.beats >= FEWEST_BEATS), key=lambda state: paths[state][0])
    chosen = []
    for following in reversed(table):
        chosen.append(state.register)
        before_it = following[state][1]
        assert before_it is not None
        state = before_it
    return chosen[::-1]


def _change_cost(before: Register, after: Register, held: int) -> float:
    """What it costs a reader to go on from one register to another while notes are held."""
    cost = CHANGE * (before.clef != after.clef)
    if before.octaves != after.octaves:
        cost += TORN * held + OCTAVE_SIGN * (after.octaves != 0)
    return cost
