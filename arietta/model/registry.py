"""The models of this version: what each is, how large, under which licence, and whom it knows, installed or not.

One file, `shipped/registry.json`, written by `python -m release.cards`. A model's fingerprint covers the SHA-256 of
each of its files. The address from which they are fetched is a setting: `$ARIETTA_MODELS_URL`, or "url" in that file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..names import close_names, match_names
from .composers import offered_composers

URL_VARIABLE = "ARIETTA_MODELS_URL"
MISSPELT = 0.75  # of difflib's ratio: two letters of a surname of eight may be others


@dataclass(frozen=True)
class KnownModel:
    """A model of this version; `bytes` are of all its files, `composers` are those whose styles it knows."""

    name: str
    fingerprint: str
    bytes: int
    licence: str
    licence_url: str
    summary: str
    composers: tuple[str, ...]


@cache
def known_models() -> Mapping[str, KnownModel]:
    """Return all models of this version by name, installed or not."""
    models: dict[str, dict[str, Any]] = _read()["models"]
    return {
        name: KnownModel(
            name,
            **{key: value for key, value in about.items() if key != "composers"},
            composers=tuple(about["composers"]),
        )
        for name, about in models.items()
    }


def models_url() -> str:
    """Return the address under which models are published, as $ARIETTA_MODELS_URL names it; "" where nobody has yet."""
    return (os.environ.get(URL_VARIABLE) or str(_read()["url"])).rstrip("/")


def models_that_know(style: str) -> list[str]:
    """Return the names of the models of this version that know the composer whom `style` names."""
    return [name for name, model in known_models().items() if match_names(style, model.composers)]


def known_elsewhere(style: str, composers: Collection[str]) -> list[str]:
    """Say of whom `style` may be a misspelling, other than `composers`, and which models know him, in a clause each."""
    models_by_name: dict[str, list[str]] = {}
    for model in known_models().values():
        for name in offered_composers(model.composers):
            if name not in composers:
                models_by_name.setdefault(name, []).append(model.name)
    near = close_names(style, list(models_by_name), cutoff=MISSPELT)
    return [f"{name} is known to {', '.join(models_by_name[name])}" for name in near]


@cache
def _read() -> dict[str, Any]:
    text = (Path(__file__).with_name("shipped") / "registry.json").read_text(encoding="utf-8")
    registry: dict[str, Any] = json.loads(text)
    return registry
