"""The engine against torch, against itself in company, and against the sampler's reference in numpy."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from arietta.codecs.codec import Codec, Masks, field_slices
from arietta.codecs.note import NoteCodec
from arietta.errors import BundleError
from arietta.model.bundle import list_bundles, load_bundle
from arietta.model.cache import Cache
from arietta.model.config import ModelConfig
from arietta.model.engine import OLDEST_RUNTIME, OnnxEngine, load_engine
from arietta.model.sampling import Sampling, gumbel, sample
from arietta.train.network.fields import shift_right, token_nll
from arietta.train.onnx.export import torch_nll
from tests.support.bundles import TINY, TINY_LSTM, SymbolCodec, engine_of, forcing, graphs_of, random_model
from tests.support.strategies import SEEDS, permits, sample_row, uneven

pytestmark = pytest.mark.usefixtures("single_torch_thread")
NOTE_CODEC, SYMBOL_CODEC = NoteCodec(), SymbolCodec()
EXACT = 1e-4  # nats, or logits
ROWS = 200  # with a window of 64: past it, and four more slides of 32
CONDITION = (2, 1)
KINDS: dict[str, tuple[ModelConfig, Codec]] = {
    "relative": (TINY, NOTE_CODEC),
    "relative_per_head": (replace(TINY, positions="relative_per_head", kv_heads=4), NOTE_CODEC),
    "rotary": (replace(TINY, positions="rotary"), NOTE_CODEC),
    "absolute": (replace(TINY, positions="absolute", kv_heads=1), NOTE_CODEC),
    "lstm": (TINY_LSTM, NOTE_CODEC),
    "one_field": (replace(TINY, field_sizes=SymbolCodec.field_sizes), SYMBOL_CODEC),
    "one_field_lstm": (replace(TINY_LSTM, field_sizes=SymbolCodec.field_sizes), SYMBOL_CODEC),
}


@dataclass(frozen=True)
class Pair:
    """A network in torch, its engine in float32, and rows with torch's word on them."""

    engine: OnnxEngine
    model: torch.nn.Module
    tokens: np.ndarray  # uint16 [T, F]
    nll: np.ndarray  # float32 [T, F]

    @property
    def codec(self) -> Codec:
        return self.engine.bundle.codec


