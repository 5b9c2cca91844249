"""Which clef each bar of a staff has: the other one where too many notes would stand far outside the lines.

A note with more than four ledger lines is hard to read. A clef costs a reader something too, and changes once in two
bars at most; the cheapest row of clefs is found by dynamic programming.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...music.meter import Bar
from .quantise import Positions

Clef = Literal["G", "F"]
NEAR = {"G": (48, 93), "F": (28, 72)}  # pitches with up to four ledger lines, C3 to A6 and E1 to C5
CHANGE = 1.0  # far notes that a change of clef must spare at least
FEWEST_BARS = 2  # from one change to the next


def choose_clefs(start: Positions, pitch: NDArray[np.uint8], bars: Sequence[Bar], usual: Clef) -> list[Clef]:
    """Choose the clef of each bar of a staff from its notes, columns [N]; it begins with the `usual` one."""
    signs: tuple[Clef, Clef] = ("G", "F")
    owner = np.searchsorted([bar.start for bar in bars], start, side="right") - 1
    far = np.zeros((len(bars), 2))
    for column, sign in enumerate(signs):
        low, high = NEAR[sign]
        np.add.at(far[:, column], owner[(pitch < low) | (pitch > high)], 1)
    # cost[clef, age]: the least so far, with this clef for age + 1 bars, FEWEST_BARS at most.
    cost = np.full((2, FEWEST_BARS), np.inf)
    cost[signs.index(usual), -1] = 0.0
    steps = []
    for row in far:
        grown = np.full_like(cost, np.inf)
        grown[:, 1:] = cost[:, :-1]
        is_older = cost[:, -1] <= grown[:, -1]
        grown[:, -1] = np.minimum(grown[:, -1], cost[:, -1])
        grown[:, 0] = cost[::-1, -1] + CHANGE
        steps.append(is_older)
        cost = grown + row[:, None]
    clef, age = divmod(int(cost.argmin()), FEWEST_BARS)
    chosen: list[Clef] = []
    for is_older in reversed(steps):
        chosen.append(signs[clef])
        if age == 0:
            clef, age = 1 - clef, FEWEST_BARS - 1
        elif not (age == FEWEST_BARS - 1 and is_older[clef]):
            age -= 1
    return chosen[::-1]
