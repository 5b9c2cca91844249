"""The grid of NoteCodec: its waits, lengths and loudnesses, and the notes that stay on it."""

from __future__ import annotations

import numpy as np
from hypothesis import given

from arietta.codecs.grid import (
    DURATION_STEPS,
    LONG_WAITS,
    SHORT_WAITS,
    TIME_STEPS,
    VELOCITY_CENTRES,
    merge_by_column,
    merge_by_note,
    quantise,
)
from arietta.music.notes import LOWEST_PITCH, Notes
from tests.support.strategies import pieces


def test_waits_and_durations_rise() -> None:
    assert (np.diff(TIME_STEPS) > 0).all() and TIME_STEPS[0] == 0
    assert (np.diff(DURATION_STEPS) > 0).all() and DURATION_STEPS[0] == 1


def test_what_a_long_wait_leaves_over_is_a_short_wait() -> None:
    assert (np.diff(LONG_WAITS) < SHORT_WAITS).all()


def test_velocities_have_no_bias_on_average() -> None:
    centres = VELOCITY_CENTRES[np.arange(128) // 4]
    assert abs(np.mean(centres - np.arange(128))) < 0.05
    assert (centres // 4 == np.arange(128) // 4).all()


@given(pieces())
def test_notes_merged_by_column_are_those_merged_by_note(notes: Notes) -> None:
    kept, outside = merge_by_note(notes)
    indices, key, step = merge_by_column(notes)
    strikes = list(zip((key + LOWEST_PITCH).tolist(), step.tolist(), strict=True))
    assert strikes == sorted(kept)
    for strike, index in zip(strikes, indices.tolist(), strict=True):
        note = notes[index]
        assert kept[strike] == (note.onset, note.duration, note.velocity)
    assert outside == np.sum((notes.pitch < LOWEST_PITCH) | (notes.pitch > 108))


def test_of_two_strikes_in_one_step_the_later_stays() -> None:
    notes = Notes.of([0.501, 0.499], [0.2, 0.9], [60, 60], [40, 90])
    kept, _ = merge_by_note(notes)
    assert kept == {(60, 50): (0.501, 0.2, 40)}


@given(pieces())
def test_a_quantised_piece_is_its_own_quantisation(notes: Notes) -> None:
    once, _ = quantise(notes)
    again, losses = quantise(once)
    assert again == once
    assert (losses.merged, losses.outside, losses.shortened, losses.pedals) == (0, 0, 0, 0)


def test_a_note_that_sounds_into_the_next_is_shortened_and_counted() -> None:
    quantised, losses = quantise(Notes.of([0.0, 0.5], [2.0, 0.1], [60, 60], [64, 64]))
    assert losses.shortened == 1
    assert quantised.release[0] <= 0.5
