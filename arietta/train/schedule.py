"""The learning rate of each update: a linear warm-up, then half a cosine down to a share of the highest."""

from __future__ import annotations

import math


def learning_rate(step: int, *, peak: float, warm_up: int, steps: int, final_share: float) -> float:
    """Return the rate of update `step` (0 is the first): `peak` after `warm_up`, `final_share` of it at `steps`."""
    if step < warm_up:
        return peak * (step + 1) / warm_up
    passed = (step - warm_up) / max(steps - warm_up, 1)
    # A run that goes on beyond `steps` stays at the lowest rate: the cosine would rise again.
    return peak * (final_share + (1 - final_share) * (1 + math.cos(math.pi * min(passed, 1.0))) / 2)
