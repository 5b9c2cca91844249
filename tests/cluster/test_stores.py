"""Files in stores: listed as those of a folder, read to their limit, and refused in a sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("fsspec", reason="needs fsspec: pip install '.[cluster]'")

from arietta.cluster import stores
from arietta.cluster.stores import copy_file, fetch_tables, is_store, list_store
from arietta.corpus.labels import read_maestro_table
from arietta.corpus.reader import find_files
from arietta.errors import CorpusError
from arietta.music.midi import LARGEST_FILE
from tests.support.tunes import tune, write, write_maestro


def test_a_store_is_listed_as_the_folder_that_it_is(tmp_path: Path) -> None:
    for name in ("b/2.mid", "a.MIDI", "b/10.mid", "B/1.mid", ".hidden.mid", "c.txt"):
        write(tmp_path / name, tune(1))
    in_folder = find_files([tmp_path], ["music"])
    in_store = list_store(tmp_path.as_uri(), "music")
    assert [(file.folder, file.file, file.size) for file in in_store] == [
        (file.folder, file.file, file.size) for file in in_folder
    ]
    assert all(is_store(file.path) for file in in_store) and not is_store(in_folder[0].path)


def test_tables_come_from_a_store_as_from_a_folder(tmp_path: Path) -> None:
    write_maestro(tmp_path / "maestro", [("A", "One", "test", tune(1)), ("A", "Two", "train", tune(2))])
    copies = tmp_path / "copies"
    assert fetch_tables((tmp_path / "maestro").as_uri(), copies) == read_maestro_table(tmp_path / "maestro")


def test_no_more_of_a_file_is_fetched_than_the_reader_reads(tmp_path: Path) -> None:
    with (tmp_path / "huge.mid").open("wb") as file:
        file.truncate(LARGEST_FILE + 1000)
    (source,) = list_store(tmp_path.as_uri(), "music")
    (tmp_path / "copies").mkdir()
    assert Path(copy_file(source, tmp_path / "copies" / "0.mid").path).stat().st_size == LARGEST_FILE + 1


@pytest.mark.parametrize(
    ("address", "refusal"),
    [
        ("file:///nowhere/at/all", "no MIDI files there or below"),
        ("nosuchkind://bucket/folder", "the store does not give it .*nosuchkind"),
    ],
)
def test_a_store_that_is_not_to_be_had_is_refused_in_a_sentence(address: str, refusal: str) -> None:
    with pytest.raises(CorpusError, match=f"^{address}: {refusal}"):
        list_store(address, "music")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(CorpusError, match=r"needs fsspec: .*pip install"):
        list_store("s3://bucket/folder", "music")


@pytest.mark.parametrize(
    "error", [PermissionError("Forbidden"), OSError("Unable to locate credentials"), TimeoutError()], ids=repr
)
def test_a_store_that_does_not_let_one_in_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    class Closed:
        def find(self, root: str, *, detail: bool) -> dict[str, object]:
            raise error

        def cat_file(self, path: str, *, start: int, end: int) -> bytes:
            raise error

    source = list_store(write(tmp_path / "a.mid", tune(1)).parent.as_uri(), "music")[0]
    monkeypatch.setattr(stores, "_open", lambda address: (Closed(), "bucket"))
    reason = str(error) or "TimeoutError"
    for work in (lambda: list_store("s3://bucket", "music"), lambda: copy_file(source, tmp_path / "copy.mid")):
        with pytest.raises(
            CorpusError, match=rf"does not give it \({reason}\); see its name, and that this machine may"
        ):
            work()
