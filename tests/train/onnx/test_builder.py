"""The builder of graphs: operators in order, tensors by name and large ones beside, layers that compute W x + b."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto

from arietta.train.onnx.builder import ALIGNMENT, BLOCKS, MICROSOFT, SMALLEST_EXTERNAL, Graph, quantise_blocks
from tests.support.strategies import SEEDS

BLOCK = BLOCKS[8]


def computed(graph: Graph, folder: Path, **inputs: np.ndarray) -> list[np.ndarray]:
    """What the graph's outputs are for these inputs, by way of its files."""
    graph.save(str(folder / "graph.onnx"), "data.bin")
    (folder / "data.bin").write_bytes(graph.external_bytes())
    session = onnxruntime.InferenceSession(str(folder / "graph.onnx"), providers=["CPUExecutionProvider"])
    return list(session.run(None, inputs))


def unpacked(packed: np.ndarray) -> np.ndarray:
    """Values of 4 bits, -8 to 7, out of bytes [.., b / 2] that hold two each, the first in the lower half."""
    return np.stack([packed & 15, packed >> 4], axis=-1).reshape(*packed.shape[:-1], -1).astype(np.float32) - 8


# Rounding


@given(seed=SEEDS, rows=st.integers(1, 5), blocks=st.integers(1, 4), spread=st.sampled_from([1e-6, 0.02, 1.0, 300.0]))
def test_rounding_moves_no_weight_by_more_than_half_a_step(seed: int, rows: int, blocks: int, spread: float) -> None:
    matrix = np.random.default_rng(seed).normal(0, spread, (rows, blocks * BLOCK)).astype(np.float32)
    packed, scales = quantise_blocks(matrix, 8)
    assert packed.shape == (rows, blocks, BLOCK) and packed.dtype == np.uint8
    restored = (packed.astype(np.float64) - 128) * scales[..., None]
    steps = np.abs(matrix).reshape(rows, blocks, BLOCK).max(axis=2, keepdims=True) / 127
    assert (np.abs(restored - matrix.reshape(restored.shape)) <= 0.5001 * steps).all()


def test_rounding_keeps_zeros_and_extremes() -> None:
    matrix = np.zeros((2, BLOCK), dtype=np.float32)
    matrix[1, :2] = (-0.5, 0.5)
    packed, scales = quantise_blocks(matrix, 8)
    assert (packed[0] == 128).all()
    assert packed[1, 0, :3].tolist() == [1, 255, 128]
    assert np.isclose(scales[1, 0] * 127, 0.5)


