"""People's works among each other, and where a piece stands: more likeness is never a lower percentile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.music.notes import Notes, excerpt
from arietta.originality.baseline import (
    PERCENTILES,
    Percentiles,
    is_inside_human_interval,
    measure_baseline,
    measure_percentiles,
)
from arietta.originality.index import IndexedPiece, PassageIndex, extend_description
from arietta.originality.search import Overlap, find_passages
from tests.support.indexes import TUNES, indexed
from tests.support.tunes import play_all, tune

WORKS = [f"work {place}" for place in range(len(TUNES))]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> PassageIndex:
    """An index whose baseline says: of 100 notes people share 0 to 50 in one passage, of 1,000 0 to 200."""
    built = indexed(tmp_path_factory.mktemp("indexed") / "index")
    even = PERCENTILES / 100
    short, long = ({"longest": (most * even).tolist(), "share": even.tolist()} for most in (50, 200))
    return extend_description(built, {"baseline": {"100": short, "1000": long}})


def test_works_that_share_nothing_have_a_baseline_of_nothing(tmp_path: Path) -> None:
    measured = measure_baseline(indexed(tmp_path / "index"), WORKS, TUNES.__getitem__, count=10)
    assert set(measured) == {"100", "300"}  # no tune has 1,000 notes
    assert all(not any(column) for figures in measured.values() for column in figures.values())


def test_works_that_quote_each_other_have_it_in_their_baseline(tmp_path: Path) -> None:
    quoting = [play_all(tune(seed, 20), tune(0, 100), tune(seed + 1, 20)) for seed in (10, 20, 30)]
    measured = measure_baseline(indexed(tmp_path / "index", quoting), WORKS[:3], quoting.__getitem__, count=10)
    assert 60 <= measured["100"]["longest"][100] <= 101
    assert len(measured["100"]["longest"]) == len(PERCENTILES)


def test_a_work_is_not_held_against_its_own_recordings(tmp_path: Path) -> None:
    index = indexed(tmp_path / "index", [TUNES[0], TUNES[0]], works=["one", "one"])
    measured = measure_baseline(index, ["one", "one"], [TUNES[0], TUNES[0]].__getitem__, count=5)
    assert not any(measured["100"]["longest"])


def test_a_piece_stands_among_windows_of_about_its_length(index: PassageIndex) -> None:
    assert measure_percentiles(find_passages(tune(99, 80), index), index) == Percentiles(100, 0.0, 0.0)
    copied = measure_percentiles(find_passages(excerpt(TUNES[0], 0, 100), index), index)
    assert copied is not None and copied.window == 100
    assert copied.longest == pytest.approx(100.0) and copied.share > 99
    assert not copied.is_inside


def test_a_long_piece_is_as_original_as_its_least_original_window(index: PassageIndex) -> None:
    long = play_all(tune(90, 950), excerpt(TUNES[7], 0, 100), tune(91, 1950))
    placed = measure_percentiles(find_passages(long, index), index)
    assert placed is not None and placed.window == 1000
    assert 20 < placed.longest < 55  # at most 100 notes, of the 0 to 200 that people share
    assert 3 < placed.share < 12


@given(st.integers(0, 100), st.integers(0, 100))
def test_more_shared_notes_stand_no_lower(index: PassageIndex, one: int, other: int) -> None:
    def placed(count: int) -> Percentiles:
        is_covered = np.arange(100) < count
        found = measure_percentiles(Overlap(is_covered, ()), index)
        assert found is not None
        return found

    low, high = sorted((one, other))
    assert 0 <= placed(low).share <= placed(high).share <= 100


def test_new_music_is_inside_and_a_copy_is_not(index: PassageIndex) -> None:
    assert is_inside_human_interval(tune(99, 200), index)
    assert not is_inside_human_interval(excerpt(TUNES[0], 0, 100), index)


def test_where_nothing_is_known_or_heard_nothing_is_said(index: PassageIndex, tmp_path: Path) -> None:
    assert measure_percentiles(find_passages(Notes.of(), index), index) is None
    bare = indexed(tmp_path / "bare")
    assert measure_percentiles(find_passages(TUNES[0], bare), bare) is None
    assert is_inside_human_interval(TUNES[0], bare)


def test_a_piece_is_called_by_what_is_known() -> None:
    def named(composer: str, title: str) -> str:
        return IndexedPiece(0, 0, 1, 0.0, 0.0, "a/b.mid", "own", composer, title, "w").name

    assert named("Liszt", "Sonata") == "Liszt: Sonata"
    assert (named("", "Sonata"), named("", "")) == ("Sonata", "a/b.mid")
