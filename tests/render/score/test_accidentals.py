from __future__ import annotations

from arietta.render.score.accidentals import Head, find_accidentals
from arietta.render.score.voices import Value

F, F_SHARP, LOW_F_SHARP = Head(77, -1), Head(78, 6), Head(66, 6)
IN_TURN = [Value(24 * note, 24, "quarter", 0, (note,)) for note in range(4)]


def in_turn(heads: list[Head], sharps: int = 0) -> list[str | None]:
    """The accidentals of four quarter notes of one bar."""
    shown = find_accidentals([IN_TURN], heads, sharps)
    return [shown.get((value.start, value.notes[0])) for value in IN_TURN]


def test_an_accidental_differs_from_the_signature_or_from_what_the_bar_has_shown() -> None:
    assert in_turn([F_SHARP, F, F, F_SHARP]) == ["sharp", "natural", None, "sharp"]
    assert in_turn([F_SHARP, F_SHARP, F, F], sharps=1) == [None, None, "natural", None]


def test_a_flat_of_the_signature_needs_none() -> None:
    assert in_turn([Head(70, -2), Head(71, 5), Head(70, -2), Head(70, -2)], sharps=-2) == [
        None,
        "natural",
        "flat",
        None,
    ]


def test_another_octave_shows_its_own_accidental() -> None:
    assert in_turn([F_SHARP, LOW_F_SHARP, F_SHARP, LOW_F_SHARP]) == ["sharp", "sharp", None, None]


def test_voices_of_a_staff_share_what_the_bar_has_shown() -> None:
    lower = [Value(48, 48, "half", 0, (1,))]
    assert find_accidentals([[Value(0, 96, "whole", 0, (0,))], lower], [F_SHARP, F_SHARP], 0) == {(0, 0): "sharp"}


def test_a_tied_note_shows_none_and_holds_for_itself_alone() -> None:
    tied = [Value(96, 48, "half", 0, (0,), was_tied=True), Value(144, 48, "half", 0, (1,))]
    assert find_accidentals([tied], [F_SHARP, F_SHARP], 0) == {(144, 1): "sharp"}
