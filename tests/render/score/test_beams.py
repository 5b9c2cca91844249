from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.music.meter import Bar
from arietta.render.score.beams import FLAGS, find_beams
from arietta.render.score.voices import Value

COMMON, COMPOUND = Bar(0, 96, 24, (4, 4)), Bar(0, 72, 36, (6, 8))
NAMES = {96: "whole", 48: "half", 24: "quarter", 12: "eighth", 6: "16th", 3: "32nd"}


def voice_of(*lengths: int) -> list[Value]:
    """One note each; rests where lengths are negative."""
    starts = [sum(map(abs, lengths[:index])) for index in range(len(lengths))]
    return [
        Value(start, abs(length), NAMES[abs(length)], 0, (index,) if length > 0 else ())
        for index, (start, length) in enumerate(zip(starts, lengths, strict=True))
    ]


def beams_of(*lengths: int, bar: Bar = COMMON) -> list[list[str]]:
    voice = voice_of(*lengths)
    beams = find_beams(voice, bar)
    return [beams.get(value.start, []) for value in voice]


@pytest.mark.parametrize(
    ("lengths", "beams"),
    [
        ((12, 12, 24, 48), [["begin"], ["end"], [], []]),
        ((12, 12, 12, 12, 48), [["begin"], ["end"], ["begin"], ["end"], []]),
        ((6, 6, 12, 24, 48), [["begin", "begin"], ["continue", "end"], ["end"], [], []]),
        ((6, 12, 6, 24, 48), [["begin", "forward hook"], ["continue"], ["end", "backward hook"], [], []]),
        ((12, -12, 12, -12, 48), [[], [], [], [], []]),
        ((6, -6, 12, 24, 48), [[], [], [], [], []]),
    ],
)
def test_beams_join_what_shares_a_beat(lengths: tuple[int, ...], beams: list[list[str]]) -> None:
    assert beams_of(*lengths) == beams


def test_beams_join_three_eighths_of_a_dotted_beat() -> None:
    assert beams_of(*[12] * 6, bar=COMPOUND) == [["begin"], ["continue"], ["end"]] * 2


@given(st.lists(st.sampled_from([3, -3, 6, -6, 12, -12, 24, -24]), max_size=32))
def test_every_beam_that_begins_ends_and_has_as_many_lines_as_flags(lengths: list[int]) -> None:
    voice = voice_of(*lengths)
    beams = find_beams(voice, COMMON)
    assert all(len(beams[value.start]) == FLAGS[value.name] for value in voice if value.start in beams)
    outermost = [beams[value.start][0] for value in voice if value.start in beams]
    assert outermost.count("begin") == outermost.count("end")
    assert not any("hook" in kind for kind in outermost)
