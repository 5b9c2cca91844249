"""The learning rate of each update, as a share of the highest, by how much of the run lies behind."""

from __future__ import annotations

import math

FINAL_SHARE = 0.03


def rate_share(progress: float, step: int, *, warm_up: int, hold: float) -> float:
    """Return the share of the highest rate for update `step` (0 is the first) when `progress` of the run is done.

    It rises evenly over `warm_up` updates, is held until `progress` is `hold`, and falls evenly to FINAL_SHARE at 1,
    where it stays. Progress may be of updates or of time: a run that is cut short by the clock ends trained.
    """
    falling = max(progress - hold, 0.0) / max(1 - hold, 1e-9)
    return min(1.0, (step + 1) / max(warm_up, 1)) * (1 - (1 - FINAL_SHARE) * min(falling, 1.0))


def cosine_rate(step: int, *, peak: float, warm_up: int, steps: int, final_share: float) -> float:
    """Return the rate of update `step`: `peak` after `warm_up`, half a cosine down to `final_share` of it at `steps`.

    The embedding was trained with it.
    """
    if step < warm_up:
        return peak * (step + 1) / warm_up
    passed = (step - warm_up) / max(steps - warm_up, 1)
    # A run that goes on beyond `steps` stays at the lowest rate: the cosine would rise again.
    return peak * (final_share + (1 - final_share) * (1 + math.cos(math.pi * min(passed, 1.0))) / 2)
