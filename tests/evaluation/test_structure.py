"""Self-similarity: what comes back is seen, what does not is not, and staying is neither."""

from __future__ import annotations

import numpy as np
import pytest

from arietta.evaluation.structure import recurrence_at, self_similarity
from arietta.music.notes import Notes


def chords(*roots: int) -> Notes:
    """A triad every 2 s on each root."""
    keys = [(2.0 * k, root + step) for k, root in enumerate(roots) for step in (0, 4, 7)]
    onset, pitch = zip(*keys, strict=True)
    return Notes.of(onset, [1.9] * len(keys), pitch, [64] * len(keys))


def test_the_same_chord_is_wholly_alike_and_one_without_common_notes_not_at_all() -> None:
    matrix = self_similarity(chords(60, 61, 60), 2.0)
    assert matrix == pytest.approx(np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]]))


def test_chords_with_a_common_note_are_a_third_alike() -> None:
    assert self_similarity(chords(60, 67), 2.0)[0, 1] == pytest.approx(1 / 3)


def test_the_octave_counts_only_by_side_of_middle_c() -> None:
    assert self_similarity(chords(60, 72, 48), 2.0)[0] == pytest.approx([1, 1, 0])


def test_silence_is_like_nothing() -> None:
    notes = Notes.of([0, 4], [1, 1], [60, 60], [64, 64])
    assert self_similarity(notes, 2.0)[1].tolist() == [0, 0, 0]


def test_what_comes_back_is_more_alike_than_what_goes_on() -> None:
    refrain, onward = recurrence_at(chords(*[60, 61, 62, 63] * 4), 2.0), recurrence_at(chords(60, 63, 54, 57), 2.0)
    assert refrain == pytest.approx(1.0)
    assert onward is not None and onward < 0.5


def test_staying_is_not_coming_back() -> None:
    staying = recurrence_at(chords(60, 60, 63, 63, 66, 66), 2.0)
    assert staying is not None and staying < 0.5


def test_a_piece_below_four_windows_says_nothing() -> None:
    assert recurrence_at(chords(60, 61), 8.0) is None
    assert recurrence_at(Notes.of(), 2.0) is None


def test_a_day_of_music_is_seen_in_bounded_time() -> None:
    onset = np.arange(0, 86_400, 10.0)
    day = Notes.of(onset, np.full(len(onset), 1.0), 60 + np.arange(len(onset)) % 12, np.full(len(onset), 64))
    assert recurrence_at(day, 2.0) is not None
