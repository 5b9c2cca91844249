"""The shape of a model without its weights: the description that training, export and engines share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..errors import ConfigError

KINDS = ("lstm", "transformer")
POSITIONS = ("relative", "relative_per_head", "rotary", "absolute")
ROTARY_BASE = 10_000.0  # as Su et al. 2021 (RoFormer, arXiv 2104.09864) have it
ANY = "any"  # id 0 of composers and sources: none in particular


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a network over tokens [B, T, F].

    `context` is the window W in tokens, an even number; when it is full its older half leaves. `kv_heads` divides
    `heads`, `heads` divides `width`. An LSTM uses kind, field_sizes, layers, width, dropout and the conditions only.
    `composers` and `sources` name the values of the two condition embeddings; id 0 is "any", id k + 1 is item k.
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
    composers: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"model kind {self.kind!r} is unknown; choose one of {', '.join(KINDS)}")
        if self.positions not in POSITIONS:
            raise ConfigError(f"positions {self.positions!r} are unknown; choose one of {', '.join(POSITIONS)}")
        for name in ("width", "layers", "context", "heads", "kv_heads"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be 1 or more, not {getattr(self, name)}")
        # An LSTM ignores these, so a description of one may hold any.
        if self.kind == "transformer" and (self.width % self.heads or self.heads % self.kv_heads or self.context % 2):
            raise ConfigError(
                f"heads ({self.heads}) must divide width ({self.width}), kv_heads ({self.kv_heads}) must divide "
                f"heads, and context ({self.context}) must be even"
            )

    @property
    def head_width(self) -> int:
        return self.width // self.heads

    def condition_ids(self, composer: str, source: str) -> tuple[int, int]:
        """Return the ids of a composer and a source; names that the model does not know count as "any" (0)."""
        ids = [
            names.index(name) + 1 if name in names else 0
            for name, names in ((composer, self.composers), (source, self.sources))
        ]
        return ids[0], ids[1]

    def describe(self) -> dict[str, Any]:
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> ModelConfig:
        """Build from `describe`'s values; raises ConfigError for unknown or missing ones."""
        unknown = set(description) - {field.name for field in fields(cls)}
        if unknown:
            raise ConfigError(f"a model has no setting {sorted(unknown)[0]!r}")
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in description.items()
        }
        try:
            return cls(**values)
        except TypeError as error:
            raise ConfigError(f"a model's description is incomplete: {error}") from error
