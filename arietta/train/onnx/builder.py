"""A small builder of ONNX graphs: operators added in order, tensors by name, linear layers in 4, 8 or 32 bits.

Large tensors go to a data file beside the graph, in the order of their names, so two graphs can share one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from ...model.engine import SHORT_CHUNK

Weights = Mapping[str, NDArray[np.float32]]
MICROSOFT = "com.microsoft"
# Bits -> weights of a row that share a scale; 8 bits in blocks of 128 gave other bits for several pieces than for one.
BLOCKS = {4: 32, 8: 64}
# Shares of a block's largest weight that its scale may cover, of which the one with the least error is taken: with the
# first alone the error of 4 bits is a sixth larger.
CLIPS = (1.0, 0.95, 0.9, 0.85, 0.8)
# In a model of 4 bits only these layers have 4: two thirds of all weights, a third of the loss of 4 bits everywhere.
ROBUST = re.compile(r"blocks\.\d+\.(up|down)")
OPSET = 21
SMALLEST_EXTERNAL = 1024  # bytes from which a tensor goes to the data file
ALIGNMENT = 64  # bytes: each tensor in the data file begins at a multiple


class Graph:
    """Collects nodes and tensors in order; methods return the names of the values that they add."""

    def __init__(self, weights: Weights, *, bits: int, takes_many: bool = False) -> None:
        """Begin an empty graph.

        `bits`: 32; 8; or 4, which is 4 for the layers of ROBUST and 8 for the others. `takes_many`: a call may take
        many tokens, of one piece, for which other operators of few bits are quicker than for one.
        """
        self.weights = weights
        self.bits, self.takes_many = bits, takes_many and bits < 32
        self._prefix = ""  # of the names of values inside a branch
        self._row_numbers: tuple[str, str] | None = None  # of `with_two_rows`, outside a branch
        self._has_two_rows = False
        self.nodes: list[Any] = []
        self.tensors: dict[str, NDArray[Any]] = {}
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []

    def input(self, name: str, kind: int, shape: Sequence[int | str]) -> str:
        """Declare an input of the graph."""
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, name: str, kind: int, shape: Sequence[int | str], value: str) -> None:
        """Declare an output of the graph, which has this value."""
        self.nodes.append(helper.make_node("Identity", [value], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def constant(self, name: str, value: Any, dtype: Any = np.int64) -> str:
        """Hold an array under a name; the first of a name is the one that stays."""
        self.tensors.setdefault(name, np.asarray(value, dtype=dtype))
        return name

    def op(self, kind: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> Any:
        """Add one operator; returns its output's name, or a list of them."""
        names = [f"{self._prefix}{kind}_{len(self.nodes)}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def add(self, first: str, *addends: str) -> str:
        """Add values up, from left to right."""
        for addend in addends:
            first = self.op("Add", first, addend)
        return first

    def has_more_than(self, count: int) -> str:
        """Add whether this call takes more tokens than that, bool []."""
        length = self.op("Shape", "inputs", start=1, end=2)
        return str(self.op("Squeeze", self.op("Greater", length, self.constant(f"count_{count}", [count]))))

    def either(self, condition: str, if_true: Callable[[], list[str]], if_false: Callable[[], list[str]]) -> list[str]:
        """Add the values of one of two branches, the one that bool [] `condition` picks at each call."""
        outside, branches = self.nodes, {}
        for name, build in (("then_branch", if_true), ("else_branch", if_false)):
            self.nodes, self._prefix = [], f"{name}_{len(outside)}_"
            results = [onnx.ValueInfoProto(name=value) for value in build()]
            branches[name] = helper.make_graph(self.nodes, name, [], results)
        self.nodes, self._prefix = outside, ""
        values = self.op("If", condition, outputs=len(results), **branches)
        return [values] if len(results) == 1 else list(values)

    def linear(self, value: str, name: str, matrix: NDArray[np.float32], bias: NDArray[np.float32] | None) -> str:
        """Multiply value [.., K] by matrix [N, K] transposed and add bias [N].

        With few bits a product of 128 rows takes 0.8 of an 8-bit one's time in float32, and one of 16 four times as
        long, since the matrix has to be made first (benchmarks/speed/budget): so a graph has both.
        """
        columns, width = matrix.shape
        biases = [] if bias is None else [self.constant(f"{name}.bias", bias, np.float32)]
        bits = max(self.bits, 8) if not ROBUST.fullmatch(name) else self.bits
        if bits in BLOCKS and width % BLOCKS[bits] == 0:
            packed, scales = quantise_blocks(matrix, bits)
            values = self.constant(f"{name}.packed", packed, np.uint8)
            scale = self.constant(f"{name}.scales", scales, np.float32)
            inputs = [values, scale, *(["", "", *biases] if biases else [])]  # no zero points and no order of columns
            settings = {"K": width, "N": columns, "bits": bits, "block_size": BLOCKS[bits], "accuracy_level": 4}

            def multiply(rows: str) -> str:
                return str(self.op("MatMulNBits", rows, *inputs, domain=MICROSOFT, **settings))

            def in_few_bits() -> list[str]:
                return [self.with_two_rows(value, multiply) if bits == 4 else multiply(value)]

            def in_float32() -> list[str]:
                floats = self._dequantised(values, scale, matrix.shape, bits=bits)
                return [self.add(self.op("FusedMatMul", value, floats, domain=MICROSOFT, transB=1), *biases)]

            if self.takes_many:
                return self.either(self.has_more_than(SHORT_CHUNK), in_float32, in_few_bits)[0]
            return in_few_bits()[0]
        return self.add(self.op("MatMul", value, self.constant(name, matrix.T.copy(), np.float32)), *biases)

    def with_two_rows(self, value: str, build: Callable[[str], str]) -> str:
        """Add what `build` makes of the rows of value [B, S, ..], of which it is given two where there is one alone.

        ONNX Runtime's product in 4 bits adds up a single row in another order than each of several: a piece would
        change with its company. Of two or more rows each has the bits of the product in 8 bits.
        """
        if self._has_two_rows:
            return build(value)
        axis = int(self.takes_many)  # rows are pieces in a step, tokens in a prompt, of which B is 1
        count, numbers = self._row_numbers or self._number_rows(value, axis)
        if not self._prefix:  # no branch knows the values of another
            self._row_numbers = count, numbers
        self._has_two_rows = True
        result = build(self.op("Gather", value, numbers, axis=axis))
        self._has_two_rows = False
        return str(self.op("Slice", result, self.constant("from_0", [0]), count, self.constant(f"axis_{axis}", [axis])))

    def _number_rows(self, value: str, axis: int) -> tuple[str, str]:
        """Add how many rows there are, int64 [1], and their numbers, int64 [R], or 0 twice where there is one."""
        count = self.op("Shape", value, start=axis, end=axis + 1)
        end = self.op("Squeeze", self.op("Max", count, self.constant("count_2", [2])))
        numbers = self.op("Range", self.constant("number_0", 0), end, self.constant("number_1", 1))
        return count, self.op("Mod", numbers, count)

    def _dequantised(self, values: str, scale: str, shape: Sequence[int], *, bits: int) -> str:
        """Add the float32 matrix [N, K] of values of `quantise_blocks` and their scales [N, K / b], made at each call.

        A row for each block takes half the time of DequantizeLinear's own blocks.
        """
        block = BLOCKS[bits]
        if bits == 4:
            values = self._unpacked(values)
        scales = self.op("Reshape", scale, self.constant("flat", [-1]))
        middle = self.constant(f"zero_point_{bits}", 2 ** (bits - 1), np.uint8)
        zeros = self.op("Expand", middle, self.op("Shape", scales))
        # The batch is 1. If all shapes were constants, ONNX Runtime would make all matrices when it loads the graph.
        width = self.op("Mul", self.op("Shape", "inputs", start=0, end=1), self.constant(f"count_{block}", [block]))
        rows = self.op("Reshape", values, self.op("Concat", self.constant("flat", [-1]), width, axis=0))
        floats = self.op("DequantizeLinear", rows, scales, zeros, axis=0)
        return str(self.op("Reshape", floats, self.constant("shape_" + "_".join(map(str, shape)), shape)))

    def _unpacked(self, packed: str) -> str:
        """Give each value of 4 bits a byte of its own, which ONNX Runtime does once, when it loads the graph.

        Made at each call as DequantizeLinear's own 4 bits they took a prompt a fourteenth longer.
        """
        low = self.op("BitwiseAnd", packed, self.constant("lower_half", 15, np.uint8))
        high = self.op("BitShift", packed, self.constant("half_a_byte", 4, np.uint8), direction="RIGHT")
        last = self.constant("axis_last", [-1])
        return str(self.op("Concat", *(self.op("Unsqueeze", half, last) for half in (low, high)), axis=-1))

    def layer(self, value: str, name: str) -> str:
        """Add a linear layer under its name in the checkpoint."""
        return self.linear(value, name, self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias"))

    def save(self, path: str, data_file: str) -> None:
        """Write the graph; its large tensors stand in `data_file` beside it, as `external_bytes` lays them out."""
        initialisers = [
            onnx.numpy_helper.from_array(np.asarray(tensor, order="C"), name)
            for name, tensor in sorted(self.tensors.items())
        ]
        graph = helper.make_graph(self.nodes, "arietta", self.inputs, self.outputs, initialisers)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="arietta", ir_version=10)
        offset = 0
        for tensor in model.graph.initializer:
            if len(tensor.raw_data) >= SMALLEST_EXTERNAL:
                onnx.external_data_helper.set_external_data(tensor, data_file, offset, len(tensor.raw_data))
                offset += -(-len(tensor.raw_data) // ALIGNMENT) * ALIGNMENT
                tensor.ClearField("raw_data")
        with open(path, "wb") as file:
            file.write(model.SerializeToString(deterministic=True))  # the same weights give the same fingerprint

    def external_bytes(self) -> bytes:
        """Return the content of the data file that `save` refers to: large tensors by name, aligned."""
        parts = [np.ascontiguousarray(self.tensors[name]).tobytes() for name in sorted(self.tensors)]
        large = [part for part in parts if len(part) >= SMALLEST_EXTERNAL]
        return b"".join(part.ljust(-(-len(part) // ALIGNMENT) * ALIGNMENT, b"\0") for part in large)


def quantise_blocks(matrix: NDArray[np.float32], bits: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Round [N, K] to 4 or 8 bits, a scale for each b = BLOCKS[bits] of a row.

    Returns uint8 [N, K / b, b bits / 8] and float32 scales [N, K / b]. A value v of 8 bits stands for (v - 128) scale,
    of 4 bits for (v - 8) scale; of these every other one, from the first, lies in the low half of its byte.
    """
    blocks = matrix.reshape(len(matrix), -1, BLOCKS[bits])
    if bits == 8:
        scales = np.maximum(np.abs(blocks).max(axis=2), 1e-12) / 127  # not 0, by which the next line would divide
        return (np.rint(blocks / scales[..., None]) + 128).astype(np.uint8), scales.astype(np.float32)
    # Of -8 to 7 the end that is further from 0 is for the largest weight, whatever its sign: the scale may be negative.
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=2)[..., None], axis=2)
    scales = np.where(np.abs(largest) < 1e-12, 1e-12, largest)[..., None] * np.array(CLIPS, dtype=np.float32) / -8
    rounded = np.clip(np.rint(blocks[..., None] / scales), -8, 7)
    errors = np.square(rounded * scales - blocks[..., None]).sum(axis=2, keepdims=True)
    best = errors.argmin(axis=3)[..., None]
    values = np.take_along_axis(rounded, best, axis=3)[..., 0] + 8
    chosen = np.take_along_axis(scales, best, axis=3)[..., 0, 0]
    return (values[..., 0::2] + 16 * values[..., 1::2]).astype(np.uint8), chosen.astype(np.float32)
