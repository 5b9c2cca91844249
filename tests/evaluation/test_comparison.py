"""Sets against sets: the formulas by hand, and like sets are found alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from arietta.errors import RequestError
from arietta.evaluation.comparison import (
    FEWEST,
    MeasuredSet,
    _interval,
    check_window_count,
    compare,
    compare_sets,
    density,
    distances,
    divergence,
    join_sets,
    mean_overlap,
    measure_set,
    overlapped_area,
)
from arietta.evaluation.frechet import ENOUGH
from arietta.evaluation.statistics import Statistics, measure
from arietta.music.notes import stretch, transpose
from tests.support.tunes import tune

GRID = np.linspace(-5.0, 15.0, 256)
STEP = float(GRID[1] - GRID[0])


def bell(mean: float, width: float) -> np.ndarray:
    return np.exp(-0.5 * ((GRID - mean) / width) ** 2) / (width * np.sqrt(2 * np.pi))


def pieces(seeds: range, factor: float = 1.0) -> list[Statistics]:
    return [measure(stretch(tune(seed, 60), factor)) for seed in seeds]


def test_distances_are_euclidean() -> None:
    one, other = np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([[3.0, 0.0]])
    assert distances(one, other).tolist() == [[3.0], [4.0]]
    assert distances(np.array([[1.0], [5.0]]), np.array([[2.0]])).tolist() == [[1.0], [3.0]]


def test_the_density_of_one_value_is_a_bell_of_a_grid_step() -> None:
    assert density(GRID[100:101], GRID) == pytest.approx(bell(GRID[100], STEP), abs=1e-6)


def test_the_density_of_many_values_is_the_mean_of_their_bells() -> None:
    values = np.random.default_rng(0).normal(5, 1, 50)
    width = values.std() * 50 ** (-1 / 5)
    expected = np.mean([bell(value, width) for value in values], axis=0)
    assert density(values, GRID) == pytest.approx(expected, abs=0.01)


def test_a_weight_of_two_is_the_value_twice() -> None:
    once = density(np.array([2.0, 4.0]), GRID, np.array([2.0, 1.0]))
    assert once == pytest.approx(density(np.array([2.0, 2.0, 4.0]), GRID))


@given(arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 10)))
def test_a_density_sums_to_one_and_overlaps_itself_wholly(values: np.ndarray) -> None:
    found = density(values, GRID)
    assert found.sum() * STEP == pytest.approx(1.0)
    assert overlapped_area(found, found, STEP) == pytest.approx(1.0)
    assert divergence(found, found, STEP) == pytest.approx(0.0, abs=1e-9)


def test_two_bells_overlap_and_diverge_as_by_formula() -> None:
    one, other = bell(4.0, 1.0), bell(6.0, 1.0)
    assert overlapped_area(one, other, STEP) == pytest.approx(0.3173, abs=1e-3)  # 2 (1 - Phi(1))
    assert divergence(one, other, STEP) == pytest.approx(2.0, abs=1e-3)  # (6 - 4)^2 / 2
    assert overlapped_area(bell(0.0, 0.3), bell(10.0, 0.3), STEP) == pytest.approx(0.0, abs=1e-6)
    assert np.isfinite(divergence(bell(0.0, 0.3), bell(10.0, 0.3), STEP))


def test_like_sets_overlap_more_than_unlike_ones() -> None:
    like, unlike = (
        compare(pieces(range(20)), pieces(range(20, 40))),
        compare(pieces(range(20), 3.0), pieces(range(20, 40))),
    )
    assert like["inter_onset"].overlap > 0.85 > 0.3 > unlike["inter_onset"].overlap
    assert like["inter_onset"].divergence < unlike["inter_onset"].divergence
    assert like["pitch_classes"].overlap == pytest.approx(unlike["pitch_classes"].overlap, abs=0.2)
    reached, missed = mean_overlap(like), mean_overlap(unlike)
    assert reached is not None and missed is not None and reached > missed


def test_means_and_distances_are_those_of_the_sets() -> None:
    sets = [[{"pitch_range": np.array([float(value)])} for value in values] for values in ((1, 2, 3, 4), (5, 5, 5, 9))]
    found = compare(*sets)["pitch_range"]
    assert (found.mean, found.reference_mean) == (2.5, 6.0)
    assert found.intra == pytest.approx((1 + 2 + 3 + 1 + 2 + 1) / 6)
    assert found.reference_intra == pytest.approx(3 * 4 / 6)
    assert found.inter == pytest.approx(3.5)
    assert found.overlap_interval[0] <= found.overlap_interval[1]


def test_the_densities_are_of_different_pieces_each_pair_once() -> None:
    mine, theirs = np.array([[2.0], [5.0], [7.0], [11.0]]), np.array([[0.0], [1.0], [4.0], [20.0]])
    named = [[{"pitch_range": row} for row in rows] for rows in (mine, theirs)]
    top = 20.0  # the largest distance of all
    grid = np.linspace(-0.25 * top, 1.25 * top, 256)
    intra = density(np.array([1.0, 4.0, 20.0, 3.0, 19.0, 16.0]), grid)
    inter = density(np.abs(mine - theirs.T).reshape(-1), grid)
    found = compare(*named)["pitch_range"]
    assert found.overlap == pytest.approx(overlapped_area(intra, inter, grid[1] - grid[0]))
    assert found.divergence == pytest.approx(divergence(intra, inter, grid[1] - grid[0]))


@pytest.mark.parametrize("seed", range(3))
def test_every_interval_holds_its_figure_however_few_the_pieces(seed: int) -> None:
    # Resampled sets hold pieces twice: the plain percentiles of their figures leave out a third of those of the sets.
    for comparison in compare(pieces(range(seed, seed + 8)), pieces(range(100, 114))).values():
        low, high = comparison.overlap_interval
        assert 0 <= low <= comparison.overlap <= high <= 1
        low, high = comparison.divergence_interval
        assert 0 <= low <= comparison.divergence <= high


def test_an_interval_holds_its_figure_where_a_few_resamplings_lie_far_off() -> None:
    resampled = np.repeat([0.1, 9.0], [196, 4])
    low, high = _interval(resampled, 0.2, most=np.inf)
    assert low <= 0.2 <= high


def test_the_interval_narrows_with_more_pieces() -> None:
    few, many = (compare(pieces(range(n)), pieces(range(100, 100 + n)))["velocity"] for n in (8, 60))
    widths = [high - low for low, high in (few.overlap_interval, many.overlap_interval)]
    assert widths[1] < widths[0]


def test_the_mean_overlap_has_an_interval_narrower_than_those_of_its_statistics() -> None:
    sets = [MeasuredSet(pieces(numbers), None) for numbers in (range(12), range(100, 112))]
    found = compare_sets(*sets)
    assert found.mean_overlap is not None and found.mean_overlap_interval is not None
    low, high = found.mean_overlap_interval
    assert low < found.mean_overlap < high
    widths = [figure.overlap_interval[1] - figure.overlap_interval[0] for figure in found.statistics.values()]
    assert 0 < high - low < np.mean(widths)
    assert compare_sets(MeasuredSet([], None), sets[1]).mean_overlap_interval is None


def test_what_few_have_and_what_is_the_same_in_all_is_left_out() -> None:
    found = compare(pieces(range(8)), pieces(range(8, 16)))
    assert "note_count" not in found  # all have 60
    short = [measure(transpose(tune(seed, 1), 1)) for seed in range(8)]
    assert "average_interval" not in compare(short, pieces(range(8)))
    assert compare([], pieces(range(8))) == {}
    assert mean_overlap({}) is None


def test_the_same_sets_give_the_same_figures() -> None:
    one, other = (compare(pieces(range(8)), pieces(range(8, 16))) for _ in range(2))
    assert one == other


# Sets


def test_a_set_against_itself_lies_nowhere_else_and_halves_have_every_second_window() -> None:
    measured = measure_set(tune(seed, 130) for seed in range(2 * ENOUGH))
    first, second = measured.every_second(0), measured.every_second(1)
    assert len(first.statistics) == len(second.statistics) == ENOUGH
    assert measured.embeddings is not None and second.embeddings is not None
    assert np.array_equal(measured.embeddings[1::2], second.embeddings)
    compared = compare_sets(first, first)
    assert compared.distance is not None and compared.distance.distance == pytest.approx(0, abs=1e-6)
    assert compared.mean_overlap == mean_overlap(compared.statistics)


def test_sets_too_small_or_of_windows_too_short_have_no_distance() -> None:
    small, short = (measure_set(tune(seed, size) for seed in range(6)) for size in (130, 60))
    assert compare_sets(small, small).distance is None
    assert short.embeddings is None and compare_sets(short, short).distance is None


def test_a_set_needs_windows_for_two_halves() -> None:
    check_window_count("set", 2 * FEWEST, 300)
    with pytest.raises(RequestError, match="set: has 7 pieces of 300 notes or more, and 8 are needed"):
        check_window_count("set", 7, 300)


def test_a_set_measured_in_parts_is_the_set() -> None:
    tunes = [tune(seed, 300) for seed in range(5)]
    whole, joined = measure_set(tunes), join_sets([measure_set(tunes[:3]), measure_set(tunes[3:])])
    assert [list(figures) for figures in joined.statistics] == [list(figures) for figures in whole.statistics]
    assert compare(joined.statistics, whole.statistics) == compare(whole.statistics, whole.statistics)
    assert joined.embeddings is not None and np.array_equal(joined.embeddings, whole.embeddings)
    short = join_sets([measure_set(tunes), measure_set([tune(1, 5)])])
    assert len(short.statistics) == 6 and short.embeddings is None
    assert join_sets([]).embeddings is None
