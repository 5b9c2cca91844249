"""The measure of beats, and how far several chains agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.music.beats.agreement import f_measure, mutual_agreement

rising = st.lists(st.floats(0.2, 2), min_size=1, max_size=30).map(np.cumsum)


@given(rising, rising)
def test_the_measure_is_one_for_the_same_beats_and_does_not_tell_tracked_from_known(
    one: np.ndarray, other: np.ndarray
) -> None:
    assert f_measure(one, one) == 1
    assert f_measure(one, other) == f_measure(other, one)
    assert 0 <= f_measure(one, other) <= 1


def test_beats_pair_within_70_milliseconds_and_once() -> None:
    known = np.arange(10.0)
    assert f_measure(known + 0.069, known) == 1
    assert f_measure(known + 0.071, known) == f_measure(np.array([]), known) == 0
    assert f_measure(np.sort(np.append(known, known + 0.03)), known) == pytest.approx(2 * 10 / 30)


def test_chains_agree_by_the_mean_of_their_pairs() -> None:
    known = np.arange(10.0)
    assert mutual_agreement([known, known, known]) == 1
    assert mutual_agreement([known, known, known + 0.5]) == pytest.approx(1 / 3)
