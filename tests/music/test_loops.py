"""Loops are what composing guards against: eight turns, within 30 % in time; and each is counted once."""

from __future__ import annotations

import numpy as np
import pytest

from arietta.music.loops import LOOP_REPEATS, find_loops
from arietta.music.notes import Notes
from tests.support.tunes import play_all, tune


def pattern(pitches: list[int], turns: int, step: float = 0.25, jitter: float = 0.0) -> Notes:
    count = len(pitches) * turns
    waits = step * (1 + np.random.default_rng(0).uniform(-jitter, jitter, count))
    return Notes.of(np.cumsum(waits), [0.1] * count, pitches * turns, [64] * count)


@pytest.mark.parametrize("period", [1, 2, 3, 8])
def test_eight_turns_are_a_loop_and_seven_are_none(period: int) -> None:
    pitches = list(range(60, 60 + period))
    assert find_loops(pattern(pitches, LOOP_REPEATS - 1)) == []
    (place,) = find_loops(pattern(pitches, LOOP_REPEATS + 5))
    assert LOOP_REPEATS * period - 1 <= place <= LOOP_REPEATS * period


def test_a_longer_pattern_is_no_loop() -> None:
    assert find_loops(pattern(list(range(60, 69)), 20)) == []


def test_timing_may_vary_by_a_little_and_no_more() -> None:
    assert find_loops(pattern([60, 64], 12, jitter=0.1))
    assert not find_loops(pattern([60, 64], 12, jitter=0.9))


def test_two_loops_are_two() -> None:
    assert len(find_loops(play_all(pattern([60, 64], 12), tune(1, 40), pattern([50, 55, 59], 12)))) == 2


def test_a_tune_has_none_and_neither_has_silence() -> None:
    assert find_loops(tune(1, 300)) == find_loops(Notes.of()) == []
