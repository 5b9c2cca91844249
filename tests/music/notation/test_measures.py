"""Measures of a part: what a reader carries from one to the next."""

from __future__ import annotations

from fractions import Fraction
from xml.etree.ElementTree import fromstring

from arietta.music.notation.measures import GRACE, PartReader
from tests.support.written import note


def test_divisions_hold_on_and_may_change() -> None:
    reader = PartReader()
    divisions = "<attributes><divisions>{}</divisions></attributes>"
    first = reader.read(fromstring(f"<measure>{divisions.format(6)}{note('C4', 2)}</measure>"))
    second = reader.read(fromstring(f"<measure>{note('C4', 3)}{divisions.format(1)}{note('C4', 3)}</measure>"))
    assert [each.length for each in (*first.notes, *second.notes)] == [Fraction(1, 3), Fraction(1, 2), 3]
    assert second.length == Fraction(7, 2)


def test_an_ending_holds_over_the_measures_between_its_bar_lines() -> None:
    reader = PartReader()
    begin = '<measure><barline><ending number="1, 2" type="start"/></barline></measure>'
    end = '<measure><barline><ending number="1, 2" type="stop"/><repeat direction="backward"/></barline></measure>'
    jumps = [reader.read(fromstring(text)).jumps for text in (begin, "<measure/>", end, "<measure/>")]
    assert [jump.endings for jump in jumps] == [frozenset({1, 2})] * 3 + [frozenset()]
    assert (jumps[2].backward, jumps[2].ends_ending) == (2, True)


def test_grace_notes_count_towards_the_note_they_lead_to() -> None:
    measure = PartReader().read(fromstring(f"<measure>{note('C4', 0)}{note('D4', 0)}{note('E4', 4)}</measure>"))
    assert [(each.grace, each.length) for each in measure.notes] == [(2, GRACE), (1, GRACE), (0, 4)]


def test_a_direction_may_count_from_where_it_stands() -> None:
    direction = '<direction><direction-type><pedal type="start"/></direction-type><offset>-1</offset></direction>'
    measure = PartReader().read(fromstring(f"<measure>{note('C4', 3)}{direction}</measure>"))
    assert measure.pedal == [(2, "start")]
