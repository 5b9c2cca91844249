"""The history on disk: what it keeps, what it drops by which rule, and one process that owns it."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import sys
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from arietta.errors import HistoryError
from arietta.music.notes import Note, Pedal
from arietta.serve.jobs.history import RESERVE_BYTES, History, JobOutcome, Record
from arietta.serve.jobs.job import State

TOLD = [Note(0.5, 0.25, 60, 64), Pedal(0.0, 0.75), Note(1 / 3, 0.1, 61, 1)]


def record(key: str) -> Record:
    return Record(key, f"piece {key}", State.WAITING, 1.5e9, {"notes": 3, "seed": 7}, f"title {key}", [f"text {key}"])


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    history = History(tmp_path / "a" / "b")
    yield history
    history.close()


def test_a_piece_comes_back_as_it_was_kept_also_after_reopening(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.add([record("a"), record("b")], [TOLD[:1], []])
    outcome = JobOutcome({"waited": 0.5, "first_note": None}, {"notes": 3.0}, None)
    history.end("a", State.DONE, outcome, TOLD)
    for _ in range(2):
        assert history.find("a") == replace(record("a"), number=1, state=State.DONE, outcome=outcome)
        assert history.find("b") == replace(record("b"), number=2)
        assert history.find("c") is None
        assert (history.events("a"), history.events("b"), history.events("c")) == (TOLD, [], [])
        assert (history.prompt("a"), history.prompt("b")) == (TOLD[:1], [])
        assert [stored.id for stored in history.waiting()] == ["b"]
        history.close()
        history = History(tmp_path)
    history.close()


def test_it_is_written_ahead_and_flushed(history: History, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a" / "b" / "history.sqlite") as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()
    assert history._base.execute("PRAGMA synchronous").fetchone() == (2,)


def test_pieces_of_one_order_are_found_and_what_is_found_out_of_them_is_kept(history: History) -> None:
    mates = [replace(record(key), asked={"seed": 7, "order": "b", "best": 1}) for key in "bc"]
    history.add([record("a"), *mates, record("d")], [[]] * 4)
    assert [stored.id for stored in history.order("b")] == ["b", "c"]
    assert history.order("a") == []
    history.end("c", State.DONE, JobOutcome(figures={"notes": 3}), TOLD)
    history.set_outcomes({"c": JobOutcome(figures={"notes": 3, "choice": {"score": 0.5}})})
    (_, stored) = history.order("b")
    assert (stored.state, stored.outcome.figures) == (State.DONE, {"notes": 3, "choice": {"score": 0.5}})
    assert history.events("c") == TOLD


def test_pieces_are_added_all_or_none(history: History) -> None:
    history.add([record("a")], [[]])
    with pytest.raises(sqlite3.IntegrityError):
        history.add([record("b"), record("a")], [[], []])
    assert [stored.id for stored in history.page(10)] == ["a"]


def test_pages_are_cut_by_number_and_by_favourites(history: History) -> None:
    history.add([record(key) for key in "abcd"], [[]] * 4)
    history.change("b", name=None, is_favourite=True)
    assert [stored.id for stored in history.page(2)] == ["d", "c"]
    assert [stored.id for stored in history.page(9, before=3)] == ["b", "a"]
    assert [stored.id for stored in history.page(9, only_favourites=True)] == ["b"]
    history.delete("d")
    history.add([record("e")], [[]])
    assert [stored.number for stored in history.page(1)] == [5]  # a number is never given twice


def test_names_and_favourites_change_by_themselves(history: History) -> None:
    history.add([record("a")], [[]])
    history.change("a", name="x", is_favourite=None)
    history.change("a", name=None, is_favourite=True)
    stored = history.find("a")
    assert stored is not None and (stored.name, stored.is_favourite) == ("x", True)
    history.change("a", name=None, is_favourite=False)
    assert history.find("a") == replace(stored, is_favourite=False)


def kept_ids(history: History) -> str:
    return "".join(stored.id for stored in history.page(100))


def test_trimming_keeps_the_newest_and_all_favourites_and_what_is_under_way(history: History) -> None:
    history.add([record(key) for key in "abcdef"], [[]] * 6)
    history.change("a", name=None, is_favourite=True)
    for key in "abdef":
        history.end(key, State.DONE, JobOutcome(), TOLD)
    history.trim(2, 10**9)
    assert kept_ids(history) == "feca"
    history.trim(1, 10**9)
    assert kept_ids(history) == "fca"


def test_trimming_by_size_keeps_what_fits_and_at_least_the_newest(history: History) -> None:
    for key in "abcd":
        history.add([record(key)], [[]])
        history.end(
            key, State.DONE, JobOutcome(), [Note(0.37 * number, 0.1, 60, 1 + number % 127) for number in range(500)]
        )
    (size,) = history._base.execute("SELECT max(size) FROM pieces").fetchone()
    history.trim(100, 2 * size)
    assert kept_ids(history) == "dc"
    history.trim(100, 1)
    assert kept_ids(history) == "d"


def test_a_piece_without_notes_is_trimmed_too(history: History) -> None:
    history.add([record("a"), record("b")], [[], []])
    history.end("a", State.CANCELLED, JobOutcome())
    history.end("b", State.CANCELLED, JobOutcome())
    history.trim(1, 10**9)
    assert kept_ids(history) == "b"


def test_one_folder_belongs_to_one_history_until_it_is_closed(history: History, tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match=r"b: another server keeps its pieces there; --data takes another folder"):
        History(tmp_path / "a" / "b")
    history.close()
    history.__init__(tmp_path / "a" / "b")  # type: ignore[misc]  # the fixture closes it


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
        History(tmp_path).close()
        with sqlite3.connect(file) as base:
            base.execute(damage)
        base.close()
    with pytest.raises(HistoryError, match=sentence) as raised:
        History(tmp_path)
    assert str(file) in str(raised.value)
    with pytest.raises(HistoryError, match=sentence):  # and the folder was let go
        History(tmp_path)


def test_a_folder_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HistoryError, match=r"file/data: cannot be used \(Not a directory\)"):
        History(tmp_path / "file" / "data")


def full(history: History, pages: int = 0) -> None:
    """Let the file grow by so many pages and no more, as on a full disk."""
    (count,) = history._base.execute("PRAGMA page_count").fetchone()
    history._base.execute(f"PRAGMA max_page_count = {count + pages}")


def roomy(history: History) -> None:
    history._base.execute("PRAGMA max_page_count = 1000000")


@pytest.mark.parametrize("pages", range(8))
def test_wherever_the_disk_becomes_full_what_was_stored_stays_and_the_rest_can_be_stored_later(
    tmp_path: Path, pages: int
) -> None:
    history = History(tmp_path)
    notes = [Note(n / 7, 0.25, 60 + n % 20, 64) for n in range(1_500)]
    history.add([record("a")], [[]])
    history.end("a", State.DONE, JobOutcome(), notes)
    full(history, pages)
    stored: list[str] = ["a"]
    for key in "bcdefghi":
        with contextlib.suppress(sqlite3.OperationalError):
            history.add([record(key)], [notes])
            stored.append(key)
    assert len(stored) < 9
    with pytest.raises(sqlite3.OperationalError, match="full"):
        history.add([record("n")], [notes])
    assert sorted(piece.id for piece in history.page(20)) == stored and history.events("a") == notes
    roomy(history)
    history.check_writable()
    history.add([record("z")], [notes])
    history.close()
    history = History(tmp_path)
    assert sorted(piece.id for piece in history.page(20)) == [*stored, "z"]
    history.close()


@pytest.mark.skipif(sys.platform == "win32", reason="has no limit of files")
def test_on_a_full_disk_without_a_spare_file_it_opens_and_can_be_read(tmp_path: Path) -> None:
    import resource

    history = History(tmp_path)
    history.add([record("a")], [[]])
    history.close()
    (tmp_path / "reserve").unlink()
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, unlimited[1]))
    try:
        history = History(tmp_path)
        pieces = [piece.id for piece in history.page(9)]
        with pytest.raises(sqlite3.OperationalError) as raised:
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
    earlier = History(tmp_path / "a")
    earlier.add([record("a")], [[]], [(JobOutcome(), TOLD)])
    if was_killed:  # and left its log
        shutil.copytree(tmp_path / "a", tmp_path / "b")
    earlier.close()
    folder = tmp_path / ("b" if was_killed else "a")
    monkeypatch.setattr("os.access", lambda *_: False)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".sqlite-shm"}
    history = History(folder)
    assert history.is_read_only and [piece.id for piece in history.page(9)] == ["a"] and history.events("a") == TOLD
    for change in (history.check_writable, lambda: history.add([record("b")], [[]]), lambda: history.delete("a")):
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            change()
    history.close()
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".sqlite-shm"} == before


def test_on_a_full_disk_a_piece_can_be_deleted_to_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = History(tmp_path)
    history.add([record("a")], [[]])
    is_full = [True]

    @contextlib.contextmanager
    def changing() -> Iterator[sqlite3.Connection]:
        if is_full[0] and (tmp_path / "reserve").exists():
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        with history._base:
            yield history._base

    assert (tmp_path / "reserve").stat().st_size == RESERVE_BYTES
    monkeypatch.setattr(history, "changing", changing)
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
    def fail(self: History) -> None:
        error = sqlite3.OperationalError("something")
        error.sqlite_errorcode = code
        raise error

    monkeypatch.setattr(History, "_set_up", fail)
    with pytest.raises(HistoryError, match=advice):
        History(tmp_path)


DAMAGES = {
    "asked": ["", "[", "[1]", "5", "[" * 100_000, "null"],
    "outcome": ["x", "[]", '{"of a later version": 1}', '{"figures": 5}'],
    "texts": ["{", "5"],
    "state": ["sleeping", ""],
    "created": ["yesterday"],
    "title": [b"\xff"],
}


@pytest.mark.parametrize(
    ("column", "value"), [(column, value) for column, values in DAMAGES.items() for value in values]
)
def test_a_damaged_row_costs_that_row(history: History, column: str, value: str | bytes) -> None:
    history.add([record("a"), record("b")], [TOLD, []])
    with history._base:
        history._base.execute(f"UPDATE pieces SET {column} = CAST(? AS TEXT) WHERE id = 'b'", (value,))
    assert [piece.id for piece in history.page(9)][-1] == "a"
    assert "a" in [piece.id for piece in history.waiting()]
    history.find("b")
    history.order("b")
    history.delete("b")


def test_damaged_notes_are_a_sentence(history: History) -> None:
    history.add([record("a")], [TOLD])
    for blob in (b"x", zlib.compress(b"abc"), "text"):
        with history._base:
            history._base.execute("UPDATE pieces SET prompt = ?", (blob,))
        with pytest.raises(HistoryError, match="the notes of the piece a are damaged"):
            history.prompt("a")


def test_a_file_with_flipped_bits_is_refused_at_the_start_or_read(tmp_path: Path) -> None:
    history = History(tmp_path)
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
            history = History(tmp_path)
        except HistoryError:
            refused += 1
            continue
        assert len(history.page(500)) <= 200
        history.close()
    assert refused
