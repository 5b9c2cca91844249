"""The history in a file: what a full, damaged or locked disk does to it."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arietta.errors import HistoryError
from arietta.music.notes import Note
from arietta.serve.jobs.history.database import StorageError
from arietta.serve.jobs.history.pieces import History, open_history
from arietta.serve.jobs.history.records import JobOutcome
from arietta.serve.jobs.history.sqlite import RESERVE_BYTES, SqliteDatabase
from arietta.serve.jobs.job import State
from tests.serve.jobs.history.test_pieces import TOLD, record


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    history = open_history(tmp_path / "a" / "b")
    yield history
    history.close()


def base_of(history: History) -> sqlite3.Connection:
    database: Any = history.database
    base: sqlite3.Connection = database._base
    return base


def test_it_is_written_ahead_and_flushed(history: History, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a" / "b" / "history.sqlite") as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()
    assert base_of(history).execute("PRAGMA synchronous").fetchone() == (2,)


def test_one_folder_belongs_to_one_history_until_it_is_closed(history: History, tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match=r"b: another server keeps its pieces there; --data takes another folder"):
        open_history(tmp_path / "a" / "b")
    history.close()
    open_history(tmp_path / "a" / "b").close()


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (b"no database, however long it may be" * 100, "cannot be read"),
        ("PRAGMA user_version = 99", "format 99"),
        ("ALTER TABLE pieces DROP COLUMN told", "no such column: told"),
    ],
)
def test_a_file_that_is_damaged_or_newer_is_refused_by_name(tmp_path: Path, damage: bytes | str, sentence: str) -> None:
    file = tmp_path / "history.sqlite"
    if isinstance(damage, bytes):
        file.write_bytes(damage)
    else:
        open_history(tmp_path).close()
        with sqlite3.connect(file) as base:
            base.execute(damage)
        base.close()
    with pytest.raises(HistoryError, match=sentence) as raised:
        open_history(tmp_path)
    assert str(file) in str(raised.value)
    with pytest.raises(HistoryError, match=sentence):  # and the folder was let go
        open_history(tmp_path)


def test_a_folder_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HistoryError, match=r"file/data: cannot be used \(Not a directory\)"):
        open_history(tmp_path / "file" / "data")


def full(history: History, pages: int = 0) -> None:
    """Let the file grow by so many pages and no more, as on a full disk."""
    (count,) = base_of(history).execute("PRAGMA page_count").fetchone()
    base_of(history).execute(f"PRAGMA max_page_count = {count + pages}")


def roomy(history: History) -> None:
    base_of(history).execute("PRAGMA max_page_count = 1000000")


@pytest.mark.parametrize("pages", range(8))
def test_wherever_the_disk_becomes_full_what_was_stored_stays_and_the_rest_can_be_stored_later(
    tmp_path: Path, pages: int
) -> None:
    history = open_history(tmp_path)
    notes = [Note(n / 7, 0.25, 60 + n % 20, 64) for n in range(1_500)]
    history.add([record("a")], [[]])
    history.end("a", State.DONE, JobOutcome(), notes)
    full(history, pages)
    stored: list[str] = ["a"]
    for key in "bcdefghi":
        with contextlib.suppress(StorageError):
            history.add([record(key)], [notes])
            stored.append(key)
    assert len(stored) < 9
    with pytest.raises(StorageError, match="full"):
        history.add([record("n")], [notes])
    assert sorted(piece.id for piece in history.page(20)) == stored and history.events("a") == notes
    roomy(history)
    history.check_writable()
    history.add([record("z")], [notes])
    history.close()
    history = open_history(tmp_path)
    assert sorted(piece.id for piece in history.page(20)) == [*stored, "z"]
    history.close()


@pytest.mark.skipif(sys.platform == "win32", reason="has no limit of files")
def test_on_a_full_disk_without_a_spare_file_it_opens_and_can_be_read(tmp_path: Path) -> None:
    import resource

    history = open_history(tmp_path)
    history.add([record("a")], [[]])
    history.close()
    (tmp_path / "reserve").unlink()
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, unlimited[1]))
    try:
        history = open_history(tmp_path)
        pieces = [piece.id for piece in history.page(9)]
        with pytest.raises(StorageError) as raised:
            history.check_writable()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert pieces == ["a"] and "disk" in str(raised.value)
    history.check_writable()  # there is room again
    history.delete("a")
    assert history.page(9) == [] and (tmp_path / "reserve").exists()
    history.close()


@pytest.mark.parametrize("was_killed", [False, True])
def test_a_folder_that_may_not_be_written_to_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, was_killed: bool
) -> None:
    earlier = open_history(tmp_path / "a")
    earlier.add([record("a")], [[]], [(JobOutcome(), TOLD)])
    if was_killed:  # and left its log
        shutil.copytree(tmp_path / "a", tmp_path / "b")
    earlier.close()
    folder = tmp_path / ("b" if was_killed else "a")
    monkeypatch.setattr("os.access", lambda *_: False)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".sqlite-shm"}
    history = open_history(folder)
    assert history.is_read_only and [piece.id for piece in history.page(9)] == ["a"] and history.events("a") == TOLD
    for change in (history.check_writable, lambda: history.add([record("b")], [[]]), lambda: history.delete("a")):
        with pytest.raises(StorageError, match="readonly"):
            change()
    history.close()
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".sqlite-shm"} == before


def test_on_a_full_disk_a_piece_can_be_deleted_to_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = open_history(tmp_path)
    history.add([record("a")], [[]])
    is_full = [True]

    @contextlib.contextmanager
    def changing() -> Iterator[sqlite3.Connection]:
        if is_full[0] and (tmp_path / "reserve").exists():
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise StorageError(error) from error
        with base_of(history):
            yield base_of(history)

    assert (tmp_path / "reserve").stat().st_size == RESERVE_BYTES
    monkeypatch.setattr(history.database, "changing", changing)
    history.delete("a")
    assert history.page(9) == []
    assert (tmp_path / "reserve").exists()  # written again, there is room
    history.close()


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (sqlite3.SQLITE_FULL, "free some room. The file is sound"),
        (sqlite3.SQLITE_IOERR, "The file is sound"),
        (sqlite3.SQLITE_BUSY, "is in use by another program"),
        (sqlite3.SQLITE_CORRUPT, "put a copy in its place"),
    ],
)
def test_a_history_that_cannot_be_opened_says_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, advice: str
) -> None:
    def fail(self: SqliteDatabase) -> None:
        error = sqlite3.OperationalError("something")
        error.sqlite_errorcode = code
        raise error

    monkeypatch.setattr(SqliteDatabase, "_set_up", fail)
    with pytest.raises(HistoryError, match=advice):
        open_history(tmp_path)


def test_a_file_with_flipped_bits_is_refused_at_the_start_or_read(tmp_path: Path) -> None:
    history = open_history(tmp_path)
    history.add([record(f"{n:04}") for n in range(200)], [TOLD * 20] * 200)
    history.close()
    sound = (tmp_path / "history.sqlite").read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(12):
        damaged = bytearray(sound)
        for place in rng.integers(100, len(sound), 40).tolist():
            damaged[place] ^= 1 << int(rng.integers(8))
        (tmp_path / "history.sqlite").write_bytes(damaged)
        try:
            history = open_history(tmp_path)
        except HistoryError:
            refused += 1
            continue
        assert len(history.page(500)) <= 200
        history.close()
    assert refused


@pytest.mark.parametrize(("column", "damaged"), [("created", "yesterday"), ("title", b"\xff"), ("prompt", "text")])
def test_a_value_of_another_kind_costs_its_row(history: History, column: str, damaged: str | bytes) -> None:
    history.add([record("a"), record("b")], [TOLD, TOLD])
    with history.changing() as changes:
        changes.execute(f"UPDATE pieces SET {column} = CAST(? AS TEXT) WHERE id = 'b'", (damaged,))
    assert [piece.id for piece in history.page(9)][-1] == "a"
    with contextlib.suppress(HistoryError):
        assert history.prompt("b") == TOLD
    history.delete("b")
