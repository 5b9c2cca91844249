"""Wishes are read as musicians write them, change with time, and are refused with a sentence where they are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from arietta.errors import RequestError
from arietta.generation.loop import generate
from arietta.generation.request import Request
from arietta.generation.wishes import WishSchedule, describe_wishes, read_wishes
from arietta.model.engine import OnnxEngine


@pytest.mark.parametrize(
    ("name", "wish", "steps"),
    [
        ("density", 6, ((0, 6),)),
        ("density", "6.5", ((0, 6.5),)),
        ("loudness", "mf", ((0, 72),)),
        ("loudness", "40@0:00,90@0:30", ((0, 40), (30, 90))),
        ("loudness", "pp@0:10,ff@1:00", ((0, 34), (60, 100))),
        ("density", [[2, 4], [12.5, 9]], ((0, 4), (12.5, 9))),
        ("key", "c minor", ((0, "C minor"),)),
        ("key", "Db", ((0, "D flat major"),)),
        ("key", "C# minor@0:00,A@0:20", ((0, "D flat minor"), (20, "A major"))),
        ("key", "bb min", ((0, "B flat minor"),)),
    ],
)
def test_a_wish_is_a_value_or_steps_in_time(name: str, wish: Any, steps: Any) -> None:
    wishes = read_wishes(**{name: wish})
    assert wishes == {name: steps}
    assert read_wishes(**describe_wishes(wishes)) == wishes


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"loudness": "40@0:30,90@0:10"}, "go back in time: 10 s after 30 s"),
        ({"density": [[5, 4], [5, 6]]}, "go back in time"),
        ({"density": 0}, "density lies in 0.1-100, not '0'"),
        ({"density": True}, "density lies in"),
        ({"density": float("nan")}, "density lies in"),
        ({"loudness": "loud"}, "or a mark from pppp to ffff, not 'loud'"),
        ({"key": "c#"}, "'c#' may mean C# major or minor: say which"),
        ({"loudness": "40@never"}, "is no time"),
        ({"density": [[-1, 4]]}, "0 to 86400, not -1"),
        ({"density": [["a", 4]]}, "0 to 86400, not 'a'"),
        ({"density": [[0, 3], [10**400, 4]]}, "0 to 86400, not a int"),
        ({"density": [4]}, "one value, or up to"),
        ({"density": []}, "one value, or up to 1000 steps"),
        ({"density": [[float(second), 4] for second in range(1001)]}, "up to 1000 steps"),
        ({"key": "H minor"}, "'H minor' is no key"),
        ({"tempo": 90}, "there is no wish 'tempo'"),
    ],
)
def test_what_is_no_wish_is_refused_with_a_sentence(asked: dict[str, Any], reason: str) -> None:
    with pytest.raises(RequestError, match=reason):
        read_wishes(**asked)


def test_the_level_of_the_moment_is_among_the_condition_ids(filling_engine: OnnxEngine) -> None:
    model = filling_engine.bundle.model  # density: below 2, below 8, and above
    none = model.condition_ids()
    at = {name: number for number, name in enumerate(condition.name for condition in model.conditions)}
    wishes = read_wishes(density="1@0:00,9@0:30", key="A minor")
    for second, level in ((0.0, 1), (29.9, 1), (30.0, 3), (99.0, 3)):
        ids = WishSchedule(wishes, model, none).at(second)
        assert (ids[at["density"]], ids[at["key"]]) == (level, 2)
    assert WishSchedule({}, model, none).at(3.0) == none
    with pytest.raises(RequestError, match="knows no loudness"):
        WishSchedule(read_wishes(loudness=50), model, none)
    with pytest.raises(RequestError, match="knows no key 'G major'; it knows C major, A minor"):
        WishSchedule(read_wishes(key="a minor@0,g major@0:50"), model, none)


def test_a_piece_is_as_asked_until_its_wish_changes(filling_engine: OnnxEngine) -> None:
    def composed(**asked: Any) -> Any:
        return generate(Request(notes=40, seed=5, wishes=read_wishes(**asked)), filling_engine).notes

    begin, changed = composed(density=1), composed(density="1@0:00,9@0:03")
    before = begin.onset < 3.0
    assert before.sum() > 3 and np.array_equal(changed.onset[: before.sum()], begin.onset[before])
    assert changed != begin
    request = Request(notes=40, seed=5, wishes=read_wishes(density="1@0:00,9@0:03"))
    assert Request.from_description(request.describe()) == request
