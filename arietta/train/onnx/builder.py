"""A small builder of ONNX graphs: operators added in order, tensors by name, linear layers in 8 or 32 bits.

Large tensors go to a data file beside the graph, in the order of their names, so two graphs can share one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

Weights = Mapping[str, NDArray[np.float32]]
MICROSOFT = "com.microsoft"
BLOCK = 64  # weights of a row that share a scale; of 128, other bits came out for several pieces than for one
OPSET = 21
SMALLEST_EXTERNAL = 1024  # bytes from which a tensor goes to the data file
ALIGNMENT = 64  # bytes: each tensor in the data file begins at a multiple


class Graph:
    """Collects nodes and tensors in order; methods return the names of the values that they add."""

    def __init__(self, weights: Weights, *, bits: int) -> None:
        self.weights = weights
        self.bits = bits
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
        names = [f"{kind}_{len(self.nodes)}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def add(self, first: str, *addends: str) -> str:
        """Add values up, from left to right."""
        for addend in addends:
            first = self.op("Add", first, addend)
        return first

    def linear(self, value: str, name: str, matrix: NDArray[np.float32], bias: NDArray[np.float32] | None) -> str:
        """Multiply value [.., K] by matrix [N, K] transposed and add bias [N]."""
        columns, width = matrix.shape
        biases = [] if bias is None else [self.constant(f"{name}.bias", bias, np.float32)]
        if self.bits == 8 and width % BLOCK == 0:
            packed, scales = quantise_blocks(matrix)
            inputs = [self.constant(f"{name}.packed", packed, np.uint8)]
            inputs += [self.constant(f"{name}.scales", scales, np.float32)]
            inputs += ["", "", *biases] if biases else []  # no zero points and no order of columns
            settings = {"K": width, "N": columns, "bits": 8, "block_size": BLOCK, "accuracy_level": 4}
            return str(self.op("MatMulNBits", value, *inputs, domain=MICROSOFT, **settings))
        return self.add(self.op("MatMul", value, self.constant(name, matrix.T.copy(), np.float32)), *biases)

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


def quantise_blocks(matrix: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Round [N, K] to 8 bits, a scale for each b = BLOCK of a row: (uint8 [N, K / b, b], scales [N, K / b])."""
    blocks = matrix.reshape(len(matrix), -1, BLOCK)
    scales = np.maximum(np.abs(blocks).max(axis=2), 1e-12) / 127  # not 0, by which the next line would divide
    packed = np.rint(blocks / scales[..., None]) + 128
    return packed.astype(np.uint8), scales.astype(np.float32)
