"""The LSTM: gates as they are written down, a memory without a window, dropout where there is something between."""

from __future__ import annotations

import warnings
from dataclasses import replace

import pytest
import torch

from arietta.train.network.fields import shift_right
from arietta.train.network.lstm import LstmModel
from tests.support.networks import SIZES, SMALL, learner, random_tokens, run

pytestmark = pytest.mark.usefixtures("single_torch_thread")

SMALL_LSTM = replace(SMALL, kind="lstm")
ANY = torch.zeros(2, 2, dtype=torch.int64)


def test_logits_are_those_of_the_gates_written_out() -> None:
    """Hochreiter and Schmidhuber 1997 with a forget gate, layer by layer and token by token."""
    model, tokens = learner(SMALL_LSTM), random_tokens(6)
    assert isinstance(model, LstmModel)
    with torch.no_grad():
        hidden = model.embedding(shift_right(tokens, SIZES), ANY)
        for layer in range(SMALL_LSTM.layers):
            from_input, from_hidden, *biases = model.lstm.all_weights[layer]
            output = cell = torch.zeros(2, SMALL_LSTM.width)
            outputs = []
            for position in range(6):
                gates = hidden[:, position] @ from_input.T + output @ from_hidden.T + sum(biases)
                enter, forget, candidate, leave = gates.chunk(4, dim=1)
                cell = forget.sigmoid() * cell + enter.sigmoid() * candidate.tanh()
                output = leave.sigmoid() * cell.tanh()
                outputs.append(output)
            hidden = torch.stack(outputs, dim=1)
        expected = model.heads(hidden, tokens)
    for logit, by_hand in zip(run(model, tokens), expected, strict=True):
        torch.testing.assert_close(logit, by_hand, rtol=1e-4, atol=1e-5)


def test_it_remembers_beyond_any_window() -> None:
    """A transformer of this context sees nothing of a token three windows back; the LSTM's state still does."""
    config = replace(SMALL_LSTM, layers=1, context=4)
    model, tokens = learner(config), random_tokens(13)
    for name, weight in model.named_parameters():
        if name.startswith("lstm.bias_ih"):
            weight.data[config.width : 2 * config.width] = 8.0  # forget gates wide open
    changed = tokens.clone()
    changed[:, 0] = (changed[:, 0] + 1) % torch.tensor(SIZES)
    assert not torch.allclose(run(model, tokens)[0][:, 12], run(model, changed)[0][:, 12], atol=1e-4)


@pytest.mark.parametrize("layers", [1, 2])
def test_dropout_acts_between_layers_and_one_layer_has_none_to_warn_of(layers: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = LstmModel(replace(SMALL_LSTM, layers=layers, dropout=0.5))
    assert model.lstm.dropout == (0.5 if layers > 1 else 0.0) and model.dropout.p == 0.5
