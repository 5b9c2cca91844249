"""What every network promises: tokens are predicted from those before them, fields in their order, under conditions."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from arietta.errors import ConfigError
from arietta.model.config import POSITIONS, ModelConfig
from arietta.train.network import add_network, build_model
from arietta.train.network.fields import shift_right, token_nll
from arietta.train.network.lstm import LstmModel
from arietta.train.network.transformer import TransformerModel
from tests.support.networks import SIZES, SMALL, learner, random_tokens, run

pytestmark = pytest.mark.usefixtures("single_torch_thread")

CONFIGS = [*(replace(SMALL, positions=positions) for positions in POSITIONS), replace(SMALL, kind="lstm")]
names = [config.kind if config.kind == "lstm" else config.positions for config in CONFIGS]
every_model = pytest.mark.parametrize("config", CONFIGS, ids=names)


@every_model
def test_logits_are_a_table_per_field(config: ModelConfig) -> None:
    assert [logit.shape for logit in run(learner(config), random_tokens(9))] == [(2, 9, size) for size in SIZES]


@every_model
def test_no_token_is_predicted_from_itself_or_later_ones(config: ModelConfig) -> None:
    model, tokens = learner(config), random_tokens(20)
    changed = tokens.clone()
    changed[:, 12:] = (changed[:, 12:] + 1) % torch.tensor(SIZES)
    before, after = run(model, tokens), run(model, changed)
    for first, second in zip(before, after, strict=True):
        assert torch.allclose(first[:, :12], second[:, :12], atol=1e-6)
    assert torch.allclose(before[0][:, 12], after[0][:, 12], atol=1e-6), "field 0 of token 12 is not given token 12"
    assert not torch.allclose(before[0][:, 13], after[0][:, 13], atol=1e-4)


@every_model
def test_a_field_is_predicted_from_the_fields_before_it_and_no_others(config: ModelConfig) -> None:
    model, tokens = learner(config), random_tokens(6)
    for field in range(len(SIZES)):
        changed = tokens.clone()
        changed[:, 5, field] = (changed[:, 5, field] + 1) % SIZES[field]
        differs = [
            not torch.allclose(first[:, 5], second[:, 5], atol=1e-6)
            for first, second in zip(run(model, tokens), run(model, changed), strict=True)
        ]
        assert differs == [later > field for later in range(len(SIZES))]


@every_model
def test_composer_and_source_matter_from_the_first_token(config: ModelConfig) -> None:
    model, tokens = learner(config), random_tokens(4)
    unchanged = run(model, tokens)[0][:, 0]
    for conditions in ((1, 0), (0, 1), (0, 2)):
        assert not torch.allclose(unchanged, run(model, tokens, *conditions)[0][:, 0], atol=1e-4)


@every_model
def test_a_prefix_is_predicted_as_it_is_within_a_longer_piece(config: ModelConfig) -> None:
    model, tokens = learner(config), random_tokens(40)
    longer = run(model, tokens)
    for length in (1, 7, 16, 24, 39):
        for first, second in zip(run(model, tokens[:, :length]), longer, strict=True):
            assert torch.allclose(first, second[:, :length], atol=1e-5)


@every_model
def test_every_weight_learns(config: ModelConfig) -> None:
    model, tokens = learner(config).train(), random_tokens(12)
    conditions = torch.tensor([[0, 1], [1, 0]])
    logits = model(shift_right(tokens, SIZES), tokens, conditions)
    token_nll(logits, tokens, torch.ones_like(tokens, dtype=torch.bool)).sum().backward()
    assert not [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]


@every_model
def test_dropout_acts_in_training_only(config: ModelConfig) -> None:
    model, tokens = learner(replace(config, dropout=0.5)), random_tokens(6)
    assert torch.equal(run(model, tokens)[0], run(model, tokens)[0])
    model.train()
    assert not torch.equal(run(model, tokens)[0], run(model, tokens)[0])


def test_the_shipped_models_have_29_million_parameters_and_the_small_one_five() -> None:
    sizes = (128, 104, 128, 32)
    shipped = replace(SMALL, field_sizes=sizes, width=512, layers=10, heads=8, context=2048, positions="rotary")
    small = replace(shipped, width=256, layers=6, heads=4, context=1024)
    with torch.device("meta"):  # shapes without weights
        counts = [sum(weight.numel() for weight in build_model(config).parameters()) for config in (shipped, small)]
    assert 28.5e6 < counts[0] < 29.5e6 and 4.5e6 < counts[1] < 6e6


@every_model
def test_a_codec_of_one_field_has_one_head_without_a_chain(config: ModelConfig) -> None:
    model = learner(replace(config, field_sizes=(9,)))
    assert [logit.shape for logit in run(model, random_tokens(6, sizes=(9,)), sizes=(9,))] == [(2, 6, 9)]
    assert not [name for name, _ in model.named_parameters() if ".chain." in name or ".mix." in name]


@every_model
def test_the_kind_in_the_config_says_which_network_is_built(config: ModelConfig) -> None:
    assert type(build_model(config)) is (LstmModel if config.kind == "lstm" else TransformerModel)


@every_model
def test_fresh_weights_follow_from_the_seed(config: ModelConfig) -> None:
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(build_model(config).state_dict())
    first, again, other = states
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["embedding.conditions.composer.weight"], other["embedding.conditions.composer.weight"])


def test_a_network_that_no_file_has_added_is_refused_and_kinds_keep_their_names() -> None:
    with pytest.raises(
        ConfigError, match="the network 'mine' is not known here, known are none: run the file that adds"
    ):
        build_model(replace(SMALL, network="mine"))
    with pytest.raises(ConfigError, match="a network cannot be called 'lstm': give it a name of its own"):
        add_network("lstm", build_model, str)
