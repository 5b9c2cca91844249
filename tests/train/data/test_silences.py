"""Silences cut: nothing sounds longer or shorter for it, and the pedal stays with its notes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from arietta.music.notes import Notes, trim
from arietta.train.data.silences import shorten_silences
from tests.support.strategies import pieces


def test_what_follows_a_long_silence_moves_forward_with_its_pedal() -> None:
    notes = Notes.of([0.0, 10.0, 20.0], [1.0, 2.0, 1.0], [60, 62, 64], [80, 80, 80], [(0.5, 0.8), (10.5, 11.5)])
    cut = shorten_silences(notes, 3.0)
    assert cut.onset.tolist() == [0.0, 4.0, 9.0]
    assert cut.duration.tolist() == notes.duration.tolist()
    assert cut.pedal.tolist() == [[0.5, 0.8], [4.5, 5.5]]


def test_a_pedal_held_into_a_silence_ends_before_the_next_note_and_one_inside_it_is_left_out() -> None:
    notes = Notes.of([0.0, 20.0], [1.0, 1.0], [60, 62], [80, 80], [(0.5, 15.0), (16.0, 17.0), (19.9, 20.5)])
    cut = shorten_silences(notes, 3.0)
    assert cut.onset.tolist() == [0.0, 4.0]
    assert cut.pedal.tolist() == [[0.5, 4.0], [4.0, 4.5]]


def test_a_held_note_is_no_silence() -> None:
    notes = Notes.of([0.0, 9.0], [8.5, 1.0], [60, 62], [80, 80])
    assert shorten_silences(notes, 3.0) is notes


@given(pieces(), st.floats(0.2, 5.0))
def test_no_silence_is_longer_and_everything_else_is_as_it_was(notes: Notes, longest: float) -> None:
    notes = trim(notes)
    cut = shorten_silences(notes, longest)
    release = np.maximum.accumulate(cut.onset + cut.duration)
    silence = cut.onset - np.concatenate([[0.0], release[:-1]])[: len(cut)]
    assert (silence <= longest + 1e-6).all()
    assert np.array_equal(cut.pitch, notes.pitch) and np.array_equal(cut.duration, notes.duration)
    shift = notes.onset - cut.onset
    assert (shift >= 0).all() and (np.diff(shift) >= -1e-9).all()
    assert (cut.pedal[:, 1] > cut.pedal[:, 0]).all()
    assert (cut.pedal[1:, 0] >= cut.pedal[:-1, 1] - 1e-9).all(), "presses stay apart"
