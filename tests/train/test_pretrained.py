"""Beginning from a model that is there: nothing is lost on the way out of a bundle and into a network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from arietta.codecs.note import NoteCodec
from arietta.errors import BundleError, ConfigError
from arietta.model.bundle import load_bundle
from arietta.model.config import POSITIONS, ModelConfig
from arietta.train.network import build_model
from arietta.train.onnx.export import torch_nll
from arietta.train.pretrained import Start, carry_over, read_start, read_trained_bundle, read_weights
from tests.support.bundles import COMPOSERS, TINY, TINY_LSTM, bundle_of, random_model, write_checkpoint

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.mark.parametrize("config", [TINY_LSTM, *(replace(TINY, positions=kind) for kind in POSITIONS)])
def test_a_bundle_in_32_bits_gives_back_every_weight(config: ModelConfig, tmp_path: Path) -> None:
    model = random_model(config)
    for name, bias in model.named_parameters():
        if name.startswith("lstm.bias_hh"):
            bias.data.zero_()  # the graph has one bias a gate: the two are added
    weights = read_weights(load_bundle(bundle_of(tmp_path / "mine", config, bits=32, model=model)))
    expected = model.state_dict()
    assert set(weights) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(weights[name], value, rtol=1e-6, atol=1e-7, msg=name)


def test_a_bundle_in_8_bits_gives_back_its_rounded_weights(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    golden = bundle.golden()
    nll = torch_nll(read_trained_bundle(bundle), bundle.codec, golden.tokens, golden.condition)
    assert abs(nll - golden.nll).max() <= golden.tolerance


def test_a_start_is_a_bundle_or_a_checkpoint_and_says_which(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    assert read_start(tiny_bundle).fingerprint == bundle.fingerprint
    model = random_model(TINY)
    start = read_start(write_checkpoint(tmp_path / "best.pt", TINY, model))
    assert all(torch.equal(start.weights[name], value) for name, value in model.state_dict().items())
    other = read_start(write_checkpoint(tmp_path / "other.pt", TINY, random_model(TINY, seed=1)))
    assert start.fingerprint != other.fingerprint


def test_what_is_no_model_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="nowhere"):
        read_start(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"none\.pt"):
        read_start(tmp_path / "none.pt")


def start_of(config: ModelConfig) -> Start:
    return Start("old", config, NoteCodec(), random_model(config).state_dict(), "0" * 16)


def test_known_composers_keep_their_rows_and_new_ones_begin_as_any() -> None:
    start = start_of(TINY)
    config = replace(TINY, composers=("Amy Beach", *COMPOSERS[1:], "Zez Confrey"), sources=("measured", "transcribed"))
    model = build_model(config)
    carry_over(start, model, config)
    old, new = start.weights["embedding.composer.weight"], model.state_dict()["embedding.composer.weight"]
    assert torch.equal(new, old[[0, 0, 2, 3, 4, 0]])
    old, new = start.weights["embedding.source.weight"], model.state_dict()["embedding.source.weight"]
    assert torch.equal(new, old[[0, 1, 0]])
    name = "blocks.1.attention.qkv.weight"
    assert torch.equal(model.state_dict()[name], start.weights[name])


def test_another_shape_is_refused_naming_both_values() -> None:
    config = replace(TINY, width=128)
    with pytest.raises(ConfigError, match="old has width = 64, and the settings ask for 128"):
        carry_over(start_of(TINY), build_model(config), config)


def test_dropout_may_differ() -> None:
    config = replace(TINY, dropout=0.5)
    carry_over(start_of(TINY), build_model(config), config)


@pytest.mark.parametrize("old", POSITIONS)
@pytest.mark.parametrize("new", POSITIONS)
def test_only_what_tells_positions_begins_afresh_where_they_are_told_in_another_way(old: str, new: str) -> None:
    start, config = start_of(replace(TINY, positions=old)), replace(TINY, positions=new)
    model = build_model(config)
    fresh = {name: value.clone() for name, value in model.state_dict().items()}
    carry_over(start, model, config)
    for name, value in model.state_dict().items():
        is_afresh = old != new and (name.endswith(".relative") or name == "position.weight")
        assert torch.equal(value, (fresh if is_afresh else start.weights)[name]), name
