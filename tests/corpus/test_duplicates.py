"""Likeness: one performance is recognised in any encoding, two performances of a work never are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.corpus import duplicates
from arietta.corpus.columns import ColumnReader, ColumnWriter
from arietta.corpus.duplicates import Shares, find_repeats, is_same_performance, measure_shares
from arietta.music.ngrams import landmarks
from arietta.music.notes import Notes, select, shift, stretch, transpose
from tests.support.tunes import play_again, play_all, tune


def encode_again(notes: Notes, ticks: int = 96) -> Notes:
    """Round every time to a coarse clock, as another program's export does."""
    onset = np.round(notes.onset * ticks) / ticks
    return Notes.of(onset, np.maximum(notes.duration, 1 / ticks), notes.pitch, notes.velocity)


def measure(folder: Path, all_notes: list[Notes]) -> Shares:
    with ColumnWriter(folder / "passages.npy", "<u8") as writer:
        ranges = [writer.append(landmarks(notes)[0]) for notes in all_notes]
    with ColumnReader(folder / "passages.npy") as column:
        return measure_shares(column, ranges)


def repeats(folder: Path, all_notes: list[Notes]) -> dict[int, int]:
    shares = measure(folder, all_notes)
    counts = [len(notes) for notes in all_notes]
    return find_repeats(shares, all_notes.__getitem__, lambda index: landmarks(all_notes[index]), counts)


@given(st.integers(0, 100), st.floats(0.0, 30.0), st.floats(0.96, 1.04), st.integers(-3, 3))
def test_a_performance_is_known_again_encoded_moved_a_little_faster_or_in_another_key(
    seed: int, seconds: float, factor: float, semitones: int
) -> None:
    other = shift(stretch(transpose(encode_again(tune(seed)), semitones), factor), seconds)
    assert is_same_performance(tune(seed), other)


@given(st.integers(0, 100), st.integers(101, 200))
def test_another_performance_of_the_same_notes_is_another(seed: int, other: int) -> None:
    assert not is_same_performance(tune(seed), play_again(tune(seed), other))


def test_the_same_notes_at_half_the_tempo_are_another_performance() -> None:
    assert not is_same_performance(tune(1), stretch(tune(1), 2.0))


def test_a_second_transcription_with_notes_missed_is_the_same_performance() -> None:
    notes = tune(1, 600)
    heard = select(notes, np.random.default_rng(0).uniform(size=600) > 0.03)
    assert is_same_performance(notes, heard)


def test_different_pieces_are_different_performances() -> None:
    assert not is_same_performance(tune(1), tune(2))
    assert not is_same_performance(tune(1, 15), tune(2, 15))
    assert not is_same_performance(tune(1), Notes.of())


@pytest.mark.parametrize("at_once", [10, 100, 10**6])
def test_shares_are_the_same_however_many_passages_are_counted_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(duplicates, "PASSAGES_AT_ONCE", at_once)
    shares = measure(tmp_path, [tune(1), play_all(tune(1), tune(2)), tune(3), tune(2)])
    assert shares.at_least(0.9, 20) == [(0, 1), (1, 3)]
    assert shares.counts.tolist() == [len(landmarks(tune(1))[0]), len(landmarks(tune(2))[0])]


def test_shares_need_both_a_share_and_a_number_of_passages(tmp_path: Path) -> None:
    shares = measure(tmp_path, [tune(1, 40), play_all(tune(1, 40), tune(2, 4000))])
    assert shares.at_least(0.9, 29) == [(0, 1)]
    assert shares.at_least(0.9, 30) == []


def test_no_files_share_nothing(tmp_path: Path) -> None:
    assert measure(tmp_path, []).at_least(0.0, 0) == []
    assert measure(tmp_path, [tune(1, 5)]).at_least(0.0, 0) == []


def test_repeats_are_found_and_the_first_is_kept(tmp_path: Path) -> None:
    all_notes = [tune(1), tune(2), encode_again(tune(1)), play_again(tune(1), 3), shift(tune(1), 5.0)]
    assert repeats(tmp_path, all_notes) == {2: 0, 4: 0}


@pytest.mark.parametrize("note_count", [10, 20])
def test_pieces_too_short_for_passages_are_compared_note_by_note(tmp_path: Path, note_count: int) -> None:
    short = tune(1, note_count)
    assert repeats(tmp_path, [short, encode_again(short), play_again(short, 2), tune(2, note_count)]) == {1: 0}


def test_a_part_of_a_performance_is_no_repeat_of_the_whole(tmp_path: Path) -> None:
    assert repeats(tmp_path, [play_all(tune(1), tune(2)), tune(1)]) == {}


def test_shares_of_some_files_are_those_of_the_files_alone(tmp_path: Path) -> None:
    all_notes = [tune(1), play_all(tune(1), tune(2)), tune(3), tune(2)]
    chosen = measure(tmp_path, all_notes).among([3, 1])
    alone = measure(tmp_path, [all_notes[3], all_notes[1]])
    assert chosen.pairs.tolist() == alone.pairs.tolist() == [[0, 1]]
    assert chosen.counts.tolist() == alone.counts.tolist()
    assert chosen.sizes.tolist() == alone.sizes.tolist()
