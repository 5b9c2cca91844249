"""Moments are read as people write them, and refused with a sentence where they are none."""

from __future__ import annotations

import numpy as np
import pytest

from arietta.errors import RequestError
from arietta.music.times import read_time


@pytest.mark.parametrize(
    ("text", "seconds"), [("12", 12), ("0:12.5", 12.5), ("1:02:03", 3723), (" 90 ", 90), (".5", 0.5)]
)
def test_times_are_seconds_or_minutes(text: str, seconds: float) -> None:
    assert read_time(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "1:2:3:4", "-3", "1:"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="is no time"):
        read_time(text)


@pytest.mark.parametrize("text", ["1:75", "0:60", "1:60:00"])
def test_a_time_has_less_than_sixty_after_a_colon(text: str) -> None:
    with pytest.raises(RequestError, match="after a colon stands less than 60"):
        read_time(text)


def test_numbers_of_numpy_are_seconds_as_python_has_them() -> None:
    assert [type(read_time(number)) for number in (np.float32(1.5), np.int64(2))] == [float, int]
