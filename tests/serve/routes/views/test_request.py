"""A request is shown as it is asked for again, and its length is what was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from arietta.serve.routes.views.request import RequestView, asked_length


@pytest.mark.parametrize(
    ("asked", "length"),
    [
        ({"notes": 300}, 300),
        ({"seconds": 9.5}, 9.5),
        ({"passage": {"from": 2, "to": 9}}, 7),
        ({"score": {"from": 0, "to": 30}}, 30),
        ({"bars": 16, "bpm": 90, "metre": "3/4"}, 32),
        ({"notes": 60, "bpm": 90, "metre": "6/8"}, 60),
        ({}, 0),
    ],
)
def test_a_length_is_in_notes_or_seconds(asked: dict[str, Any], length: float) -> None:
    assert asked_length(asked) == pytest.approx(length)


def test_what_was_not_asked_for_is_not_shown() -> None:
    shown = RequestView(notes=60, bpm=90, metre="3/4", seed=7).model_dump()
    assert shown == {"notes": 60, "bpm": 90, "metre": "3/4", "seed": 7}
