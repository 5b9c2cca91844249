"""Passages: found in any key and tempo, changed or ornamented, at their places on both sides; nothing else is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.music.notes import Notes, excerpt, shift, stretch, transpose
from arietta.originality.index import PassageIndex
from arietta.originality.recall import copy_changed, copy_ornamented, plant
from arietta.originality.search import SHORTEST, SLACK, find_passages
from tests.support.indexes import TUNES, indexed
from tests.support.tunes import play_again, play_all, tune


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> PassageIndex:
    return indexed(tmp_path_factory.mktemp("indexed") / "index")


@given(st.integers(0, 7), st.integers(0, 200), st.integers(40, 100), st.integers(-12, 12), st.floats(0.7, 1.5))
def test_a_copied_passage_is_found_in_any_key_and_tempo(
    index: PassageIndex, source: int, start: int, length: int, semitones: int, factor: float
) -> None:
    copied = stretch(transpose(excerpt(TUNES[source], start, start + length), semitones), factor)
    whole, (begin, end) = plant(copied, tune(77, 200))
    likeness = find_passages(whole, index)
    best = likeness.passages[0]
    assert best.piece.work == f"work {source}"
    assert best.semitones == -semitones
    around = 4 * SLACK  # words that are the same by chance lie before and after
    assert begin - around <= best.start <= begin + 1 and end - 1 <= best.stop <= end + around
    assert abs(best.there_start - start) <= around and abs(best.there_stop - (start + length)) <= around
    assert best.alike > 0.75 and likeness.longest >= length - 1
    assert best.seconds == (whole.onset[best.start], whole.onset[best.stop - 1])
    assert best.there_seconds[0] == pytest.approx(TUNES[source].onset[best.there_start], abs=3.0)


@pytest.mark.parametrize("spoil", [copy_changed(0.1), copy_changed(0.2), copy_ornamented])
@pytest.mark.parametrize("seed", range(5))
def test_a_spoiled_copy_is_found(index: PassageIndex, spoil, seed: int) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    copied = spoil(excerpt(TUNES[3], 50, 200), rng)
    whole, (begin, end) = plant(copied, tune(77, 200))
    likeness = find_passages(whole, index)
    assert {passage.piece.work for passage in likeness.passages} == {"work 3"}
    assert likeness.is_covered[begin:end].mean() > 0.5
    assert not likeness.is_covered[: begin - 1].any() and not likeness.is_covered[end + 1 :].any()
    assert likeness.longest < len(copied)


def test_a_piece_of_the_corpus_is_all_shared_but_with_its_own_work_left_out(index: PassageIndex) -> None:
    likeness = find_passages(shift(TUNES[2], 5.0), index)
    assert likeness.share == 1.0
    assert likeness.longest == len(TUNES[2])
    assert find_passages(TUNES[2], index, exclude_work="work 2").passages == ()


def test_another_performance_is_found(index: PassageIndex) -> None:
    assert find_passages(play_again(TUNES[4], 1), index).longest == len(TUNES[4])


def test_new_music_shares_nothing(index: PassageIndex) -> None:
    for seed in range(20, 40):
        likeness = find_passages(tune(seed, 400), index)
        assert (likeness.passages, likeness.share, likeness.longest) == ((), 0.0, 0)


def test_passages_from_several_works_are_listed_the_longest_first(index: PassageIndex) -> None:
    whole = play_all(excerpt(TUNES[1], 0, 60), tune(50, 100), excerpt(TUNES[5], 100, 200), excerpt(TUNES[6], 10, 40))
    found = [(passage.piece.work, passage.shared) for passage in find_passages(whole, index).passages]
    assert [work for work, _ in found] == ["work 5", "work 1", "work 6"]
    assert [shared for _, shared in found] == pytest.approx([100, 60, 30], abs=2)


def test_what_several_pieces_have_is_listed_once_and_counted(tmp_path: Path) -> None:
    twice = indexed(tmp_path / "index", [TUNES[0], TUNES[1], play_again(TUNES[0], 3)])
    (passage,) = find_passages(TUNES[0], twice).passages
    assert passage.elsewhere == 1


def test_passages_stop_at_the_edge_of_a_piece(tmp_path: Path) -> None:
    index = indexed(tmp_path / "index", [excerpt(TUNES[0], 0, 100), excerpt(TUNES[0], 100, 300)])
    found = {(p.piece.index, p.there_start, p.there_stop) for p in find_passages(TUNES[0], index).passages}
    assert found == {(0, 0, 100), (1, 0, 200)}


def test_a_passage_goes_on_after_some_notes_are_put_in(index: PassageIndex) -> None:
    source, put_in = TUNES[3], tune(80, SLACK - 1)
    whole = play_all(excerpt(source, 0, 60), put_in, excerpt(source, 60, 120))
    (passage,) = find_passages(whole, index).passages
    assert passage.stop - passage.start >= 120 + SLACK - 2
    assert (passage.there_start, passage.there_stop) == (0, 120)


def test_a_chance_likeness_further_on_does_not_make_a_passage_longer(index: PassageIndex) -> None:
    source = TUNES[7]
    whole = play_all(excerpt(source, 0, 60), tune(50, 60), excerpt(source, 120, 127), tune(51, 60))
    best = find_passages(whole, index).passages[0]
    assert best.stop <= 61


def test_fewer_notes_than_count_as_a_passage_are_none(index: PassageIndex) -> None:
    around = tune(77, 200)
    assert not find_passages(plant(excerpt(TUNES[0], 0, SHORTEST - 3), around)[0], index).passages
    assert find_passages(plant(excerpt(TUNES[0], 0, SHORTEST + 1), around)[0], index).passages


def test_a_figure_repeated_here_and_once_there_is_no_long_passage(index: PassageIndex) -> None:
    figure = excerpt(TUNES[0], 40, 48)
    onsets = np.arange(160) * 0.2
    turning = Notes.of(onsets, np.full(160, 0.1), np.tile(figure.pitch, 20), np.full(160, 64))
    likeness = find_passages(play_all(excerpt(TUNES[0], 20, 40), turning), index)
    assert all(passage.stop - passage.start < 60 for passage in likeness.passages)


@pytest.mark.parametrize("notes", [Notes.of(), tune(0, 3), tune(0, 5)], ids=["none", "three", "five"])
def test_too_few_notes_share_nothing(index: PassageIndex, notes: Notes) -> None:
    likeness = find_passages(notes, index)
    assert (likeness.share, likeness.longest, likeness.passages) == (0.0, 0, ())


def test_a_huge_piece_is_looked_up_in_blocks(index: PassageIndex) -> None:
    long = play_all(*[tune(seed, 10_000) for seed in range(60, 64)], TUNES[0])
    likeness = find_passages(long, index)
    assert likeness.longest == len(TUNES[0])
    assert likeness.passages[0].start == 40_000
