"""The embedding that ships: what it hears, what it does not, and that its numpy is what was trained."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arietta.evaluation.embedding import (
    DIMENSIONS,
    FEATURES,
    HEAD_DIMENSIONS,
    MOST_WINDOWS,
    WEIGHTS,
    WINDOW,
    embed,
    features,
    known_composers,
    overlapping_windows,
    predict_composers,
)
from arietta.evaluation.statistics import measure
from arietta.music.notes import Notes, shift, stretch, transpose
from tests.support.tunes import tune

PIECE = tune(5, 300)


def louder(notes: Notes, by: int) -> Notes:
    return Notes.of(notes.onset, notes.duration, notes.pitch, notes.velocity.astype(int) + by, notes.pedal)


def test_a_piece_has_one_embedding_of_so_many_numbers() -> None:
    found = embed(PIECE)
    assert found is not None and found.shape == (DIMENSIONS,) and found.dtype == np.float64
    assert np.isfinite(found).all()


def test_a_piece_of_fewer_notes_than_a_window_has_none_and_sounds_like_nobody() -> None:
    assert embed(tune(1, WINDOW)) is not None
    for short in (Notes.of(), tune(1, 1), tune(1, WINDOW - 1)):
        assert embed(short) is None
        assert predict_composers(short) == []


@pytest.mark.parametrize(
    ("count", "starts"), [(128, [0]), (129, [0, 1]), (192, [0, 64]), (300, [0, 64, 128, 172])], ids=str
)
def test_windows_begin_every_64_notes_and_one_ends_with_the_piece(count: int, starts: list[int]) -> None:
    notes = tune(1, count)
    assert overlapping_windows(notes).onset[:, 0].tolist() == notes.onset[starts].tolist()


def test_a_long_piece_is_heard_at_evenly_spread_places_from_first_to_last() -> None:
    long = tune(1, 20_000)
    windows = overlapping_windows(long)
    assert len(windows.pitch) == MOST_WINDOWS
    assert (windows.onset[0, 0], windows.onset[-1, -1]) == (long.onset[0], long.onset[-1])
    assert np.diff(windows.onset[:, 0]).max() < 2 * np.diff(windows.onset[:, 0]).min()


@settings(max_examples=15)
@given(seed=st.integers(0, 1000), seconds=st.floats(0, 100), by=st.integers(1, 20))
def test_neither_when_it_begins_nor_how_loud_it_is_makes_a_difference(seed: int, seconds: float, by: int) -> None:
    notes = tune(seed, 130)
    assert features(overlapping_windows(shift(notes, seconds))) == pytest.approx(
        features(overlapping_windows(notes)), abs=1e-4
    )
    assert features(overlapping_windows(louder(notes, by))) == pytest.approx(
        features(overlapping_windows(notes)), abs=1e-4
    )


def test_the_order_in_which_a_chords_keys_go_down_makes_no_difference_to_its_notes() -> None:
    onset = np.repeat(np.arange(50) * 0.5, 3)
    pitch = np.tile([48, 55, 64], 50)
    late = np.tile([0.0, 0.005, 0.01], 50)
    rising, falling = (
        overlapping_windows(Notes.of(onset + delay, np.full(150, 0.4), pitch, np.full(150, 64)))
        for delay in (late, late[::-1])
    )
    assert np.array_equal(rising.pitch, falling.pitch)


def test_transposition_moves_only_what_is_told_by_the_keyboard() -> None:
    """Pitch classes and registers; what is counted from other notes stays."""
    differs = features(overlapping_windows(transpose(PIECE, 2))) != features(overlapping_windows(PIECE))
    places = np.flatnonzero(differs.any(axis=(0, 1)))
    assert len(places) and places.max() < 12 + 8


def test_each_note_has_one_pitch_class_and_the_features_of_a_chord_are_counted_from_each_note() -> None:
    """A third E-G above C: seen from C up 4 and 7, from E down 4 and up 3."""
    onset, pitch = np.repeat(np.arange(50) * 0.5, 3), np.tile([60, 64, 67], 50)
    found = features(overlapping_windows(Notes.of(onset, np.full(150, 0.4), pitch, np.full(150, 64))))
    assert found.shape[2] == FEATURES and found.dtype == np.float32
    assert found[0, :3, :12].argmax(axis=1).tolist() == [0, 4, 7]
    mates = found[0, :3, 45:57]
    assert [np.flatnonzero(row).tolist() for row in mates] == [[4, 7], [3, 8], [5, 9]]


def test_tempo_and_pitches_are_heard() -> None:
    at_home, slow, high = (embed(notes) for notes in (PIECE, stretch(PIECE, 3.0), transpose(PIECE, 7)))
    assert at_home is not None and slow is not None and high is not None
    assert min(np.linalg.norm(at_home - slow), np.linalg.norm(at_home - high)) > 0.1


def test_shares_of_all_composers_add_up_to_one_and_fall() -> None:
    everybody = predict_composers(PIECE, most=1000)
    names, shares = zip(*everybody, strict=True)
    assert set(names) == set(known_composers()) and len(names) == len(set(names))
    assert sum(shares) == pytest.approx(1) and list(shares) == sorted(shares, reverse=True)
    assert predict_composers(PIECE) == everybody[:5]


def test_the_file_of_weights_is_small_and_needs_no_pickle() -> None:
    assert WEIGHTS.stat().st_size < 3e6
    with np.load(WEIGHTS, allow_pickle=False) as file:
        assert all(np.isfinite(file[name]).all() for name in file.files if name != "composers")
        assert file["out.weight"].shape[1] == HEAD_DIMENSIONS > DIMENSIONS


def test_two_keys_trilled_for_ever_have_an_embedding_too() -> None:
    trill = Notes.of(np.arange(200) * 0.05, np.full(200, 0.05), np.tile([108, 107], 100), np.full(200, 1))
    found = embed(trill)
    assert found is not None and np.isfinite(found).all()
    assert measure(trill)  # as everything else that is said of it


def test_notes_that_are_all_struck_at_once_have_an_embedding_too() -> None:
    found = embed(Notes.of(np.zeros(200), np.full(200, 1.0), np.arange(200) % 88 + 21, np.full(200, 127)))
    assert found is not None and np.isfinite(found).all()
