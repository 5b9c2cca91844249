"""Settings of a training run: frozen dataclasses, overridden by a TOML file, overridden by flags.

Nested dataclasses are the TOML file's tables [model], [data] and [train]; a flag names a setting by its dotted path.

    load_config(RunSettings, "configs/tiny.toml", {"train.steps": 100})

Unknown settings, wrong types and impossible values raise ConfigError, which names the file and the nearest setting.
Nothing here imports torch, so settings can be read and checked where it is absent.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from ..codecs import CODECS
from ..errors import ConfigError, explain
from ..model.config import KINDS, POSITIONS
from ..names import nearest_names

PRECISIONS = ("auto", "float32", "bfloat16")
OPTIMISERS = ("muon", "adamw")
MOST = 2**32 - 1  # of any number: the largest seed
C = TypeVar("C")


@dataclass(frozen=True)
class ModelSettings:
    """The network's shape, as in `ModelConfig`; an LSTM uses kind, width, layers and dropout only.

    `network` names one of one's own, instead of that of `kind` (docs/use/extending.md).
    """

    kind: str = "transformer"
    width: int = 256
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    context: int = 1024
    dropout: float = 0.1
    positions: str = "rotary"
    network: str = ""

    def __post_init__(self) -> None:
        _check_choice("model.kind", self.kind, KINDS)
        _check_choice("model.positions", self.positions, POSITIONS)
        for name in ("width", "layers", "heads", "kv_heads", "context"):
            _check_at_least(f"model.{name}", getattr(self, name), 1)
        _check_share("model.dropout", self.dropout)


@dataclass(frozen=True)
class DataSettings:
    """What a crop is: `length` tokens, moved by `transpose` semitones and made `stretch` times as long.

    `any_share` is how often each condition is replaced by "any". Composers with fewer than `min_composer_pieces`
    pieces in the training split, or beyond the `max_composers` best represented (0: no bound), are always "any".
    `corpora` names the parts of the store to learn from (empty: all), `shares` how many crops come from each
    (empty: in proportion to notes); `only_composers` leaves out the pieces of all others. Of each corpus's crops at
    least `known_share` are from pieces whose composer the model knows by name, and `short_share` of the batches hold
    eight times as many crops, an eighth as long: a composer's name tells most where little music precedes it.

    `fill`, `keep`, `accompany` and `touch` are the shares of crops with given music, laid out as `data.layouts` says;
    the rest is plain. With `measured` density, loudness and key are conditions too; thresholds between the levels of
    the first two are made from the corpus where they are empty. Silences without a key down are cut to
    `longest_silence` seconds (0: left as they are).
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
    fill: float = 0.0
    keep: float = 0.0
    accompany: float = 0.0
    touch: float = 0.0
    measured: bool = False
    density_thresholds: tuple[float, ...] = ()
    loudness_thresholds: tuple[float, ...] = ()
    longest_silence: float = 0.0

    def __post_init__(self) -> None:
        _check_choice("data.codec", self.codec, tuple(CODECS))
        _check_at_least("data.length", self.length, 8)
        _check_at_least("data.min_composer_pieces", self.min_composer_pieces, 1)
        _check_at_least("data.max_composers", self.max_composers, 0)
        for name in ("any_share", "known_share", "short_share"):
            _check_share(f"data.{name}", getattr(self, name))
        _check_at_least("data.longest_silence", self.longest_silence, 0)
        for way, share in self.layout_shares.items():
            _check_at_least(f"data.{way}", share, 0)
        if (total := sum(self.layout_shares.values())) > 1:
            raise ConfigError(f"data.fill, keep, accompany and touch are shares of all crops, and add up to {total:g}")
        for name in ("density_thresholds", "loudness_thresholds"):
            if list(getattr(self, name)) != sorted(getattr(self, name)):
                raise ConfigError(f"data.{name} must rise, as in [5, 8, 12], not {list(getattr(self, name))}")
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

    @property
    def layout_shares(self) -> dict[str, float]:
        """How many of the crops are laid out in each way."""
        return {"fill": self.fill, "keep": self.keep, "accompany": self.accompany, "touch": self.touch}


@dataclass(frozen=True)
class TrainSettings:
    """How the network learns: `steps` updates, each from `accumulate` batches of `batch` crops.

    Where `minutes` is above 0 the clock ends the run, whatever `steps` says. `rate` is the highest of `optimiser`
    ("muon" or "adamw"); it is reached after `warm_up` steps, held until `hold` of the run is done, and falls evenly
    to 3 %. `begin` says how much of that course already lies behind, for a run that branches off: at each of
    `snapshots` (shares of the course) all that another run needs to go on is saved as snapshot-<percent>.pt.

    `weight_decay` pulls matrices towards 0. `average` > 0 keeps a running mean of the weights that forgets by that
    factor per step; the mean is what is validated and saved as best. `validation_windows` windows (0: none) of the
    validation split are scored every `validate_every` steps, and training stops when `patience` scores in a row were
    no better (0: never).
    """

    steps: int = 2000
    minutes: float = 0.0
    batch: int = 4
    accumulate: int = 1
    optimiser: str = "muon"
    rate: float = 0.015
    warm_up: int = 40
    hold: float = 0.35
    begin: float = 0.0
    snapshots: tuple[float, ...] = ()
    weight_decay: float = 0.3
    average: float = 0.0
    precision: str = "auto"
    compile: bool = True  # of effect on a GPU only
    workers: int = -1  # processes that draw crops; -1: none beside a CPU, most of the processors beside a GPU
    validate_every: int = 250
    validation_windows: int = 64
    patience: int = 0
    log_every: int = 10
    checkpoint_minutes: float = 3.0
    seed: int = 1

    def __post_init__(self) -> None:
        _check_choice("train.precision", self.precision, PRECISIONS)
        _check_choice("train.optimiser", self.optimiser, OPTIMISERS)
        for name in ("steps", "batch", "accumulate", "validate_every", "log_every"):
            _check_at_least(f"train.{name}", getattr(self, name), 1)
        for name in ("minutes", "warm_up", "weight_decay", "validation_windows", "patience", "checkpoint_minutes"):
            _check_at_least(f"train.{name}", getattr(self, name), 0)
        _check_at_least("train.seed", self.seed, 0)
        _check_at_least("train.workers", self.workers, -1)
        for name in ("average", "hold", "begin"):
            _check_share(f"train.{name}", getattr(self, name))
        for share in self.snapshots:
            _check_share("train.snapshots", share)
        if not 0 < self.rate < 1:
            raise ConfigError(f"train.rate must lie between 0 and 1, not {self.rate}")


