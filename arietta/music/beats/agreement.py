"""How far two chains of beats agree: the F-measure of beats within 70 ms.

Davies, Degara and Plumbley 2009, "Evaluation methods for musical audio beat tracking algorithms". Between chains of one
music it tells how sure they are (Holzapfel et al. 2012, "Selective sampling for beat tracking evaluation").
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from ..notes import Seconds

TOLERANCE = 0.07  # seconds
RIGHT = 0.7  # F of downbeats from which a musician would say that the bars are right


def f_measure(tracked: Seconds, known: Seconds) -> float:
    """Pair each tracked beat with at most one known one within TOLERANCE: twice the pairs over the beats of both."""
    pairs = next_tracked = next_known = 0
    while next_tracked < len(tracked) and next_known < len(known):
        gap = tracked[next_tracked] - known[next_known]
        pairs += abs(gap) <= TOLERANCE
        # Within the tolerance both go on; else the earlier of the two, which no later beat can match.
        next_tracked, next_known = next_tracked + (gap <= TOLERANCE), next_known + (gap >= -TOLERANCE)
    return 2 * pairs / max(len(tracked) + len(known), 1)


def mutual_agreement(chains: Sequence[Seconds]) -> float:
    """Average the agreement of all pairs of two chains or more, 0 to 1."""
    return float(np.mean([f_measure(one, other) for one, other in combinations(chains, 2)]))
