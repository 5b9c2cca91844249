from __future__ import annotations

import numpy as np
import pytest

from arietta.music.notes import Notes
from arietta.music.summary import most_at_once, pitch_counts, step_counts, summarise_piece


def test_a_summary_counts_what_was_played(waltz: Notes) -> None:
    piece = summarise_piece(waltz)
    assert (piece.note_count, piece.lowest, piece.highest) == (12, 45, 64)
    assert (piece.softest, piece.loudest) == (50, 82)
    assert piece.mean_pitch == pytest.approx(waltz.pitch.mean())
    assert (piece.median_duration, piece.longest) == pytest.approx((0.4, 0.4))
    assert (piece.pedal_count, piece.pedal_share) == (2, pytest.approx(2.8 / 4.4))
    assert piece.first_onset == 0


def test_keys_are_counted_apart_from_what_the_pedal_holds(waltz: Notes) -> None:
    piece = summarise_piece(waltz)
    assert piece.most_keys == 2
    assert piece.mean_keys == pytest.approx(12 * 0.4 / 4.4)
    assert piece.most_sounding == 3
    assert piece.mean_sounding > piece.mean_keys


def test_a_note_that_ends_as_another_begins_does_not_sound_with_it() -> None:
    assert most_at_once(Notes.of([0, 1, 2], [1, 1, 1], [60, 62, 64], [64] * 3)) == 1
    assert most_at_once(Notes.of([0, 1, 2], [1.1, 1, 1], [60, 62, 64], [64] * 3)) == 2
    assert most_at_once(Notes.of()) == 0


def test_one_note_has_no_step() -> None:
    piece = summarise_piece(Notes.of([3], [1], [60], [64]))
    assert (piece.median_step, piece.first_onset) == (0, 3)


def test_a_piece_without_notes_cannot_be_summarised() -> None:
    with pytest.raises(ValueError, match="without notes"):
        summarise_piece(Notes.of())


def test_every_note_stands_in_one_half_octave_and_gaps_between_are_shown() -> None:
    counts = pitch_counts(Notes.of([0, 1, 2, 3], [1] * 4, [59, 60, 65, 78], [64] * 4))
    assert counts == {(54, 59): 1, (60, 65): 2, (66, 71): 0, (72, 77): 0, (78, 83): 1}
    assert pitch_counts(Notes.of()) == {}


def test_every_step_stands_in_one_bin_chords_in_the_first() -> None:
    onset = [0.0, 0.0, 0.02, 0.52, 10.0]
    counts = step_counts(Notes.of(onset, [1] * 5, [60, 61, 62, 63, 64], [64] * 5))
    assert sum(counts.values()) == 4
    assert (counts[0.0, 0.01], counts[0.01, 0.03], counts[0.25, 0.5], counts[4.0, np.inf]) == (1, 1, 0, 1)
    assert step_counts(Notes.of([0], [1], [60], [64])) == {}
