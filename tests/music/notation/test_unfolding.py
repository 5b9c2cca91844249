"""What measures in the order of playing make: ties, loudness, pedal, metre."""

from __future__ import annotations

from fractions import Fraction

import pytest

from arietta.music.notation.measures import PartMeasure, WrittenNote
from arietta.music.notation.unfolding import find_velocities, join_ties, lay_meter, pair_pedal_marks

ZERO, FOUR = Fraction(0), Fraction(4)


def written(start: int, length: int, *, is_tied: bool = False, was_tied: bool = False) -> WrittenNote:
    return WrittenNote(Fraction(start), Fraction(length), 60, 0, 1, "1", is_tied, was_tied)


def test_a_tie_joins_only_notes_that_meet() -> None:
    open_end = PartMeasure(notes=[written(0, 2, is_tied=True)])
    continued = PartMeasure(notes=[written(0, 4, was_tied=True)])
    notes = join_ties([(ZERO, open_end), (FOUR, continued)])
    assert [(note.start, note.length) for note in notes] == [(0, 2), (4, 4)]


def test_a_sign_counts_from_its_own_position() -> None:
    measure = PartMeasure(notes=[written(0, 2), written(2, 2)], dynamics=[(Fraction(2), 100)])
    assert find_velocities(measure.notes, [(ZERO, measure)]) == [72, 100]


def test_a_pedal_that_is_not_lifted_is_at_the_end() -> None:
    measure = PartMeasure(pedal=[(Fraction(1), "start")])
    assert pair_pedal_marks([(ZERO, [measure])], FOUR).tolist() == [[1, 4]]


@pytest.mark.parametrize(
    ("signs", "presses"),
    [
        ([(0, "start"), (2, "stop"), (2, "start"), (3, "stop")], [[0, 2], [2, 3]]),
        ([(0, "start"), (2, "start"), (2, "stop"), (3, "stop")], [[0, 2], [2, 3]]),
        ([(0, "start"), (2, "change"), (3, "stop")], [[0, 2], [2, 3]]),
        ([(1, "change"), (3, "stop")], [[1, 3]]),
        ([(1, "start"), (1, "stop"), (3, "continue")], []),
    ],
)
def test_a_pedal_lifted_and_pressed_at_once_is_changed(signs: list[tuple[int, str]], presses: list[list[int]]) -> None:
    measure = PartMeasure(pedal=[(Fraction(at), kind) for at, kind in signs])
    assert pair_pedal_marks([(ZERO, [measure])], FOUR).tolist() == presses


def test_a_short_bar_has_the_next_begin_anew() -> None:
    measures = [(ZERO, [PartMeasure(time=(4, 4))]), (FOUR, [PartMeasure()]), (Fraction(6), [PartMeasure()])]
    meter = lay_meter(measures, [FOUR, Fraction(2), FOUR])
    assert [(mark.seconds, mark.beats) for mark in meter.signatures] == [(0, 4), (3, 4)]
