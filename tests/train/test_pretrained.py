"""Beginning from a model that is there: nothing is lost on the way out of a bundle and into a network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from arietta.codecs.note import NoteCodec
from arietta.errors import BundleError, ConfigError
from arietta.model.bundle import load_bundle
from arietta.model.config import POSITIONS, ModelConfig, style_conditions
from arietta.train.network import build_model
from arietta.train.network.fields import shift_right
from arietta.train.pretrained import NEVER, Pretrained, carry_over, read_pretrained
from tests.support.bundles import COMPOSERS, TINY, random_model, write_checkpoint

pytestmark = pytest.mark.usefixtures("single_torch_thread")


def test_a_pretrained_model_is_a_bundle_or_a_checkpoint_and_says_which(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    assert read_pretrained(tiny_bundle).fingerprint == bundle.fingerprint
    model = random_model(TINY)
    pretrained = read_pretrained(write_checkpoint(tmp_path / "best.pt", TINY, model))
    assert all(torch.equal(pretrained.weights[name], value) for name, value in model.state_dict().items())
    other = read_pretrained(write_checkpoint(tmp_path / "other.pt", TINY, random_model(TINY, seed=1)))
    assert pretrained.fingerprint != other.fingerprint


def test_what_is_no_model_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="nowhere"):
        read_pretrained(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"none\.pt"):
        read_pretrained(tmp_path / "none.pt")


def pretrained_of(config: ModelConfig) -> Pretrained:
    return Pretrained("old", config, NoteCodec(), random_model(config).state_dict(), "0" * 16)


def test_known_composers_keep_their_rows_and_new_ones_begin_as_any() -> None:
    pretrained = pretrained_of(TINY)
    config = replace(
        TINY, conditions=style_conditions(("Amy Beach", *COMPOSERS[1:], "Zez Confrey"), ("measured", "transcribed"))
    )
    model = build_model(config)
    carry_over(pretrained, model, config)
    old, new = (
        pretrained.weights["embedding.conditions.composer.weight"],
        model.state_dict()["embedding.conditions.composer.weight"],
    )
    assert torch.equal(new, old[[0, 0, 2, 3, 4, 0]])
    old, new = (
        pretrained.weights["embedding.conditions.source.weight"],
        model.state_dict()["embedding.conditions.source.weight"],
    )
    assert torch.equal(new, old[[0, 1, 0]])
    name = "blocks.1.attention.qkv.weight"
    assert torch.equal(model.state_dict()[name], pretrained.weights[name])


def test_another_shape_is_refused_naming_both_values() -> None:
    config = replace(TINY, width=128)
    with pytest.raises(ConfigError, match="old has width = 64, and the settings ask for 128"):
        carry_over(pretrained_of(TINY), build_model(config), config)


def test_dropout_may_differ() -> None:
    config = replace(TINY, dropout=0.5)
    carry_over(pretrained_of(TINY), build_model(config), config)


@pytest.mark.parametrize("old", POSITIONS)
@pytest.mark.parametrize("new", POSITIONS)
def test_only_what_encodes_positions_begins_afresh_where_the_encoding_differs(old: str, new: str) -> None:
    pretrained, config = pretrained_of(replace(TINY, positions=old)), replace(TINY, positions=new)
    model = build_model(config)
    fresh = {name: value.clone() for name, value in model.state_dict().items()}
    carry_over(pretrained, model, config)
    for name, value in model.state_dict().items():
        is_afresh = old != new and (name.endswith(".relative") or name == "position.weight")
        assert torch.equal(value, (fresh if is_afresh else pretrained.weights)[name]), name


@pytest.mark.parametrize("kind", ["transformer", "lstm"])
def test_values_that_a_codec_adds_begin_as_what_never_comes(kind: str) -> None:
    old, new = (replace(TINY, kind=kind, field_sizes=NoteCodec(version).field_sizes) for version in (1, 2))
    pretrained, model = pretrained_of(old), build_model(new).eval()
    carry_over(pretrained, model, new)
    notes = torch.randint(0, 88, (1, 12, 4)) % 32
    before, after = random_model(old), model
    conditions = torch.zeros(1, 2, dtype=torch.long)
    inputs = [shift_right(notes, config.field_sizes) for config in (old, new)]
    for narrow, wide in zip(before(inputs[0], notes, conditions), after(inputs[1], notes, conditions), strict=True):
        assert torch.allclose(narrow, wide[..., : narrow.shape[-1]])
        assert (wide[..., narrow.shape[-1] :] == NEVER).all()


def test_fewer_values_than_the_old_codec_had_are_refused() -> None:
    old, new = (replace(TINY, field_sizes=NoteCodec(version).field_sizes) for version in (2, 1))
    with pytest.raises(ConfigError, match="old has field_sizes"):
        carry_over(pretrained_of(old), build_model(new), new)
