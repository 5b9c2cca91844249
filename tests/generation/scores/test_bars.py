"""Lengths in bars end on a bar line, and are refused where there is no metre."""

from __future__ import annotations

import pytest

from arietta.errors import RequestError
from arietta.generation.scores.bars import seconds_of_bars
from arietta.music.meter import Meter, Tempo, TimeSignature
from arietta.music.notes import Notes

# A pickup of a beat, bars of 1.5 s from 0.5 s on, and of 3 s from 6.5 s on.
METER = Meter((TimeSignature(0.0, 1, 4), TimeSignature(0.5, 3, 4)), (Tempo(0.0, 0.5), Tempo(6.5, 1.0)))


def test_music_goes_on_to_a_bar_line() -> None:
    prompt = Notes.of([0.0, 1.0], [0.5, 0.9], [60, 62], [64, 64])
    assert seconds_of_bars(1, prompt, METER) == pytest.approx(3.5 - 1.0)
    assert seconds_of_bars(4, prompt, METER) == pytest.approx(9.5 - 1.0)
    assert seconds_of_bars(2, prompt, METER, at=2.0) == pytest.approx(5.0 - 1.0)
    # A note on a bar line has its bar before those that are asked for.
    assert seconds_of_bars(1, Notes.of([2.0], [1.0], [60], [64]), METER) == pytest.approx(5.0 - 2.0)


def test_without_bars_there_is_no_length_in_bars() -> None:
    prompt = Notes.of([0.0], [0.5], [60], [64])
    with pytest.raises(RequestError, match="bars need music that has a metre"):
        seconds_of_bars(4, prompt, None)
    for count in (0, 2001):
        with pytest.raises(RequestError, match=f"1-2000, not {count}"):
            seconds_of_bars(count, prompt, METER)
    with pytest.raises(RequestError, match="whole number"):
        seconds_of_bars(1.5, prompt, METER)  # type: ignore[arg-type]
