"""The transformer: attention by distance as in the paper, and no token that sees beyond its half-windows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from arietta.model.config import POSITIONS, ModelConfig
from arietta.train.network.transformer import (
    QUERY_BLOCK,
    Attention,
    Block,
    cache_positions,
    position_angles,
    rotate,
    rotate_pairs,
    sinusoids,
    skew,
)
from tests.support.networks import SIZES, SMALL, learner, random_tokens, run

pytestmark = pytest.mark.usefixtures("single_torch_thread")


def attention_of(config: ModelConfig) -> Attention:
    """Attention whose output, which begins as 0, is read."""
    attention = Attention(config)
    nn.init.normal_(attention.out.weight, std=0.1)
    return attention


@pytest.mark.parametrize("positions", POSITIONS)
def test_a_token_sees_back_to_the_half_window_before_its_own(positions: str) -> None:
    config = replace(SMALL, positions=positions, layers=1)
    model, tokens = learner(config), random_tokens(40)
    half = config.context // 2
    unchanged = run(model, tokens)[0]
    for token in (3, half + 3, 2 * half + 3, 4 * half + half - 1):
        first = max(token // half - 1, 0) * half
        for position, is_seen in ((first - 2, False), (first, True), (token - 1, True)):
            if position < 0:
                continue
            changed = tokens.clone()
            changed[:, position] = (changed[:, position] + 1) % torch.tensor(SIZES)
            is_moved = not torch.allclose(run(model, changed)[0][:, token], unchanged[:, token], atol=1e-5)
            assert is_moved == is_seen, (token, position)


@pytest.mark.parametrize("positions", ["relative", "relative_per_head", "rotary"])
def test_attention_by_distance_does_not_know_where_a_passage_stands(positions: str) -> None:
    """Away from the edge of a window the same tokens mean the same, wherever they are."""
    config = replace(SMALL, positions=positions, context=64)
    attention = attention_of(config).eval()
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
    qkv = attention.qkv(hidden).view(1, hidden.shape[1], -1, SMALL.head_width).transpose(1, 2)
    query, key, value = qkv[:, :1], qkv[:, SMALL.heads : SMALL.heads + 1], qkv[:, -1:]
    return (rotate(query), rotate(key), value) if positions == "rotary" else (query, key, value)


@pytest.mark.parametrize("positions", ["relative", "relative_per_head"])
def test_skewed_attention_equals_equation_3_of_huang_2018_written_out(positions: str) -> None:
    config = replace(SMALL, positions=positions)
    torch.manual_seed(1)
    attention = attention_of(config).eval()
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
        position = seen - count + query
        assert skewed[0, query, : position + 1].tolist() == [position - key for key in range(position + 1)]


def test_fresh_embeddings_of_distances_are_the_more_alike_the_nearer_they_are() -> None:
    table = sinusoids(64, 16)
    near, far = ((table[distance:] * table[: 64 - distance]).sum(dim=1) for distance in (1, 20))
    assert near.min() > far.max()
    assert torch.allclose(table.norm(dim=1), torch.tensor(8.0).sqrt())


def test_rotary_keeps_lengths_and_turns_by_distance_only() -> None:
    torch.manual_seed(0)
    heads = torch.randn(1, 1, 1, 8).expand(1, 1, 12, 8)
    turned = rotate(heads)
    assert torch.allclose(turned.norm(dim=-1), heads.norm(dim=-1), atol=1e-5)
    products = (turned @ turned.transpose(-1, -2))[0, 0]
    assert torch.allclose(products[3, 1], products[11, 9], atol=1e-4)


def test_positions_in_the_cache_count_on_from_its_middle_after_each_slide() -> None:
    assert cache_positions(14, 4, torch.device("cpu")).tolist() == [0, 1, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3]


@pytest.mark.parametrize("positions", POSITIONS)
def test_queries_attend_alike_in_blocks_of_any_size(positions: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(SMALL, positions=positions, context=32)
    attention, hidden = attention_of(config).eval(), torch.randn(2, 45, SMALL.width)
    assert math.gcd(config.context // 2, QUERY_BLOCK) == 16
    with torch.no_grad():
        expected = attention(hidden)
        for size in (1, 4):
            monkeypatch.setattr("arietta.train.network.transformer.QUERY_BLOCK", size)
            torch.testing.assert_close(attention(hidden), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("positions", ["rotary", "absolute"])
@pytest.mark.parametrize("length", [1, 7, SMALL.context])
def test_the_fused_kernel_attends_as_the_block_rule_does(
    positions: str, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outputs and gradients, to 1e-5."""
    torch.manual_seed(2)
    attention = attention_of(replace(SMALL, positions=positions))
    results = []
    for is_fused in (True, False):
        hidden = torch.randn(2, length, SMALL.width, generator=torch.Generator().manual_seed(3), requires_grad=True)
        if not is_fused:
            monkeypatch.setattr(functional, "scaled_dot_product_attention", by_blocks(attention))
        mixed = attention(hidden)
        mixed.square().sum().backward()
        results.append((mixed, hidden.grad))
    assert results[0][0].abs().max() > 1e-3
    for fused, in_blocks in zip(*results, strict=True):
        assert torch.allclose(fused, in_blocks, atol=1e-5)


