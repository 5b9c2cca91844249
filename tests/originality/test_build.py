"""Building an index: it replaces an older one atomically, and what cannot be indexed is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from arietta.errors import CorpusError
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


def test_more_notes_than_places_can_number_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "MOST_NOTES", 100)
    with pytest.raises(CorpusError, match="100 notes at most"):
        indexed(tmp_path / "index")


def test_a_thinned_index_gets_the_longest_recording_of_each_work() -> None:
    pieces = [about(number, tune(number, 50 + number), work) for number, work in enumerate(["a", "b", "a", "b", "c"])]
    pieces[1] = replace(pieces[1], notes=500)
    assert [piece.index for piece in build.longest_of_each_work(pieces)] == [1, 2, 4]
