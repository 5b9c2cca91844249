"""Reading ONNX graphs back into torch: the inverse of `graphs.build_graphs`, tensor by tensor.

The graphs hold some parameters joined (the tables of all embeddings, the mixing layers of the heads, the two matrices
of an LSTM's layer), scaled (relative positions) or in few bits; here they come apart again, as they were rounded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...errors import BundleError
from ...model.bundle import Bundle
from ...model.config import ModelConfig
from ..network import build_model
from .builder import BLOCKS

Arrays = Mapping[str, NDArray[np.float32]]
# Tensors that a graph holds under their name in the checkpoint, unchanged.
UNCHANGED = re.compile(r"(blocks\.\d+\.norm_[12]|norm|heads\.chain\.\d+\.\d+|position)\.weight")
LINEAR = re.compile(r"(blocks\.\d+\.(attention\.(qkv|out)|up|down)|heads\.(mix|out\.\d+)|lstm\.\d+)(\.|$)")


def read_trained_bundle(bundle: Bundle) -> nn.Module:
    """Build the network of a bundle in torch, in evaluation mode."""
    model = build_model(bundle.model)
    model.load_state_dict(read_weights(bundle))
    return model.eval()


def read_weights(bundle: Bundle) -> dict[str, Tensor]:
    """Read a network's weights, by their names in the checkpoint, out of its bundle's graphs.

    Raises BundleError where an unreleased version packed its layers of 4 bits in another order.
    """
    graph = onnx.load(str(bundle.path / "feed.onnx")).graph
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    if "upper_half" in tensors:
        raise BundleError(
            f"{bundle.path}: composes, but its layers of 4 bits are packed as by a version before 0.2.0, and cannot be "
            "read; download the model anew, or export its run again"
        )
    config = bundle.model
    names = [f"embedding.tables.{field}.weight" for field in range(len(config.field_sizes))]
    names += [f"embedding.conditions.{condition.name}.weight" for condition in config.conditions]
    # Fields have a row more than values: the "none" before the first token.
    lengths = [*(size + 1 for size in config.field_sizes), *(condition.size for condition in config.conditions)]
    weights = dict(zip(names, np.split(tensors["embeddings"], np.cumsum(lengths)[:-1]), strict=True))
    for name, tensor in tensors.items():
        if UNCHANGED.fullmatch(name):
            weights[name] = tensor
        elif name.endswith(".relative"):
            # The graph's table is scaled by 1 / sqrt(D), and has no axis for heads where they share it.
            by_head = tensor.reshape(-1, *tensor.shape[-2:])
            weights[name] = (by_head * np.float32(config.head_width**0.5)).transpose(0, 2, 1)
    for name in {re.sub(r"\.(packed|scales|bias)$", "", name) for name in tensors if LINEAR.match(name)}:
        weights |= _split_layer(config, name, _layer_matrix(tensors, name), tensors.get(f"{name}.bias"))
    return {name: torch.from_numpy(weight.copy()) for name, weight in weights.items()}


def _layer_matrix(tensors: Arrays, name: str) -> NDArray[np.float32]:
    """Return a linear layer's matrix [N, K] as torch holds it, out of 32 bits or out of blocks of 8 or 4 bits."""
    if name in tensors:
        return tensors[name].T
    packed, scales = tensors[f"{name}.packed"], tensors[f"{name}.scales"].reshape(len(tensors[f"{name}.packed"]), -1)
    blocks = packed.reshape(*scales.shape, -1)
    middle = 128
    if blocks.shape[-1] == BLOCKS[4] // 2:
        blocks, middle = np.stack([blocks % 16, blocks // 16], axis=-1).reshape(*scales.shape, -1), 8
    return ((blocks.astype(np.float32) - middle) * scales[..., None]).reshape(len(packed), -1)


def _split_layer(
    config: ModelConfig, name: str, matrix: NDArray[np.float32], bias: NDArray[np.float32] | None
) -> dict[str, NDArray[np.float32]]:
    """Return the parameters that a layer of the graph was joined from."""
    if name == "heads.mix":
        count = len(config.field_sizes) - 1
        assert bias is not None, "its layers have biases"
        weights = {f"heads.mix.{head}.weight": part for head, part in enumerate(np.split(matrix, count))}
        return weights | {f"heads.mix.{head}.bias": part for head, part in enumerate(np.split(bias, count))}
    if name.startswith("lstm."):
        layer = name.removeprefix("lstm.")
        assert bias is not None, "its gates have biases"
        from_input, from_hidden = np.split(matrix, 2, axis=1)
        matrices = {f"lstm.weight_ih_l{layer}": from_input, f"lstm.weight_hh_l{layer}": from_hidden}
        # The graph adds torch's two biases; all of the sum goes into the first.
        return matrices | {f"lstm.bias_ih_l{layer}": bias, f"lstm.bias_hh_l{layer}": np.zeros_like(bias)}
    return {f"{name}.weight": matrix} | ({f"{name}.bias": bias} if bias is not None else {})
