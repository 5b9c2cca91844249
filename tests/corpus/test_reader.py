"""The reader: which files it finds, that each is read once and never again, and that nothing it meets stops it."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arietta.corpus import reader, store
from arietta.corpus.ingest import IngestConfig, ingest
from arietta.corpus.reader import ReadFile, find_files, read_files
from arietta.corpus.store import StoreWriter, open_store
from arietta.errors import CorpusError
from arietta.music.midi import LARGEST_FILE, read_midi
from tests.support.tunes import tune, write

ONE = IngestConfig(workers=1)


@pytest.fixture
def files_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Name the files that are read while a test runs (in this process: with one worker)."""
    names: list[str] = []
    read = reader._read

    def watch(path: str) -> Any:
        names.append(Path(path).name)
        return read(path)

    monkeypatch.setattr(reader, "_read", watch)
    return names


def read_folder(folder: Path, out: Path, workers: int = 1) -> list[ReadFile]:
    """Read a folder of MIDI files into columns in `out`."""
    out.mkdir()
    with StoreWriter(out) as writer:
        return read_files(find_files([folder]), out / "nothing", out, writer, workers, lambda done, total: None)


def test_folders_that_are_missing_or_files_or_without_midi_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.txt").touch()
    for path, message in (
        (tmp_path / "missing", "there is no such folder"),
        (tmp_path / "text" / "a.txt", "is a file, not a folder"),
        (tmp_path / "text", "no MIDI files here or below"),
    ):
        with pytest.raises(CorpusError, match=message):
            find_files([path])


def test_a_folder_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(top: object, onerror: Any, **options: object) -> Iterator[Any]:
        onerror(PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "secret")))
        return iter(())

    monkeypatch.setattr(os, "walk", refuse)
    with pytest.raises(CorpusError, match=r"secret: cannot be read \(Permission denied\)"):
        find_files([tmp_path])


def test_every_kind_of_suffix_is_found_and_hidden_files_are_not(tmp_path: Path) -> None:
    for seed, name in enumerate(("a.mid", "b.MIDI", "c.Mid", "._d.mid")):
        write(tmp_path / "midi" / name, tune(seed))
    assert [file.file for file in find_files([tmp_path / "midi"])] == ["a.mid", "b.MIDI", "c.Mid"]


def test_a_second_run_reads_only_what_is_new_or_changed(tmp_path: Path, files_read: list[str]) -> None:
    for seed in range(4):
        write(tmp_path / "midi" / f"{seed}.mid", tune(seed))
    ingest([tmp_path / "midi"], tmp_path / "corpus", ONE)
    before = open_store(tmp_path / "corpus").fingerprint
    files_read.clear()
    ingest([tmp_path / "midi"], tmp_path / "corpus", ONE)
    assert files_read == []
    assert open_store(tmp_path / "corpus").fingerprint == before
    write(tmp_path / "midi" / "1.mid", tune(8))
    write(tmp_path / "midi" / "new.mid", tune(9))
    ingest([tmp_path / "midi"], tmp_path / "corpus", ONE)
    assert files_read == ["1.mid", "new.mid"]
    assert open_store(tmp_path / "corpus").notes(1) == read_midi(tmp_path / "midi" / "1.mid")


def test_broken_files_are_not_read_again_either(tmp_path: Path, files_read: list[str]) -> None:
    for seed in range(4):
        write(tmp_path / "midi" / f"{seed}.mid", tune(seed))
    (tmp_path / "midi" / "broken.mid").write_bytes(b"MThd")
    for _ in range(2):
        ingest([tmp_path / "midi"], tmp_path / "corpus", ONE)
    assert files_read.count("broken.mid") == 1


def test_a_file_that_could_not_be_opened_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(4):
        write(tmp_path / "midi" / f"{seed}.mid", tune(seed))
    read = reader._read
    with monkeypatch.context() as patched:  # its permissions change without its time of change
        refused = reader._unreadable("", "cannot be read (Permission denied)")
        patched.setattr(reader, "_read", lambda path: refused if path.endswith("0.mid") else read(path))
        assert ingest([tmp_path / "midi"], tmp_path / "corpus", ONE)["kept"] == 3
    assert ingest([tmp_path / "midi"], tmp_path / "corpus", ONE)["kept"] == 4


def test_another_version_of_the_reader_reads_everything_again(
    tmp_path: Path, files_read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "midi" / "a.mid", tune(1))
    ingest([tmp_path / "midi"], tmp_path / "corpus", ONE)
    monkeypatch.setattr(reader, "READER_VERSION", 99)
    monkeypatch.setattr(store, "READER_VERSION", 99)
    ingest([tmp_path / "midi"], tmp_path / "corpus", ONE)
    assert files_read == ["a.mid", "a.mid"]


