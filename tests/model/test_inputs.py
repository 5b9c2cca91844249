"""What the graphs are told of positions: where keys go in the cache, angles that count on, nothing for an LSTM."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.model.inputs import StepInputs, position_inputs
from arietta.model.sampling import Guide, Sampling
from tests.support.bundles import TINY, TINY_LSTM


@pytest.mark.parametrize("positions", ["relative", "absolute", "rotary"])
def test_keys_follow_those_in_the_cache(positions: str) -> None:
    inputs = position_inputs(replace(TINY, positions=positions), 2, 1)
    inputs.write(np.array([[[5]], [[9]]]), np.array([[70], [9]]))
    assert inputs.arrays["last_key"].tolist() == [5, 9] and inputs.arrays["key_count"] == 10
    assert inputs.arrays["last_key"].flags.c_contiguous


def test_a_chunk_takes_rows_in_order() -> None:
    inputs = position_inputs(replace(TINY, positions="absolute"), 1, 4)
    inputs.write(np.array([[[3]]]), np.array([[3]]))
    assert inputs.arrays["places"].tolist() == [[3, 4, 5, 6]]
    assert inputs.arrays["last_key"].tolist() == [6] and inputs.arrays["key_count"] == 7


def test_rotary_angles_count_from_the_pieces_first_token_whatever_left_the_cache() -> None:
    inputs = position_inputs(replace(TINY, positions="rotary"), 2, 1)
    inputs.write(np.array([[[5]], [[5]]]), np.array([[0], [70]]))
    assert np.allclose(inputs.arrays["cos"][0], 1) and np.allclose(inputs.arrays["sin"][0], 0)
    assert np.isclose(inputs.arrays["cos"][1, 0], np.cos(70.0)) and np.isclose(inputs.arrays["sin"][1, 0], np.sin(70.0))


def test_an_lstm_has_no_positions() -> None:
    inputs = position_inputs(TINY_LSTM, 3, 1)
    inputs.write(np.zeros((3, 1, 1), dtype=np.int64), np.zeros((3, 1), dtype=np.int64))
    assert inputs.arrays == {}


@given(guidance=st.floats(1.0, 10.0), style=st.floats(-20, 0), unconditional=st.floats(-20, 0))
def test_partners_mix_the_same_two_likelihoods(guidance: float, style: float, unconditional: float) -> None:
    inputs = StepInputs(TINY, 3, ("time", "what"))
    inputs.write_sampling([Sampling()] * 3, [Guide(1, guidance), Guide(0, 1 - guidance), Guide(2)])
    own, other = (inputs.arrays[name][:, 0, 0] for name in ("own", "other"))
    mixed = own[:2] * [style, unconditional] + other[:2] * [unconditional, style]
    assert np.allclose(mixed, unconditional + guidance * (style - unconditional), rtol=1e-4, atol=1e-4)
    assert inputs.arrays["twin"].tolist() == [1, 0, 2] and (own[2], other[2]) == (1, 0)


def test_a_single_top_p_leaves_time_alone_and_a_temperature_does_not() -> None:
    inputs = StepInputs(TINY, 2, ("time", "what", "velocity"))
    inputs.write_sampling([Sampling(0.5, 0.75, 0.25), Sampling()], [Guide(0), Guide(1)])
    written = {name: inputs.arrays[name][:, 0].tolist() for name in ("temperature", "top_p", "min_p")}
    assert written == {
        "temperature": [[0.5, 0.5, 0.5], [1, 1, 1]],
        "top_p": [[1, 0.75, 0.75], [1, 1, 1]],
        "min_p": [[0, 0.25, 0.25], [0, 0, 0]],
    }
