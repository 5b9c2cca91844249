"""Tiny models with random weights, exported as real ones are: what composing, engines and servers are tested on.

Fixtures, each a bundle's folder made once a session:

    tiny_bundle       8 bit transformer with a relative table, width 64, 2 layers, window 64: "concert" in small
    tiny_bundle_32    the same weights in float32
    tiny_lstm         8 bit LSTM, width 64

All speak NoteCodec and know four composers (two of them called Bach) and two sources. `bundle_of` exports any other;
`graphs_of` writes the graphs alone, for codecs of one field too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from arietta.codecs.codec import Booleans, Codec, Masks, field_slices
from arietta.codecs.note import NoteCodec
from arietta.generation.given import LEFT_THRESHOLDS, ROLES
from arietta.model.bundle import Bundle, load_bundle
from arietta.model.config import Condition, ModelConfig, style_conditions
from arietta.model.engine import OnnxEngine, load_engine

if TYPE_CHECKING:
    from torch import nn

COMPOSERS = ("Carl Philipp Emanuel Bach", "Edvard Grieg", "Frédéric Chopin", "Johann Sebastian Bach")
SOURCES = ("measured", "sequenced")
TINY = ModelConfig(
    kind="transformer",
    field_sizes=NoteCodec().field_sizes,
    width=64,
    layers=2,
    context=64,
    heads=4,
    kv_heads=2,
    conditions=style_conditions(COMPOSERS, SOURCES),
)
TINY_LSTM = replace(TINY, kind="lstm")
CARD = {"title": "Tiny", "data": "none: random weights", "licence": "Apache-2.0"}


def random_model(config: ModelConfig, *, spread: float = 0.12, seed: int = 0) -> nn.Module:
    """A network whose matrices are normal numbers of that deviation: far enough from 0 to tell graphs apart."""
    import torch

    from arietta.train.network import build_model

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build_model(config).eval()
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.data.normal_(0.0, spread)
    return model


def write_checkpoint(path: Path, config: ModelConfig, model: nn.Module, codec: Codec | None = None) -> Path:
    """What `arietta train` leaves as best.pt, as far as export reads it."""
    import torch

    described: dict[str, Any] = {"config": config.describe(), "codec": (codec or NoteCodec()).describe()}
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(described | {"model": model.state_dict(), "store": "0" * 16, "step": 0}, path)
    return path


def bundle_of(folder: Path, config: ModelConfig, model: nn.Module | None = None, *, bits: int = 8) -> Path:
    """Export `model` (random weights when None) into `folder`, whose name is the bundle's, by way of a checkpoint."""
    from arietta.train.onnx.export import export

    checkpoint = write_checkpoint(folder.with_suffix(".pt"), config, model or random_model(config))
    export(checkpoint, folder, CARD, bits=bits)
    checkpoint.unlink()
    return folder


def graphs_of(folder: Path, config: ModelConfig, model: nn.Module, codec: Codec, *, bits: int = 32) -> Bundle:
    """Write the graphs without a golden piece, and describe them to an engine."""
    from arietta.train.onnx.graphs import build_graphs

    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.detach().numpy() for name, value in model.state_dict().items()}
    step, feed = build_graphs(config, codec, weights, bits=bits)
    step.save(str(folder / "step.onnx"), "weights.bin")
    feed.save(str(folder / "feed.onnx"), "weights.bin")
    (folder / "weights.bin").write_bytes(step.external_bytes())
    prefill_chunk = 1 if config.kind == "lstm" else config.context // 2
    return Bundle(folder, "0" * 16, config, codec, bits, prefill_chunk, {})


def engine_of(folder: Path, *, threads: int = 1) -> OnnxEngine:
    return load_engine(load_bundle(folder), threads=threads)


def forcing(row: list[int], codec: Codec) -> Masks:
    """Masks that leave one row alone."""
    allowed = np.zeros(sum(codec.field_sizes), dtype=np.bool_)
    for part, value in zip(field_slices(codec), row, strict=True):
        allowed[part.start + value] = True
    second = codec.field_sizes[1] if len(codec.field_sizes) > 1 else 0
    return Masks(allowed, np.zeros(second, dtype=np.int64))


class SymbolCodec:
    """One field of 60 symbols that may follow each other as they like: enough of a codec for graphs and engines."""

    name = "symbol"
    can_continue = False
    sampled_field = 0
    field_names = ("symbol",)
    field_sizes = (60,)
    tables: Mapping[int, tuple[int, Booleans]] = {}


@pytest.fixture(scope="module")
def single_torch_thread() -> Iterator[None]:
    """Tiny networks lose most of their time to threads that wait for each other, on a busy machine ten times."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle_of(tmp_path_factory.mktemp("bundles") / "tiny", TINY)


@pytest.fixture(scope="session")
def tiny_bundle_32(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle_of(tmp_path_factory.mktemp("bundles") / "tiny-32", TINY, bits=32)


@pytest.fixture(scope="session")
def tiny_lstm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle_of(tmp_path_factory.mktemp("bundles") / "tiny-lstm", TINY_LSTM)


@pytest.fixture(scope="session")
def tiny_engine(tiny_bundle: Path) -> OnnxEngine:
    return engine_of(tiny_bundle)


@pytest.fixture(scope="session")
def filling_engine(tmp_path_factory: pytest.TempPathFactory) -> OnnxEngine:
    """A tiny model that is told role and what is left, and so can write passages."""
    left = Condition("left", len(LEFT_THRESHOLDS) + 2, thresholds=LEFT_THRESHOLDS)
    density = Condition("density", 4, thresholds=(2.0, 8.0))
    conditions = (
        *TINY.conditions,
        density,
        Condition("key", 3, ("C major", "A minor")),
        Condition("role", 4, ROLES),
        left,
    )
    return engine_of(
        bundle_of(tmp_path_factory.mktemp("bundles") / "filling", replace(TINY, conditions=conditions, context=256))
    )
