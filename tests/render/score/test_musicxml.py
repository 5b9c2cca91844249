from __future__ import annotations

import xml.etree.ElementTree as ET

from arietta.music.meter import Bar
from arietta.render.score.accidentals import Head
from arietta.render.score.marks import Mark
from arietta.render.score.musicxml import Measure, score_xml
from arietta.render.score.voices import Value
from tests.support.musicxml import read_score

BAR = Bar(0, 96, 24, (4, 4))
REST = [Value(0, 96, "", 0, fills=True)]
NAMES = {96: "whole", 48: "half", 24: "quarter", 12: "eighth", 6: "16th", 3: "32nd"}
C, F, F_SHARP = Head(72, 0), Head(77, -1), Head(78, 6)


def values(*lengths: int, start: int = 0) -> list[Value]:
    """One note each, numbered in turn; rests where lengths are negative."""
    row, number = [], 0
    for length in lengths:
        notes = (number,) if length > 0 else ()
        number += length > 0
        row.append(Value(start, abs(length), NAMES[abs(length)], 0, notes))
        start += abs(length)
    return row


def bar_of(
    voice: list[Value], heads: list[Head], *, sharps: int = 0, marks: tuple[Mark, ...] = (), bar: Bar = BAR
) -> ET.Element:
    rest = [Value(bar.start, bar.length, "", 0, fills=True)]
    text = score_xml([Measure(bar, ([voice], [rest]), sharps, marks=marks)], (heads, []))
    read_score(text)
    return ET.fromstring(text).find("./part/measure")


def played(bar: ET.Element) -> list[ET.Element]:
    return [note for note in bar.findall("note") if note.find("pitch") is not None]


def test_a_tied_note_shows_none_in_its_next_bar() -> None:
    first = Measure(BAR, ([[Value(0, 96, "whole", 0, (0,), is_tied=True)]], [REST]), 0)
    second = Bar(96, 96, 24)
    tied = [Value(96, 48, "half", 0, (0,), was_tied=True), Value(144, 48, "half", 0, (1,))]
    rest = [Value(96, 96, "", 0, fills=True)]
    text = score_xml([first, Measure(second, ([tied], [rest]), 0)], ([F_SHARP, F_SHARP], []))
    bars = ET.fromstring(text).findall("./part/measure")
    assert [[note.findtext("accidental") for note in played(bar)] for bar in bars] == [["sharp"], [None, "sharp"]]
    assert len(read_score(text).notes) == 2


def test_a_chord_has_one_beam_and_each_of_its_notes_a_pitch() -> None:
    voice = [
        Value(0, 12, "eighth", 0, (0, 1)),
        *values(12, start=12),
        Value(24, 24, "quarter", 0),
        Value(48, 48, "half", 0),
    ]
    notes = played(bar_of(voice, [C, F]))
    assert [note.find("chord") is not None for note in notes] == [False, True, False]
    assert [len(note.findall("beam")) for note in notes] == [1, 0, 1]


def test_marks_stand_at_their_positions_and_the_bar_ends_where_it_should() -> None:
    marks = (Mark(48, "dynamics", "mf"), Mark(0, "tempo", "96"), Mark(96, "pedal", "stop"), Mark(24, "pedal", "start"))
    bar = bar_of(values(96), [C], marks=marks)
    position, directions = 0, {}
    for element in bar:
        step = int(element.findtext("duration", "0")) * {"backup": -1}.get(element.tag, 1)
        position += 0 if element.find("chord") is not None else step
        if element.tag == "direction":
            directions[next(iter(element.find("direction-type"))).tag, position] = element.find("staff").text
    assert directions == {("metronome", 0): "1", ("pedal", 24): "2", ("dynamics", 48): "1", ("pedal", 96): "2"}


def test_signatures_and_clefs_are_written_when_they_change() -> None:
    bars = [BAR, Bar(96, 96, 24), Bar(192, 72, 24, (3, 4))]
    rests = [[Value(bar.start, bar.length, "", 0, fills=True)] for bar in bars]
    keys = (2, 2, -3)
    measures = [Measure(bar, ([rest], [rest]), sharps) for bar, rest, sharps in zip(bars, rests, keys, strict=True)]
    first, second, third = ET.fromstring(score_xml(measures, ([], []))).findall("./part/measure")
    assert [clef.findtext("sign") for clef in first.findall("attributes/clef")] == ["G", "F"]
    assert second.find("attributes") is None
    assert (third.findtext("attributes/key/fifths"), third.findtext("attributes/time/beats")) == ("-3", "3")


def test_a_pickup_is_not_counted() -> None:
    bars = [Bar(0, 24, 24, (3, 4), is_pickup=True), Bar(24, 72, 24)]
    rests = [[Value(bar.start, bar.length, "", 0, fills=True)] for bar in bars]
    text = score_xml([Measure(bar, ([rest], [rest]), 0) for bar, rest in zip(bars, rests, strict=True)], ([], []))
    assert [bar.get("number") for bar in ET.fromstring(text).findall("./part/measure")] == ["0", "1"]
