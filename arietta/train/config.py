"""Settings: a frozen dataclass, overridden by a TOML file, overridden by flags.

Nested dataclasses are the TOML file's tables; a flag names a setting by its dotted path.

    load_config(RunSettings, "configs/tiny.toml", {"train.steps": 100})

Unknown settings, wrong types and impossible values raise ConfigError, which names the file and the nearest setting.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from ..errors import ConfigError
from ..names import nearest_names

C = TypeVar("C")


def load_config(kind: type[C], path: str | Path | None, overrides: Mapping[str, Any] | None = None) -> C:
    """Build `kind` from its defaults, the TOML file at `path` and `overrides` (dotted name -> value)."""
    table = {} if path is None else _read(Path(path))
    for name, value in (overrides or {}).items():
        _place(table, name, value)
    built: C = _build(kind, table, prefix="", source="settings" if path is None else str(path))
    return built


def describe_config(config: Any) -> dict[str, Any]:
    """Return a config as nested JSON values."""
    return {name: _plain(value) for name, value in asdict(config).items()}


def parse_override(text: str) -> tuple[str, Any]:
    """Read "train.steps=100" as ("train.steps", 100): the value is TOML, or a bare string; raises ConfigError."""
    name, equals, value = text.partition("=")
    if not (name.strip() and equals and value.strip()):
        raise ConfigError(f"{text!r} is not a setting; write NAME=VALUE, as in train.steps=100")
    try:
        return name.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name.strip(), value.strip()


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a TOML file ({error})") from error


def _place(table: dict[str, Any], name: str, value: Any) -> None:
    *path, last = name.split(".")
    for part in path:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise ConfigError(f"{name} is not a setting: {part} has a value of its own")
    table[last] = value


def _build(kind: type[Any], table: Mapping[str, Any], *, prefix: str, source: str) -> Any:
    hints = get_type_hints(kind)
    for key in table:
        if key not in hints:
            nearest = nearest_names(key, list(hints))
            raise ConfigError(f"{source}: {prefix}{key} is not a setting; the nearest are {nearest}")
    for field in fields(kind):
        is_optional = field.default is not MISSING or field.default_factory is not MISSING
        if field.name not in table and not is_optional:
            raise ConfigError(f"{source}: {prefix}{field.name} is missing")
    values = {key: _checked(value, hints[key], prefix + key, source) for key, value in table.items()}
    try:
        return kind(**values)
    except ConfigError as error:
        if str(error).startswith(f"{source}: "):
            raise
        raise ConfigError(f"{source}: {error}") from error


def _checked(value: Any, kind: Any, name: str, source: str) -> Any:
    """Return `value` as `kind`: a nested dataclass, bool, int, float, str or a tuple of such."""
    if is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{source}: {name} must be a table of settings, not {value!r}")
        return _build(kind, value, prefix=f"{name}.", source=source)
    if get_origin(kind) is tuple:
        return _checked_tuple(value, get_args(kind), name, source)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise ConfigError(f"{source}: {name} must be {_KINDS[kind]}, not {value!r}")
    return value


def _checked_tuple(value: Any, kinds: tuple[Any, ...], name: str, source: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{source}: {name} must be a list, not {value!r}")
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    if len(value) != len(kinds):
        raise ConfigError(f"{source}: {name} must have {len(kinds)} values, not {len(value)}")
    return tuple(_checked(item, kind, name, source) for item, kind in zip(value, kinds, strict=True))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
