"""Building an index: it replaces an older one atomically, and what cannot be indexed is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from arietta.errors import CorpusError
from arietta.music.ngrams import ngrams
from arietta.music.notes import Notes
from arietta.originality import build
from arietta.originality.build import build_index
from arietta.originality.index import open_index
from tests.support.indexes import TUNES, about, indexed
from tests.support.tunes import tune


def test_an_index_takes_the_place_of_an_older_one_and_of_nothing_else(tmp_path: Path) -> None:
    indexed(tmp_path / "index")
    assert len(indexed(tmp_path / "index", TUNES[:2]).pieces) == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(CorpusError, match="no index of passages"):
        indexed(tmp_path / "mine")
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index", "mine"]


def test_a_build_that_breaks_off_leaves_the_older_index_whole(tmp_path: Path) -> None:
    indexed(tmp_path / "index")

    def read(place: int) -> Notes:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_index(tmp_path / "index", [about(0, TUNES[0])], read, corpus="")
    assert len(open_index(tmp_path / "index").pieces) == len(TUNES)


@pytest.mark.parametrize(
    ("tunes", "at_most", "sentence"),
    [([], 10**8, "not a note"), ([Notes.of()], 10**8, "not a note"), (TUNES, 1000, "1 MB at least")],
)
def test_what_cannot_be_indexed_is_refused(tunes: list[Notes], at_most: int, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=sentence):
        indexed(tmp_path / "index", tunes, at_most=at_most)
    assert not list(tmp_path.iterdir())


def test_a_piece_of_more_notes_than_postings_can_number_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "MOST_NOTES", 350)
    with pytest.raises(CorpusError, match=r"2\.mid: .* 350 notes at most, not 380"):
        indexed(tmp_path / "index")


def test_frequent_ngrams_are_counted_over_all_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tunes = [tune(0, 60)] * (build.FREQUENT + 1)
    monkeypatch.setattr(build, "MOST_NOTES", 60 * build.FREQUENT // 3)
    index = indexed(tmp_path / "index", tunes)
    assert len(index.description["shards"]) == 4
    assert (index.look_up(ngrams(tunes[0])[0])[0] == -1).all()
    index = indexed(tmp_path / "index", tunes[1:])
    assert (index.look_up(ngrams(tunes[0])[0])[0] == build.FREQUENT).all()


def test_a_shard_takes_as_many_notes_as_postings_can_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = [len(notes) for notes in TUNES]
    monkeypatch.setattr(build, "MOST_NOTES", sum(lengths[:5]))
    assert indexed(tmp_path / "index").description["shards"] == [0, sum(lengths[:5])]


def test_a_thinned_index_gets_the_longest_recording_of_each_work() -> None:
    pieces = [about(number, tune(number, 50 + number), work) for number, work in enumerate(["a", "b", "a", "b", "c"])]
    pieces[1] = replace(pieces[1], notes=500)
    assert [piece.index for piece in build.longest_of_each_work(pieces)] == [1, 2, 4]
