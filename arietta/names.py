"""Names as people type them: without case and accents, and the nearest ones to a misspelling."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Sequence


def fold_name(name: str) -> str:
    """Lower case, without accents, single spaces."""
    plain = unicodedata.normalize("NFKD", name)
    return " ".join("".join(c for c in plain if not unicodedata.combining(c)).casefold().split())


def same_name(first: str, second: str) -> bool:
    return fold_name(first) == fold_name(second)


def nearest(name: str, names: Sequence[str], count: int = 3) -> str:
    """The names most like `name`, by whole name or last word, as a phrase; all where there are few."""
    by_key: dict[str, list[str]] = {}  # a surname may have several bearers
    for full in names:
        for key in (fold_name(full), fold_name(full.split()[-1])):
            by_key.setdefault(key, []).append(full)
    keys = difflib.get_close_matches(fold_name(name), by_key, n=2 * count, cutoff=0.3)
    found = list(dict.fromkeys(full for key in keys for full in by_key[key]))[:count]
    return ", ".join(found or list(names)[:count])
