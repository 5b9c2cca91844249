"""How sure the finder may be: a regression that tells right bars from wrong ones, and the measure of both."""

from __future__ import annotations

import numpy as np
import pytest

from arietta.train.beats import sureness
from arietta.train.beats.sureness import f_measure, fit_sureness, hold_bars_against
from tests.support.annotated import annotated_march
from tests.support.beats import random_weights


def test_beats_pair_once_within_70_milliseconds() -> None:
    known = np.arange(10.0)
    assert f_measure(known + 0.069, known) == 1
    assert f_measure(known + 0.071, known) == 0
    assert f_measure(np.array([]), known) == 0


def test_what_tells_right_bars_makes_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    rng, scores = np.random.default_rng(1), iter(np.tile([0.9, 0.2], 40))

    def hold(*_: object) -> tuple[np.ndarray, float]:
        score = float(next(scores))
        return np.array([score + rng.normal(0, 0.3), rng.random(), 0.5]), score

    monkeypatch.setattr(sureness, "hold_bars_against", hold)
    weights = fit_sureness(random_weights(), [annotated_march() for _ in range(20)])
    first, second, _ = weights["sure.weight"]
    assert first > 1 > abs(second)
    likely = 1 / (1 + np.exp(-(np.array([[0.9, 0.5, 0.5], [0.2, 0.5, 0.5]]) @ weights["sure.weight"])
                             - weights["sure.bias"]))  # fmt: skip
    assert likely[0] > 0.6 > 0.4 > likely[1]


def test_bars_are_held_against_downbeats() -> None:
    performance = annotated_march()
    signs, score = hold_bars_against(performance.notes, performance.downbeats, random_weights())
    assert signs.shape == (3,) and 0 <= score <= 1