def by_blocks(attention: Attention) -> Callable[..., Tensor]:
    """The block rule under the signature of torch's kernel."""
    return lambda query, key, value, **_: attention.attend_by_blocks(query, key, value)


def test_beyond_its_window_and_with_relative_positions_attention_keeps_to_the_block_rule(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[int] = []
    fused = functional.scaled_dot_product_attention

    def counted(*heads: Tensor, **options: bool) -> Tensor:
        calls.append(heads[0].shape[2])
        return fused(*heads, **options)

    monkeypatch.setattr(functional, "scaled_dot_product_attention", counted)
    for positions, length in (("rotary", SMALL.context), ("rotary", SMALL.context + 1), ("relative", 8)):
        attention_of(replace(SMALL, positions=positions))(torch.zeros(1, length, SMALL.width))
    assert calls == [SMALL.context]


def test_heads_that_share_a_key_attend_as_if_each_had_its_own() -> None:
    shared, full = attention_of(SMALL), attention_of(replace(SMALL, kv_heads=SMALL.heads))
    query, key, value = shared.qkv.weight.view(-1, SMALL.head_width, SMALL.width).split([4, 2, 2])
    hidden = torch.randn(1, 9, SMALL.width)
    with torch.no_grad():
        repeated = [query, key.repeat_interleave(2, dim=0), value.repeat_interleave(2, dim=0)]
        full.qkv.weight.copy_(torch.cat(repeated).flatten(0, 1))
        full.out.weight.copy_(shared.out.weight)
        torch.testing.assert_close(full(hidden), shared(hidden), rtol=1e-4, atol=1e-5)


def test_a_fresh_block_passes_its_input_on() -> None:
    hidden = torch.randn(2, 5, SMALL.width)
    assert torch.equal(Block(SMALL)(hidden), hidden)


def test_angles_turn_with_the_position_and_ever_slower_from_pair_to_pair() -> None:
    angles = position_angles(5, 8)
    assert angles.shape == (5, 4) and not angles[0].any()
    torch.testing.assert_close(angles, torch.arange(5.0)[:, None] * angles[1])
    assert angles[1, 0] == 1 and (angles[1].diff() < 0).all()


def test_a_turn_is_undone_by_the_opposite_one() -> None:
    heads, angles = torch.randn(2, 8), torch.randn(2, 4)
    turned = rotate_pairs(heads, angles.cos(), angles.sin())
    torch.testing.assert_close(rotate_pairs(turned, angles.cos(), -angles.sin()), heads)
    quarter = rotate_pairs(torch.tensor([1.0, 2.0]), torch.zeros(1), torch.ones(1))
    assert quarter.tolist() == [-2.0, 1.0]
