from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from arietta.music.meter import Bar
from arietta.render.score.musicxml import Head, Mark, Measure, score_xml
from arietta.render.score.voices import Value
from tests.support.musicxml import read_score

BAR = Bar(0, 96, 24, (4, 4))
REST = [Value(0, 96, "", 0, fills=True)]
NAMES = {96: "whole", 48: "half", 24: "quarter", 12: "eighth", 6: "16th", 3: "32nd"}
C, C_SHARP, F, F_SHARP = Head(72, 0), Head(73, 7), Head(77, -1), Head(78, 6)


def values(*lengths: int, start: int = 0) -> list[Value]:
    """One note each, numbered in turn; rests where lengths are negative."""
    found, number = [], 0
    for length in lengths:
        notes = (number,) if length > 0 else ()
        number += length > 0
        found.append(Value(start, abs(length), NAMES[abs(length)], 0, notes))
        start += abs(length)
    return found


def bar_of(
    voice: list[Value], heads: list[Head], *, sharps: int = 0, marks: tuple[Mark, ...] = (), bar: Bar = BAR
) -> ET.Element:
    rest = [Value(bar.start, bar.length, "", 0, fills=True)]
    text = score_xml([Measure(bar, ([voice], [rest]), sharps, marks=marks)], (heads, []))
    read_score(text)
    return ET.fromstring(text).find("./part/measure")


def played(bar: ET.Element) -> list[ET.Element]:
    return [note for note in bar.findall("note") if note.find("pitch") is not None]


def accidentals(bar: ET.Element) -> list[str | None]:
    return [note.findtext("accidental") for note in played(bar)]


def test_an_accidental_differs_from_the_signature_or_from_what_the_bar_has_shown() -> None:
    voice = values(24, 24, 24, 24)
    assert accidentals(bar_of(voice, [F_SHARP, F, F, F_SHARP])) == ["sharp", "natural", None, "sharp"]
    assert accidentals(bar_of(voice, [F_SHARP, F_SHARP, F, F], sharps=1)) == [None, None, "natural", None]


def test_another_octave_shows_its_own_accidental() -> None:
    assert accidentals(bar_of(values(48, 48), [F_SHARP, Head(66, 6)])) == ["sharp", "sharp"]


def test_voices_of_a_staff_share_what_the_bar_has_shown() -> None:
    measure = Measure(BAR, ([values(48, 48), [Value(0, 96, "whole", 0, (2,))]], [REST]), 0)
    text = score_xml([measure], ([C, F_SHARP, F_SHARP], []))
    assert accidentals(ET.fromstring(text).find("./part/measure")) == [None, None, "sharp"]


def test_a_tied_note_shows_none_in_its_next_bar() -> None:
    first = Measure(BAR, ([[Value(0, 96, "whole", 0, (0,), is_tied=True)]], [REST]), 0)
    second = Bar(96, 96, 24)
    tied = [Value(96, 48, "half", 0, (0,), was_tied=True), Value(144, 48, "half", 0, (1,))]
    rest = [Value(96, 96, "", 0, fills=True)]
    text = score_xml([first, Measure(second, ([tied], [rest]), 0)], ([F_SHARP, F_SHARP], []))
    assert [accidentals(bar) for bar in ET.fromstring(text).findall("./part/measure")] == [["sharp"], [None, "sharp"]]
    assert len(read_score(text).notes) == 2


@pytest.mark.parametrize(
    ("lengths", "beams"),
    [
        ((12, 12, 24, 48), [["begin"], ["end"], [], []]),
        ((12, 12, 12, 12, 48), [["begin"], ["end"], ["begin"], ["end"], []]),
        ((6, 6, 12, 24, 48), [["begin", "begin"], ["continue", "end"], ["end"], [], []]),
        ((6, 12, 6, 24, 48), [["begin", "forward hook"], ["continue"], ["end", "backward hook"], [], []]),
        ((12, -12, 12, -12, 48), [[], [], []]),
        ((6, -6, 12, 24, 48), [[], [], [], []]),
    ],
)
def test_beams_join_what_shares_a_beat(lengths: tuple[int, ...], beams: list[list[str]]) -> None:
    notes = played(bar_of(values(*lengths), [C] * 5))
    assert [[beam.text for beam in note.findall("beam")] for note in notes] == beams


def test_beams_join_three_eighths_of_a_dotted_beat() -> None:
    notes = played(bar_of(values(12, 12, 12, 12, 12, 12), [C] * 6, bar=Bar(0, 72, 36, (6, 8))))
    assert [note.findtext("beam") for note in notes] == ["begin", "continue", "end"] * 2


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


def test_marks_stand_at_their_places_and_the_bar_ends_where_it_should() -> None:
    marks = (Mark(48, "dynamics", "mf"), Mark(0, "tempo", "96"), Mark(96, "pedal", "stop"), Mark(24, "pedal", "start"))
    bar = bar_of(values(96), [C], marks=marks)
    place, found = 0, {}
    for element in bar:
        step = int(element.findtext("duration", "0")) * {"backup": -1}.get(element.tag, 1)
        place += 0 if element.find("chord") is not None else step
        if element.tag == "direction":
            found[next(iter(element.find("direction-type"))).tag, place] = element.find("staff").text
    assert found == {("metronome", 0): "1", ("pedal", 24): "2", ("dynamics", 48): "1", ("pedal", 96): "2"}


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
