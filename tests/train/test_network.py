"""The networks: each row is predicted from the rows before it, fields in their order, as far back as the window."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from arietta.errors import ConfigError
from arietta.model.config import POSITIONS, ModelConfig
from arietta.train.network import build_model
from arietta.train.network.fields import shift_right, token_nll
from arietta.train.network.transformer import Attention, cache_positions, rotate, sinusoids, skew

SIZES = (7, 5, 6, 3)
BASE = ModelConfig(
    kind="transformer",
    field_sizes=SIZES,
    width=16,
    layers=2,
    context=16,
    heads=4,
    kv_heads=2,
    dropout=0.0,
    composers=("Edvard Grieg",),
    sources=("measured", "sequenced"),
)
CONFIGS = [*(replace(BASE, positions=positions) for positions in POSITIONS), replace(BASE, kind="lstm")]
names = [config.kind if config.kind == "lstm" else config.positions for config in CONFIGS]
every_model = pytest.mark.parametrize("config", CONFIGS, ids=names)


def made_model(config: ModelConfig, seed: int = 0) -> nn.Module:
    """A network whose weights are large enough for every part of the input to be heard."""
    torch.manual_seed(seed)
    model = build_model(config).eval()
    for weight in model.parameters():
        if weight.dim() > 1:
            nn.init.normal_(weight, std=0.3)
    return model


def made_rows(length: int, batch: int = 2, sizes: tuple[int, ...] = SIZES) -> Tensor:
    numbers = torch.Generator().manual_seed(length)
    return torch.stack([torch.randint(size, (batch, length), generator=numbers) for size in sizes], dim=-1)


@torch.no_grad()
def run(model: nn.Module, rows: Tensor, composer: int = 0, source: int = 0) -> list[Tensor]:
    ids = torch.full((len(rows),), composer), torch.full((len(rows),), source)
    logits: list[Tensor] = model(shift_right(rows, SIZES[: rows.shape[-1]]), rows, *ids)
    return logits


def test_inputs_are_the_rows_before_and_first_a_row_of_none() -> None:
    rows = made_rows(3)
    moved = shift_right(rows, SIZES)
    assert moved[:, 0].tolist() == [list(SIZES)] * 2
    assert torch.equal(moved[:, 1:], rows[:, :-1])


@every_model
def test_logits_have_one_table_a_field(config: ModelConfig) -> None:
    assert [logit.shape for logit in run(made_model(config), made_rows(9))] == [(2, 9, size) for size in SIZES]


@every_model
def test_no_row_is_predicted_from_itself_or_later_ones(config: ModelConfig) -> None:
    model, rows = made_model(config), made_rows(20)
    changed = rows.clone()
    changed[:, 12:] = (changed[:, 12:] + 1) % torch.tensor(SIZES)
    before, after = run(model, rows), run(model, changed)
    for one, other in zip(before, after, strict=True):
        assert torch.allclose(one[:, :12], other[:, :12], atol=1e-6)
    assert torch.allclose(before[0][:, 12], after[0][:, 12], atol=1e-6), "field 0 of row 12 is not given row 12"
    assert not torch.allclose(before[0][:, 13], after[0][:, 13], atol=1e-4)


@every_model
def test_a_field_is_predicted_from_the_fields_before_it_and_no_others(config: ModelConfig) -> None:
    model, rows = made_model(config), made_rows(6)
    for field in range(len(SIZES)):
        changed = rows.clone()
        changed[:, 5, field] = (changed[:, 5, field] + 1) % SIZES[field]
        differs = [
            not torch.allclose(one[:, 5], other[:, 5], atol=1e-6)
            for one, other in zip(run(model, rows), run(model, changed), strict=True)
        ]
        assert differs == [later > field for later in range(len(SIZES))]


@every_model
def test_composer_and_source_are_heard_from_the_first_row(config: ModelConfig) -> None:
    model, rows = made_model(config), made_rows(4)
    plain = run(model, rows)[0][:, 0]
    for conditions in ((1, 0), (0, 1), (0, 2)):
        assert not torch.allclose(plain, run(model, rows, *conditions)[0][:, 0], atol=1e-4)


@every_model
def test_a_prefix_is_predicted_as_within_the_whole(config: ModelConfig) -> None:
    model, rows = made_model(config), made_rows(40)
    whole = run(model, rows)
    for length in (1, 7, 16, 24, 39):
        for one, other in zip(run(model, rows[:, :length]), whole, strict=True):
            assert torch.allclose(one, other[:, :length], atol=1e-5)


@pytest.mark.parametrize("positions", POSITIONS)
def test_a_row_sees_back_to_the_half_window_before_its_own(positions: str) -> None:
    config = replace(BASE, positions=positions, layers=1)
    model, rows = made_model(config), made_rows(40)
    half = config.context // 2
    plain = run(model, rows)[0]
    for row in (3, half + 3, 2 * half + 3, 4 * half + half - 1):
        first = max(row // half - 1, 0) * half
        for place, is_seen in ((first - 2, False), (first, True), (row - 1, True)):
            if place < 0:
                continue
            changed = rows.clone()
            changed[:, place] = (changed[:, place] + 1) % torch.tensor(SIZES)
            moved = not torch.allclose(run(model, changed)[0][:, row], plain[:, row], atol=1e-5)
            assert moved == is_seen, (row, place)


@pytest.mark.parametrize("positions", ["relative", "relative_per_head", "rotary"])
def test_attention_by_distance_does_not_know_where_a_passage_stands(positions: str) -> None:
    """Away from the edge of a window the same rows mean the same, wherever they are."""
    config = replace(BASE, positions=positions, context=64)
    attention = Attention(config).eval()
    torch.manual_seed(0)
    passage = torch.randn(1, 6, config.width)
    earlier = torch.zeros(1, 4, config.width)
    with torch.no_grad():
        alone = attention(passage)[:, 1:] - attention(passage)[:, :1]
        assert alone.abs().max() > 1e-3
        query, key, _ = heads_of(attention, passage, positions)
        moved_query, moved_key, _ = heads_of(attention, torch.cat([earlier, passage], dim=1), positions)
    here = query @ key.transpose(-1, -2)
    there = (moved_query @ moved_key.transpose(-1, -2))[..., 4:, 4:]
    assert torch.allclose(here, there, atol=1e-5)


def heads_of(attention: Attention, hidden: Tensor, positions: str) -> tuple[Tensor, Tensor, Tensor]:
    """Query, key and value [B, H, T, D] of the first head, turned where positions are rotary."""
    qkv = attention.qkv(hidden).view(1, hidden.shape[1], -1, BASE.head_width).transpose(1, 2)
    query, key, value = qkv[:, :1], qkv[:, BASE.heads : BASE.heads + 1], qkv[:, -1:]
    return (rotate(query), rotate(key), value) if positions == "rotary" else (query, key, value)


@pytest.mark.parametrize("positions", ["relative", "relative_per_head"])
def test_skewed_attention_equals_equation_3_of_huang_and_others_by_hand(positions: str) -> None:
    config = replace(BASE, positions=positions)
    torch.manual_seed(1)
    attention = Attention(config).eval()
    nn.init.normal_(attention.relative, std=1.0)
    hidden = torch.randn(1, 7, config.width)
    width, per_kv = config.head_width, config.heads // config.kv_heads
    with torch.no_grad():
        qkv = attention.qkv(hidden).view(7, -1, width)
        query, key, value = qkv.split([config.heads, config.kv_heads, config.kv_heads], dim=1)
        mixed = torch.zeros(7, config.heads, width)
        for head in range(config.heads):
            table = attention.relative[head if positions == "relative_per_head" else 0]
            for t in range(7):
                logits = torch.stack(
                    [query[t, head] @ (key[s, head // per_kv] + table[t - s]) / math.sqrt(width) for s in range(t + 1)]
                )
                mixed[t, head] = logits.softmax(0) @ value[: t + 1, head // per_kv]
        by_hand = attention.out(mixed.reshape(1, 7, -1))
        assert torch.allclose(attention(hidden), by_hand, atol=1e-5)


def test_skewing_puts_each_distance_under_its_key() -> None:
    count, seen = 3, 5
    distances = torch.arange(seen - 1, -1, -1.0).expand(1, count, seen)  # column c holds distance m - 1 - c
    skewed = skew(distances)
    for query in range(count):
        place = seen - count + query
        assert skewed[0, query, : place + 1].tolist() == [place - key for key in range(place + 1)]


def test_embeddings_of_distances_begin_the_more_alike_the_nearer_they_are() -> None:
    begun = sinusoids(64, 16)
    near, far = ((begun[distance:] * begun[: 64 - distance]).sum(dim=1) for distance in (1, 20))
    assert near.min() > far.max()
    assert torch.allclose(begun.norm(dim=1), torch.tensor(8.0).sqrt())


def test_rotary_keeps_lengths_and_turns_by_distance_only() -> None:
    torch.manual_seed(0)
    heads = torch.randn(1, 1, 1, 8).expand(1, 1, 12, 8)
    turned = rotate(heads)
    assert torch.allclose(turned.norm(dim=-1), heads.norm(dim=-1), atol=1e-5)
    products = (turned @ turned.transpose(-1, -2))[0, 0]
    assert torch.allclose(products[3, 1], products[11, 9], atol=1e-4)


def test_places_in_the_cache_count_on_from_its_middle_after_each_slide() -> None:
    assert cache_positions(14, 4, torch.device("cpu")).tolist() == [0, 1, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3]


def test_likelihood_is_that_of_the_softmax_and_0_where_nothing_counts() -> None:
    rows = made_rows(5)
    logits = run(made_model(BASE), rows)
    counted = torch.rand(rows.shape, generator=torch.Generator().manual_seed(0)) < 0.5
    nll = token_nll(logits, rows, counted)
    assert nll.dtype == torch.float32 and nll.shape == rows.shape
    for field, logit in enumerate(logits):
        expected = -functional.log_softmax(logit, -1).gather(-1, rows[..., field, None])[..., 0]
        assert torch.allclose(nll[..., field], expected * counted[..., field], atol=1e-6)


def test_likelihood_is_summed_in_float32_when_the_logits_are_bfloat16() -> None:
    rows = made_rows(5)
    logits = [logit.bfloat16() for logit in run(made_model(BASE), rows)]
    assert token_nll(logits, rows, torch.ones_like(rows, dtype=torch.bool)).dtype == torch.float32


@every_model
def test_every_weight_learns(config: ModelConfig) -> None:
    model, rows = made_model(config).train(), made_rows(12)
    conditions = torch.tensor([0, 1])
    logits = model(shift_right(rows, SIZES), rows, conditions, conditions)
    token_nll(logits, rows, torch.ones_like(rows, dtype=torch.bool)).sum().backward()
    assert not [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]


@every_model
def test_dropout_acts_in_training_only(config: ModelConfig) -> None:
    model, rows = made_model(replace(config, dropout=0.5)), made_rows(6)
    assert torch.equal(run(model, rows)[0], run(model, rows)[0])
    model.train()
    assert not torch.equal(run(model, rows)[0], run(model, rows)[0])


def test_one_field_is_one_head_without_a_chain() -> None:
    model = made_model(replace(BASE, field_sizes=(9,)))
    rows = made_rows(6, sizes=(9,))
    ids = torch.zeros(2, dtype=torch.int64)
    with torch.no_grad():
        logits = model(shift_right(rows, (9,)), rows, ids, ids)
    assert [logit.shape for logit in logits] == [(2, 6, 9)]


def test_the_shipped_models_have_about_five_million_parameters_and_the_large_one_fourteen() -> None:
    shipped = replace(BASE, field_sizes=(128, 94, 128, 32), width=256, layers=6, context=1024)
    large = replace(shipped, width=384, layers=8, heads=6)
    counts = [sum(weight.numel() for weight in build_model(config).parameters()) for config in (shipped, large)]
    assert 4.5e6 < counts[0] < 6e6 and 12e6 < counts[1] < 16e6


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "gru"}, "choose one of lstm, transformer"),
        ({"positions": "circular"}, "choose one of relative"),
        ({"heads": 3}, r"heads \(3\) must divide width"),
        ({"kv_heads": 3}, r"kv_heads \(3\) must divide"),
        ({"context": 15}, r"context \(15\) must be even"),
    ],
)
def test_impossible_models_are_refused_in_a_sentence(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        replace(BASE, **wrong)
    with pytest.raises(ConfigError, match=said):
        ModelConfig.from_description(BASE.describe() | wrong)


def test_a_description_builds_the_same_model_again() -> None:
    assert ModelConfig.from_description(BASE.describe()) == BASE


def test_unknown_names_are_the_condition_any() -> None:
    assert BASE.condition_ids("Edvard Grieg", "sequenced") == (1, 2)
    assert BASE.condition_ids("Nobody", "") == (0, 0)
