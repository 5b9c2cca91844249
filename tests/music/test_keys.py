"""Keys and scales, against what a musician would say and what can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.music.keys import MAJOR, MINOR, find_key, pitch_classes, scale_consistency

pitches = st.lists(st.integers(0, 127), min_size=1, max_size=60)


def test_a_profile_is_clearest_in_its_own_key() -> None:
    for tonic in range(12):
        for profile, is_minor in ((MAJOR, False), (MINOR, True)):
            key = find_key(np.arange(12), np.roll(profile, tonic))
            assert key is not None
            assert (key.tonic, key.is_minor) == (tonic, is_minor)
            assert key.clarity == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("heard", "name"),
    [
        ((60, 64, 67), "C major"),
        ((57, 60, 64), "A minor"),
        ((62, 66, 69, 73, 74), "D major"),
        ((70, 74, 77), "B flat major"),
    ],
)
def test_a_tonic_chord_names_its_key(heard: tuple[int, ...], name: str) -> None:
    key = find_key(heard)
    assert key is not None and key.name == name


def test_the_clarity_is_the_correlation_with_the_profile() -> None:
    key = find_key([60, 62, 64, 67, 60], [1.0, 0.5, 2.0, 1.5, 1.0])
    weights = np.zeros(12)
    weights[[0, 2, 4, 7]] = [2.0, 0.5, 2.0, 1.5]
    assert key is not None
    assert key.clarity == pytest.approx(np.corrcoef(weights, MAJOR)[0, 1])


@given(pitches, st.integers(1, 11))
def test_transposing_moves_the_key_and_keeps_its_clarity(heard: list[int], semitones: int) -> None:
    key, moved = find_key(heard), find_key(np.array(heard) + semitones)
    assert (key is None) == (moved is None)
    if key is not None and moved is not None:
        assert moved.clarity == pytest.approx(key.clarity)
    assert scale_consistency(np.array(heard) + semitones) == pytest.approx(scale_consistency(heard))


def test_all_twelve_alike_or_none_have_no_key() -> None:
    assert find_key(range(12)) is None
    assert find_key([]) is None
    assert find_key([60, 61], [0.0, 0.0]) is None


def test_scale_consistency_is_the_share_in_the_best_scale() -> None:
    assert scale_consistency([60, 62, 64, 65, 67, 69, 71]) == pytest.approx(1.0)
    assert scale_consistency([60, 62, 64, 65, 67, 69, 71, 66]) == pytest.approx(7 / 8)  # F sharp: G major lacks F
    assert scale_consistency(range(12)) == pytest.approx(7 / 12)
    assert scale_consistency([]) == 0.0


@given(pitches)
def test_pitch_classes_are_shares(heard: list[int]) -> None:
    shares = pitch_classes(heard)
    assert shares.sum() == pytest.approx(1.0)
    assert shares[heard[0] % 12] > 0


def test_pitch_classes_may_be_weighed() -> None:
    assert pitch_classes([60, 72, 61], [1.0, 2.0, 1.0])[:2].tolist() == [0.75, 0.25]
