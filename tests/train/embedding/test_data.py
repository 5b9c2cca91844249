"""What the embedding learns from: windows of pieces in pairs, shuffled or not, each played in its own way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from arietta.corpus.store import Store
from arietta.errors import CorpusError
from arietta.evaluation.embedding import FEATURES, WINDOW, features
from arietta.music.chords import order_by_chord
from arietta.train.embedding.data import (
    LONGEST_WAIT,
    Library,
    augment,
    composers_with,
    draw_pairs,
    long_pieces,
    read_library,
    windows_at,
)
from tests.support.corpora import COMPOSERS
from tests.support.embedding import PIECES


def test_pieces_that_fill_no_window_are_left_out_and_a_side_without_any_is_refused(store: Store) -> None:
    assert [piece.index for piece in long_pieces(store, "own", "train")] == list(range(PIECES))
    with pytest.raises(CorpusError, match="own/test"):
        long_pieces(store, "own", "test")


def test_composers_are_known_from_so_many_pieces_on(store: Store) -> None:
    pieces = [*store.pieces, replace(store.pieces[0], composer="Somebody Else"), replace(store.pieces[0], composer="")]
    assert composers_with(pieces, 2) == tuple(sorted(COMPOSERS))
    assert "Somebody Else" in composers_with(pieces, 1) and "" not in composers_with(pieces, 1)


def test_the_library_holds_the_notes_of_each_piece(store: Store, library: Library) -> None:
    for index in range(PIECES):
        start, stop = library.spans[index]
        assert np.array_equal(np.sort(library.pitch[start:stop]), np.sort(store.notes(index).pitch))
        assert library.composers[library.composer[index]] == store.pieces[index].composer


@pytest.fixture
def unvaried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arietta.train.embedding.data.augment", lambda windows, _: windows)


def owner(library: Library, window: list[int]) -> int:
    """The piece in which a row of pitches stands; -1 where it stands in none."""
    for index, (start, stop) in enumerate(library.spans):
        piece = library.pitch[start:stop].tolist()
        if any(piece[begin : begin + len(window)] == window for begin in range(len(piece) - len(window) + 1)):
            return index
    return -1


@pytest.mark.usefixtures("unvaried")
def test_both_windows_of_a_pair_are_of_one_piece(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arietta.train.embedding.data.SHUFFLED_PARTS", (1, 2))  # of one part: contiguous
    pairs = draw_pairs(library, 6, np.random.default_rng(0))
    assert pairs.windows.pitch.shape == (12, WINDOW)
    owners = [owner(library, row.tolist()) for row in pairs.windows.pitch]
    assert owners[:6] == owners[6:] and len(set(owners)) == 6
    assert library.composer[owners].tolist() == pairs.composer.tolist()


@pytest.mark.usefixtures("unvaried")
def test_contiguous_windows_stand_in_their_piece_and_shuffled_ones_do_not(library: Library) -> None:
    pairs = draw_pairs(library, PIECES, np.random.default_rng(1))
    assert 4 < np.count_nonzero(pairs.is_contiguous) < 2 * PIECES - 4
    for row, is_contiguous in zip(pairs.windows.pitch, pairs.is_contiguous, strict=True):
        assert (owner(library, row.tolist()) >= 0) == is_contiguous


def test_parts_are_joined_without_a_gap_and_each_note_waits_as_long_as_in_its_piece(library: Library) -> None:
    start = library.spans[3, 0]
    rows = np.concatenate([start + 50 + np.arange(60), start + 5 + np.arange(WINDOW - 60)])[None]
    waits = np.diff(windows_at(library, rows).onset[0])
    assert waits == pytest.approx(np.diff(library.onset, prepend=0)[rows[0, 1:]], abs=1e-4)
    assert waits.min() >= 0


def test_augmented_windows_are_the_same_music_played_in_another_way(library: Library) -> None:
    windows = windows_at(library, library.spans[:, :1] + np.arange(WINDOW))
    varied = augment(windows, np.random.default_rng(0))
    shift = varied.pitch - windows.pitch
    assert np.all(shift == shift[:, :1]) and set(np.abs(shift).ravel().tolist()) <= {0, 1, 2, 3} and np.ptp(shift) > 0
    spans = [np.ptp(each.onset, axis=1) for each in (varied, windows)]
    assert np.all(np.abs(np.log(spans[0] / spans[1])) < 0.25)
    assert np.all(varied.duration > 0)
    assert features(varied).shape == (PIECES, WINDOW, FEATURES)


def test_the_same_generator_draws_the_same_batch(library: Library) -> None:
    first, again = (draw_pairs(library, 4, np.random.default_rng(7)).windows for _ in range(2))
    assert np.array_equal(first.onset, again.onset) and np.array_equal(first.pitch, again.pitch)


def test_the_library_keeps_the_order_of_chords_and_reports_every_piece(store: Store) -> None:
    pieces, calls = long_pieces(store, "own", "train"), []
    library = read_library(store, pieces, (COMPOSERS[1],), progress=lambda *counts: calls.append(counts))
    assert calls == [(count, PIECES) for count in range(1, PIECES + 1)]
    notes, (start, stop) = store.notes(4), library.spans[4]
    assert np.array_equal(library.pitch[start:stop], notes.pitch[order_by_chord(notes)])
    # COMPOSERS write in turn, and only the second is asked for here.
    assert library.composer.tolist() == [-1, 0] * (PIECES // 2)


def test_no_wait_is_longer_than_the_longest(library: Library) -> None:
    late = replace(library, onset=library.onset + np.float32(60) * (np.arange(len(library.onset)) >= 40))
    onset = windows_at(late, np.arange(WINDOW)[None]).onset[0]
    assert np.diff(onset).max() == LONGEST_WAIT and np.argmax(np.diff(onset)) == 39


def test_more_pieces_than_there_are_give_every_piece_once(library: Library) -> None:
    pairs = draw_pairs(
        replace(library, composer=np.array([0] + [-1] * (PIECES - 1))), 4 * PIECES, np.random.default_rng(2)
    )
    assert len(pairs.composer) == 2 * PIECES and np.count_nonzero(pairs.composer == 0) == 2
