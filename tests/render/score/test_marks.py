from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given

from arietta.music.meter import LATTICE, Bar, Meter, Tempo, TimeSignature
from arietta.music.notes import Notes
from arietta.render.score.marks import Mark, find_marks
from tests.support.strategies import pedals

METER = Meter((TimeSignature(0, 4, 4),), (Tempo(0, 0.5),), is_exact=True)
BARS = [Bar(start, 96, 24) for start in range(0, 384, 96)]


def marks_of(velocity: list[int], pedal: list[tuple[float, float]] | None = None) -> list[list[Mark]]:
    """Marks of four bars of quarter notes, half a second each, with these velocities from the beginning."""
    onset = 0.5 * np.arange(len(velocity))
    notes = Notes.of(onset, np.full(len(onset), 0.4), np.full(len(onset), 60), velocity, pedal or [])
    return find_marks(notes, METER, LATTICE * np.arange(len(onset)), BARS)


def dynamics(velocity: list[int]) -> list[str]:
    """The dynamics of each bar, "" where it has none."""
    return ["".join(mark.text for mark in bar if mark.kind == "dynamics") for bar in marks_of(velocity)]


def test_the_tempo_is_marked_once_in_quarters_per_minute() -> None:
    tempos = [mark for bar in marks_of([64] * 16) for mark in bar if mark.kind == "tempo"]
    assert tempos == [Mark(0, "tempo", "120")]


def test_a_bar_shorter_than_a_quarter_has_a_tempo() -> None:
    notes = Notes.of([0.0], [0.1], [60], [64])
    ((tempo, _),) = find_marks(notes, METER, np.zeros(1, dtype=np.int64), [Bar(0, 12, 24, (1, 8))])
    assert tempo == Mark(0, "tempo", "120")


def test_a_pedal_pressed_before_the_first_bar_is_marked_where_it_begins() -> None:
    notes = Notes.of([1.0], [0.5], [60], [64], [(0.0, 1.25)])
    (marks,) = find_marks(notes, METER, np.array([48]), [Bar(48, 96, 24)])
    assert [mark for mark in marks if mark.kind == "pedal"] == [Mark(48, "pedal", "start"), Mark(60, "pedal", "stop")]


def test_a_steady_loudness_is_marked_once() -> None:
    assert dynamics([60] * 16) == ["mp", "", "", ""]


def test_a_loudness_just_beyond_the_bounds_changes_no_mark() -> None:
    assert dynamics([64] * 8 + [68] * 8) == ["mp", "", "", ""]


def test_a_change_of_loudness_is_marked_where_it_comes() -> None:
    assert dynamics([40] * 8 + [110] * 8) == ["p", "", "f", "ff"]  # f: the soft bar before weighs in


def test_bars_without_notes_have_no_dynamics() -> None:
    assert dynamics([60] * 4) == ["mp", "", "", ""]


@pytest.mark.parametrize(
    ("pedal", "bars"),
    [
        ((0.0, 1.0), [["start", "stop"], [], [], []]),
        ((0.0, 2.0), [["start", "stop"], [], [], []]),  # lifted at the bar line: it belongs to the bar before
        ((2.0, 5.0), [[], ["start"], ["stop"], []]),
        ((0.0, 0.01), [[], [], [], []]),  # too short for a sixteenth
        ((7.0, 9.0), [[], [], [], ["start", "stop"]]),  # lifted after the last bar
        ((1.0, 600.0), [["start"], [], [], ["stop"]]),
        ((8.0, 9.0), [[], [], [], []]),  # after the last bar
        ((9.0, 10.0), [[], [], [], []]),
    ],
)
def test_a_pedal_stands_in_the_bars_where_it_is_pressed_and_lifted(
    pedal: tuple[float, float], bars: list[list[str]]
) -> None:
    marks = marks_of([64] * 16, [pedal])
    assert [[mark.text for mark in bar if mark.kind == "pedal"] for bar in marks] == bars


@given(pedals(12))
def test_pedal_signs_never_collide_and_go_in_turns(pressings: list[tuple[float, float]]) -> None:
    bars = marks_of([64] * 16, pressings)
    signs = [mark for bar in bars for mark in bar if mark.kind == "pedal"]
    assert all(before.position < after.position for before, after in pairwise(signs))
    assert all(0 <= sign.position <= 384 for sign in signs)
    is_down = False
    for sign in signs:
        assert is_down == (sign.text != "start")
        is_down = sign.text != "stop"
    assert not is_down


def test_a_pedal_lifted_and_pressed_at_once_is_one_sign() -> None:
    marks = marks_of([64] * 16, [(0.0, 2.0), (2.01, 3.0), (3.0, 3.02), (3.03, 4.0)])
    signs = [[(mark.position, mark.text) for mark in bar if mark.kind == "pedal"] for bar in marks]
    assert signs == [[(0, "start")], [(96, "change"), (144, "change"), (192, "stop")], [], []]
