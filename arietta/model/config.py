"""The shape of a model without its weights: the description that training, export and engines share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ConfigError, RequestError

KINDS = ("lstm", "transformer")
POSITIONS = ("relative", "relative_per_head", "rotary", "absolute")
# Of networks that could be run; what a stranger's description says is checked before anything is made of it.
LARGEST = {"width": 65_536, "layers": 1_024, "context": 2**20, "heads": 1_024, "kv_heads": 1_024}
ROTARY_BASE = 10_000.0  # as Su et al. 2021 (RoFormer, arXiv 2104.09864) have it
ANY = "any"  # id 0 of every condition: none in particular
NO_STYLE = "none"  # asks for the unconditional model where "any" lets a composer be drawn
WISHES = ("composer", "density", "loudness", "key")  # conditions that guidance strengthens; the others are facts
ConditionIds = tuple[int, ...]  # one id for each condition of a model, in its order


@dataclass(frozen=True)
class Condition:
    """What is embedded beside every token: ids 0 ("any") to `size` - 1.

    `values` name the ids from 1 on; `thresholds` turn a measurement into an id, as `ids_of` has it.
    """

    name: str
    size: int
    values: tuple[str, ...] = ()
    thresholds: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        is_sound = all(isinstance(value, str) for value in self.values)
        if not is_sound or not all(isinstance(threshold, int | float) for threshold in self.thresholds):
            raise ConfigError(f"condition {self.name!r} has other values than names, or thresholds that are no numbers")
        least = max(len(self.values) + 1, len(self.thresholds) + 2 if self.thresholds else 1)
        if self.size < least:
            raise ConfigError(f"condition {self.name!r} has {self.size} ids, and its values need {least}")

    def ids_of(self, measured: ArrayLike) -> NDArray[np.int64]:
        """Return the ids of measurements of any shape: 1 more than the thresholds that each has reached."""
        return np.asarray(1 + np.searchsorted(self.thresholds, measured, side="right"), dtype=np.int64)


def style_conditions(composers: Iterable[str], sources: Iterable[str]) -> tuple[Condition, Condition]:
    """Return the conditions of a model that knows these composers and sources."""
    names = {"composer": tuple(composers), "source": tuple(sources)}
    composer, source = (Condition(name, len(values) + 1, values) for name, values in names.items())
    return composer, source


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a network over tokens [B, T, F].

    `context` is the window W in tokens, an even number; when it is full its older half leaves. `kv_heads` divides
    `heads`, `heads` divides `width`. An LSTM uses kind, field_sizes, layers, width, dropout and the conditions only.
    With each token go K = len(conditions) ids, in the order of `conditions`. `network` names a network of one's own
    (`train.network.add_network`), which carries from token to token what one of its `kind` does.
    """

    kind: str
    field_sizes: tuple[int, ...]
    width: int
    layers: int
    context: int = 1024
    heads: int = 4
    kv_heads: int = 4
    dropout: float = 0.1
    positions: str = "relative"
    conditions: tuple[Condition, ...] = ()
    network: str = ""

    def __post_init__(self) -> None:
        if type(self.network) is not str:
            raise ConfigError(f"network must be a name, not {self.network!r}")
        if self.kind not in KINDS:
            raise ConfigError(f"model kind {self.kind!r} is unknown; choose one of {', '.join(KINDS)}")
        if self.positions not in POSITIONS:
            raise ConfigError(f"positions {self.positions!r} are unknown; choose one of {', '.join(POSITIONS)}")
        for name, most in LARGEST.items():
            size = getattr(self, name)
            if type(size) is not int or not 1 <= size <= most:
                raise ConfigError(f"{name} must be a whole number from 1 to {most}, not {size!r}")
        names = [condition.name for condition in self.conditions]
        if len(set(names)) < len(names):
            raise ConfigError(f"a model has no two conditions of one name: {', '.join(names)}")
        # An LSTM ignores these, so a description of one may hold any.
        if self.kind == "transformer" and (self.width % self.heads or self.heads % self.kv_heads or self.context % 2):
            raise ConfigError(
                f"heads ({self.heads}) must divide width ({self.width}), kv_heads ({self.kv_heads}) must divide "
                f"heads, and context ({self.context}) must be even"
            )

    @property
    def head_width(self) -> int:
        return self.width // self.heads

    @property
    def composers(self) -> tuple[str, ...]:
        """Composers that the model knows by name."""
        return self._values_of("composer")

    @property
    def sources(self) -> tuple[str, ...]:
        """Where notes may come from: measured, sequenced or transcribed."""
        return self._values_of("source")

    def _values_of(self, name: str) -> tuple[str, ...]:
        return next((condition.values for condition in self.conditions if condition.name == name), ())

    def condition_ids(self, **wanted: str | int) -> ConditionIds:
        """Return an id for each condition: 0 ("any") for one not `wanted`, or by a name that the model does not know.

        Raises RequestError for a number that a condition does not have, and for that of a condition the model lacks.
        """
        sizes = {condition.name: condition.size for condition in self.conditions}
        for name, value in wanted.items():
            if isinstance(value, int) and not 0 <= value < sizes.get(name, 1):
                has = f"has {name} 0 to {sizes[name] - 1}" if name in sizes else f"knows no {name}"
                raise RequestError(f"{name} {value} is not to be had: the model {has}")
        ids = []
        for condition in self.conditions:
            value = wanted.get(condition.name, 0)
            if isinstance(value, str):
                value = condition.values.index(value) + 1 if value in condition.values else 0
            ids.append(value)
        return tuple(ids)

    def unconditional(self, ids: ConditionIds) -> ConditionIds:
        """Return what guidance leads away from: the same ids without a wish; facts stay."""
        return tuple(
            0 if condition.name in WISHES else number for condition, number in zip(self.conditions, ids, strict=True)
        )

    def describe(self) -> dict[str, Any]:
        """Return the config as JSON values; `network` only where it names one."""
        description: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return description if self.network else {name: description[name] for name in description if name != "network"}

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> ModelConfig:
        """Build from `describe`'s values; raises ConfigError for unknown or missing ones."""
        values = _with_conditions(description)
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise ConfigError(f"a model has no setting {sorted(unknown)[0]!r}")
        try:
            conditions = tuple(
                Condition(item["name"], item["size"], tuple(item["values"]), tuple(item["thresholds"]))
                for item in values["conditions"]
            )
            return cls(**values | {"field_sizes": tuple(values["field_sizes"]), "conditions": conditions})
        except (TypeError, KeyError) as error:
            raise ConfigError(f"a model's description is incomplete: {error}") from error


def _with_conditions(description: Mapping[str, Any]) -> dict[str, Any]:
    """Bring a description up to date: up to bundle format 3 a model had two conditions, named by their values."""
    values = dict(description)
    if "conditions" not in values:
        old = style_conditions(values.pop("composers", ()), values.pop("sources", ()))
        values["conditions"] = [asdict(condition) for condition in old]
    return values
