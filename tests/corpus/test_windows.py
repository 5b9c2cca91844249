"""Windows of a set: of a folder, of a corpus and of its parts, always the same ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from arietta.corpus.windows import read_windows, reader
from arietta.errors import CorpusError, RequestError
from tests.support.corpora import make_store
from tests.support.tunes import tune, write

SPLITS = ("train",) * 3 + ("test",) * 5


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    pieces = [tune(seed, 30 + 10 * seed) for seed in range(len(SPLITS))]  # 30 to 100 notes
    return str(make_store(tmp_path / "corpus", pieces=pieces, splits=SPLITS).path)


def count(name: str, note_count: int, most: int = 100) -> int:
    windows = list(read_windows(name, note_count, most, []))
    assert all(len(notes) == note_count for notes in windows)
    return len(windows)


def test_a_part_of_a_corpus_has_the_pieces_of_that_part_alone(corpus: str) -> None:
    assert count(corpus, 30) == 8
    assert count(f"{corpus}:test", 30) == count(f"{corpus}:own/test", 30) == 5
    assert count(f"{corpus}:own/", 30) == 8
    assert count(f"{corpus}:test", 85) == 2
    assert count(corpus, 30, most=4) == 4
    with pytest.raises(RequestError, match="no such pieces in that corpus; it has own/test, own/train"):
        count(f"{corpus}:maestro/test", 30)


def test_the_same_set_gives_the_same_windows(corpus: str) -> None:
    assert list(read_windows(corpus, 30, 8, [])) == list(read_windows(corpus, 30, 8, []))


def test_a_folder_names_the_files_that_it_leaves_out(tmp_path: Path) -> None:
    folder = tmp_path / "takes"
    folder.mkdir()
    for seed in range(4):
        write(folder / f"{seed}.mid", tune(seed, 40))
    (folder / "broken.mid").write_bytes(b"no MIDI")
    unread: list[Path] = []
    assert len(list(read_windows(str(folder), 40, 100, unread))) == 4
    assert [path.name for path in unread] == ["broken.mid"]


def test_a_folder_without_midi_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no MIDI files here"):
        list(read_windows(str(tmp_path), 40, 100, []))


def test_a_piece_that_is_too_short_is_not_read(tmp_path: Path) -> None:
    store = make_store(tmp_path / "corpus", pieces=[tune(1, 30), tune(2, 50)], splits=("train", "test"))
    read = reader(store, store.pieces, 40)
    assert read(0) is None and read(1) == store.notes(1)


def test_a_corpus_that_is_not_there_is_told_apart_from_a_folder(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"there is no corpus .*FOLDER:maestro/test is a part"):
        list(read_windows(f"{tmp_path / 'corpus'}:maestro/test", 10, 3, []))
