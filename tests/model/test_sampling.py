"""The reference that draws a field's value: what temperature, top-p, min-p and masks leave, and how often."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from arietta.errors import RequestError
from arietta.model.sampling import HIGHEST_TEMPERATURE, LOWEST_TEMPERATURE, Sampling, gumbel, sample
from tests.support.strategies import SEEDS

SIZE = 12
ALL = np.ones(SIZE, dtype=np.bool_)
STILL = np.zeros(SIZE, dtype=np.float32)
# Shares of 1/2, 1/4, 1/8 ... in an order that is not that of the values.
HALVES = np.log(0.5 ** np.array([3.0, 1.0, 2.0, 4.0, 6.0, 5.0, 8.0, 7.0, 9.0, 10.0, 11.0, 11.0])).astype(np.float32)


def of_symbol(sampling: Sampling) -> np.ndarray:
    return sampling.by_field(["what"])[:, 0]


def reachable(logits: np.ndarray, mask: np.ndarray, sampling: Sampling) -> set[int]:
    """Every value that some noise draws: each is pushed up in turn."""
    pushes = np.eye(SIZE, dtype=np.float32) * 1e6
    return {sample(logits, mask, push, of_symbol(sampling)) for push in pushes}


def shares(logits: np.ndarray, sampling: Sampling, draws: int = 20_000) -> np.ndarray:
    rng = np.random.default_rng(0)
    found = [sample(logits, ALL, gumbel(rng, SIZE), of_symbol(sampling)) for _ in range(draws)]
    return np.bincount(found, minlength=SIZE) / draws


@given(
    seed=SEEDS,
    temperature=st.floats(LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE),
    top_p=st.floats(0.01, 1.0),
    min_p=st.floats(0.0, 0.99),
)
def test_only_what_the_mask_leaves_is_drawn(seed: int, temperature: float, top_p: float, min_p: float) -> None:
    rng = np.random.default_rng(seed)
    logits, mask = rng.normal(0, 20, SIZE).astype(np.float32), rng.random(SIZE) < 0.3
    assume(mask.any())
    assert mask[sample(logits, mask, gumbel(rng, SIZE), of_symbol(Sampling(temperature, top_p, min_p)))]


@given(seed=SEEDS, top_p=st.floats(0.01, 1.0), min_p=st.floats(0.0, 0.99))
def test_the_likeliest_value_is_always_kept(seed: int, top_p: float, min_p: float) -> None:
    logits = np.random.default_rng(seed).normal(0, 3, SIZE).astype(np.float32)
    assert int(logits.argmax()) in reachable(logits, ALL, Sampling(1.0, top_p, min_p))


@given(seed=SEEDS, low=st.floats(0.01, 1.0), high=st.floats(0.01, 1.0))
def test_a_larger_top_p_keeps_no_less(seed: int, low: float, high: float) -> None:
    low, high = sorted((low, high))
    logits = np.random.default_rng(seed).normal(0, 3, SIZE).astype(np.float32)
    assert reachable(logits, ALL, Sampling(top_p=low)) <= reachable(logits, ALL, Sampling(top_p=high))


@pytest.mark.parametrize(("top_p", "kept"), [(0.4, {1}), (0.6, {1, 2}), (0.8, {0, 1, 2}), (0.9, {0, 1, 2, 3})])
def test_top_p_keeps_the_fewest_values_that_reach_the_share(top_p: float, kept: set[int]) -> None:
    assert reachable(HALVES, ALL, Sampling(top_p=top_p)) == kept


@pytest.mark.parametrize(("min_p", "kept"), [(0.6, {1}), (0.4, {1, 2}), (0.2, {0, 1, 2}), (0.0, set(range(SIZE)))])
def test_min_p_keeps_what_is_likely_enough_beside_the_likeliest(min_p: float, kept: set[int]) -> None:
    assert reachable(HALVES, ALL, Sampling(min_p=min_p)) == kept


def test_limits_look_at_the_shares_that_the_mask_leaves() -> None:
    mask = ALL.copy()
    mask[[1, 2]] = False
    assert reachable(HALVES, mask, Sampling(top_p=0.4)) == {0}
    assert reachable(HALVES, mask, Sampling(min_p=0.4)) == {0, 3}


def test_limits_look_at_the_shares_that_the_temperature_makes() -> None:
    assert reachable(HALVES, ALL, Sampling(temperature=0.5, min_p=0.2)) == {1, 2}
    assert reachable(HALVES, ALL, Sampling(temperature=2.0, min_p=0.2)) == {0, 1, 2, 3, 5}


def test_values_are_drawn_as_often_as_the_model_says() -> None:
    assert np.abs(shares(HALVES, Sampling()) - np.exp(HALVES)).max() < 0.01


def test_temperature_sharpens_and_flattens_the_shares() -> None:
    for temperature in (0.5, 2.0):
        expected = np.exp(HALVES / temperature)
        assert np.abs(shares(HALVES, Sampling(temperature)) - expected / expected.sum()).max() < 0.01


def test_what_limits_leave_out_is_shared_among_the_rest() -> None:
    expected = np.where(np.exp(HALVES) > 0.2, np.exp(HALVES), 0)
    assert np.abs(shares(HALVES, Sampling(top_p=0.7)) - expected / expected.sum()).max() < 0.01


def test_without_noise_the_likeliest_is_drawn() -> None:
    assert sample(HALVES, ALL, STILL, of_symbol(Sampling())) == 1


def test_noise_is_gumbels_and_comes_from_the_generator_alone() -> None:
    noise = gumbel(np.random.default_rng(3), 100_000)
    assert noise.dtype == np.float32
    assert np.array_equal(noise, gumbel(np.random.default_rng(3), 100_000))
    assert abs(noise.mean() - np.euler_gamma) < 0.02 and abs(noise.std() - np.pi / np.sqrt(6)) < 0.02


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"temperature": 0.0}, "temperature must lie in 0.05-3.0, not 0.0"),
        ({"temperature": 3.1}, "temperature must lie in 0.05-3.0, not 3.1"),
        ({"temperature": float("nan")}, "temperature must lie in 0.05-3.0, not nan"),
        ({"top_p": 0.0}, "top_p must lie above 0 and at most at 1, not 0.0"),
        ({"top_p": 1.1}, "top_p must lie above 0 and at most at 1, not 1.1"),
        ({"min_p": -0.1}, "min_p must lie at 0 or above and below 1, not -0.1"),
        ({"min_p": 1.0}, "min_p must lie at 0 or above and below 1, not 1.0"),
    ],
)
def test_impossible_sampling_is_refused_in_a_sentence(values: dict[str, float], sentence: str) -> None:
    with pytest.raises(RequestError) as refused:
        Sampling(**values)
    assert str(refused.value) == sentence