@pytest.mark.parametrize("spread", [1e-6, 0.02, 1.0, 300.0])
def test_4_bits_of_the_best_of_five_scales_err_less_than_those_of_the_largest_weight(spread: float) -> None:
    block = BLOCKS[4]
    matrix = np.random.default_rng(0).normal(0, spread, (50, 8, block)).astype(np.float32)
    packed, scales = quantise_blocks(matrix.reshape(50, -1), 4)
    assert packed.shape == (50, 8, block // 2) and packed.dtype == np.uint8
    errors = np.abs(unpacked(packed) * scales[..., None] - matrix)
    largest = np.abs(matrix).max(axis=2, keepdims=True)
    plain = np.rint(matrix / largest * 7) * largest / 7 - matrix
    assert np.square(errors).sum() < 0.8 * np.square(plain).sum()
    assert (errors <= largest / 4).all()


def test_4_bits_keep_zeros_and_the_largest_weight() -> None:
    matrix = np.zeros((2, BLOCKS[4]), dtype=np.float32)
    matrix[1, 5] = 0.5
    packed, scales = quantise_blocks(matrix, 4)
    assert (packed[0] == 0x88).all() and packed[1, 0, 2] == 0x08  # the sixth value: upper half of the third byte
    assert np.isclose(scales[1, 0] * -8, 0.5)


# Layers


def test_only_feed_forward_layers_have_4_bits_and_rows_are_the_same_in_any_company(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(64, 128)).astype(np.float32)
    for name, size in (("blocks.1.up", 16), ("blocks.1.attention.qkv", BLOCK)):
        graph = Graph({}, bits=4)
        value = graph.input("x", TensorProto.FLOAT, ["B", 1, 128])
        graph.output("y", TensorProto.FLOAT, ["B", 1, 64], graph.linear(value, name, matrix, None))
        assert graph.tensors[f"{name}.packed"].shape[-1] == size
        x = rng.normal(size=(16, 1, 128)).astype(np.float32)
        (together,) = computed(graph, tmp_path, x=x)
        assert all(np.array_equal(computed(graph, tmp_path, x=x[row : row + 1])[0][0], together[row]) for row in (0, 9))
        assert np.abs(together[:, 0] - x[:, 0] @ matrix.T).mean() < (1.5 if size == 16 else 0.1)


@pytest.mark.parametrize("rows", [1, 2, 3, 16])
def test_a_product_in_4_bits_has_the_bits_of_one_in_8(rows: int, tmp_path: Path) -> None:
    rng, name = np.random.default_rng(0), "blocks.0.up"
    matrix, x = rng.normal(size=(64, 128)).astype(np.float32), rng.normal(size=(rows, 1, 128)).astype(np.float32)
    graph = Graph({}, bits=4)
    value = graph.input("x", TensorProto.FLOAT, ["B", 1, 128])
    graph.output("y", TensorProto.FLOAT, ["B", 1, 64], graph.linear(value, name, matrix, None))
    wide = 16 * unpacked(graph.tensors[f"{name}.packed"]) + 128
    inputs = ["x", graph.constant("wide", wide, np.uint8)]
    inputs.append(graph.constant("fine", graph.tensors[f"{name}.scales"] / 16, np.float32))
    settings = {"K": 128, "N": 64, "bits": 8, "block_size": BLOCKS[4], "accuracy_level": 4}
    graph.output("z", TensorProto.FLOAT, ["B", 1, 64], graph.op("MatMulNBits", *inputs, domain=MICROSOFT, **settings))
    in_4_bits, in_8_bits = computed(graph, tmp_path, x=x)
    assert np.array_equal(in_4_bits, in_8_bits)


def test_what_takes_rows_in_4_bits_is_given_two_where_there_is_one(tmp_path: Path) -> None:
    graph, seen = Graph({}, bits=4), []

    def build(rows: str) -> str:
        seen.append(graph.op("Shape", rows, end=1))
        return graph.with_two_rows(graph.op("Neg", rows), lambda again: graph.op("Neg", again))  # is given them once

    value = graph.input("x", TensorProto.FLOAT, ["B", 1, 4])
    for name in ("y", "z"):  # the second finds the numbers of rows that the first one made
        graph.output(name, TensorProto.FLOAT, ["B", 1, 4], graph.with_two_rows(value, build))
    graph.output("count", TensorProto.INT64, [1], seen[1])
    for count in (1, 2, 5):
        x = np.random.default_rng(0).normal(size=(count, 1, 4)).astype(np.float32)
        first, second, rows = computed(graph, tmp_path, x=x)
        assert np.array_equal(first, x) and np.array_equal(second, x) and rows.tolist() == [max(count, 2)]


def test_an_8_bit_layer_adds_its_own_bias() -> None:
    graph = Graph({}, bits=8)
    graph.linear("x", "layer", np.ones((4, BLOCK), dtype=np.float32), np.ones(4, dtype=np.float32))
    assert [node.op_type for node in graph.nodes] == ["MatMulNBits"]
    assert list(graph.nodes[0].input) == ["x", "layer.packed", "layer.scales", "", "", "layer.bias"]


@pytest.mark.parametrize("bits", [8, 32])
@pytest.mark.parametrize("has_bias", [False, True])
def test_a_layer_multiplies_by_its_weights_and_adds_its_bias(bits: int, has_bias: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    matrix, bias = (rng.normal(size=shape).astype(np.float32) for shape in ((32, 2 * BLOCK), (32,)))
    graph = Graph({"layer.weight": matrix} | ({"layer.bias": bias} if has_bias else {}), bits=bits)
    value = graph.input("x", TensorProto.FLOAT, ["B", 2 * BLOCK])
    graph.output("y", TensorProto.FLOAT, ["B", 32], graph.layer(value, "layer"))
    x = rng.normal(size=(3, 2 * BLOCK)).astype(np.float32)
    (y,) = computed(graph, tmp_path, x=x)
    expected = x @ matrix.T + (bias if has_bias else 0)
    assert y == pytest.approx(expected, abs=0.3 if bits == 8 else 1e-4)


def test_a_width_that_blocks_do_not_divide_is_not_rounded() -> None:
    graph = Graph({}, bits=8)
    graph.linear("x", "layer", np.ones((4, BLOCK + 1), dtype=np.float32), None)
    assert [node.op_type for node in graph.nodes] == ["MatMul"]


# Values and tensors


def test_values_have_names_of_their_own() -> None:
    graph = Graph({}, bits=32)
    first, *parts = graph.op("Relu", "x"), *graph.op("Split", "x", outputs=2), graph.op("Relu", "x")
    assert len({first, *parts}) == 4


def test_addends_are_added_from_left_to_right(tmp_path: Path) -> None:
    """In float32 the order shows: the small one is lost beside the large one."""
    graph = Graph({}, bits=32)
    names = [graph.input(name, TensorProto.FLOAT, [1]) for name in "abc"]
    graph.output("sum", TensorProto.FLOAT, [1], graph.add(*names))
    assert graph.add("a") == "a"
    large, small = np.array([1e8], dtype=np.float32), np.array([1.0], dtype=np.float32)
    assert computed(graph, tmp_path, a=large, b=small, c=-large)[0] == 0
    assert computed(graph, tmp_path, a=large, b=-large, c=small)[0] == 1


def test_the_first_array_of_a_name_stays() -> None:
    graph = Graph({}, bits=32)
    assert graph.constant("axis", [1]) == graph.constant("axis", [2]) == "axis"
    assert graph.tensors["axis"].tolist() == [1] and graph.tensors["axis"].dtype == np.int64


# Files


def test_large_tensors_are_laid_out_by_name_at_multiples_of_64() -> None:
    graph = Graph({}, bits=32)
    graph.constant("b", np.full(300, 2.0), np.float32)
    graph.constant("a", np.full(257, 1.0), np.float32)
    graph.constant("small", np.zeros(3), np.float32)
    content = graph.external_bytes()
    assert len(content) == 1088 + 1216
    assert np.frombuffer(content[: 257 * 4], np.float32).tolist() == [1.0] * 257
    assert np.frombuffer(content[1088 : 1088 + 1200], np.float32).tolist() == [2.0] * 300


def test_a_file_refers_to_large_tensors_where_they_lie_and_holds_small_ones(tmp_path: Path) -> None:
    graph = Graph({}, bits=32)
    edge = SMALLEST_EXTERNAL // 4
    arrays = {name: np.arange(size, dtype=np.float32) for name, size in (("b", edge), ("a", edge + 1), ("c", edge - 1))}
    for name, array in arrays.items():
        graph.constant(name, array, np.float32)
    graph.save(str(tmp_path / "graph.onnx"), "data.bin")
    content = graph.external_bytes()
    for tensor in onnx.load(tmp_path / "graph.onnx", load_external_data=False).graph.initializer:
        values = {entry.key: entry.value for entry in tensor.external_data}
        if tensor.name == "c":
            assert not values and onnx.numpy_helper.to_array(tensor).tolist() == arrays["c"].tolist()
            continue
        offset, length = int(values["offset"]), int(values["length"])
        assert values["location"] == "data.bin" and offset % ALIGNMENT == 0
        assert content[offset : offset + length] == arrays[tensor.name].tobytes()


def test_the_order_in_which_tensors_come_does_not_matter_to_the_files(tmp_path: Path) -> None:
    for number, names in enumerate(("ab", "ba")):
        graph = Graph({}, bits=32)
        for name in names:
            graph.constant(name, np.full(300, ord(name)), np.float32)
        graph.save(str(tmp_path / f"{number}.onnx"), "data.bin")
        (tmp_path / f"{number}.bin").write_bytes(graph.external_bytes())
    for kind in ("onnx", "bin"):
        assert (tmp_path / f"0.{kind}").read_bytes() == (tmp_path / f"1.{kind}").read_bytes()


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("has_bias", [False, True])
def test_many_rows_are_multiplied_in_float32_and_few_in_8_bits(bits: int, has_bias: bool, tmp_path: Path) -> None:
    rng, name = np.random.default_rng(0), "blocks.0.up"
    matrix = rng.normal(0, 0.1, (48, 2 * BLOCK)).astype(np.float32)
    bias = rng.normal(size=48).astype(np.float32) if has_bias else None
    value = rng.normal(size=(1, 40, 2 * BLOCK)).astype(np.float32)
    packed, scales = quantise_blocks(matrix, bits)
    values = unpacked(packed) if bits == 4 else packed.astype(np.float32) - 128
    weights = (values * scales[..., None]).reshape(48, -1)
    expected = value @ weights.T + (0 if bias is None else bias)
    errors = []
    for count in (40, 16):
        graph = Graph({}, bits=bits, takes_many=True)
        inputs = graph.input("inputs", TensorProto.FLOAT, ["B", "S", 2 * BLOCK])
        graph.output("y", TensorProto.FLOAT, ["B", "S", 48], graph.linear(inputs, name, matrix, bias))
        (result,) = computed(graph, tmp_path, inputs=value[:, :count])
        errors.append(np.abs(result - expected[:, :count]).max())
    assert errors[0] < 1e-4 < errors[1] < 0.2


@pytest.mark.parametrize("count", [1, 4])
def test_a_branch_is_picked_at_each_call(count: int, tmp_path: Path) -> None:
    graph = Graph({}, bits=8)
    inputs = graph.input("inputs", TensorProto.FLOAT, ["B", "S"])
    branches = [lambda kind=kind: [graph.op(kind, inputs), graph.op("Identity", inputs)] for kind in ("Neg", "Abs")]
    first, second = graph.either(graph.has_more_than(3), *branches)
    graph.output("y", TensorProto.FLOAT, ["B", "S"], first)
    graph.output("z", TensorProto.FLOAT, ["B", "S"], second)
    value = np.full((1, count), -2.0, dtype=np.float32)
    assert [each.tolist() for each in computed(graph, tmp_path, inputs=value)] == [[[2.0] * count], value.tolist()]
