"""The cache: how wide its steps are, and that a prompt of many tokens writes what tokens one by one write."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from arietta.model.engine import load_engine
from arietta.train.onnx.attention import cache_scales
from tests.model.test_engine import KINDS, grammatical_rows
from tests.support.bundles import TINY, graphs_of, random_model

pytestmark = pytest.mark.usefixtures("single_torch_thread")


def rows_through(model: torch.nn.Module, count: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Keys and values of the first layer, [count, Hkv, D] each, for rows normed as the layer norms them."""
    torch.manual_seed(1)
    block, config = model.blocks[0], model.config
    # Long and lopsided inputs: what a channel can hold shows where one channel carries the row.
    hidden = torch.randn(count, config.width) * torch.logspace(-2, 3, config.width)[torch.randperm(config.width)]
    with torch.no_grad():
        qkv = block.attention.qkv(block.norm_1(hidden))
    both = qkv[:, config.heads * config.head_width :].view(count, 2, config.kv_heads, config.head_width).numpy()
    return both[:, 0], both[:, 1]


@pytest.mark.parametrize("positions", ["relative", "rotary"])
def test_the_8_bit_cache_holds_half_of_what_a_channel_can_reach(positions: str) -> None:
    config = replace(TINY, positions=positions)
    model = random_model(config)
    weights = {name: value.detach().numpy() for name, value in model.state_dict().items()}
    scales = cache_scales(weights, config, 0)
    for scale, reached in zip(scales, rows_through(model), strict=True):
        assert scale.shape == (1, config.kv_heads, 1, config.head_width)
        most = 2 * 127 * scale[0, :, 0]
        assert (np.abs(reached) <= most * 1.0001).all()
        assert (np.abs(reached).max(axis=0) > most / 20).all(), "no channel has steps far too coarse for it"


def test_rotation_gives_the_two_channels_of_a_pair_one_scale() -> None:
    weights = {name: value.detach().numpy() for name, value in random_model(TINY).state_dict().items()}
    still, turned = (cache_scales(weights, replace(TINY, positions=name), 0) for name in ("relative", "rotary"))
    low, high = np.split(still[0], 2, axis=3)
    assert np.allclose(turned[0], np.tile(np.hypot(low, high), 2)) and np.array_equal(turned[1], still[1])


@pytest.mark.parametrize("kind", ["relative", "relative_per_head", "rotary", "absolute"])
def test_a_chunk_writes_what_its_tokens_write_one_by_one(kind: str, tmp_path: Path) -> None:
    config, codec = KINDS[kind]
    engine = load_engine(graphs_of(tmp_path, config, random_model(config), codec, bits=8))
    tokens = grammatical_rows(96).astype(np.uint16)  # past the window of 64, of which the older half leaves
    at_once, one_by_one = engine.start([(0, 0)]), engine.start([(0, 0)])
    for buffer in at_once.buffers.values():
        buffer[:] = 77  # what is not in use yet
    several = [engine.prefill(tokens[:64], at_once), engine.prefill(tokens[64:], at_once)]
    single = [engine._prefill_chunk(token[None], np.zeros((1, 2), dtype=np.int64), one_by_one) for token in tokens]
    difference = np.abs(np.concatenate(several) - np.concatenate(single))
    assert difference.mean() < 0.02 * np.concatenate(single).mean(), (
        "8-bit products round what comes in, float32's do not"
    )
    for name, rows in at_once.buffers.items():
        steps = np.abs(rows.astype(int) - one_by_one.buffers[name])
        assert steps.mean() < 2, f"{name}: of 255 steps"


@pytest.mark.parametrize("bits", [4, 8])
def test_what_a_chunk_begins_after_stays_and_what_is_unused_too(bits: int, tmp_path: Path) -> None:
    config, codec = KINDS["rotary"]
    engine = load_engine(graphs_of(tmp_path, config, random_model(config), codec, bits=bits))
    tokens, cache = grammatical_rows(50), engine.start([(0, 0)])
    for buffer in cache.buffers.values():
        buffer[:] = 77
    engine.prefill(tokens[:32], cache)
    before = {name: rows.copy() for name, rows in cache.buffers.items()}
    engine.prefill(tokens[32:48], cache)  # a short chunk, whose attention has its rows unpacked too
    for name, rows in cache.buffers.items():
        assert np.array_equal(rows[:, :, :32], before[name][:, :, :32])
        assert (before[name][:, :, 32:] == 77).all() and (rows[:, :, 48:] == 77).all()
        assert (rows[:, :, 32:48] != 77).any()


@pytest.mark.parametrize("bits", [4, 8, 32])
@pytest.mark.parametrize("kind", ["relative_per_head", "rotary", "absolute"])
def test_threads_change_no_bit_of_a_prompt(kind: str, bits: int, tmp_path: Path) -> None:
    config, codec = KINDS[kind]
    config = replace(config, width=256, context=256)  # large enough for products to be divided
    bundle = graphs_of(tmp_path, config, random_model(config), codec, bits=bits)
    results = []
    for threads in (1, 2):
        engine = load_engine(bundle, threads=threads)
        cache = engine.start([(0, 0)])
        results.append([engine.prefill(grammatical_rows(300), cache), *cache.buffers.values()])
    assert all(np.array_equal(one, two) for one, two in zip(*results, strict=True))
