"""Frechet distances: closed forms of normal distributions, the bias of small sets, intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest

from arietta.evaluation.frechet import RESAMPLES, frechet_distance, frechet_interval, plain_distance, resampled


def drawn(seed: int, count: int, deviations: list[float], mean: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, len(deviations))) * deviations + mean


def exactly(deviations: list[float], mean: float = 0.0) -> np.ndarray:
    """A set whose covariance (over N - 1) is diagonal with these deviations to the last digit, whatever was drawn."""
    sample = np.random.default_rng(3).standard_normal((50, len(deviations)))
    white, _ = np.linalg.qr(sample - sample.mean(axis=0))
    return white * np.sqrt(49) * deviations + mean


def test_in_one_dimension_it_is_the_squared_difference_of_means_and_of_deviations() -> None:
    assert plain_distance(exactly([2.0], 1.0), exactly([5.0], 5.0)) == pytest.approx((5 - 1) ** 2 + (5 - 2) ** 2)


def test_diagonal_normals_add_up_their_dimensions() -> None:
    one, other = exactly([1.0, 2.0, 0.5]), exactly([3.0, 2.0, 1.0], 1.0)
    assert plain_distance(one, other) == pytest.approx(3 * 1 + (3 - 1) ** 2 + 0 + (1 - 0.5) ** 2)


def test_turned_normals_are_told_by_the_root_of_their_product() -> None:
    """Of 2 x 2 matrices trace (A B)^(1/2) is the root of trace A B + 2 (det A det B)^(1/2)."""
    one, turn = exactly([2.0, 1.0]), np.array([[0.6, -0.8], [0.8, 0.6]])
    turned = one @ turn
    assert plain_distance(turned, turned) == pytest.approx(0.0, abs=1e-9)
    assert plain_distance(one, turned) == pytest.approx(5 + 5 - 2 * np.sqrt(4 * 2.08 + 1 * 2.92 + 2 * 4))


def test_it_does_not_matter_which_set_is_named_first_nor_where_both_lie() -> None:
    one, other = drawn(1, 60, [1.0, 2.0, 1.0]), drawn(2, 80, [1.5, 1.0, 1.0], 0.3)
    assert frechet_distance(one, other) == pytest.approx(frechet_distance(other, one))
    assert frechet_distance(one + 7.0, other + 7.0) == pytest.approx(frechet_distance(one, other))


@pytest.mark.parametrize(("count", "width"), [(50, 8), (50, 16), (100, 16), (100, 32)])
def test_sets_of_one_distribution_are_nothing_apart_however_small(count: int, width: int) -> None:
    even = [1.0] * width
    pairs = [(drawn(seed, count, even), drawn(seed + 100, count, even)) for seed in range(20)]
    corrected = np.array([frechet_distance(*pair) for pair in pairs])
    plain = np.mean([plain_distance(*pair) for pair in pairs])
    assert abs(corrected.mean()) < 3 * corrected.std() / np.sqrt(20) + 0.1 * plain
    assert plain > 5 * abs(corrected.mean())


def test_a_known_distance_is_found_from_few_pieces_and_from_sets_of_unlike_sizes() -> None:
    deviations = [1.0, 1.1, 1.2, 1.3] * 4
    truth = 16 * 0.09 + 4 * (0.1**2 + 0.2**2 + 0.3**2)
    for counts in ((80, 80), (60, 300)):
        found = [
            frechet_distance(drawn(seed, counts[0], [1.0] * 16), drawn(seed + 50, counts[1], deviations, 0.3))
            for seed in range(20)
        ]
        assert np.mean(found) == pytest.approx(truth, abs=3 * np.std(found) / np.sqrt(20))


def test_most_intervals_hold_the_truth() -> None:
    held = 0
    for seed in range(30):
        low, high = frechet_interval(drawn(seed, 60, [1.0] * 4), drawn(seed + 50, 60, [1.0] * 4, 0.5))
        held += low < 1.0 < high
    assert held >= 25


def test_resamplings_of_sets_of_one_size_pair_up() -> None:
    reference, one = drawn(1, 40, [1.0] * 3), drawn(2, 30, [1.0] * 3)
    first, second = resampled(one, reference), resampled(one + 0.01, reference)
    assert first.shape == (RESAMPLES,)
    assert np.std(first - second) < 0.1 * np.std(first)
    assert np.array_equal(first, resampled(one, reference))


@pytest.mark.parametrize(
    ("one", "other"), [((3, 2), (9, 2)), ((9, 2), (3, 2)), ((9, 2), (9, 3)), ((9,), (9,))], ids=str
)
def test_too_few_pieces_and_unlike_dimensions_are_refused(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"embeddings|needs 4"):
        frechet_distance(np.zeros(one), np.zeros(other))


def test_pieces_that_are_all_the_same_have_a_distance_all_the_same() -> None:
    assert frechet_distance(np.zeros((8, 3)), np.ones((8, 3))) == pytest.approx(3.0)
