"""Wishes for what is composed: its density (notes per second), loudness (mean velocity) and key, which may change.

    read_wishes(density=6, loudness="40@0:00,90@0:30", key="c minor")
    read_wishes(loudness="mf", density=[[0, 4], [12.5, 9]])

A wish is a number, a dynamics mark from pppp to ffff, or a key; or steps, each with the second of the piece from which
on it holds. Models know levels of density and loudness (`model.conditions`); guidance makes them obeyed.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from ..errors import RequestError, quote
from ..model.conditions import KEYS, MEASURED
from ..model.config import ConditionIds, ModelConfig
from ..music.meter import LATEST
from ..music.times import read_time

Steps = tuple[tuple[float, float | str], ...]  # (second, wish), the first at 0
Wishes = Mapping[str, Steps]
RANGES = {"density": (0.1, 100.0), "loudness": (1.0, 127.0)}
MOST_STEPS = 1000


def read_wishes(**asked: Any) -> dict[str, Steps]:
    """Read what is wished for by name; what is None is no wish. Raises RequestError for what is none that is known."""
    if unknown := sorted(set(asked) - set(MEASURED)):
        raise RequestError(f"there is no wish {unknown[0]!r}; there are {', '.join(MEASURED)}")
    return {name: _read_steps(name, wish) for name, wish in asked.items() if wish is not None}


def describe_wishes(wishes: Wishes) -> dict[str, Any]:
    """Return wishes as JSON values, which `read_wishes` reads: one value, or pairs of second and value."""
    return {name: steps[0][1] if len(steps) == 1 else [list(step) for step in steps] for name, steps in wishes.items()}


def step_at(seconds: Sequence[float], second: float) -> int:
    """Return the index of the step that holds at a second, of those that begin at `seconds`, the first at 0."""
    return max(bisect_right(seconds, second) - 1, 0)


class WishSchedule:
    """The condition ids of a piece with what is wished for among them, from second to second.

    They are found once, since a piece asks for them before each token. Raises RequestError where the model lacks a
    wish.
    """

    def __init__(self, wishes: Wishes, model: ModelConfig, ids: ConditionIds) -> None:
        """`ids` are those of the piece without wishes."""
        known = {condition.name: condition for condition in model.conditions}
        changes: list[tuple[float, str, int]] = []
        for name, steps in wishes.items():
            if name not in known:
                raise RequestError(f"the model knows no {name}: leave it out, or choose another model")
            values = known[name].values
            for second, wish in steps:
                if values and wish not in values:
                    raise RequestError(f"the model knows no {name} {wish!r}; it knows {', '.join(values)}")
                number = values.index(str(wish)) + 1 if values else int(known[name].ids_of(wish))
                changes.append((second, name, number))
        numbers = dict(zip(known, ids, strict=True))
        self._ids = {0.0: ids}  # by the second from which on they hold, in order
        for second, name, number in sorted(changes):
            numbers[name] = number
            self._ids[second] = tuple(numbers.values())
        self._seconds = list(self._ids)

    @property
    def is_changing(self) -> bool:
        """Whether they are not the same all through the piece."""
        return len(self._seconds) > 1

    def at(self, second: float) -> ConditionIds:
        """Return the condition ids at a second of the piece; before its beginning, those with which it begins."""
        return self._ids[self._seconds[step_at(self._seconds, second)]]


def _read_steps(name: str, wish: Any) -> Steps:
    """Read one wish, or its steps in order of time."""
    if isinstance(wish, str) and "@" in wish:
        parts = [part.rpartition("@") for part in wish.split(",")]
        pairs: Sequence[Any] = [(read_time(time), value) for value, _, time in parts]
    elif isinstance(wish, Sequence) and not isinstance(wish, str):
        pairs = wish
    else:
        pairs = [(0.0, wish)]
    if not 1 <= len(pairs) <= MOST_STEPS or not all(
        isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs
    ):
        raise RequestError(f"{name} is one value, or up to {MOST_STEPS} steps such as 40@0:00,90@0:30")
    steps = tuple((_read_second(name, second), _read_value(name, value)) for second, value in pairs)
    for (second, _), (following, _) in pairwise(steps):
        if following <= second:
            raise RequestError(f"the steps of {name} go back in time: {following:g} s after {second:g} s")
    return ((0.0, steps[0][1]), *steps[1:])  # what is wished for first holds from the beginning


def _read_second(name: str, second: Any) -> float:
    if isinstance(second, bool) or not isinstance(second, int | float) or not 0 <= second <= LATEST:
        raise RequestError(f"a step of {name} has a second of the piece, 0 to {LATEST}, not {quote(second)}")
    return float(second)


def _read_value(name: str, value: Any) -> float | str:
    text = str(value).strip()
    if name == "key":
        return _read_key(text)
    from ..music.notation.measures import LOUDNESS  # late: it loads all that reads scores

    low, high = RANGES[name]
    try:
        number = float(LOUDNESS[text] if name == "loudness" and text in LOUDNESS else text)
    except ValueError:
        number = math.nan
    if isinstance(value, bool) or not low <= number <= high:
        marks = ", or a mark from pppp to ffff" if name == "loudness" else ""
        raise RequestError(f"{name} lies in {low:g}-{high:g}{marks}, not {text[:40]!r}")
    return number


def _read_key(text: str) -> str:
    """Return a key by the name that models know it by: of C sharp, D flat; of Db, D flat."""
    match = re.fullmatch(r"([a-g])[ -]?(b|♭|flat|#|♯|sharp)?[ -]?(major|minor|maj|min|m)?", text.lower())
    if match is None:
        raise RequestError(f"{text[:40]!r} is no key; keys have English names: C minor, E flat major, B flat, F# minor")
    letter, sign, mode = match.groups()
    if mode is None and text[0].islower():
        raise RequestError(f"{text[:40]!r} may mean {text.upper()[0]}{text[1:]} major or minor: say which")
    step = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}[letter]
    tonic = (step + {None: 0, "b": -1, "♭": -1, "flat": -1}.get(sign, 1)) % 12
    is_minor = mode in ("minor", "min", "m")
    return KEYS[tonic + 12 * is_minor]
