"""A small builder of ONNX graphs: operators added in order, tensors kept by name, linear layers in 8 or 32 bits.

Large tensors go to a data file beside the graph, by name and at fixed places, so two graphs can share one.
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


class Graph:
    """Nodes and weights gathered in order; methods return the name of what they make."""

    def __init__(self, weights: Weights, *, bits: int) -> None:
        self.weights = weights
        self.bits = bits
        self.nodes: list[Any] = []
        self.tensors: dict[str, NDArray[Any]] = {}
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []

    def input(self, name: str, kind: int, shape: Sequence[int | str]) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, name: str, kind: int, shape: Sequence[int | str], value: str) -> None:
        self.nodes.append(helper.make_node("Identity", [value], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def constant(self, name: str, value: Any, dtype: Any = np.int64) -> str:
        self.tensors.setdefault(name, np.asarray(value, dtype=dtype))
        return name

    def op(self, kind: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> Any:
        """Add one operator; returns its output's name, or a list of them."""
        names = [f"{kind}_{len(self.nodes)}_{place}" for place in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def add(self, first: str, *others: str) -> str:
        for other in others:
            first = self.op("Add", first, other)
        return first

    def linear(self, value: str, name: str, matrix: NDArray[np.float32], bias: NDArray[np.float32] | None) -> str:
        """value [.., K] times matrix [N, K] transposed, plus bias [N]."""
        columns, width = matrix.shape
        added = [] if bias is None else [self.constant(f"{name}.bias", bias, np.float32)]
        if self.bits == 8 and width % BLOCK == 0:
            packed, scales = quantise_blocks(matrix)
            inputs = [self.constant(f"{name}.packed", packed, np.uint8)]
            inputs += [self.constant(f"{name}.scales", scales, np.float32)]
            inputs += ["", "", *added] if added else []  # no zero points and no order of columns
            settings = {"K": width, "N": columns, "bits": 8, "block_size": BLOCK, "accuracy_level": 4}
            return str(self.op("MatMulNBits", value, *inputs, domain=MICROSOFT, **settings))
        made = self.op("MatMul", value, self.constant(name, matrix.T.copy(), np.float32))
        return self.add(made, *added)

    def layer(self, value: str, name: str) -> str:
        """A linear layer under its name in the checkpoint."""
        return self.linear(value, name, self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias"))

    def save(self, path: str, data_file: str) -> None:
        """Write the graph; its large tensors go to `data_file` beside it, at the places `layout` gives them."""
        initialisers = [_tensor(name, value) for name, value in sorted(self.tensors.items())]
        graph = helper.make_graph(self.nodes, "arietta", self.inputs, self.outputs, initialisers)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="arietta", ir_version=10)
        place = 0
        for tensor in model.graph.initializer:
            if len(tensor.raw_data) >= SMALLEST_EXTERNAL:
                onnx.external_data_helper.set_external_data(tensor, data_file, place, len(tensor.raw_data))
                place += -(-len(tensor.raw_data) // 64) * 64
                tensor.ClearField("raw_data")
        with open(path, "wb") as file:
            file.write(model.SerializeToString(deterministic=True))

    def external_bytes(self) -> bytes:
        """The content of the data file that `save` refers to: large tensors by name, each at a multiple of 64."""
        parts = [np.ascontiguousarray(self.tensors[name]).tobytes() for name in sorted(self.tensors)]
        return b"".join(part.ljust(-(-len(part) // 64) * 64, b"\0") for part in parts if len(part) >= SMALLEST_EXTERNAL)


def quantise_blocks(matrix: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Round [N, K] to 8 bits, a scale for each b = BLOCK of a row: (uint8 [N, K / b, b], scales [N, K / b])."""
    blocks = matrix.reshape(len(matrix), -1, BLOCK)
    scales = np.maximum(np.abs(blocks).max(axis=2), 1e-12) / 127
    packed = np.rint(blocks / scales[..., None]) + 128
    return packed.astype(np.uint8), scales.astype(np.float32)


def _tensor(name: str, value: NDArray[Any]) -> Any:
    return onnx.numpy_helper.from_array(np.asarray(value, order="C"), name)