@dataclass(frozen=True)
class RunSettings:
    """All settings of a training run."""

    model: ModelSettings = field(default_factory=ModelSettings)
    data: DataSettings = field(default_factory=DataSettings)
    train: TrainSettings = field(default_factory=TrainSettings)


def load_config(kind: type[C], path: str | Path | None, overrides: Mapping[str, Any] | None = None) -> C:
    """Build `kind` from its defaults, the TOML file at `path` and `overrides` (dotted name -> value)."""
    table = {} if path is None else read_toml(Path(path))
    for name, value in (overrides or {}).items():
        _set_nested(table, name, value)
    config: C = _build(kind, table, prefix="", source="settings" if path is None else str(path))
    return config


def describe_config(config: Any) -> dict[str, Any]:
    """Return a config as nested JSON values."""
    return {name: _jsonable(value) for name, value in asdict(config).items()}


def parse_override(text: str) -> tuple[str, Any]:
    """Read "train.steps=100" as ("train.steps", 100): the value is TOML, or a bare string; raises ConfigError."""
    name, equals, value = text.partition("=")
    if not (name.strip() and equals and value.strip()):
        raise ConfigError(f"{text!r} is not a setting; write NAME=VALUE, as in train.steps=100")
    try:
        return name.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name.strip(), value.strip()  # a shell eats the quotes that TOML wants around a text


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; raises ConfigError, which names the file, where that fails."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read {explain(error)}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a TOML file ({error}); configs/tiny.toml is one") from error


def _set_nested(table: dict[str, Any], name: str, value: Any) -> None:
    """Set the value at a dotted name, making the tables on the way."""
    *parents, last = name.split(".")
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise ConfigError(f"{name} is not a setting: {parent} has a value of its own")
    table[last] = value


def _build(kind: type[Any], table: Mapping[str, Any], *, prefix: str, source: str) -> Any:
    """Make the dataclass `kind` of a table; `prefix` and `source` are what messages call the table and the file."""
    hints = get_type_hints(kind)
    for key in table:
        if key not in hints:
            nearest = ", ".join(_settings_called(key, kind)) or nearest_names(key, list(hints))
            raise ConfigError(f"{source}: {prefix}{key} is not a setting; the nearest are {nearest}")
    for setting in fields(kind):
        is_optional = setting.default is not MISSING or setting.default_factory is not MISSING
        if setting.name not in table and not is_optional:
            raise ConfigError(f"{source}: {prefix}{setting.name} is missing: give it a value")
    values = {key: _convert(value, hints[key], prefix + key, source) for key, value in table.items()}
    try:
        return kind(**values)
    except ConfigError as error:
        # What a nested dataclass refuses passes here once per level, and is to name the file once.
        if str(error).startswith(f"{source}: "):
            raise
        raise ConfigError(f"{source}: {error}") from error


def _settings_called(name: str, kind: type[Any]) -> list[str]:
    """Return the settings in the tables of `kind` that have a name without its table: "model.width" for "width"."""
    tables = {table: hint for table, hint in get_type_hints(kind).items() if is_dataclass(hint)}
    return [f"{table}.{name}" for table, hint in tables.items() if name in get_type_hints(hint)]


def _convert(value: Any, kind: Any, name: str, source: str) -> Any:
    """Return `value` as `kind`: a nested dataclass, bool, int, float, str or a tuple of such."""
    if is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{source}: {name} must be a table of settings, not {value!r}")
        return _build(kind, value, prefix=f"{name}.", source=source)
    if get_origin(kind) is tuple:
        return _convert_tuple(value, get_args(kind), name, source)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:  # not isinstance: a bool is an int, and is no number of steps
        raise ConfigError(f"{source}: {name} must be {_KIND_NAMES[kind]}, not {value!r}")
    return value


def _convert_tuple(values: Any, kinds: tuple[Any, ...], name: str, source: str) -> tuple[Any, ...]:
    if not isinstance(values, list | tuple):
        raise ConfigError(f"{source}: {name} must be a list, not {values!r}")
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(values)
    if len(values) != len(kinds):
        raise ConfigError(f"{source}: {name} must have {len(kinds)} values, not {len(values)}")
    return tuple(_convert(element, kind, name, source) for element, kind in zip(values, kinds, strict=True))


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _jsonable(entry) for name, entry in value.items()}
    return [_jsonable(entry) for entry in value] if isinstance(value, list | tuple) else value


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}, not {value!r}")


def _check_at_least(name: str, value: float, least: float) -> None:
    if not value >= least:  # so that nan fails too
        raise ConfigError(f"{name} must be at least {least}, not {value}")
    if value > MOST:
        raise ConfigError(f"{name} must be at most {MOST}, not {value}")


def _check_share(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ConfigError(f"{name} must be at least 0 and below 1, not {value}")


_KIND_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
