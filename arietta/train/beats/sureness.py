"""How sure the finder may be of its bars: a logistic regression over signs of sureness, on music not learned from.

Performances are heard whole and in stretches of a minute or two, and those are right whose downbeats reach F >= 0.7.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ...music.beats.bars import SIGNS, signs_of_sureness
from ...music.beats.decoding import decode_bars, decode_beats
from ...music.beats.network import Weights, beat_activations
from ...music.notes import Notes, Seconds, crop
from .performances import AnnotatedPerformance

TOLERANCE = 0.07  # seconds (Davies, Degara and Plumbley 2009, "Evaluation methods for musical audio beat tracking")
RIGHT = 0.7  # F of downbeats from which a musician would say that the bars are right
STRETCHES = (60.0, 120.0)  # seconds
FEWEST_DOWNBEATS = 8
RIDGE, ROUNDS = 1e-2, 50  # weight of squared coefficients; steps of Newton's method

Floats = NDArray[np.float64]


def fit_sureness(weights: Weights, performances: Sequence[AnnotatedPerformance]) -> dict[str, NDArray[np.float32]]:
    """Return the weights with `sure.weight` and `sure.bias` fitted on performances that they were not learned from."""
    rows = [
        hold_bars_against(notes, downbeats, weights)
        for performance in performances
        for notes, downbeats in _stretches(performance)
    ]
    signs, score = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    fitted = _regress(signs, score >= RIGHT)
    sure = {"sure.weight": fitted[:-1].astype(np.float32), "sure.bias": fitted[-1].astype(np.float32)}
    return {**weights, **sure}


def hold_bars_against(notes: Notes, downbeats: Seconds, weights: Weights) -> tuple[Floats, float]:
    """Return the signs of sureness of the bars that are heard, and the F of their downbeats."""
    activations = beat_activations(notes, weights)
    beats = decode_beats(activations, float(notes.onset[0]))
    bars = decode_bars(activations, beats)
    return signs_of_sureness(activations, beats, bars), f_measure(beats[bars.position == 0], downbeats)


def f_measure(tracked: Seconds, known: Seconds) -> float:
    """Pair each tracked beat with at most one known one within TOLERANCE: twice the pairs over the beats of both."""
    pairs = next_tracked = next_known = 0
    while next_tracked < len(tracked) and next_known < len(known):
        gap = tracked[next_tracked] - known[next_known]
        pairs += abs(gap) <= TOLERANCE
        # Within the tolerance both go on; else the earlier of the two, which no later beat can match.
        next_tracked, next_known = next_tracked + (gap <= TOLERANCE), next_known + (gap >= -TOLERANCE)
    return 2 * pairs / max(len(tracked) + len(known), 1)


def _stretches(performance: AnnotatedPerformance) -> Iterator[tuple[Notes, Seconds]]:
    """Give a performance whole, and cut into stretches of each length, with their downbeats."""
    end = float(performance.notes.onset[-1]) + 1
    for seconds in (end, *STRETCHES):
        for begin in np.arange(0, max(end - seconds / 2, 1), seconds).tolist():
            notes = crop(performance.notes, begin, begin + seconds)
            downbeats = performance.downbeats - begin
            inside = downbeats[(downbeats >= 0) & (downbeats < seconds)]
            if len(inside) >= FEWEST_DOWNBEATS:
                yield notes, inside


def _regress(signs: Floats, is_right: NDArray[np.bool_]) -> Floats:
    """Fit a logistic regression: coefficients of signs [N, SIGNS], and its bias."""
    inputs = np.column_stack([signs, np.ones(len(signs))])
    ridge = RIDGE * np.append(np.ones(len(SIGNS)), 0.0)
    fitted = np.zeros(inputs.shape[1])
    for _ in range(ROUNDS):
        likely = 1 / (1 + np.exp(-inputs @ fitted))
        gradient = inputs.T @ (likely - is_right) + ridge * fitted
        curvature = (inputs.T * (likely * (1 - likely))) @ inputs + np.diag(ridge + 1e-9)
        fitted = fitted - np.linalg.solve(curvature, gradient)
    return fitted
