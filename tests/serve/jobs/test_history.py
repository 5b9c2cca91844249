"""The history on disk: what it keeps, what it drops by which rule, and one process that owns it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from arietta.errors import HistoryError
from arietta.music.notes import Note, Pedal
from arietta.serve.jobs.history import History, JobOutcome, Record
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
    ("content", "sentence"), [(b"no database, however long it may be" * 100, "cannot be read"), (None, "format 99")]
)
def test_a_file_that_is_damaged_or_newer_is_refused_by_name(
    tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    file = tmp_path / "history.sqlite"
    if content is not None:
        file.write_bytes(content)
    else:
        with sqlite3.connect(file) as base:
            base.execute("PRAGMA user_version = 99")
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
