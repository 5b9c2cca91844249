"""What a training run can be told, in a TOML file's tables [model], [data] and [train] (see `config`).

Nothing here imports torch, so settings can be read and checked where it is absent.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..codecs import CODECS
from ..errors import ConfigError
from ..model.config import KINDS, POSITIONS

PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class ModelSettings:
    """The network's shape, as in `ModelConfig`; an LSTM uses kind, width, layers and dropout only."""

    kind: str = "transformer"
    width: int = 256
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    context: int = 1024
    dropout: float = 0.1
    positions: str = "rotary"

    def __post_init__(self) -> None:
        _choose("model.kind", self.kind, KINDS)
        _choose("model.positions", self.positions, POSITIONS)
        for name in ("width", "layers", "heads", "kv_heads", "context"):
            _at_least(f"model.{name}", getattr(self, name), 1)
        _share("model.dropout", self.dropout)


@dataclass(frozen=True)
class DataSettings:
    """What a crop is: `length` rows, moved by `transpose` semitones and made `stretch` times as long.

    `any_share` is how often each condition is replaced by "any". Composers with fewer than `min_composer_pieces`
    pieces in the training split, or beyond the `max_composers` best represented (0: no bound), are "any" always.
    `corpora` names the parts of the store to learn from (empty: all), `shares` how many crops come from each
    (empty: in proportion to notes); `only_composers` leaves out the pieces of all others. Of each corpus's crops at
    least `known_share` are from pieces whose composer the model knows by name, and `short_share` of the batches hold
    eight times as many crops, an eighth as long: what a composer's name tells, it tells where there is little music
    before to tell it.
    """

    codec: str = "note"
    length: int = 1024
    transpose: tuple[int, int] = (-3, 3)
    stretch: tuple[float, float] = (0.95, 1.05)
    any_share: float = 0.1
    min_composer_pieces: int = 5
    max_composers: int = 0
    corpora: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    only_composers: tuple[str, ...] = ()
    known_share: float = 0.0
    short_share: float = 0.0

    def __post_init__(self) -> None:
        _choose("data.codec", self.codec, tuple(CODECS))
        _at_least("data.length", self.length, 8)
        _at_least("data.min_composer_pieces", self.min_composer_pieces, 1)
        _at_least("data.max_composers", self.max_composers, 0)
        for name in ("any_share", "known_share", "short_share"):
            _share(f"data.{name}", getattr(self, name))
        if self.shares and (len(self.shares) != len(self.corpora) or not all(share > 0 for share in self.shares)):
            raise ConfigError(
                f"data.shares must be a number above 0 for each of data.corpora, "
                f"not {list(self.shares)} for {list(self.corpora)}"
            )
        if not self.transpose[0] <= 0 <= self.transpose[1]:
            raise ConfigError(f"data.transpose must be a range around 0, as in [-3, 3], not {list(self.transpose)}")
        if not 0.5 <= self.stretch[0] <= 1 <= self.stretch[1] <= 2:
            raise ConfigError(
                f"data.stretch must be a range around 1 within 0.5-2, as in [0.95, 1.05], not {list(self.stretch)}"
            )


@dataclass(frozen=True)
class TrainSettings:
    """How it learns: `steps` updates, each from `accumulate` batches of `batch` crops.

    `rate` is reached after `warm_up` steps and falls to a tenth of itself along a cosine. `average` > 0 keeps a
    running mean of the weights that forgets by that factor a step; it is what is validated and kept as the best.
    `validation_windows` windows of the validation split are scored every `validate_every` steps (0: none), and
    training stops when `patience` scores in a row were no better (0: never).
    """

    steps: int = 2000
    batch: int = 4
    accumulate: int = 1
    rate: float = 1e-3
    warm_up: int = 100
    weight_decay: float = 0.1
    average: float = 0.0
    precision: str = "auto"
    compile: bool = True
    validate_every: int = 250
    validation_windows: int = 64
    patience: int = 0
    log_every: int = 10
    checkpoint_minutes: float = 3.0
    seed: int = 1

    def __post_init__(self) -> None:
        _choose("train.precision", self.precision, PRECISIONS)
        for name in ("steps", "batch", "accumulate", "validate_every", "log_every"):
            _at_least(f"train.{name}", getattr(self, name), 1)
        for name in ("warm_up", "weight_decay", "validation_windows", "patience", "checkpoint_minutes", "seed"):
            _at_least(f"train.{name}", getattr(self, name), 0)
        _share("train.average", self.average)
        if not 0 < self.rate < 1:
            raise ConfigError(f"train.rate must lie between 0 and 1, not {self.rate}")


@dataclass(frozen=True)
class RunSettings:
    """A whole training run."""

    model: ModelSettings = field(default_factory=ModelSettings)
    data: DataSettings = field(default_factory=DataSettings)
    train: TrainSettings = field(default_factory=TrainSettings)


def _choose(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}, not {value!r}")


def _at_least(name: str, value: float, least: int) -> None:
    if not value >= least:
        raise ConfigError(f"{name} must be at least {least}, not {value}")


def _share(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ConfigError(f"{name} must be at least 0 and below 1, not {value}")
