"""Planted copies: copied as they say, set in the middle, and counted as found where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from arietta.music.notes import Notes
from arietta.originality.recall import AROUND, COPY_KINDS, GRACE, Detection, measure_recall, plant
from tests.support.indexes import TUNES, indexed
from tests.support.tunes import tune


@pytest.mark.parametrize(("kind", "share"), [("10 % changed", 0.1), ("20 % changed", 0.2), ("exact", 0.0)])
def test_so_many_notes_are_changed(kind: str, share: float) -> None:
    notes = tune(1, 4000)
    copied = COPY_KINDS[kind](notes, np.random.default_rng(0))
    assert np.array_equal(copied.onset, notes.onset)
    assert np.mean(copied.pitch != notes.pitch) == pytest.approx(share, abs=0.02)


def test_a_transposed_copy_is_moved_as_a_whole() -> None:
    for seed in range(10):
        copied = COPY_KINDS["transposed"](TUNES[1], np.random.default_rng(seed))
        moved = np.unique(copied.pitch.astype(int) - TUNES[1].pitch)
        assert len(moved) == 1 and 1 <= abs(moved[0]) <= 5


def test_an_ornamented_copy_has_all_its_notes_and_a_tenth_more() -> None:
    notes = tune(1, 1000)
    copied = COPY_KINDS["ornamented"](notes, np.random.default_rng(0))
    assert len(copied) == pytest.approx(1100, abs=30)
    assert np.isin(notes.onset, copied.onset).all()
    assert (copied.duration == GRACE).sum() == len(copied) - len(notes)


def test_a_copy_is_planted_in_the_middle() -> None:
    whole, (start, stop) = plant(tune(1, 30), tune(2, 100))
    assert (start, stop, len(whole)) == (50, 80, 130)
    assert np.array_equal(whole.pitch[start:stop], tune(1, 30).pitch)
    assert np.array_equal(np.delete(whole.pitch, np.arange(start, stop)), tune(2, 100).pitch)


def test_copies_of_an_indexed_corpus_are_found_and_rightly_named(tmp_path: Path) -> None:
    tunes = [tune(seed, 2 * AROUND) for seed in range(4)]
    measured = measure_recall(indexed(tmp_path / "index", tunes), tunes.__getitem__, copies=4, lengths=(100, 4000))
    assert set(measured) == set(COPY_KINDS)
    assert set(measured["exact"]) == {100}  # no piece has 4,000 notes
    assert all(row[100] == Detection(1.0, 1.0) for row in measured.values())


def test_nothing_is_found_where_another_corpus_is_indexed(tmp_path: Path) -> None:
    index = indexed(tmp_path / "index", [tune(seed, 2 * AROUND) for seed in range(4)])
    others = [tune(seed, 2 * AROUND) for seed in range(10, 14)]
    measured = measure_recall(index, others.__getitem__, copies=3, lengths=(100,))
    assert measured["exact"][100] == Detection(0.0, 1.0)


def test_one_work_alone_has_no_recall(tmp_path: Path) -> None:
    tunes = [tune(seed, 2 * AROUND) for seed in range(2)]
    index = indexed(tmp_path / "index", tunes, works=["same", "same"])
    assert measure_recall(index, tunes.__getitem__, copies=1) == {}


def test_low_notes_are_moved_up_not_out_of_range() -> None:
    low = Notes.of([0, 1], [1, 1], [2, 3], [64, 64])
    copied = COPY_KINDS["transposed"](low, np.random.default_rng(0))
    assert copied.pitch[1] - copied.pitch[0] == 1
