"""Registers: the usual clef, another or an octave sign where many notes lie far outside, and no change too soon."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import groupby, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.music.meter import Bar, Meter, Tempo, TimeSignature
from arietta.music.notation import read_score
from arietta.music.notes import Notes
from arietta.render.score import score_musicxml
from arietta.render.score.clefs import NEAR, OCTAVE_SIGN, Register, choose_registers
from tests.support.musicxml import complaints

METER = Meter((TimeSignature(0.0, 4, 4),), (Tempo(0.0, 0.5),), is_exact=True)


def bars(count: int, beats: int = 4) -> list[Bar]:
    return [Bar(24 * beats * number, 24 * beats, 24) for number in range(count)]


def registers(pitches: list[int], other: list[Register] | None = None, *, beats: int = 4) -> list[Register]:
    """The registers of bars with a note of a pitch on each beat, on the upper staff, or on the lower one."""
    start, pitch = 24 * np.arange(beats * len(pitches)), np.repeat(pitches, beats).astype(np.uint8)
    return choose_registers(start, start + 24, pitch, bars(len(pitches), beats), other or [])


def said(row: list[Register]) -> str:
    return " ".join(f"{clef}{octaves or ''}" for clef, octaves in row)


def test_a_staff_keeps_its_clef_unless_notes_lie_far_outside() -> None:
    assert said(registers([60, 50, 49, 80])) == "G G G G"
    assert said(registers([76, 40, 40, 40, 60])) == "G F F F F"  # no note of the last bar lies far outside there
    assert said(registers([76, 40, 40, 90, 90])) == "G F F G G"
    empty = np.zeros(0, dtype=np.int64)
    upper = [Register("G")] * 3
    assert choose_registers(empty, empty, empty.astype(np.uint8), bars(3), upper) == [Register("F")] * 3


def test_what_no_clef_brings_near_has_an_octave_sign() -> None:
    assert said(registers([80, 96, 100, 80])) == "G G1 G1 G"
    assert said(registers([80, 107, 108, 80])) == "G G2 G2 G"
    assert said(registers([50, 24, 21, 50], [Register("G")] * 4)) == "F F-1 F-1 F"


def test_an_octave_sign_does_not_stand_below_another() -> None:
    upper = [Register("G"), Register("G", 1), Register("G"), Register("G")]
    assert said(registers([50, 24, 21, 24], upper)) == "F F F-1 F-1"


def test_an_octave_sign_is_not_worth_one_note() -> None:
    start = 24 * np.arange(12)
    pitch = np.where(start == 96, 96, 80).astype(np.uint8)
    assert choose_registers(start, start + 24, pitch, bars(3)) == [Register("G")] * 3


def test_an_octave_sign_does_not_begin_or_end_where_many_notes_are_held() -> None:
    start, pitch = np.array([0, 0, 0, 0, 96, 120, 144]), np.array([86, 88, 90, 92, 96, 96, 96], dtype=np.uint8)
    assert choose_registers(start, start + 24, pitch, bars(2)) == [Register("G"), Register("G", 1)]
    assert choose_registers(start, np.full(7, 192), pitch, bars(2)) == [Register("G", 1)] * 2


def cost_of(row: list[Register], pitches: list[int], beats: int) -> float:
    far = sum(
        beats * (not NEAR[register][0] <= pitch <= NEAR[register][1])
        for register, pitch in zip(row, pitches, strict=True)
    )
    steps = list(pairwise([Register("G"), *row]))
    clefs = sum(before.clef != after.clef for before, after in steps)
    return far + clefs + OCTAVE_SIGN * sum(before.octaves != after.octaves != 0 for before, after in steps)


@given(st.lists(st.integers(21, 108), min_size=1, max_size=30), st.sampled_from([1, 2, 4]))
def test_registers_change_seldom_and_are_never_worse_than_none(pitches: list[int], beats: int) -> None:
    row = registers(pitches, beats=beats)
    changes = [bar for bar in range(1, len(row)) if row[bar].clef != row[bar - 1].clef]
    assert all(later - earlier >= 2 for earlier, later in pairwise(changes))
    runs = [(register, len(list(run))) for register, run in groupby(row)]
    assert all(count * beats >= 2 for register, count in runs if register.octaves)
    assert cost_of(row, pitches, beats) <= cost_of([Register("G")] * len(pitches), pitches, beats)


def test_a_changed_clef_is_written_where_it_changes() -> None:
    onset = 0.5 * np.arange(32)
    pitch = np.where(np.arange(32) < 16, 76, 90)
    low = Notes.of(onset, np.full(32, 0.5), np.where(np.arange(32) < 16, 45, 75), np.full(32, 64))
    text = score_musicxml(low | Notes.of(onset, np.full(32, 0.5), pitch, np.full(32, 64)), meter=METER)
    assert text.count('<clef number="1">') == 1 and text.count('<clef number="2">') == 2


def test_an_octave_sign_stands_around_its_bars_and_notes_keep_the_names_they_sound_by() -> None:
    pitch = np.repeat([76, 98, 100, 76], 4)
    notes = Notes.of(0.5 * np.arange(16), np.full(16, 0.5), pitch, np.full(16, 64))
    text = score_musicxml(notes, meter=METER)
    places = [
        (number, sign.get("type"), sign.get("size"))
        for number, bar in enumerate(ET.fromstring(text).iter("measure"))
        for sign in bar.iter("octave-shift")
    ]
    assert places == [(1, "down", "8"), (2, "stop", "8")]
    assert sorted(read_score(text.encode()).pitch.tolist()) == sorted(pitch.tolist())


def test_verovio_reads_octave_signs_of_both_staves_without_a_warning() -> None:
    pytest.importorskip("verovio")
    high, low = np.repeat([98, 98, 76, 98, 76], 4), np.repeat([50, 24, 24, 24, 24], 4)
    columns = 0.5 * np.arange(20), np.full(20, 0.5)
    text = score_musicxml(
        Notes.of(*columns, high, np.full(20, 64)) | Notes.of(*columns, low, np.full(20, 64)), meter=METER
    )
    assert text.count('type="down"') and text.count('type="up"')
    assert complaints(text) == ""


@pytest.mark.parametrize(("pitch", "octaves"), [(100, 1), (107, 2), (21, -1)])
def test_verovio_draws_an_octave_sign_and_shifts_what_is_under_it(pitch: int, octaves: int) -> None:
    verovio = pytest.importorskip("verovio")
    notes = Notes.of(0.5 * np.arange(8), np.full(8, 0.5), np.full(8, pitch), np.full(8, 64))
    toolkit = verovio.toolkit()
    assert toolkit.loadData(score_musicxml(notes, meter=METER))
    heads = [note for note in ET.fromstring(toolkit.getMEI()).iter() if note.tag.endswith("}note")]
    assert {int(note.get("oct.ges")) - int(note.get("oct")) for note in heads} == {octaves}
    assert 'class="octave"' in toolkit.renderToSVG(1)
