"""The reference that draws a field's value: what temperature, top-p, min-p and masks leave, and how often."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from arietta.errors import RequestError
from arietta.model.sampling import (
    DEFAULTS,
    HIGHEST_TEMPERATURE,
    LOWEST_TEMPERATURE,
    Sampling,
    SamplingDefaults,
    Setting,
    gumbel,
    sample,
)
from tests.support.strategies import SEEDS

SIZE = 12
ALL = np.ones(SIZE, dtype=np.bool_)
STILL = np.zeros(SIZE, dtype=np.float32)
# Shares of 1/2, 1/4, 1/8 ... in an order that is not that of the values.
HALVES = np.log(0.5 ** np.array([3.0, 1.0, 2.0, 4.0, 6.0, 5.0, 8.0, 7.0, 9.0, 10.0, 11.0, 11.0])).astype(np.float32)


FIELDS = ("time", "symbol", "duration", "velocity")


def of_symbol(sampling: Sampling) -> np.ndarray:
    return sampling.by_field(["symbol"])[:, 0]


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
        ({"top_p": {"time": 1.0, "symbol": 1.2}}, "top_p of symbol must lie above 0 and at most at 1, not 1.2"),
        ({"temperature": {"time": 0}}, "temperature of time must lie in 0.05-3.0, not 0"),
    ],
)
def test_impossible_sampling_is_refused_in_a_sentence(values: dict[str, float], sentence: str) -> None:
    with pytest.raises(RequestError) as refused:
        Sampling(**values)
    assert str(refused.value) == sentence


def test_a_single_temperature_means_every_field_and_a_single_top_p_all_but_time() -> None:
    by_field = Sampling(0.8, 0.9, 0.02).by_field(FIELDS)
    assert by_field.dtype == np.float32
    assert np.allclose(by_field, [[0.8, 0.8, 0.8, 0.8], [1, 0.9, 0.9, 0.9], [0, 0.02, 0.02, 0.02]])


def test_what_is_not_set_leaves_the_models_own_distribution() -> None:
    assert np.allclose(Sampling().by_field(FIELDS), [[1] * 4, [1] * 4, [0] * 4])
    assert np.allclose(Sampling(top_p={"time": 0.98}).by_field(FIELDS)[1], [0.98, 1, 1, 1])


settings_by_field = st.one_of(
    st.none(),
    st.floats(0.05, 0.99),
    st.dictionaries(st.sampled_from(FIELDS), st.floats(0.05, 0.99), min_size=1),
)
samplings = st.builds(
    Sampling,
    temperature=settings_by_field,
    top_p=settings_by_field,
    min_p=settings_by_field,
    guidance=st.one_of(st.none(), st.floats(1, 10)),
)


@given(asked=samplings, usual=samplings, others=samplings)
def test_resolved_sampling_leaves_nothing_to_defaults(asked: Sampling, usual: Sampling, others: Sampling) -> None:
    resolved = asked.resolve(usual, FIELDS)
    assert resolved.resolve(others, FIELDS) == resolved
    assert Sampling.from_description(resolved.describe()) == resolved
    assert None not in resolved.describe().values() and len(resolved.describe()) == 4


@given(asked=samplings, usual=samplings)
def test_what_is_asked_is_what_is_sampled_by(asked: Sampling, usual: Sampling) -> None:
    table, own, default = (each.by_field(FIELDS) for each in (asked.resolve(usual, FIELDS), asked, usual))
    for row, name in enumerate(("temperature", "top_p", "min_p")):
        setting = getattr(asked, name)
        for column, part in enumerate(FIELDS):
            is_asked = part in setting if isinstance(setting, dict) else setting is not None
            assert table[row, column] == (own if is_asked else default)[row, column]


def test_one_setting_keeps_the_others_as_the_model_has_them() -> None:
    usual = Sampling(0.97, {"time": 1.0, "symbol": 0.96}, 0.0, 2.5)
    resolved = Sampling(temperature=0.8).resolve(usual, FIELDS)
    assert resolved.temperature == 0.8 and resolved.guidance == 2.5
    assert resolved.top_p == {"time": 1.0, "symbol": 0.96, "duration": 1.0, "velocity": 1.0}


def test_a_model_of_one_field_has_numbers_and_refuses_other_fields() -> None:
    assert Sampling(top_p=0.9).resolve(DEFAULTS[3], ["symbol"]) == Sampling(0.95, 0.9, 0.0, 4.0)
    with pytest.raises(RequestError, match="top_p cannot be set for 'time': this model has it for symbol"):
        Sampling(top_p={"time": 0.98}).resolve(DEFAULTS[3], ["symbol"])


@pytest.mark.parametrize(
    ("text", "setting"),
    [("0.9", 0.9), ("time=0.98", {"time": 0.98}), ("time=1, symbol=.9", {"time": 1.0, "symbol": 0.9})],
)
def test_a_setting_is_read_as_it_is_typed(text: str, setting: Setting) -> None:
    assert Sampling.read(text, setting, None, 2.0) == Sampling(setting, setting, None, 2.0)


@pytest.mark.parametrize("text", ["", "bold", "time=", "time:0.9", "0.9,time=1", "time=1=2", {"time": "bold"}, [0.9]])
def test_what_is_no_setting_is_refused(text: object) -> None:
    with pytest.raises(RequestError, match="top_p must be a number, or numbers by field such as time=0"):
        Sampling.read(None, text, None, None)


CARD = {
    "top_p": {"time": 0.99, "symbol": 0.95},
    "composers": {"Chopin": {"share": 0.75, "guidance": 3}, "Grieg": {"share": 0.25}, "Satie": {"guidance": 2}},
}


def test_a_card_says_how_a_model_is_sampled() -> None:
    defaults = SamplingDefaults.from_description(CARD, DEFAULTS[4], FIELDS)
    assert defaults.sampling.top_p == {"time": 0.99, "symbol": 0.95, "duration": 0.96, "velocity": 0.96}
    assert defaults.sampling.temperature == 0.97
    assert defaults.shares == {"Chopin": 0.75, "Grieg": 0.25} and defaults.guidance == {"Chopin": 3.0, "Satie": 2.0}


def test_composers_are_drawn_as_often_as_their_shares_say_and_alike_for_one_seed() -> None:
    defaults = SamplingDefaults.from_description(CARD, DEFAULTS[4], FIELDS)
    drawn = [defaults.draw_composer(seed) for seed in range(2000)]
    assert abs(drawn.count("Chopin") / 2000 - 0.75) < 0.03 and drawn.count("Grieg") == 2000 - drawn.count("Chopin")
    assert drawn[7] == defaults.draw_composer(7)
    assert SamplingDefaults(Sampling()).draw_composer(7) is None


def test_numbers_of_numpy_are_numbers() -> None:
    sampling = Sampling(np.float32(0.5), {"time": np.float64(0.75)}, np.int64(0), np.int64(2))
    assert sampling == Sampling(0.5, {"time": 0.75}, 0, 2)
    assert json.loads(json.dumps(sampling.describe()))["temperature"] == 0.5
    with pytest.raises(RequestError, match=r"temperature must lie in 0\.05-3\.0, not 9\.0"):
        Sampling(np.float32(9))
