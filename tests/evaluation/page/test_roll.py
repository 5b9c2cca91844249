"""The roll on a page: every note drawn once, at its place, and given to the player; bounded however long the piece."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from arietta.evaluation.page.roll import MOST_SYSTEMS, roll_player
from arietta.music.meter import Meter, Tempo, TimeSignature
from arietta.music.notes import Note, Notes, fold_pedal
from tests.support.tunes import tune


def numbers(page: str) -> list[list[int]]:
    found = re.search(r'<script type="application/json">(.*?)</script>', page)
    assert found
    columns: list[list[int]] = json.loads(found[1])
    return columns


def systems(page: str) -> list[str]:
    return re.findall(r"<svg.*?</svg>", page, re.DOTALL)


def drawn(system: str) -> list[tuple[int, ...]]:
    """The bars of all loudnesses: (hundredths of a second from the left, row, hundredths long)."""
    paths = re.findall(r'class="v\d" d="([^"]+)"', system)
    return [tuple(map(int, bar)) for path in paths for bar in re.findall(r"M(\d+) (\d+)h(\d+)", path)]


def test_a_bar_stands_at_its_notes_time_and_pitch() -> None:
    notes = Notes.of([1.0, 2.0], [0.5, 1.0], [60, 72], [30, 100])
    (system,) = systems(roll_player(notes, name="two"))
    (x, low, long), (later, high, longer) = sorted(drawn(system))
    assert (x, later, low - high) == (100, 200, 12)
    assert (long, longer) == (pytest.approx(50, abs=2), pytest.approx(100, abs=2))


def test_every_note_is_drawn_in_the_systems_it_sounds_in() -> None:
    notes = Notes.of([0.0, 19.5, 45.0], [1.0, 1.0, 1.0], [60, 62, 64], [64] * 3)
    assert [len(drawn(system)) for system in systems(roll_player(notes, name="three"))] == [2, 1, 1]


def test_louder_notes_have_other_colours() -> None:
    notes = Notes.of([0, 1], [1, 1], [60, 60], [20, 120])
    assert {"v0", "v4"} <= set(re.findall(r'class="(v\d)"', roll_player(notes, name="x")))


def test_the_player_is_given_how_long_notes_sound_under_the_pedal() -> None:
    notes = Notes.of([0.0, 1.0], [0.5, 0.5], [60, 64], [64, 70], [(0.2, 3.0)])
    onset, length, pitch, velocity = numbers(roll_player(notes, name="pedal"))
    assert (onset, pitch, velocity) == ([0, 1000], [60, 64], [64, 70])
    assert length == np.rint(fold_pedal(notes).duration * 1000).astype(int).tolist() == [3000, 2000]


def test_marked_notes_are_framed() -> None:
    notes = tune(1, 50)
    page = roll_player(notes, [notes[3], notes[40]], name="marked")
    assert page.count('class="mark"') == 2
    assert 'class="mark"' not in roll_player(notes, [Note(999.0, 1.0, 60, 64)], name="elsewhere")


def test_of_a_long_piece_the_first_notes_are_drawn_and_it_says_so() -> None:
    page = roll_player(tune(1, 300), most=100, name="long")
    assert len(numbers(page)[0]) == 100
    assert "The first 100 of 300 notes are drawn and played." in page
    assert "are drawn and played" not in roll_player(tune(1, 300), name="whole")


def test_a_day_with_two_notes_has_few_systems() -> None:
    day = Notes.of([0.0, 86_399.0], [1, 1], [60, 64], [64, 64])
    page = roll_player(day, name="day")
    assert len(systems(page)) <= MOST_SYSTEMS and len(page) < 60_000
    assert sum(len(drawn(system)) for system in systems(page)) == 2


def test_the_piano_needs_its_first_key_and_its_last() -> None:
    wide = Notes.of([0, 0, 1], [1, 1, 1], [0, 127, 60], [64] * 3)
    rows = [row for _, row, _ in drawn(systems(roll_player(wide, name="wide"))[0])]
    assert max(rows) - min(rows) == 127
    assert roll_player(Notes.of(), name="nothing") == ""


def test_a_name_stays_text() -> None:
    page = roll_player(tune(1, 5), name='"><script>alert(1)</script>')
    assert page.count("<script") == 1


def test_with_a_metre_bars_have_lines_and_systems_the_number_of_their_first_bar() -> None:
    meter = Meter((TimeSignature(0.5, 3, 4),), (Tempo(0.5, 0.5),))
    notes = Notes.of([0.5, 30.0], [1.0, 10.0], [60, 60], [64, 64])
    page = roll_player(notes, name="waltz", meter=meter)
    lines = [re.findall(r"M(\d+) 0v\d+", path) for path in re.findall(r'class="bar" d="([^"]+)"', page)]
    assert lines[0][:3] == ["50", "200", "350"] and lines[1][0] == "0"
    assert re.findall(r'class="at">([^<]+)<', page) == ["0:00, bar 1", "0:20, bar 14"]
    assert "bar" not in re.findall(r'class="at">([^<]+)<', roll_player(notes, name="none"))[0]