@pytest.fixture(scope="module", params=KINDS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    config, codec = KINDS[request.param]
    model = random_model(config)
    engine = load_engine(graphs_of(tmp_path_factory.mktemp("graphs"), config, model, codec))
    events = grammatical_rows(ROWS) if codec is NOTE_CODEC else np.random.default_rng(0).integers(0, 60, (ROWS, 1))
    events = events.astype(np.uint16)
    return Pair(engine, model, events, torch_nll(model, codec, events, CONDITION))


@pytest.fixture(scope="module", params=[8, 32])
def engine(request: pytest.FixtureRequest, tiny_bundle: Path, tiny_bundle_32: Path) -> OnnxEngine:
    return engine_of(tiny_bundle if request.param == 8 else tiny_bundle_32)


@cache
def grammatical_rows(count: int, seed: int = 0) -> np.ndarray:
    """Rows of a piece that is not over, uint16 [count, 4]."""
    rng, decoder, rows = np.random.default_rng(seed), NOTE_CODEC.decoder(), []
    decoder.plan(notes_left=10 * count + 1)
    weights = uneven(NOTE_CODEC, rng)
    for _ in range(count):
        rows.append(sample_row(decoder, NOTE_CODEC, rng, weights))
        decoder.push(rows[-1])
    return np.array(rows, dtype=np.uint16).reshape(count, 4)


def noise_for(rng: np.random.Generator, codec: Codec, batch: int = 1) -> np.ndarray:
    return np.stack([gumbel(rng, sum(codec.field_sizes)) for _ in range(batch)])


def step_through(engine: OnnxEngine, cache: Cache, events: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take in rows [T, F] by steps that can only choose them: nll [T, F] and logits [T, sum V]."""
    codec, nll, logits = engine.bundle.codec, [], []
    silence = np.zeros((1, sum(codec.field_sizes)), dtype=np.float32)
    for row in events.tolist():
        chosen = engine.decode(cache, silence, [forcing(row, codec)], [Sampling()])
        assert chosen.tolist() == [row]
        nll.append(cache.nll[0].copy())
        logits.append(cache.logits[0].copy())
    return np.array(nll).reshape(-1, len(codec.field_sizes)), np.array(logits)


# Parity with torch


@given(splits=st.lists(st.tuples(st.booleans(), st.integers(1, 80)), max_size=8))
@settings(max_examples=5, deadline=None)
def test_any_split_into_feeds_and_steps_gives_torchs_likelihoods(pair: Pair, splits: list[tuple[bool, int]]) -> None:
    cache, place, found = pair.engine.start([CONDITION]), 0, []
    for is_fed, count in [*splits, (True, ROWS)]:
        rows = pair.tokens[place : place + count]
        found.append(pair.engine.prefill(rows, cache) if is_fed else step_through(pair.engine, cache, rows)[0])
        place += len(rows)
    assert np.abs(np.concatenate(found) - pair.nll).max() <= EXACT


def test_the_logits_of_every_step_are_torchs_less_a_constant_a_field(pair: Pair) -> None:
    _, logits = step_through(pair.engine, pair.engine.start([CONDITION]), pair.tokens)
    rows = torch.from_numpy(pair.tokens.astype(np.int64))[None]
    with torch.no_grad():
        fields = pair.model(shift_right(rows, pair.codec.field_sizes), rows, torch.tensor([CONDITION]))
        expected = torch.cat([field.log_softmax(dim=-1) for field in fields], dim=-1)[0].numpy()
    assert np.abs(logits - expected).max() <= EXACT


def test_score_is_torchs_likelihood_of_the_whole_piece(pair: Pair) -> None:
    assert np.abs(pair.engine.score(pair.tokens, CONDITION) - pair.nll).max() <= EXACT


def test_rows_may_lie_in_memory_by_column(pair: Pair) -> None:
    nll = pair.engine.score(np.asfortranarray(pair.tokens), CONDITION)
    assert np.abs(nll - pair.nll).max() <= EXACT


def test_the_condition_reaches_the_likelihood(pair: Pair) -> None:
    assert np.abs(pair.engine.score(pair.tokens[:20], (1, 2)) - pair.nll[:20]).max() > 100 * EXACT


def test_conditions_may_change_from_token_to_token(pair: Pair) -> None:
    rng, tokens = np.random.default_rng(4), pair.tokens[:50]
    conditions = np.stack([rng.integers(0, 5, 50), rng.integers(0, 3, 50)], axis=1)
    rows = torch.from_numpy(tokens.astype(np.int64))[None]
    with torch.no_grad():
        logits = pair.model(shift_right(rows, pair.codec.field_sizes), rows, torch.from_numpy(conditions)[None])
        expected = token_nll(logits, rows, torch.ones_like(rows, dtype=torch.bool))[0].numpy()
    cache = pair.engine.start([CONDITION])
    given = pair.engine.prefill(tokens[:23], cache, conditions[:23])
    assert tuple(cache.last[0, -2:]) == CONDITION, "the piece goes on under its own"
    composed = []
    for token, ids in zip(tokens[23:], conditions[23:], strict=True):
        pair.engine.condition(cache, 0, tuple(ids.tolist()))
        composed.append(step_through(pair.engine, cache, token[None])[0])
    assert np.abs(np.concatenate([given, *composed]) - expected).max() <= EXACT


def test_a_piece_without_rows_has_no_likelihood(pair: Pair) -> None:
    assert pair.engine.score(pair.tokens[:0]).shape == (0, len(pair.codec.field_sizes))


@pytest.mark.parametrize("name", list_bundles())
def test_a_shipped_model_gives_its_golden_likelihoods_here(name: str) -> None:
    bundle = load_bundle(name)
    golden = bundle.golden()
    nll = load_engine(bundle).score(golden.tokens, golden.condition)
    assert np.abs(nll - golden.nll).max() <= golden.tolerance


# Company: pieces beside each other


def fed(engine: OnnxEngine, piece: int) -> tuple[Cache, Any, np.random.Generator]:
    """A piece in progress, each of another length, condition and seed; most are near a slide of the window."""
    length = (0, 5, 37, 61, 64, 100, 33, 1, 2, 63, 90, 65, 31, 32, 128, 62)[piece]
    cache, decoder = engine.start([(piece % 5, piece % 3)]), NOTE_CODEC.decoder()
    decoder.plan(notes_left=10_000)
    rows = grammatical_rows(length, seed=piece)
    for row in rows.tolist():
        decoder.push(row)
    engine.prefill(rows, cache)
    return cache, decoder, np.random.default_rng(piece)


def composed(engine: OnnxEngine, pieces: list[int], steps: int = 36) -> tuple[np.ndarray, np.ndarray]:
    """Rows [B, steps, F] and logits [B, steps, sum V] of pieces composed together."""
    states, decoders, rngs = zip(*(fed(engine, piece) for piece in pieces), strict=True)
    cache, rows, logits = engine.start([]), [], []
    for other in states:
        engine.join(cache, other)
    ways = [(Sampling(), Sampling(0.8, 0.9), Sampling(1.2, 1.0, 0.05))[piece % 3] for piece in pieces]
    for _ in range(steps):
        noise = np.concatenate([noise_for(rng, NOTE_CODEC) for rng in rngs])
        rows.append(engine.decode(cache, noise, [decoder.masks() for decoder in decoders], ways))
        logits.append(cache.logits.copy())
        for decoder, row in zip(decoders, rows[-1].tolist(), strict=True):
            decoder.push(row)
    return np.stack(rows, axis=1), np.stack(logits, axis=1)


@pytest.mark.parametrize(
    ("kind", "bits"), [("rotary", 4), ("relative", 8), ("relative", 32), ("lstm", 8), ("lstm", 32)]
)
def test_company_and_threads_change_no_bit(kind: str, bits: int, tmp_path: Path) -> None:
    config, codec = KINDS[kind]
    bundle = graphs_of(tmp_path, config, random_model(config), codec, bits=bits)
    engines = [load_engine(bundle, threads=threads) for threads in (1, 2)]
    alone = [composed(engines[0], [piece]) for piece in range(16)]
    for batch, engine in ((1, engines[1]), (2, engines[0]), (4, engines[1]), (16, engines[0]), (16, engines[1])):
        for start in range(0, 16, batch):
            rows, logits = composed(engine, list(range(start, start + batch)))
            for place in range(batch):
                assert np.array_equal(rows[place], alone[start + place][0][0])
                assert np.array_equal(logits[place], alone[start + place][1][0])


@pytest.mark.parametrize("kind", ["relative_per_head", "rotary", "absolute", "one_field"])
def test_company_changes_no_bit_with_other_positions(kind: str, tmp_path: Path) -> None:
    config, codec = KINDS[kind]
    engine = load_engine(graphs_of(tmp_path, config, random_model(config), codec, bits=8))
    free = Masks(np.ones(sum(codec.field_sizes), dtype=np.bool_), np.zeros(sum(codec.field_sizes[1:2]), dtype=np.int64))
    noises = np.random.default_rng(0).gumbel(size=(80, 3, sum(codec.field_sizes))).astype(np.float32)
    together, alone = engine.start([(0, 0), (1, 1), (2, 0)]), engine.start([(1, 1)])
    for noise in noises:
        rows = engine.decode(together, noise, [free] * 3, [Sampling()] * 3)
        assert np.array_equal(rows[1:2], engine.decode(alone, noise[1:2], [free], [Sampling()]))
        assert np.array_equal(together.logits[1:2], alone.logits)


def test_a_fork_goes_on_as_its_piece_would_have(engine: OnnxEngine) -> None:
    cache, decoder, rng = fed(engine, 5)
    forks = engine.fork(cache, 3)
    for _ in range(40):
        noise, masks = noise_for(rng, NOTE_CODEC), decoder.masks()
        row = engine.decode(cache, noise, [masks], [Sampling()])
        rows = engine.decode(forks, np.repeat(noise, 3, axis=0), [masks] * 3, [Sampling()] * 3)
        assert np.array_equal(rows, np.repeat(row, 3, axis=0))
        assert np.array_equal(forks.logits, np.repeat(cache.logits, 3, axis=0))
        decoder.push(row[0].tolist())


def test_forks_go_their_own_ways(engine: OnnxEngine) -> None:
    cache, decoder, rng = fed(engine, 5)
    forks, masks = engine.fork(cache, 8), decoder.masks()
    before = {name: value.copy() for name, value in cache.buffers.items()}
    rows = engine.decode(forks, noise_for(rng, NOTE_CODEC, 8), [masks] * 8, [Sampling()] * 8)
    assert len(np.unique(rows, axis=0)) > 1
    assert all(np.array_equal(cache.buffers[name], value) for name, value in before.items())


def test_prompts_are_fed_alone(engine: OnnxEngine) -> None:
    with pytest.raises(ValueError, match="alone"):
        engine.prefill(grammatical_rows(3), engine.start([(0, 0), (0, 0)]))


def test_a_prompt_goes_in_by_chunks_counted_from_the_first_row(
    engine: OnnxEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, through = [], engine._prefill_chunk
    monkeypatch.setattr(
        engine, "_prefill_chunk", lambda rows, *others: (calls.append(len(rows)), through(rows, *others))[1]
    )
    cache, rows = engine.start([(0, 0)]), grammatical_rows(ROWS)
    for length in (2 * 32 + 16 + 3, 15, 33, 8):  # chunks of 32 and 16 begin at multiples of themselves
        engine.prefill(rows[:length], cache)
    assert calls == [32, 32, 16, 1, 1, 1] + [1] * 13 + [1, 1] + [1] * 14 + [16, 1, 1, 1] + [1] * 8


def test_the_same_feed_gives_the_same_bits_however_it_is_cut_at_chunks(engine: OnnxEngine) -> None:
    size, rows = engine.bundle.prefill_chunk, grammatical_rows(ROWS)
    whole, cache = engine.score(rows), engine.start([(0, 0)])
    parts = [engine.prefill(part, cache) for part in np.split(rows, [size, 3 * size, 5 * size])]
    assert np.array_equal(np.concatenate(parts), whole)


def test_an_amended_row_is_what_the_next_step_hears(engine: OnnxEngine) -> None:
    rows = grammatical_rows(3)
    cache, other = engine.start([(0, 0)]), engine.start([(0, 0)])
    step_through(engine, cache, rows[:2])
    step_through(engine, other, rows[:1])
    step_through(engine, other, rows[2:])
    engine.replace_last(other, 0, rows[1].tolist())
    assert np.array_equal(step_through(engine, cache, rows[2:])[1], step_through(engine, other, rows[2:])[1])


# Sampling inside the graph


def accepted(logits: np.ndarray, mask: np.ndarray, noise: np.ndarray, limits: np.ndarray) -> set[int]:
    """What the reference draws, and what it draws with limits a hair away: sums of floats may end on either side."""
    temperature, top_p, min_p = limits
    ways = [(temperature, min(top_p * factor, 1.0), min_p * factor) for factor in (1, 1 - 1e-5, 1 + 1e-5)]
    return {sample(logits, mask, noise, np.array(way, dtype=np.float32)) for way in ways}


def assert_drawn(
    codec: Codec, row: list[int], logits: np.ndarray, masks: Masks, draw: tuple[np.ndarray, Sampling]
) -> None:
    for field, part in enumerate(field_slices(codec)):
        mask = masks.allowed[part].copy()
        if field == 1:
            mask &= masks.earliest <= row[0]
        if field in codec.tables:
            on, table = codec.tables[field]
            mask &= table[row[on]]
        limits = draw[1].by_field(codec.field_names)[:, field]
        assert row[field] in accepted(logits[part], mask, draw[0][part], limits), f"field {field} of {row}"


def any_sampling(rng: np.random.Generator) -> Sampling:
    """Cold and hot, wide and narrow; each limit is absent in half of them."""
    top_p = float(rng.choice([1.0, rng.uniform(0.01, 1.0)]))
    min_p = float(rng.choice([0.0, rng.uniform(0.0, 0.9)]))
    return Sampling(float(np.exp(rng.uniform(np.log(0.05), np.log(3.0)))), top_p, min_p)


@given(seed=SEEDS)
@settings(max_examples=8, deadline=None)
def test_the_step_draws_what_the_reference_draws_and_the_grammar_permits(engine: OnnxEngine, seed: int) -> None:
    rng, batch = np.random.default_rng(seed), 16
    cache = engine.start([(int(rng.integers(5)), int(rng.integers(3))) for _ in range(batch)])
    decoders = [NOTE_CODEC.decoder() for _ in range(batch)]
    for decoder in decoders:
        decoder.plan(notes_left=int(rng.integers(1, 8)))
    while not any(decoder.is_ended for decoder in decoders):
        ways, noise = [any_sampling(rng) for _ in range(batch)], noise_for(rng, NOTE_CODEC, batch)
        masks = [decoder.masks() for decoder in decoders]
        rows = engine.decode(cache, noise, masks, ways).tolist()
        for piece, row in enumerate(rows):
            assert permits(masks[piece], NOTE_CODEC, row)
            assert_drawn(NOTE_CODEC, row, cache.logits[piece], masks[piece], (noise[piece], ways[piece]))
            decoders[piece].push(row)


def test_any_mask_of_a_single_field_is_honoured(tmp_path: Path) -> None:
    config, codec = KINDS["one_field"]
    engine = load_engine(graphs_of(tmp_path, config, random_model(config), codec))
    rng, batch, cache = np.random.default_rng(0), 16, engine.start([(0, 0)] * 16)
    for _ in range(40):
        allowed = rng.random((batch, 60)) < rng.choice([0.02, 0.5, 0.98])
        allowed[np.arange(batch), rng.integers(0, 60, batch)] = True
        masks = [Masks(mask, np.zeros(0, dtype=np.int64)) for mask in allowed]
        ways, noise = [any_sampling(rng) for _ in range(batch)], noise_for(rng, codec, batch)
        rows = engine.decode(cache, noise, masks, ways).tolist()
        for piece, row in enumerate(rows):
            assert_drawn(codec, row, cache.logits[piece], masks[piece], (noise[piece], ways[piece]))


# What cannot be run


@pytest.mark.parametrize("threads", [0, -1])
def test_an_engine_has_at_least_one_thread(tiny_bundle: Path, threads: int) -> None:
    with pytest.raises(BundleError, match=f"threads are 1 or more, not {threads}"):
        load_engine(load_bundle(tiny_bundle), threads=threads)


def test_a_graph_that_cannot_be_loaded_is_named(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "step.onnx").write_bytes(b"no graph")
    with pytest.raises(BundleError, match=r"step\.onnx: ONNX Runtime cannot load it"):
        load_engine(replace(load_bundle(tiny_bundle), path=tmp_path))


def test_a_system_that_takes_no_memory_back_prefills_too(engine: OnnxEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = np.zeros((3, len(engine.bundle.model.field_sizes)), dtype=np.uint16)
    for error in (OSError, TypeError, AttributeError):
        monkeypatch.setattr("ctypes.CDLL", Mock(side_effect=error))
        assert np.isfinite(load_engine(engine.bundle).score(tokens)).all()


@pytest.mark.parametrize("version", ["1.23.2", "1.26.0"])
def test_a_runtime_that_is_too_old_is_refused_in_a_sentence(
    version: str, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnxruntime.__version__", version)
    sentence = rf"^onnxruntime {re.escape(version)} is too old .* need {OLDEST_RUNTIME} or newer .*Intel"
    with pytest.raises(BundleError, match=sentence):
        load_engine(load_bundle(tiny_bundle))
