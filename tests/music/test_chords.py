"""Chords: where one ends by each of the two rules, and the order that they give the notes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from arietta.music.chords import STRUCK_TOGETHER, number_chords_by_gap, number_chords_by_span, order_by_chord
from arietta.music.notes import Notes

# No sum of these is 0.04 s, the limit, so that rounding decides nothing.
GAPS = st.lists(st.sampled_from([0.0, 0.011, 0.017, 0.03, 0.05, 0.5]), max_size=40)


def onsets(gaps: list[float]) -> np.ndarray:
    return 1.0 + np.cumsum(np.array([0.0, *gaps]))


def test_a_slow_roll_is_one_chord_by_gap_and_several_by_span() -> None:
    roll = np.array([0.0, 0.03, 0.06, 0.09])
    assert number_chords_by_gap(roll).tolist() == [0, 0, 0, 0]
    assert number_chords_by_span(roll).tolist() == [0, 0, 1, 1]


def test_notes_further_apart_than_the_limit_are_chords_of_their_own() -> None:
    apart = np.array([0.0, 0.05, 0.1])
    assert number_chords_by_gap(apart).tolist() == number_chords_by_span(apart).tolist() == [0, 1, 2]


def test_no_notes_make_no_chords() -> None:
    assert len(number_chords_by_gap(np.zeros(0))) == len(number_chords_by_span(np.zeros(0))) == 0
    assert len(order_by_chord(Notes.of())) == 0


@given(GAPS)
def test_by_gap_a_chord_ends_exactly_at_a_long_gap(gaps: list[float]) -> None:
    onset = onsets(gaps)
    assert ((np.diff(number_chords_by_gap(onset)) > 0) == (np.diff(onset) > STRUCK_TOGETHER)).all()


@given(GAPS)
def test_by_span_a_chord_is_all_that_follows_its_first_note_closely(gaps: list[float]) -> None:
    onset = onsets(gaps)
    numbers = number_chords_by_span(onset)
    begins = [float(onset[numbers == number].min()) for number in range(int(numbers[-1]) + 1)]
    assert all(time - begins[number] <= STRUCK_TOGETHER for time, number in zip(onset, numbers, strict=True))
    assert (np.diff(begins) > STRUCK_TOGETHER).all()


@given(GAPS)
def test_a_chord_by_span_lies_within_one_by_gap(gaps: list[float]) -> None:
    onset = onsets(gaps)
    is_new = np.diff(number_chords_by_gap(onset)) > 0
    assert (np.diff(number_chords_by_span(onset))[is_new] > 0).all()


@given(st.lists(GAPS.map(lambda gaps: onsets([*gaps, *[0.1] * 40][:30])), min_size=1, max_size=4))
def test_rows_of_onsets_are_numbered_each_for_itself(rows: list[np.ndarray]) -> None:
    assert np.array_equal(number_chords_by_gap(np.stack(rows)), np.stack([number_chords_by_gap(row) for row in rows]))


def test_the_order_is_by_chord_and_within_it_by_pitch() -> None:
    notes = Notes.of([0.0, 0.02, 0.03, 1.0, 1.01], [0.5] * 5, [67, 60, 64, 50, 48], [64] * 5)
    assert notes.pitch[order_by_chord(notes)].tolist() == [60, 64, 67, 48, 50]


@given(GAPS, st.randoms(use_true_random=False))
def test_the_order_has_every_note_once_and_chords_in_turn(gaps: list[float], random: object) -> None:
    onset = onsets(gaps)
    pitch = [random.randint(21, 108) for _ in onset]  # type: ignore[attr-defined]
    notes = Notes.of(onset, np.full(len(onset), 0.1), pitch, np.full(len(onset), 64))
    order = order_by_chord(notes)
    chord = number_chords_by_gap(notes.onset)[order]
    assert sorted(order.tolist()) == list(range(len(notes)))
    assert (np.diff(chord) >= 0).all()
    assert (np.diff(notes.pitch[order].astype(int))[np.diff(chord) == 0] >= 0).all()
