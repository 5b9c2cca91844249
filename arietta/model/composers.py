"""Which composers are offered: those who are dead, by a list with a source for each year of death.

A composer of whom the list says nothing counts as living. A style may be asked for by name all the same; only lists and
menus leave it out unless all are asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path


@cache
def death_years() -> dict[str, int]:
    """Return the year of death of each composer on the list, by full name."""
    text = (Path(__file__).with_name("shipped") / "composers.json").read_text(encoding="utf-8")
    return {name: int(year) for name, (year, _) in json.loads(text)["died"].items()}


def may_be_living(name: str) -> bool:
    """Whether a composer, or one of those of an arrangement ("Bach / Busoni"), is not known to be dead."""
    return any(person not in death_years() for person in name.split(" / "))


def offered_composers(names: Iterable[str]) -> list[str]:
    """Return those of `names` that may be offered to everybody, in their order.

    Where that is nobody, all are: a model of one's own knows composers whom no list knows.
    """
    everybody = list(names)
    return [name for name in everybody if not may_be_living(name)] or everybody