@pytest.mark.parametrize("damaged", ["heard.jsonl", "onset.npy", "passages.npy", "moments.npy"])
def test_a_damaged_reading_cache_is_ignored(tmp_path: Path, files_read: list[str], damaged: str) -> None:
    write(tmp_path / "midi" / "a.mid", tune(1))
    ingest([tmp_path / "midi"], tmp_path / "corpus", ONE)
    path = tmp_path / "corpus" / damaged
    path.write_bytes(path.read_bytes()[:-7])
    ingest([tmp_path / "midi"], tmp_path / "corpus", ONE)
    assert files_read == ["a.mid", "a.mid"]
    assert open_store(tmp_path / "corpus").notes(0) == read_midi(tmp_path / "midi" / "a.mid")


@pytest.mark.parametrize("line", ["1", '[["a", 1, 2]]', "[[[]], 1]"])
def test_a_reading_cache_with_a_line_of_another_kind_is_ignored(tmp_path: Path, line: str) -> None:
    write(tmp_path / "midi" / "a.mid", tune(1))
    ingest([tmp_path / "midi"], tmp_path / "corpus", ONE)
    with (tmp_path / "corpus" / reader.READING_CACHE).open("a") as cache:
        print(line, file=cache)
    assert ingest([tmp_path / "midi"], tmp_path / "corpus", ONE)["kept"] == 1


def test_files_come_in_the_order_of_their_names_whichever_process_read_them(tmp_path: Path) -> None:
    for seed in range(2 * reader.FILES_PER_BATCH + 1):
        write(tmp_path / "midi" / f"{seed:02}.mid", tune(seed, 20 + seed))
    for workers in (1, 2):
        files = read_folder(tmp_path / "midi", tmp_path / str(workers), workers)
        assert [file.note_count for file in files] == [20 + seed for seed in range(len(files))]


@pytest.mark.posix
def test_a_pipe_a_device_and_a_huge_file_are_unreadable_and_not_waited_for(tmp_path: Path) -> None:
    write(tmp_path / "midi" / "a.mid", tune(1))
    os.mkfifo(tmp_path / "midi" / "pipe.mid")
    (tmp_path / "midi" / "zero.mid").symlink_to("/dev/zero")
    with (tmp_path / "midi" / "huge.mid").open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    reasons = {file.source.file: file.reason for file in read_folder(tmp_path / "midi", tmp_path / "out")}
    assert reasons["a.mid"] == ""
    assert reasons["huge.mid"].startswith("larger than 4 MB")
    assert reasons["pipe.mid"] == reasons["zero.mid"] == "not a file but a folder, a pipe or a device"


@pytest.mark.parametrize("column", ["onset", "duration", "pitch", "velocity", "pedal"])
def test_altered_notes_are_not_copied_from_an_older_corpus(tmp_path: Path, files_read: list[str], column: str) -> None:
    for seed in range(2):
        write(tmp_path / "midi" / f"{seed}.mid", tune(seed))
    ingest([tmp_path / "midi"], tmp_path / "corpus", ONE)
    rows = np.load(tmp_path / "corpus" / f"{column}.npy", mmap_mode="r+")
    rows[-1] = rows[-1] + 1
    rows.flush()
    ingest([tmp_path / "midi"], tmp_path / "corpus", ONE)
    assert files_read == ["0.mid", "1.mid", "1.mid"]
    assert open_store(tmp_path / "corpus").notes(1) == read_midi(tmp_path / "midi" / "1.mid")


def test_the_reading_cache_of_an_older_program_is_not_used(tmp_path: Path, files_read: list[str]) -> None:
    write(tmp_path / "midi" / "a.mid", tune(1))
    ingest([tmp_path / "midi"], tmp_path / "corpus", ONE)
    path = tmp_path / "corpus" / reader.READING_CACHE
    _, *rows = path.read_text().splitlines()
    path.write_text("\n".join([json.dumps({"reader": "c81de85a918ab956"}), *rows]) + "\n")
    ingest([tmp_path / "midi"], tmp_path / "corpus", ONE)
    assert files_read == ["a.mid", "a.mid"]


def test_a_process_that_the_system_ends_is_told_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(2 * reader.FILES_PER_BATCH + 1):
        write(tmp_path / "midi" / f"{seed:02}.mid", tune(seed))
    monkeypatch.setattr(reader, "_read_batches", end_at_once)
    with pytest.raises(CorpusError, match=r"ended by the system, perhaps for want of memory; read with .*--workers 1"):
        read_folder(tmp_path / "midi", tmp_path / "out", workers=2)


def end_at_once(batches: object, results: object) -> None:
    """End the process as the system does when memory runs out."""
    os._exit(9)
