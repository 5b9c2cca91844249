"""Landmarks and n-grams: the same passage in another key, tempo and touch is the same; common figures do not count."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.music.ngrams import LANDMARK_LENGTH, NGRAM_LENGTH, Hashes, count_shared, landmarks, ngrams
from arietta.music.notes import Notes, shift, stretch, transpose
from tests.support.tunes import play_again, play_all, tune


def fingerprint(notes: Notes) -> Hashes:
    return landmarks(notes)[0]


def share(shorter: Hashes, longer: Hashes) -> float:
    """The share of one piece's landmarks that another has too."""
    return len(np.intersect1d(shorter, longer, assume_unique=True)) / len(shorter)


def in_a_row(pitches: list[int]) -> Notes:
    count = len(pitches)
    return Notes.of(np.arange(count) * 0.2, [0.1] * count, pitches, [64] * count)


@given(st.integers(0, 1000), st.integers(-12, 12), st.floats(0.6, 2.0), st.floats(0.0, 60.0))
def test_key_tempo_and_beginning_do_not_change_a_fingerprint(
    seed: int, semitones: int, factor: float, seconds: float
) -> None:
    notes = tune(seed)
    moved = shift(stretch(transpose(notes, semitones), factor), seconds)
    assert np.array_equal(fingerprint(moved), fingerprint(notes))


def test_another_performance_has_the_same_fingerprint() -> None:
    assert share(fingerprint(tune(1)), fingerprint(play_again(tune(1), 7))) == 1.0


def test_the_order_in_which_a_chord_is_struck_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    roots = 40 + np.cumsum(rng.integers(-5, 6, 30)) % 24
    chords = np.stack([roots, roots + rng.integers(3, 5, 30), roots + 7], axis=1).reshape(-1)
    fingerprints = []
    for seed in (1, 2):
        spread = np.random.default_rng(seed).uniform(0.0, 0.015, chords.shape)
        onset = np.repeat(np.arange(30) * 0.5, 3) + spread
        fingerprints.append(fingerprint(Notes.of(onset, np.full(90, 0.2), chords, np.full(90, 64))))
    assert len(fingerprints[0]) > 50
    assert share(*fingerprints) == 1.0


def test_different_tunes_share_nothing() -> None:
    assert share(fingerprint(tune(1)), fingerprint(tune(2))) == 0.0


def test_a_part_shares_all_of_itself_with_the_whole() -> None:
    whole = play_all(tune(1), tune(2), tune(3))
    assert share(fingerprint(tune(2)), fingerprint(whole)) == 1.0


@pytest.mark.parametrize(
    "steps",
    [[2, -2], [2, 2, 1, 2, 2, 2, 1], [4, 3, -3, -4], [4, 3, 5], [0]],
    ids=["trill", "scale", "Alberti bass", "broken chord", "one note"],
)
def test_figures_that_everybody_writes_are_left_out(steps: list[int]) -> None:
    figure = in_a_row((21 + np.cumsum([0, *(steps * 20)[:20]])).tolist())
    assert len(figure) >= LANDMARK_LENGTH + 9
    assert len(fingerprint(figure)) == 0


def test_fewer_notes_than_a_landmark_have_no_fingerprint() -> None:
    assert len(fingerprint(tune(1, LANDMARK_LENGTH - 1))) == 0
    assert len(fingerprint(tune(1, LANDMARK_LENGTH))) == 1


def spread(values: Iterable[int]) -> Hashes:
    """Make hashes of small numbers: different in their high bits, as real ones are."""
    return np.sort(np.array(list(values), dtype=np.uint64) << np.uint64(40))


def test_shared_passages_are_counted_for_every_pair() -> None:
    parts = [spread(values) for values in ([1, 2, 3], [2, 3, 4], [5], [3])]
    pairs, counts = count_shared(parts, frequent=10)
    assert dict(zip(map(tuple, pairs.tolist()), counts.tolist(), strict=True)) == {(0, 1): 2, (0, 3): 1, (1, 3): 1}


def test_what_too_many_pieces_have_is_not_counted() -> None:
    parts = [spread([7, 100 + index // 2]) for index in range(6)]
    pairs, counts = count_shared(parts, frequent=5)
    assert pairs.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert counts.tolist() == [1, 1, 1]


@given(st.lists(st.sets(st.integers(0, 12)), max_size=8))
def test_counting_agrees_with_counting_by_hand(sets: list[set[int]]) -> None:
    parts = [spread(values) for values in sets]
    pairs, counts = count_shared(parts, frequent=100)
    by_hand = {
        (i, j): len(sets[i] & sets[j]) for i in range(len(sets)) for j in range(i + 1, len(sets)) if sets[i] & sets[j]
    }
    assert dict(zip(map(tuple, pairs.tolist()), counts.tolist(), strict=True)) == by_hand


def test_landmarks_say_when_a_passage_sounds_and_nothing_where_it_sounds_again() -> None:
    once = tune(1, 40)
    hashes, onsets = landmarks(once)
    assert (hashes[1:] > hashes[:-1]).all()
    assert sorted(onsets.tolist()) == pytest.approx(once.onset[:29].tolist(), abs=1e-4)
    twice, silent = landmarks(play_all(once, once))
    assert np.isnan(silent[np.isin(twice, hashes)]).all()
    assert not np.isnan(silent[~np.isin(twice, hashes)]).any()


def test_ngrams_are_the_same_in_another_key_and_tempo_and_say_where_they_stand() -> None:
    hashes, places = ngrams(tune(1))
    moved, there = ngrams(stretch(transpose(tune(1), 5), 1.3))
    assert np.array_equal(hashes, moved) and np.array_equal(places, there)
    assert len(np.unique(hashes)) == len(hashes) > 100
    assert len(ngrams(tune(1, NGRAM_LENGTH - 1))[0]) == 0 and len(ngrams(tune(1, NGRAM_LENGTH))[0]) == 1


def test_a_changed_note_changes_only_the_ngrams_it_stands_in() -> None:
    notes = tune(1)
    pitch = notes.pitch.copy()
    pitch[50] += 1
    changed = Notes.of(notes.onset, notes.duration, pitch, notes.velocity)
    (hashes, places), (others, theirs) = ngrams(notes), ngrams(changed)
    common = np.intersect1d(places, theirs)
    differs = hashes[np.isin(places, common)] != others[np.isin(theirs, common)]
    assert common[differs].tolist() == [start for start in range(50 - NGRAM_LENGTH + 1, 51) if start in common]


@pytest.mark.parametrize("steps", [[2, -2], [4, 3, -7], [1]], ids=["trill", "broken triad", "chromatic scale"])
def test_trills_and_broken_triads_are_no_ngrams(steps: list[int]) -> None:
    figure = in_a_row((40 + np.cumsum([0, *(steps * 20)[:20]])).tolist())
    assert len(ngrams(figure)[0]) == 0
