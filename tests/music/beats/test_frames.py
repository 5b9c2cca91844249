"""What the beat network hears: where things stand in its columns, and that loudness and level do not enter."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings

from arietta.music.beats.frames import COLUMNS, FRAME_RATE, REGISTERS, SCALARS, frame_columns
from arietta.music.notes import Notes
from tests.support.strategies import pieces

NOTES = Notes.of([0.5, 0.5, 1.0], [0.4, 0.2, 0.5], [45, 69, 71], [80, 40, 60], [(0.4, 0.9)])


def scalar(columns: np.ndarray, name: str) -> np.ndarray:
    return columns[:, REGISTERS + 24 + SCALARS.index(name)]


def test_keys_stand_in_the_frame_of_their_onset_by_register_and_pitch_class() -> None:
    columns = frame_columns(NOTES, 100)
    assert columns.shape == (100, COLUMNS)
    assert np.flatnonzero(columns[:, :REGISTERS].sum(axis=1)).tolist() == [25, 50]
    assert np.flatnonzero(columns[25, :REGISTERS]).tolist() == [6, 12]
    sounding, bass = columns[:, REGISTERS : REGISTERS + 12], columns[:, REGISTERS + 12 : REGISTERS + 24]
    assert np.flatnonzero(sounding[:, 9]).tolist() == list(range(25, 45))
    assert np.flatnonzero(bass.sum(axis=0)).tolist() == [9]


def test_waits_lengths_releases_and_pedal_are_told() -> None:
    columns = frame_columns(NOTES, 100)
    assert scalar(columns, "count")[[25, 50]].tolist() == np.log1p([2, 1]).astype(np.float32).tolist()
    assert 0 < scalar(columns, "wait")[25] == scalar(columns, "waited")[50] < scalar(columns, "wait")[50] == 1
    assert np.flatnonzero(scalar(columns, "pedal")).tolist() == list(range(20, 45))
    assert np.flatnonzero(scalar(columns, "pedal down")).tolist() == [20]
    assert np.flatnonzero(scalar(columns, "releases")).tolist() == [35, 45, 75]


def test_louder_playing_is_heard_alike() -> None:
    louder = Notes.of(NOTES.onset, NOTES.duration, NOTES.pitch, NOTES.velocity * 1.5, NOTES.pedal)
    assert np.abs(frame_columns(louder, 100) - frame_columns(NOTES, 100)).max() < 1e-6


@settings(max_examples=25)
@given(pieces())
def test_any_piece_has_columns_and_what_lies_behind_them_is_left_out(notes: Notes) -> None:
    for seconds in (1, 30):
        columns = frame_columns(notes, seconds * FRAME_RATE)
        assert columns.dtype == np.float32 and np.isfinite(columns).all() and columns.min() >= 0
