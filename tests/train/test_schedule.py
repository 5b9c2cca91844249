"""The learning rate: it rises evenly, is held, and falls evenly to its share; the cosine of the embedding too."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.train.schedule import FINAL_SHARE, cosine_rate, rate_share


def test_the_share_rises_over_the_warm_up_is_held_and_falls_evenly() -> None:
    shares = [rate_share(step / 100, step, warm_up=10, hold=0.4) for step in range(101)]
    assert shares[:10] == pytest.approx([(k + 1) / 10 for k in range(10)])
    assert shares[10:41] == [1.0] * 31
    assert shares[70] == pytest.approx((1 + FINAL_SHARE) / 2)
    assert shares[100] == pytest.approx(FINAL_SHARE)
    falls = [before - after for before, after in pairwise(shares[40:])]
    assert falls == pytest.approx([(1 - FINAL_SHARE) / 60] * 60)


def test_beyond_its_end_a_run_stays_at_the_lowest_share() -> None:
    assert rate_share(1.5, 999, warm_up=10, hold=0.4) == pytest.approx(FINAL_SHARE)


def test_the_first_update_without_a_warm_up_has_the_full_rate() -> None:
    assert rate_share(0.0, 0, warm_up=0, hold=0.0) == 1.0


@given(st.floats(0, 2), st.integers(0, 500), st.integers(0, 50), st.floats(0, 1, exclude_max=True))
def test_a_share_is_never_0_and_never_above_1(progress: float, step: int, warm_up: int, hold: float) -> None:
    share = rate_share(progress, step, warm_up=warm_up, hold=hold)
    assert 0 < share <= 1
    assert share >= FINAL_SHARE - 1e-12 or step < warm_up


@pytest.mark.parametrize("final_share", [0.1, 0.01])
def test_the_cosine_warms_up_then_falls_to_its_share(final_share: float) -> None:
    rate = partial(cosine_rate, peak=0.5, warm_up=10, steps=110, final_share=final_share)
    rates = [rate(step) for step in range(111)]
    assert rates[0] == pytest.approx(0.05) and rates[9] == rates[10] == pytest.approx(0.5)
    assert rates[60] == pytest.approx(0.5 * (1 + final_share) / 2)
    assert rates[110] == rate(200) == pytest.approx(0.5 * final_share)
    assert all(before >= after for before, after in pairwise(rates[10:]))
    assert cosine_rate(0, peak=0.5, warm_up=0, steps=10, final_share=0.1) == 0.5
