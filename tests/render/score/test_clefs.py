"""Clefs: the usual one, another where many notes lie far outside, and no change within two bars."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from arietta.music.meter import Bar, Meter, Tempo, TimeSignature
from arietta.music.notes import Notes
from arietta.render.score import score_musicxml
from arietta.render.score.clefs import NEAR, choose_clefs


def bars(count: int) -> list[Bar]:
    return [Bar(96 * number, 96, 24) for number in range(count)]


def clefs(pitches: list[int]) -> str:
    """The clefs of bars with four notes of a pitch each."""
    start = 24 * np.arange(4 * len(pitches))
    return "".join(choose_clefs(start, np.repeat(pitches, 4).astype(np.uint8), bars(len(pitches)), "G"))


def test_a_staff_keeps_its_clef_unless_notes_lie_far_outside() -> None:
    assert clefs([60, 50, 49, 80]) == "GGGG"
    assert clefs([76, 40, 40, 40, 60]) == "GFFFF"  # no note of the last bar lies far outside there
    assert clefs([76, 40, 40, 90, 90]) == "GFFGG"
    assert choose_clefs(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.uint8), bars(3), "F") == ["F"] * 3


@given(st.lists(st.integers(21, 108), min_size=1, max_size=30))
def test_clefs_change_once_in_two_bars_and_are_never_worse_than_none(pitches: list[int]) -> None:
    row = clefs(pitches)
    changes = [bar for bar in range(1, len(row)) if row[bar] != row[bar - 1]]
    assert all(later - earlier >= 2 for earlier, later in pairwise(changes))
    cost = [
        sum(4 * (not NEAR[sign][0] <= pitch <= NEAR[sign][1]) for sign, pitch in zip(signs, pitches, strict=True))
        for signs in (row, "G" * len(pitches))
    ]
    assert cost[0] + (len(changes) + (row[0] != "G")) <= cost[1]


def test_a_changed_clef_is_written_where_it_changes() -> None:
    meter = Meter((TimeSignature(0.0, 4, 4),), (Tempo(0.0, 0.5),), is_exact=True)
    onset = 0.5 * np.arange(32)
    pitch = np.where(np.arange(32) < 16, 76, 90)
    low = Notes.of(onset, np.full(32, 0.5), np.where(np.arange(32) < 16, 45, 75), np.full(32, 64))
    text = score_musicxml(low | Notes.of(onset, np.full(32, 0.5), pitch, np.full(32, 64)), meter=meter)
    assert text.count('<clef number="1">') == 1 and text.count('<clef number="2">') == 2
