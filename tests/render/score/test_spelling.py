from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.render.score.spelling import (
    FLATTEST,
    LOWEST,
    SHARPEST,
    find_signatures,
    octave,
    signature_alters,
    spell,
    step_and_alter,
)

MAJOR_SCALE, MINOR_SCALE = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 11)
SIGNS = {-1: "b", 0: "", 1: "#"}


def names(pitches: list[int], sharps: int, *, is_minor: bool = False) -> list[str]:
    parts = (step_and_alter(name) for name in spell(pitches, sharps, is_minor=is_minor))
    return [step + SIGNS[alter] for step, alter in parts]


@given(st.lists(st.integers(LOWEST, 127), max_size=40), st.integers(-7, 7), st.booleans())
def test_a_name_sounds_as_its_pitch_and_needs_no_double_accidental_nor_an_octave_that_musicxml_has_not(
    pitches: list[int], sharps: int, is_minor: bool
) -> None:
    for pitch, name in zip(pitches, spell(pitches, sharps, is_minor=is_minor), strict=True):
        step, alter = step_and_alter(name)
        assert FLATTEST <= name <= SHARPEST and alter in SIGNS and 0 <= octave(pitch, name) <= 9
        assert (
            12 * (octave(pitch, name) + 1) + {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[step] + alter
            == pitch
        )


@pytest.mark.parametrize("sharps", range(-6, 7))
def test_a_scale_takes_its_names_from_its_signature(sharps: int) -> None:
    tonic = 60 + sharps * 7 % 12
    alters = signature_alters(sharps)
    for name in names([tonic + step for step in MAJOR_SCALE], sharps):
        assert name == name[0] + SIGNS[alters[name[0]]]
    assert len(set(names([tonic + step for step in MAJOR_SCALE], sharps))) == 7


@pytest.mark.parametrize(
    ("tonic", "sharps", "scale"),
    [(69, 0, "A B C D E F G#"), (60, -3, "C D Eb F G Ab B"), (64, 1, "E F# G A B C D#"), (65, -4, "F G Ab Bb C Db E")],
)
def test_a_minor_scale_has_its_leading_tone_a_step_below_the_tonic(tonic: int, sharps: int, scale: str) -> None:
    assert names([tonic + step for step in MINOR_SCALE], sharps, is_minor=True) == scale.split()


def test_the_names_before_a_pitch_draw_it_to_their_side() -> None:
    flats, sharps = [70, 65, 63, 68] * 8, [71, 66, 64, 69] * 8
    assert names([*flats, 61], 0)[-1] == "Db"
    assert names([*sharps, 61], 0)[-1] == "C#"


@pytest.mark.parametrize("tonic", range(12))
def test_a_cadence_tells_its_key(tonic: int) -> None:
    for chords, is_minor in (
        (((0, 4, 7), (5, 9, 0), (7, 11, 2), (0, 4, 7)), False),
        (((0, 3, 7), (5, 8, 0), (7, 11, 2), (0, 3, 7)), True),
    ):
        pitches = [60 + (tonic + step) % 12 for chord in chords for step in chord]
        ((sharps, found_minor),) = find_signatures(pitches, [1.0] * 12, [0] * 12, 1)
        assert found_minor == is_minor
        assert (sharps * 7 - 3 * is_minor) % 12 == tonic
        assert -6 <= sharps <= 6


def test_without_notes_the_key_is_c_major() -> None:
    assert find_signatures([], [], [], 3) == [(0, False)] * 3


def scale_in(tonic: int, bars: int, steps: tuple[int, ...] = MAJOR_SCALE) -> list[int]:
    """Bars of eight quarters each: a scale of a key and its tonic."""
    return [60 + (tonic + step) % 12 for step in (*steps, 0)] * bars


def test_a_section_that_is_clearly_in_another_key_has_its_signature_and_a_passing_one_has_not() -> None:
    for bars, found in ((32, [0] * 32 + [-5] * 32 + [0] * 32), (4, [0] * 68)):
        pitches = scale_in(0, 32) + scale_in(1, bars) + scale_in(0, 32)
        bar = [number // 8 for number in range(len(pitches))]
        assert [sharps for sharps, _ in find_signatures(pitches, [1.0] * len(pitches), bar, bar[-1] + 1)] == found


def test_a_section_is_major_or_minor_as_a_whole() -> None:
    pitches = scale_in(9, 6, MINOR_SCALE) + scale_in(0, 2) + scale_in(9, 6, MINOR_SCALE)
    bar = [number // 8 for number in range(len(pitches))]
    assert find_signatures(pitches, [1.0] * len(pitches), bar, 14) == [(0, True)] * 14


@pytest.mark.parametrize(("sharps", "altered"), [(0, {}), (2, {"F": 1, "C": 1}), (-3, {"B": -1, "E": -1, "A": -1})])
def test_a_signature_alters_its_letters_and_no_others(sharps: int, altered: dict[str, int]) -> None:
    assert {step: alter for step, alter in signature_alters(sharps).items() if alter} == altered


@pytest.mark.parametrize(("pitch", "name", "written"), [(60, 0, 4), (59, -7, 4), (60, 12, 3), (71, 5, 4)])
def test_octaves_are_those_of_the_letter(pitch: int, name: int, written: int) -> None:
    assert octave(pitch, name) == written
