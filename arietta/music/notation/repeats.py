"""The order in which measures are played: repeats, voltas, da capo and dal segno unfolded."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import ScoreError
from .measures import Jumps

MOST_MEASURES = 20_000  # played; the longest of 150 piano scores has 1,200


def play_order(jumps: Sequence[Jumps]) -> list[int]:
    """Give the indices of the measures as they are played; raises ScoreError where they would go on for too long.

    After a da capo or dal segno repeats are not taken, and of voltas the last is.
    """
    order: list[int] = []
    index, begin, passes, has_jumped = 0, 0, 1, False
    while index < len(jumps):
        here = jumps[index]
        if here.is_forward and begin != index:
            begin, passes = index, 1
        is_skipped = 1 in here.endings and 2 not in here.endings if has_jumped else passes not in here.endings
        if here.endings and is_skipped:
            index += 1
            continue
        order.append(index)
        if len(order) > MOST_MEASURES:
            raise ScoreError(f"its repeats make more than {MOST_MEASURES:,} measures")
        following = index + 1
        if here.backward and not has_jumped and passes < max(here.backward, *here.endings, 0):
            following, passes = begin, passes + 1
        elif here.backward or here.ends_ending:
            begin, passes = following, 1
        if has_jumped and "fine" in here.sounds:
            break
        if has_jumped and "tocoda" in here.sounds:
            following = _find(jumps, "coda", following)
        elif not has_jumped and following == index + 1 and here.sounds & {"dacapo", "dalsegno"}:
            has_jumped = True
            following = begin = _find(jumps, "segno", 0) if "dalsegno" in here.sounds else 0
        index = following
    return order


def _find(jumps: Sequence[Jumps], sound: str, default: int) -> int:
    return next((index for index, jump in enumerate(jumps) if sound in jump.sounds), default)
