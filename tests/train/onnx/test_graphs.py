"""The exported graphs as files: what they share, how weights are rounded, and what rounding costs."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from arietta.codecs.note import NoteCodec
from arietta.model.config import ModelConfig
from arietta.model.engine import OnnxEngine, load_engine
from arietta.music.notes import Notes
from arietta.train.network import build_model
from arietta.train.network.fields import shift_right, token_nll
from arietta.train.onnx.builder import OPSET, SMALLEST_EXTERNAL
from arietta.train.onnx.export import torch_nll
from arietta.train.onnx.graphs import build_graphs
from tests.support.bundles import TINY, TINY_LSTM, graphs_of, random_model

pytestmark = pytest.mark.usefixtures("single_torch_thread")
CODEC = NoteCodec()
MOST_ROUNDING = 0.01  # share by which 8-bit weights may worsen the likelihood of music the model has learned


def exported(folder: Path, config: ModelConfig, *, bits: int) -> dict[str, onnx.ModelProto]:
    graphs_of(folder, config, random_model(config), CODEC, bits=bits)
    return {name: onnx.load(folder / f"{name}.onnx", load_external_data=False) for name in ("step", "feed")}


def places(model: onnx.ModelProto) -> dict[str, tuple[int, int]]:
    """Large tensors: name -> (offset, bytes) in the data file."""
    found = {}
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            values = {entry.key: entry.value for entry in tensor.external_data}
            assert values["location"] == "weights.bin"
            found[tensor.name] = (int(values["offset"]), int(values["length"]))
    return found


def kinds(model: onnx.ModelProto) -> set[str]:
    """Kinds of operators, inside branches too."""
    graphs, found = [model.graph], set()
    while graphs:
        for node in graphs.pop().node:
            found.add(node.op_type)
            graphs += [part.g for part in node.attribute if part.type == onnx.AttributeProto.GRAPH]
    return found


# Files


@pytest.mark.parametrize("config", [TINY, TINY_LSTM], ids=["transformer", "lstm"])
@pytest.mark.parametrize("bits", [8, 32])
def test_both_graphs_read_every_large_tensor_at_the_same_place(config: ModelConfig, bits: int, tmp_path: Path) -> None:
    models = exported(tmp_path, config, bits=bits)
    step, feed = places(models["step"]), places(models["feed"])
    assert step == feed
    size = (tmp_path / "weights.bin").stat().st_size
    assert max(offset + length for offset, length in step.values()) <= size
    assert all(offset % 64 == 0 and length >= SMALLEST_EXTERNAL for offset, length in step.values())


def test_tensors_do_not_overlap_in_the_data_file(tmp_path: Path) -> None:
    spans = sorted(places(exported(tmp_path, TINY, bits=8)["step"]).values())
    assert all(first + length <= second for (first, length), (second, _) in pairwise(spans))


def test_the_same_weights_give_the_same_files(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        exported(tmp_path / folder, TINY, bits=8)
    for name in ("step.onnx", "feed.onnx", "weights.bin"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_graph_holds_no_weights_itself(tmp_path: Path) -> None:
    exported(tmp_path, TINY, bits=8)
    weights = (tmp_path / "weights.bin").stat().st_size
    assert (tmp_path / "step.onnx").stat().st_size + (tmp_path / "feed.onnx").stat().st_size < weights


def test_files_of_few_bits_are_small(tmp_path: Path) -> None:
    sizes = []
    for bits in (4, 8, 32):
        exported(tmp_path / str(bits), replace(TINY, width=256, layers=4), bits=bits)
        sizes.append((tmp_path / str(bits) / "weights.bin").stat().st_size)
    assert sizes[0] < 0.85 * sizes[1] and sizes[1] < sizes[2] / 2


@pytest.mark.parametrize("config", [TINY, TINY_LSTM], ids=["transformer", "lstm"])
def test_graphs_keep_to_one_version_of_the_standard(config: ModelConfig, tmp_path: Path) -> None:
    for model in exported(tmp_path, config, bits=8).values():
        versions = {opset.domain: opset.version for opset in model.opset_import}
        assert versions == {"": OPSET, "com.microsoft": 1}


def test_8_bit_layers_multiply_in_8_bit_and_float_layers_do_not(tmp_path: Path) -> None:
    for bits, has_packed in ((8, True), (32, False)):
        models = exported(tmp_path / str(bits), TINY, bits=bits)
        assert all(("MatMulNBits" in kinds(model)) == has_packed for model in models.values())
    nodes = exported(tmp_path / "8", TINY, bits=8)["step"].graph.node
    assert {part.i for node in nodes for part in node.attribute if part.name == "accuracy_level"} == {4}


def test_a_width_that_blocks_do_not_divide_stays_in_float32(tmp_path: Path) -> None:
    assert "MatMulNBits" not in kinds(exported(tmp_path, replace(TINY_LSTM, width=40), bits=8)["step"])


def test_only_a_prefill_of_few_bits_has_float32_products_beside(tmp_path: Path) -> None:
    few, floats = (exported(tmp_path / str(bits), TINY, bits=bits) for bits in (8, 32))
    assert {"If", "FusedMatMul", "MatMulNBits"} <= kinds(few["feed"])
    assert not {"If", "FusedMatMul"} & (kinds(few["step"]) | kinds(floats["step"]) | kinds(floats["feed"]))


def test_only_the_step_samples(tmp_path: Path) -> None:
    models = exported(tmp_path, TINY, bits=32)
    assert "ArgMax" in kinds(models["step"]) and "ArgMax" not in kinds(models["feed"])
    asked = {value.name for value in models["feed"].graph.input}
    assert not asked & {"noise", "allowed", "temperature", "top_p", "min_p", "earliest"}


def test_nothing_is_summed_in_an_order_that_depends_on_the_batch(tmp_path: Path) -> None:
    for config in (TINY, TINY_LSTM):
        assert all("ReduceSum" not in kinds(model) for model in exported(tmp_path, config, bits=8).values())


# The cache


@pytest.mark.parametrize("bits", [8, 32])
def test_the_cache_is_as_wide_as_the_weights(bits: int, tmp_path: Path) -> None:
    kind = onnx.TensorProto.INT8 if bits == 8 else onnx.TensorProto.FLOAT
    for model in exported(tmp_path, TINY, bits=bits).values():
        cached = [value for value in model.graph.input if value.name.startswith("past_")]
        assert len(cached) == 2 * TINY.layers
        assert {value.type.tensor_type.elem_type for value in cached} == {kind}


# The step


def test_the_step_cuts_the_tail_of_every_field(tmp_path: Path) -> None:
    graph = exported(tmp_path, TINY, bits=8)["step"].graph
    assert [node.op_type for node in graph.node].count("TopK") == len(TINY.field_sizes)
    kept = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    assert f"size_{CODEC.field_sizes[CODEC.sampled_field]}" in kept


def test_the_step_copies_no_table_of_distances(tmp_path: Path) -> None:
    graph = exported(tmp_path, TINY, bits=8)["step"].graph
    tables = {f"blocks.{layer}.attention.relative" for layer in range(TINY.layers)}
    readers = {node.op_type for node in graph.node if tables & set(node.input)}
    assert readers == {"MatMul"}


def test_both_graphs_are_built_from_the_same_tensors() -> None:
    weights = {name: value.detach().numpy() for name, value in random_model(TINY).state_dict().items()}
    step, feed = build_graphs(TINY, CODEC, weights, bits=8)
    assert step.external_bytes() == feed.external_bytes()


# What rounding costs a model that has learned something


def arpeggios(key: int) -> Notes:
    """Sixteen bars of broken chords in a major key, each bar under one pedal."""
    degrees = [(0, 4, 7, 12), (5, 9, 12, 17), (7, 11, 14, 19), (0, 4, 7, 12)] * 4
    pitch = [key + step for chord in degrees for step in (*chord, *chord[2:0:-1])]
    onset = 0.2 * np.arange(len(pitch))
    velocity = [50 + 5 * (place % 6) for place in range(len(pitch))]
    bars = 1.2 * np.arange(len(degrees))
    return Notes.of(onset, np.full(len(pitch), 0.18), pitch, velocity, np.stack([bars, bars + 1.1], axis=1))


def taught(config: ModelConfig, steps: int = 50) -> torch.nn.Module:
    """A model that has seen arpeggios in all keys but one, for a second or two."""
    torch.manual_seed(0)
    model = build_model(replace(config, dropout=0.0))
    pieces = [torch.from_numpy(CODEC.encode(arpeggios(key)).astype(np.int64)) for key in range(48, 60) if key != 53]
    optimiser = torch.optim.AdamW(model.parameters(), lr=4e-3)
    rng = np.random.default_rng(0)
    for _ in range(steps):
        picks = [(pieces[i], int(rng.integers(0, len(pieces[i]) - 48))) for i in rng.integers(0, len(pieces), 6)]
        rows = torch.stack([piece[start : start + 48] for piece, start in picks])
        ids = torch.ones(6, 2, dtype=torch.int64)
        counted = torch.from_numpy(CODEC.loss_mask(rows.numpy()))
        loss = token_nll(model(shift_right(rows, CODEC.field_sizes), rows, ids), rows, counted).sum(-1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval()


def mean_nll(engine: OnnxEngine, events: np.ndarray) -> float:
    return float((engine.score(events, (1, 1)) * CODEC.loss_mask(events)).sum(axis=1).mean())


@pytest.mark.parametrize("config", [TINY, TINY_LSTM], ids=["transformer", "lstm"])
def test_8_bits_cost_a_taught_model_at_most_a_hundredth_of_its_likelihood(config: ModelConfig, tmp_path: Path) -> None:
    model, events = taught(config), CODEC.encode(arpeggios(53))
    exact = float((torch_nll(model, CODEC, events, (1, 1)) * CODEC.loss_mask(events)).sum(axis=1).mean())
    assert exact < 8, "it has learned nothing: fresh weights give 17 nats a row"
    engine = load_engine(graphs_of(tmp_path, config, model, CODEC, bits=8))
    assert abs(mean_nll(engine, events) / exact - 1) <= MOST_ROUNDING
