"""Weights out of a bundle's graphs: in 32 bits what was trained, in 8 bits what the graphs compute with."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from arietta.codecs.performance import PerformanceCodec
from arietta.errors import BundleError
from arietta.model.bundle import load_bundle
from arietta.model.config import POSITIONS, ModelConfig
from arietta.model.engine import load_engine
from arietta.train.onnx.builder import BLOCKS
from arietta.train.onnx.export import torch_nll
from arietta.train.onnx.weights import read_trained_bundle, read_weights
from tests.support.bundles import TINY, TINY_LSTM, bundle_of, graphs_of, random_model

pytestmark = pytest.mark.usefixtures("single_torch_thread")


@pytest.mark.parametrize("config", [TINY_LSTM, *(replace(TINY, positions=kind) for kind in POSITIONS)])
def test_a_bundle_in_32_bits_gives_back_every_weight(config: ModelConfig, tmp_path: Path) -> None:
    model = random_model(config)
    for name, bias in model.named_parameters():
        if name.startswith("lstm.bias_hh"):
            bias.data.zero_()  # the graph has one bias per gate: the two are added
    weights = read_weights(load_bundle(bundle_of(tmp_path / "mine", config, bits=32, model=model)))
    expected = model.state_dict()
    assert set(weights) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(weights[name], value, rtol=1e-6, atol=1e-7, msg=name)


@pytest.mark.parametrize("bits", [4, 8])
def test_a_bundle_of_few_bits_gives_back_its_rounded_weights(bits: int, tmp_path: Path) -> None:
    bundle = load_bundle(bundle_of(tmp_path / "mine", TINY, bits=bits))
    golden = bundle.golden()
    nll = torch_nll(read_trained_bundle(bundle), bundle.codec, golden.tokens, golden.condition)
    assert abs(nll - golden.nll).max() <= golden.tolerance
    engine = load_engine(bundle).score(golden.tokens, golden.condition)
    assert abs(nll - engine).mean() < abs(golden.nll - engine).mean() or bits == 8, "its rounding is known"


def test_weights_of_a_codec_of_one_field_come_back_without_heads_that_mix(tmp_path: Path) -> None:
    codec = PerformanceCodec()
    config = replace(TINY, field_sizes=codec.field_sizes)
    model = random_model(config)
    weights = read_weights(graphs_of(tmp_path, config, model, codec))
    assert set(weights) == set(model.state_dict()) and not [name for name in weights if ".mix." in name]


def test_the_two_biases_of_an_lstm_come_back_as_their_sum(tmp_path: Path) -> None:
    model = random_model(TINY_LSTM)
    before = model.state_dict()
    weights = read_weights(load_bundle(bundle_of(tmp_path / "mine", TINY_LSTM, bits=32, model=model)))
    for layer in range(TINY_LSTM.layers):
        total = before[f"lstm.bias_ih_l{layer}"] + before[f"lstm.bias_hh_l{layer}"]
        torch.testing.assert_close(weights[f"lstm.bias_ih_l{layer}"], total)
        assert not weights[f"lstm.bias_hh_l{layer}"].any()


def test_rounded_weights_lie_half_a_step_from_the_trained_ones(tiny_bundle: Path) -> None:
    """`tiny_bundle` holds the weights of `random_model(TINY)`: a step is a 127th of the largest of its block."""
    weights = read_weights(load_bundle(tiny_bundle))
    trained = random_model(TINY).state_dict()
    assert set(weights) == set(trained)
    rounded = [name for name, value in trained.items() if not torch.equal(weights[name], value)]
    assert "blocks.0.attention.qkv.weight" in rounded and "embedding.conditions.composer.weight" not in rounded
    for name in (name for name in rounded if not name.endswith(".relative")):
        blocks = trained[name].numpy().reshape(-1, BLOCKS[8])
        steps = np.abs(blocks).max(axis=1, keepdims=True) / 127
        assert (np.abs(weights[name].numpy().reshape(-1, BLOCKS[8]) - blocks) <= 0.5001 * steps).all(), name


def test_a_model_read_back_has_no_dropout_at_work(tmp_path: Path) -> None:
    config = replace(TINY, dropout=0.5)
    model = read_trained_bundle(load_bundle(bundle_of(tmp_path / "mine", config, bits=32)))
    assert model.config == config and not any(module.training for module in model.modules())


def test_four_bits_packed_in_the_order_of_before_are_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    """Their graph holds a tensor `upper_half`, where today's has `lower_half`."""
    bundle = load_bundle(shutil.copytree(tiny_bundle, tmp_path / "before"))
    graph = onnx.load(str(bundle.path / "feed.onnx"))
    graph.graph.initializer.append(onnx.numpy_helper.from_array(np.array(0xF0, dtype=np.uint8), "upper_half"))
    onnx.save(graph, str(bundle.path / "feed.onnx"))
    with pytest.raises(BundleError, match="download the model anew"):
        read_weights(bundle)
