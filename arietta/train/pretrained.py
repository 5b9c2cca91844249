"""Beginning from a model that is there: its weights out of a checkpoint or a bundle, carried into a new network.

    start = read_start("piano")                     a bundle, by name or folder
    start = read_start("runs/piano/best.pt")        a checkpoint
    plan = plan_run(settings, store, start)

The networks are of one shape; composers and sources that the new one adds begin as "any" was. Where the new one
tells positions in another way, that part begins afresh, and attention learns to read it.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..codecs.codec import Codec
from ..errors import ConfigError
from ..model.bundle import Bundle, load_bundle
from ..model.config import ModelConfig
from .checkpoint import load_trained
from .network import build_model

LOG = logging.getLogger(__name__)
Arrays = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Start:
    """A model to begin from: what it is, its weights by their names in the network, and which it was exactly."""

    name: str
    config: ModelConfig
    codec: Codec
    weights: Mapping[str, Tensor]
    fingerprint: str
    card: Mapping[str, Any] = field(default_factory=dict)  # empty of a checkpoint


def read_start(source: str | Path) -> Start:
    """Read a bundle (name or folder) or a checkpoint (.pt); raises BundleError or ConfigError where it is neither."""
    if Path(source).suffix == ".pt":
        trained = load_trained(Path(source))
        digest = hashlib.sha256(Path(source).read_bytes()).hexdigest()[:16]
        name = Path(source).resolve().parent.name
        return Start(name, trained.config, trained.codec, trained.model.state_dict(), digest)
    bundle = load_bundle(source)
    return Start(bundle.name, bundle.model, bundle.codec, read_weights(bundle), bundle.fingerprint, bundle.card)


def carry_over(start: Start, model: nn.Module, config: ModelConfig) -> None:
    """Put the weights of `start` into `model`, a network of `config`; raises ConfigError where shapes differ."""
    for name, value in config.describe().items():
        other = start.config.describe()[name]
        if name not in ("composers", "sources", "dropout", "positions") and value != other:
            raise ConfigError(f"{start.name} has {name} = {other}, and the settings ask for {value}")
    weights = dict(start.weights)
    if start.config.positions != config.positions:
        LOG.info(
            "%s: its positions begin afresh, %s instead of %s", start.name, config.positions, start.config.positions
        )
        fresh = {name: value for name, value in model.state_dict().items() if _tells_positions(name)}
        weights = {name: value for name, value in weights.items() if not _tells_positions(name)} | fresh
    for kind, old, new in (
        ("composer", start.config.composers, config.composers),
        ("source", start.config.sources, config.sources),
    ):
        table = f"embedding.{kind}.weight"
        rows = [0, *(old.index(name) + 1 if name in old else 0 for name in new)]
        weights[table] = weights[table][rows]
    model.load_state_dict(weights)


def _tells_positions(name: str) -> bool:
    return name == "position.weight" or name.endswith(".relative")


def read_trained_bundle(bundle: Bundle) -> nn.Module:
    """The network of a bundle in torch, in evaluation mode."""
    model = build_model(bundle.model)
    model.load_state_dict(read_weights(bundle))
    return model.eval()


def read_weights(bundle: Bundle) -> dict[str, Tensor]:
    """Undo `graph.build_graphs`: a network's weights out of its bundle's graphs, those of 8 bits as rounded."""
    graph = onnx.load(str(bundle.path / "feed.onnx"))
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.graph.initializer}
    return {name: torch.from_numpy(value.copy()) for name, value in _weights(bundle, tensors).items()}


def _weights(bundle: Bundle, tensors: Arrays) -> dict[str, NDArray[np.float32]]:
    config, sizes = bundle.model, bundle.model.field_sizes
    found: dict[str, NDArray[np.float32]] = {}
    names = [f"embedding.tables.{field}.weight" for field in range(len(sizes))]
    lengths = [*(size + 1 for size in sizes), len(config.composers) + 1, len(config.sources) + 1]
    names += ["embedding.composer.weight", "embedding.source.weight"]
    found |= dict(zip(names, np.split(tensors["embeddings"], np.cumsum(lengths)[:-1]), strict=True))
    for name, value in tensors.items():
        if re.fullmatch(r"(blocks\.\d+\.norm_[12]|norm|heads\.chain\.\d+\.\d+|position)\.weight", name):
            found[name] = value
        elif name.endswith(".relative"):
            by_head = value.reshape(-1, *value.shape[-2:])  # a table that the heads share stands alone
            found[name] = (by_head * np.float32(config.head_width**0.5)).transpose(0, 2, 1)
    linear = {re.sub(r"\.(packed|scales|bias)$", "", name) for name in tensors if _is_linear(name)}
    for name in linear:
        matrix, bias = _matrix(tensors, name), tensors.get(f"{name}.bias")
        found |= _split(config, name, matrix, bias)
    return found


def _is_linear(name: str) -> bool:
    return bool(re.match(r"(blocks\.\d+\.(attention\.(qkv|out)|up|down)|heads\.(mix|out\.\d+)|lstm\.\d+)(\.|$)", name))


def _matrix(tensors: Arrays, name: str) -> NDArray[np.float32]:
    """A layer's matrix [N, K]."""
    if name in tensors:
        return tensors[name].T
    packed, scales = tensors[f"{name}.packed"], tensors[f"{name}.scales"]
    blocks = packed.reshape(*scales.reshape(len(packed), -1).shape, -1).astype(np.float32) - 128
    return (blocks * scales.reshape(len(packed), -1)[..., None]).reshape(len(packed), -1)


def _split(
    config: ModelConfig, name: str, matrix: NDArray[np.float32], bias: NDArray[np.float32] | None
) -> dict[str, NDArray[np.float32]]:
    """The parameters that a layer of the graph was joined from."""
    if name == "heads.mix":
        count = len(config.field_sizes) - 1
        assert bias is not None, "its layers have biases"
        weights = {f"heads.mix.{i}.weight": part for i, part in enumerate(np.split(matrix, count))}
        return weights | {f"heads.mix.{i}.bias": part for i, part in enumerate(np.split(bias, count))}
    if name.startswith("lstm."):
        layer = name.removeprefix("lstm.")
        assert bias is not None, "its gates have biases"
        enter, past = np.split(matrix, 2, axis=1)
        halves = {f"lstm.weight_ih_l{layer}": enter, f"lstm.weight_hh_l{layer}": past}
        return halves | {f"lstm.bias_ih_l{layer}": bias, f"lstm.bias_hh_l{layer}": np.zeros_like(bias)}
    return {f"{name}.weight": matrix} | ({f"{name}.bias": bias} if bias is not None else {})
