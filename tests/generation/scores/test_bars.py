"""Lengths in bars end on a bar line, and are refused where there is no metre."""

from __future__ import annotations

import pytest

from arietta.errors import RequestError
from arietta.generation.request import Request
from arietta.generation.scores.bars import choose_length, count_bars, read_moment
from arietta.music.meter import Meter, Tempo, TimeSignature
from arietta.music.notes import Notes

# A pickup of a beat, bars of 1.5 s from 0.5 s on, and of 3 s from 6.5 s on.
METER = Meter((TimeSignature(0.0, 1, 4), TimeSignature(0.5, 3, 4)), (Tempo(0.0, 0.5), Tempo(6.5, 1.0)))


def seconds_of(bars: int, prompt: Notes, *, at: float | None = None) -> float | None:
    return choose_length(bars=bars, given=(prompt, METER), at=at)[1]


def test_music_goes_on_to_a_bar_line() -> None:
    prompt = Notes.of([0.0, 1.0], [0.5, 0.9], [60, 62], [64, 64])
    assert seconds_of(1, prompt) == pytest.approx(3.5 - 1.0)
    assert seconds_of(4, prompt) == pytest.approx(9.5 - 1.0)
    assert seconds_of(2, prompt, at=2.0) == pytest.approx(5.0 - 1.0)
    # A note on a bar line has its bar before those that are asked for.
    assert seconds_of(1, Notes.of([2.0], [1.0], [60], [64])) == pytest.approx(5.0 - 2.0)


def test_bars_are_counted_back_and_a_file_is_named_by_them() -> None:
    prompt = Notes.of([0.0, 1.0], [0.5, 0.9], [60, 62], [64, 64])
    for bars in (1, 4, 30):
        seconds = seconds_of(bars, prompt)
        assert seconds is not None and count_bars(seconds, prompt, METER) == bars
        title = Request(seconds=seconds, prompt=prompt, meter=METER, seed=7).title("piano")
        assert title == f"piano-{bars:04d}-bars-seed-7"
    for seconds in (1.2, 2.6, 6.0):
        assert count_bars(seconds, prompt, METER) is None
    assert count_bars(METER.bar_line_after(4000.0, 1) - 1.0, prompt, METER) is None, "too long to be counted"
    assert "6-seconds" in Request(seconds=6.0, prompt=prompt, meter=METER).title("piano")


def test_without_bars_a_length_is_what_is_asked_for() -> None:
    assert choose_length(20, usual=300) == (20, None)
    assert choose_length(seconds=9.5, usual=300) == (None, 9.5)
    assert choose_length(usual=300) == (300, None)


def test_a_length_in_bars_needs_a_metre_and_stands_alone() -> None:
    prompt = Notes.of([0.0], [0.5], [60], [64])
    with pytest.raises(RequestError, match=r"bars need music that has a metre.*POST /v1/pieces/ID/meter"):
        choose_length(bars=4, given=(prompt, None))
    with pytest.raises(RequestError, match="give a prompt that has a metre, or say bpm and metre"):
        choose_length(bars=4)
    with pytest.raises(RequestError, match="one of them alone"):
        choose_length(20, bars=4, given=(prompt, METER))
    for count in (0, 2001):
        with pytest.raises(RequestError, match=f"1-2000, not {count}"):
            seconds_of(count, prompt)
    with pytest.raises(RequestError, match="whole number"):
        seconds_of(1.5, prompt)  # type: ignore[arg-type]
    with pytest.raises(RequestError, match=r"1 bar takes 0\.5 s here"):
        choose_length(bars=1, given=(prompt, Meter((TimeSignature(0.0, 1, 4),), (Tempo(0.0, 0.25),))))


def test_a_moment_is_a_time_or_where_a_bar_begins() -> None:
    assert read_moment(4, 9.5, METER) == 4
    assert read_moment("0:04.5", 9.5, None) == 4.5
    assert [read_moment(text, 9.5, METER) for text in ("bar 1", "bar5", " bar 6 ")] == pytest.approx([0.5, 6.5, 9.5])
    with pytest.raises(RequestError, match="bar 9: the music has bars 1 to 5"):
        read_moment("bar 9", 9.5, METER)
    with pytest.raises(RequestError, match="no bars that are known"):
        read_moment("bar 9", 9.5, None)
    with pytest.raises(RequestError, match="is no time"):
        read_moment("bar nine", 9.5, METER)
