"""Beginning from an existing model: its weights out of a checkpoint or a bundle, carried into a new network.

    pretrained = read_pretrained("piano")                     a bundle, by name or folder
    pretrained = read_pretrained("runs/piano/best.pt")        a checkpoint; a snapshot has the optimiser's state too
    plan = plan_run(settings, store, pretrained)

The networks are of one shape; composers and sources that the new one adds begin as "any" was, conditions that it adds
have no effect at first, and values that its codec adds begin as what never comes. Where the new one encodes positions
in another way, that part begins afresh, and attention learns to read it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..codecs.codec import Codec
from ..errors import ConfigError
from ..model.bundle import load_bundle
from ..model.config import ModelConfig
from .checkpoint import load_trained, read_checkpoint
from .onnx.weights import read_weights

LOG = logging.getLogger(__name__)
FREE = ("conditions", "dropout", "positions")  # in which a network and the one it begins from may differ
BY_VALUE = ("embedding.tables.", "heads.chain.", "heads.out.")  # weights with a row for each value of a field
NEVER = -10.0  # the bias of a value that never comes: e^-10 of a likely one


@dataclass(frozen=True)
class Pretrained:
    """A model to begin from: what it is, its weights by their names in the network, and which it was exactly."""

    name: str
    config: ModelConfig
    codec: Codec
    weights: Mapping[str, Tensor]
    fingerprint: str
    card: Mapping[str, Any] = field(default_factory=dict)  # empty of a checkpoint
    optimiser: Mapping[str, Any] = field(default_factory=dict)  # of last.pt and snapshots, empty of all else


def read_pretrained(source: str | Path) -> Pretrained:
    """Read a bundle (name or folder) or a checkpoint (.pt); raises BundleError or ConfigError where it is neither."""
    if Path(source).suffix == ".pt":
        trained = load_trained(Path(source))
        digest = hashlib.sha256(Path(source).read_bytes()).hexdigest()[:16]
        name = Path(source).resolve().parent.name
        optimiser = read_checkpoint(Path(source)).get("optimiser", {})
        return Pretrained(
            name, trained.config, trained.codec, trained.model.state_dict(), digest,
            optimiser=optimiser if "kind" in optimiser else {},  # an older version's cannot be gone on with
        )  # fmt: skip
    bundle = load_bundle(source)
    return Pretrained(bundle.name, bundle.model, bundle.codec, read_weights(bundle), bundle.fingerprint, bundle.card)


def carry_over(pretrained: Pretrained, model: nn.Module, config: ModelConfig) -> None:
    """Put the pretrained weights into `model`, a network of `config`; raises ConfigError where shapes differ."""
    described, wanted = ({**each.describe(), "network": each.network} for each in (pretrained.config, config))
    before, after = pretrained.config.field_sizes, config.field_sizes
    is_wider = len(before) == len(after) and all(old <= new for old, new in zip(before, after, strict=True))
    for name, value in wanted.items():
        if name not in FREE and value != described[name] and not (name == "field_sizes" and is_wider):
            raise ConfigError(f"{pretrained.name} has {name} = {described[name]}, and the settings ask for {value}")
    weights = widen(pretrained.weights, before, after)
    old_positions = pretrained.config.positions
    if old_positions != config.positions:
        LOG.info("%s: its positions begin afresh, %s instead of %s", pretrained.name, config.positions, old_positions)
        fresh = {name: weight for name, weight in model.state_dict().items() if _encodes_positions(name)}
        weights = {name: weight for name, weight in weights.items() if not _encodes_positions(name)} | fresh
    known_conditions = {condition.name: condition for condition in pretrained.config.conditions}
    for condition in config.conditions:
        table, old = f"embedding.conditions.{condition.name}.weight", known_conditions.get(condition.name)
        if old is None:
            weights[table] = torch.zeros(condition.size, config.width)
        elif condition.values != old.values:
            # Row 0 is "any"; a name that the old table lacks begins as a copy of it.
            rows = [0, *(old.values.index(name) + 1 if name in old.values else 0 for name in condition.values)]
            weights[table] = weights[table][rows]
    known = model.state_dict()
    model.load_state_dict({name: weight for name, weight in weights.items() if name in known})


def widen(weights: Mapping[str, Tensor], before: Sequence[int], after: Sequence[int]) -> dict[str, Tensor]:
    """Return the weights with rows for as many values of each field as `after` has; new ones begin as never coming."""
    widened = dict(weights)
    for name, weight in weights.items():
        if name.startswith(BY_VALUE):
            field_number = int(name.split(".")[-2])
            size, added = before[field_number], after[field_number] - before[field_number]
            rows = weight.new_full((added, *weight.shape[1:]), NEVER if name.endswith(".bias") else 0.0)
            # What an embedding has beside its values, "none" before the first token, stays last.
            widened[name] = torch.cat([weight[:size], rows, weight[size:]])
    return widened


def _encodes_positions(name: str) -> bool:
    return name == "position.weight" or name.endswith(".relative")
