"""Whatever two hands play in whatever metre, there is a score, and it is valid."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from arietta.music.meter import Meter, Tempo, TimeSignature
from arietta.music.notes import Notes
from arietta.render.score import Unwritten, score_musicxml, write_score
from arietta.render.score.spelling import LOWEST
from tests.support.musicxml import broken_rules, complaints, read_score
from tests.support.strategies import pedals, pieces

QUARTER = 0.5  # seconds
SIGNATURES = [
    (4, 4), (3, 4), (2, 4), (5, 4), (1, 4), (2, 2), (3, 2), (6, 8), (3, 8), (9, 8), (12, 8), (5, 8), (7, 8), (1, 8),
    (5, 16), (6, 16), (7, 16), (9, 16), (3, 16), (1, 16), (5, 32), (3, 32), (1, 32),
]  # fmt: skip
# Notes a beat: thirty-seconds and their triplets, and what is too fast to be written.
DIVISIONS = [1, 2, 3, 4, 6, 8, 12, 16]
Hands = NDArray[np.bool_]


def meter_of(*signatures: tuple[float, int, int], is_exact: bool = True) -> Meter:
    """A metre of signatures, each from a position in quarters on."""
    changes = tuple(TimeSignature(QUARTER * position, beats, unit) for position, beats, unit in signatures)
    return Meter(changes, (Tempo(0, QUARTER),), is_exact=is_exact)


@st.composite
def meters(draw: st.DrawFn) -> Meter:
    """One to four signatures, each after some bars of the one before, or in the middle of one."""
    position, signatures = 0.0, []
    for _ in range(draw(st.integers(1, 4))):
        beats, unit = draw(st.sampled_from(SIGNATURES))
        signatures.append((position, beats, unit))
        bars = draw(st.one_of(st.integers(1, 3), st.sampled_from([0.25, 0.5, 1 / 3, 1.7])))
        position += bars * 4 * beats / unit
    return meter_of(*signatures, is_exact=draw(st.booleans()))


@st.composite
def two_hands(draw: st.DrawFn) -> tuple[Notes, Hands]:
    """Two hands, each divided in its own way from beat to beat, that share keys; which hand plays which note."""
    played = {}
    for is_right in (False, True):
        for beat in range(draw(st.integers(0, 5))):
            division = draw(st.sampled_from(DIVISIONS))
            for step in draw(st.lists(st.integers(0, division - 1), max_size=6)):
                onset = QUARTER * (beat + step / division)
                length = QUARTER * draw(st.integers(1, 9)) / draw(st.sampled_from(DIVISIONS))
                pitch = draw(st.one_of(st.integers(60, 64), st.sampled_from([12, 21, 108, 127])))
                played[onset, pitch] = length, is_right  # the same key at once is struck once
    rows = [(onset, length, pitch, is_right) for (onset, pitch), (length, is_right) in sorted(played.items())]
    onset, length, pitch, is_right = zip(*rows, strict=True) if rows else ([], [], [], [])
    notes = Notes.of(onset, length, pitch, [64] * len(rows), draw(pedals(3)))
    return notes, np.array(is_right, dtype=np.bool_)


def assert_valid(text: str, notes: Notes) -> None:
    """All notes are there once, every voice of a bar fills it, and nothing breaks the rules."""
    score = read_score(text)
    assert Counter(note.pitch for note in score.notes) == Counter(notes.pitch[notes.pitch >= LOWEST].tolist())
    for length, voices in zip(score.lengths, score.voices, strict=True):
        assert set(voices.values()) == {length}
    assert broken_rules(text) == []


@settings(max_examples=120)
@given(two_hands(), meters())
def test_any_two_hands_in_any_metres_have_a_valid_score(hands: tuple[Notes, Hands], meter: Meter) -> None:
    notes, is_right = hands
    with mock.patch("arietta.render.score.split_hands", return_value=is_right):
        assert_valid(score_musicxml(notes, meter=meter), notes)
    assert_valid(score_musicxml(notes, meter=meter), notes)


@settings(max_examples=40)
@given(pieces(), meters())
def test_any_performance_in_any_metres_has_a_valid_score(notes: Notes, meter: Meter) -> None:
    assert_valid(score_musicxml(notes, meter=meter), notes)


@settings(max_examples=40)
@given(two_hands(), st.sampled_from(SIGNATURES))
def test_bars_are_as_long_as_their_metre_says(hands: tuple[Notes, Hands], signature: tuple[int, int]) -> None:
    score = read_score(score_musicxml(hands[0], meter=meter_of((0, *signature))))
    assert set(score.lengths) == {Fraction(4 * signature[0], signature[1])}


@settings(max_examples=20)
@given(two_hands(), meters())
def test_verovio_reads_any_two_hands_without_a_warning(hands: tuple[Notes, Hands], meter: Meter) -> None:
    pytest.importorskip("verovio")
    assert complaints(score_musicxml(hands[0], meter=meter)) == ""


@pytest.mark.parametrize("shared", [67, 48])
@pytest.mark.parametrize("is_right", [(True, False, True), (False, True, False)])
@pytest.mark.parametrize("signature", [(4, 4), (6, 8), (5, 16), (3, 8)])
def test_a_key_shared_by_a_hand_in_triplets_and_one_in_sixteenths_is_written_twice(
    shared: int, is_right: tuple[bool, ...], signature: tuple[int, int]
) -> None:
    onset = [
        0.0,
        QUARTER / 4,
        QUARTER / 3,
    ]  # the key twice, a sixteenth apart; the other hand's triplet cuts the second
    for pitch in ([shared, shared, 84], [shared, 84, shared], [84, shared, shared]):
        notes = Notes.of(onset, [QUARTER / 4, QUARTER, QUARTER], pitch, [64] * 3)
        with mock.patch("arietta.render.score.split_hands", return_value=np.array(is_right)):
            text = score_musicxml(notes, meter=meter_of((0, *signature)))
        assert_valid(text, notes)
        assert len(read_score(text).notes) == 3


@pytest.mark.parametrize("signature", [(4, 4), (3, 4), (6, 8), (7, 16)])
@pytest.mark.parametrize(("down", "up"), [(0.0, 9.0), (0.3, 30.0), (1.3, 600.0), (5.0, 6.0)])
@pytest.mark.parametrize("meter_start", [0.0, 0.25])
def test_a_pedal_that_goes_on_after_the_last_bar_is_lifted_at_its_end(
    signature: tuple[int, int], down: float, up: float, meter_start: float
) -> None:
    notes = Notes.of([0.5, 1.0], [0.5, 0.5], [60, 64], [64] * 2, [(0.0, 0.01), (down + 0.02, up)])
    meter = Meter((TimeSignature(meter_start, *signature),), (Tempo(meter_start, QUARTER),), is_exact=True)
    text = score_musicxml(notes, meter=meter)
    assert_valid(text, notes)
    is_in_score = down < 2.0
    assert text.count('<pedal type="start"') == text.count('<pedal type="stop"') == is_in_score


@given(st.lists(st.integers(0, 127), min_size=1, max_size=12, unique=True), st.integers(-7, 7))
@example([12], 7)  # B sharp of the octave below
def test_notes_below_the_octaves_of_musicxml_are_left_out_and_told(
    tmp_path_factory: pytest.TempPathFactory, pitch: list[int], sharps: int
) -> None:
    path: Path = tmp_path_factory.mktemp("low") / "low.musicxml"
    notes = Notes.of(QUARTER * np.arange(len(pitch)), [QUARTER] * len(pitch), pitch, [64] * len(pitch))
    unwritten = write_score(path, notes, meter=meter_of((0, 4, 4)))
    assert unwritten == Unwritten(too_low=sum(key < LOWEST for key in pitch))
    assert_valid(path.read_text(), notes)


@pytest.mark.parametrize("keys", [(72, 74), (41, 40), (64, 67)])
@pytest.mark.parametrize(("per_quarter", "is_told"), [(4, False), (6, False), (8, False), (16, True), (24, True)])
@pytest.mark.parametrize("meter", [None, meter_of((0, 4, 4)), meter_of((0, 6, 8))])
def test_a_trill_faster_than_thirty_seconds_is_told(
    tmp_path: Path, keys: tuple[int, ...], per_quarter: int, is_told: bool, meter: Meter | None
) -> None:
    count = 2 * per_quarter
    trill = QUARTER / per_quarter * np.arange(count)
    onset = [*trill, *(1.0 + QUARTER * np.arange(8))]
    pitch = [*(keys[step % len(keys)] for step in range(count)), *(55 + step for step in range(8))]
    notes = Notes.of(onset, [QUARTER / per_quarter] * count + [QUARTER] * 8, pitch, [64] * len(pitch))
    unwritten = write_score(tmp_path / "trill.musicxml", notes, meter=meter)
    assert_valid((tmp_path / "trill.musicxml").read_text(), notes)
    assert (unwritten.too_fast > count / 2) == is_told and (is_told or not unwritten.too_fast)
