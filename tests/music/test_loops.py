"""Loops are what composing guards against: eight turns, within 30 % in time; and each is counted once."""

from __future__ import annotations

import numpy as np
import pytest

from arietta.music.loops import LOOP_REPEATS, LoopGuard, find_loops
from arietta.music.notes import Note, Notes
from tests.support.tunes import play_all, tune


def pattern(pitches: list[int], turns: int, step: float = 0.25, jitter: float = 0.0) -> Notes:
    count = len(pitches) * turns
    waits = step * (1 + np.random.default_rng(0).uniform(-jitter, jitter, count))
    return Notes.of(np.cumsum(waits), [0.1] * count, pitches * turns, [64] * count)


@pytest.mark.parametrize("period", [1, 2, 3, 8])
def test_eight_turns_are_a_loop_and_seven_are_none(period: int) -> None:
    pitches = list(range(60, 60 + period))
    assert find_loops(pattern(pitches, LOOP_REPEATS - 1)) == []
    (index,) = find_loops(pattern(pitches, LOOP_REPEATS + 5))
    assert LOOP_REPEATS * period - 1 <= index <= LOOP_REPEATS * period


def test_a_longer_pattern_is_no_loop() -> None:
    assert find_loops(pattern(list(range(60, 69)), 20)) == []


def test_timing_may_vary_by_a_little_and_no_more() -> None:
    assert find_loops(pattern([60, 64], 12, jitter=0.1))
    assert not find_loops(pattern([60, 64], 12, jitter=0.9))


def test_two_loops_are_two() -> None:
    assert len(find_loops(play_all(pattern([60, 64], 12), tune(1, 40), pattern([50, 55, 59], 12)))) == 2


def test_a_tune_has_none_and_neither_has_silence() -> None:
    assert find_loops(tune(1, 300)) == find_loops(Notes.of()) == []


def guard_after(pitches: list[int], intervals: list[float]) -> LoopGuard:
    guard = LoopGuard()
    for onset, pitch in zip(np.cumsum(intervals), pitches, strict=True):
        guard.push(Note(float(onset), 0.1, pitch, 64))
    return guard


def test_repeated_notes_are_no_loop_until_the_eighth() -> None:
    assert guard_after([60] * 7, [0.2] * 7).looping_pitch is None
    assert guard_after([60] * 9, [0.2] * 9).looping_pitch == 60


def test_repeated_notes_in_changing_rhythm_are_no_loop() -> None:
    assert guard_after([60] * 20, [0.1, 0.4] * 10).looping_pitch == 60  # a pattern of two
    assert guard_after([60] * 20, [0.1 * 1.5**index for index in range(20)]).looping_pitch is None


def test_an_alternation_of_two_keys_is_a_loop_and_names_the_next() -> None:
    assert guard_after([60, 64] * 10, [0.2] * 20).looping_pitch == 60


def test_a_change_ends_the_loop() -> None:
    assert guard_after([60] * 20 + [61], [0.2] * 21).looping_pitch is None
