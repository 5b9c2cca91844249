"""The learning rate: it rises evenly, then falls along half a cosine and stays down."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.train.schedule import learning_rate


@pytest.mark.parametrize("final_share", [0.1, 0.01])
def test_the_rate_warms_up_then_falls_along_a_cosine_to_its_share(final_share: float) -> None:
    rate = partial(learning_rate, peak=0.5, warm_up=10, steps=110, final_share=final_share)
    rates = [rate(step) for step in range(111)]
    assert rates[0] == pytest.approx(0.05) and rates[9] == rates[10] == pytest.approx(0.5)
    assert rates[60] == pytest.approx(0.5 * (1 + final_share) / 2)
    assert rates[110] == pytest.approx(0.5 * final_share)
    assert all(before >= after for before, after in pairwise(rates[10:]))


def test_without_a_warm_up_the_first_update_has_the_whole_rate() -> None:
    assert learning_rate(0, peak=0.5, warm_up=0, steps=10, final_share=0.1) == 0.5


@given(st.integers(0, 500), st.integers(0, 50), st.integers(1, 300))
def test_the_rate_lies_between_its_share_and_the_peak_once_warm(step: int, warm_up: int, steps: int) -> None:
    rate = learning_rate(step, peak=1.0, warm_up=warm_up, steps=steps, final_share=0.1)
    assert 0 < rate <= 1.0
    assert rate >= 0.1 - 1e-12 or step < warm_up
