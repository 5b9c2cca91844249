"""What a server stores, in one SQLite file of its data folder: every piece asked for, what became of it, its notes.

A piece is written when it is asked for and once more when it is over, each time before its client gets the answer;
nothing is written while it is composed. What a kill leaves waiting is composed again from its seed, which gives the
same bytes: each token is one pass through the network either way, so replaying stored tokens would cost the same.

A spare file is given up where the disk is full, so that pieces can be deleted there; without one, or in a folder that
may not be written to, a server can only be read. A row that cannot be read is left out, and costs nothing but itself.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ...errors import HistoryError
from ...files import write_file
from .event_log import Event, pack, unpack
from .job import State

FORMAT = 3  # files of format 1 have no revisions, and those of 1 and 2 no metres; they get the tables for them
RESERVE_BYTES = 4 * 2**20  # more than what is written to delete a piece, or to start
LOCK_SECONDS = 5.0  # that another program may hold the file for
NO_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
log = logging.getLogger(__name__)
_TABLES = """
CREATE TABLE IF NOT EXISTS pieces (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    created REAL NOT NULL,
    is_favourite INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL DEFAULT 0,
    asked TEXT NOT NULL,
    title TEXT NOT NULL,
    texts TEXT NOT NULL,
    outcome TEXT NOT NULL DEFAULT '{}',
    prompt BLOB,
    told BLOB
);
CREATE TABLE IF NOT EXISTS revisions (
    piece TEXT NOT NULL,
    number INTEGER NOT NULL,
    parent INTEGER NOT NULL,
    name TEXT NOT NULL,
    cause TEXT NOT NULL,
    source TEXT,
    created REAL NOT NULL,
    visited INTEGER NOT NULL,
    note_count INTEGER NOT NULL,
    seconds REAL NOT NULL,
    marks TEXT NOT NULL,
    music BLOB NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (piece, number)
);
CREATE TABLE IF NOT EXISTS heads (piece TEXT PRIMARY KEY, head INTEGER NOT NULL, version INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS meters (piece TEXT PRIMARY KEY, meter TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS forget_meter AFTER DELETE ON pieces BEGIN DELETE FROM meters WHERE piece = OLD.id; END;
"""
_COLUMNS = "number, id, name, state, created, is_favourite, asked, title, texts, outcome"
# A piece that has its title as its name, because nobody gave it another, is renamed with it.
_SET_REQUEST = """
UPDATE pieces SET name = CASE name WHEN title THEN ? ELSE name END, asked = ?, title = ?, texts = ? WHERE id = ?
"""
# Of the pieces that are over, neither favourites nor revised, the newest stay that both limits allow, one at least.
_TRIM = """
DELETE FROM pieces WHERE number IN (
    SELECT number FROM (
        SELECT number, ROW_NUMBER() OVER newest AS rank, SUM(size + ifnull(length(meter), 0)) OVER newest AS bytes
        FROM pieces LEFT JOIN meters ON piece = id
        WHERE state != 'waiting' AND NOT is_favourite AND id NOT IN (SELECT piece FROM heads)
        WINDOW newest AS (ORDER BY number DESC)
    ) WHERE rank > 1 AND (rank > ? OR bytes > ?))
"""


@dataclass(frozen=True)
class JobOutcome:
    """How a piece ended: seconds of its stages, and figures of its notes or the problem that prevented them.

    `done` says how much had been composed, in notes or seconds as was asked.
    """

    timing: Mapping[str, float | None] | None = None
    figures: Mapping[str, Any] | None = None
    problem: Mapping[str, Any] | None = None
    done: float = 0.0


@dataclass(frozen=True)
class Record:
    """A stored piece without its notes.

    `asked` is its request as JSON values, `title` and `texts` are what its MIDI file carries; `number` counts up and is
    0 until the piece is stored.
    """

    id: str
    name: str
    state: State
    created: float
    asked: Mapping[str, Any]
    title: str
    texts: Sequence[str]
    number: int = 0
    is_favourite: bool = False
    outcome: JobOutcome = JobOutcome()


class History:
    """The pieces stored in a data folder, which one server at a time owns; threads may share it."""

    def __init__(self, folder: Path) -> None:
        """Open the folder, which is made if there is none; raises HistoryError where that is impossible."""
        self._lock = threading.Lock()  # one connection for all threads, so one statement at a time
        self._file, self._reserve = folder / "history.sqlite", folder / "reserve"
        self._has_failed = self.is_read_only = self._file.exists() and not os.access(folder, os.W_OK)
        # What was opened is closed again where a later step fails: the folder can then be opened by others.
        with contextlib.ExitStack() as opened:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                # The system unlocks the file however the process ends.
                if not self.is_read_only:
                    opened.enter_context(FileLock(folder / "lock", blocking=False, thread_local=False))
                self._base = self._connect()
                opened.callback(lambda: self._base.close())  # noqa: PLW0108 - it may be another by then
                self._prepare()
            except Timeout as error:
                reason = "another server keeps its pieces there; --data takes another folder"
                raise HistoryError(f"{folder}: {reason}") from error
            except (OSError, NotImplementedError) as error:  # the second where a network's folder knows no locks
                reason = f"cannot be used ({getattr(error, 'strerror', error)}); --data takes another folder"
                raise HistoryError(f"{folder}: {reason}") from error
            except sqlite3.Error as error:
                raise HistoryError(f"{self._file}: {_reason(error)}") from error
            self._opened = opened.pop_all()
        self._keep_reserve()

    def _connect(self) -> sqlite3.Connection:
        address = str(self._file)
        if self.is_read_only:  # without a log SQLite would begin one, unless it is told that nothing ever changes
            still = "" if Path(f"{self._file}-wal").exists() else "&immutable=1"
            address = f"{self._file.absolute().as_uri()}?mode=ro{still}"
        return sqlite3.connect(address, uri=self.is_read_only, timeout=LOCK_SECONDS, check_same_thread=False)

    def _prepare(self) -> None:
        """Set how the database is written, make the table if there is none, and check the file."""
        try:
            self._set_up()
        except sqlite3.Error as error:
            if not _is_without_room(error):
                raise
            has_room = self._give_up_reserve(error)
            self._base.close()
            self._base = self._connect()
            if not has_room:
                # The log's index then lies in memory: what is stored can be read, and written when there is room.
                self._base.execute("PRAGMA locking_mode = EXCLUSIVE")
                self._has_failed = True
            self._set_up()
        (verdict,) = self._base.execute("PRAGMA quick_check(1)").fetchone()  # a second for a gigabyte
        if verdict != "ok":
            raise HistoryError(f"{self._file}: is damaged ({verdict}); put a copy in its place")

    def _set_up(self) -> None:
        self._base.text_factory = partial(str, encoding="utf-8", errors="replace")  # a damaged text costs itself alone
        (is_full,) = self._base.execute("PRAGMA auto_vacuum").fetchone()
        if not is_full:  # to say it again is a write, for which there may be no room
            self._base.execute("PRAGMA auto_vacuum = FULL")  # pieces that are trimmed make the file smaller
        self._base.execute("PRAGMA journal_mode = WAL")
        # With WAL, less would lose the last pieces when the power fails.
        self._base.execute("PRAGMA synchronous = FULL")
        (version,) = self._base.execute("PRAGMA user_version").fetchone()
        if version > FORMAT:
            remedy = f"this version of Arietta reads up to {FORMAT}; install a newer one, or take another --data"
            raise HistoryError(f"{self._file}: format {version}, {remedy}")
        if version < FORMAT and not self.is_read_only:
            self._base.executescript(f"{_TABLES} PRAGMA user_version = {FORMAT}")
        self._base.execute(f"SELECT {_COLUMNS}, size, prompt, told FROM pieces LIMIT 0")  # raises where one is missing

    def close(self) -> None:
        """Close the database and leave the folder to others."""
        with self._lock:
            self._opened.close()

    def check_writable(self) -> None:
        """Raise sqlite3.Error where nothing can be stored; after a write that went well nothing is tried."""
        if self._has_failed:
            with self.changing() as base:
                base.execute(f"PRAGMA user_version = {FORMAT}")

    @contextlib.contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """Store all changes made inside, or none."""
        self._has_failed = True  # until it is done, whatever happens
        with self._lock, self._base:
            yield self._base
        self._has_failed = False

    def _give_up_reserve(self, error: sqlite3.Error) -> bool:
        """Make room on a full disk; return whether there was something to give up."""
        if self.is_read_only or not _is_without_room(error) or not self._reserve.exists():
            return False
        with contextlib.suppress(OSError):
            self._reserve.unlink()
        return not self._reserve.exists()

    def _keep_reserve(self) -> None:
        """Write the spare file again where there is room for it."""
        if self.is_read_only:
            return log.warning("%s: may not be written to: its pieces can be read, and none kept", self._file.parent)
        try:
            if not self._reserve.exists():
                write_file(self._reserve, bytes(RESERVE_BYTES))
        except OSError as error:
            log.warning("%s: no room to spare (%s)", self._reserve, error.strerror)

    def read(self, query: str, values: Sequence[Any]) -> list[Any]:
        """Return the rows of a query."""
        with self._lock:
            return self._base.execute(query, values).fetchall()

    def add(
        self,
        records: Sequence[Record],
        prompts: Sequence[Sequence[Event]],
        ends: Sequence[tuple[JobOutcome, Sequence[Event]]] = (),
    ) -> None:
        """Store pieces, each with the events of its prompt, which may be none; `ends` are of those that are over."""
        rows = [
            (
                *(record.id, record.name, record.state, record.created, json.dumps(record.asked), record.title),
                *(json.dumps(record.texts), pack(prompt) if prompt else None),
            )
            for record, prompt in zip(records, prompts, strict=True)
        ]
        with self.changing() as base:
            base.executemany(
                "INSERT INTO pieces (id, name, state, created, asked, title, texts, prompt) VALUES (?,?,?,?,?,?,?,?)",
                rows,
            )
            for record, (outcome, events) in zip(records, ends, strict=False):
                self._set_end(base, record.id, record.state, outcome, events)

    def end(
        self,
        key: str,
        state: State,
        outcome: JobOutcome,
        events: Sequence[Event] = (),
        accepted: Record | None = None,
    ) -> None:
        """Store what became of a piece; `accepted` has the request that made it, where that is another than asked."""
        with self.changing() as base:
            self._set_end(base, key, state, outcome, events)
            if accepted is not None:
                request = (accepted.title, json.dumps(accepted.asked), accepted.title, json.dumps(accepted.texts), key)
                base.execute(_SET_REQUEST, request)

    @staticmethod
    def _set_end(
        base: sqlite3.Connection, key: str, state: State, outcome: JobOutcome, events: Sequence[Event]
    ) -> None:
        data = pack(events) if events else None
        values = (state, json.dumps(asdict(outcome)), data, len(data or b""), key)
        base.execute("UPDATE pieces SET state = ?, outcome = ?, told = ?, size = ? WHERE id = ?", values)

    def set_outcomes(self, outcomes: Mapping[str, JobOutcome]) -> None:
        """Store other outcomes of pieces that are over, by their ids."""
        with self.changing() as base:
            values = [(json.dumps(asdict(outcome)), key) for key, outcome in outcomes.items()]
            base.executemany("UPDATE pieces SET outcome = ? WHERE id = ?", values)

    def change(self, key: str, *, name: str | None, is_favourite: bool | None) -> None:
        """Rename a piece, or make it a favourite or not; None leaves it as it is."""
        with self.changing() as base:
            base.execute(
                "UPDATE pieces SET name = coalesce(?, name), is_favourite = coalesce(?, is_favourite) WHERE id = ?",
                (name, is_favourite, key),
            )

    def delete(self, key: str) -> None:
        """Delete a piece and its revisions, if there is one of that id; on a full disk the spare file makes room."""
        try:
            self._delete(key)
        except sqlite3.Error as error:
            if not self._give_up_reserve(error):
                raise
            self._delete(key)
        if self._has_failed or not self._reserve.exists():
            with self._lock:
                self._base.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # gives the room back to the disk
            self._keep_reserve()

    def _delete(self, key: str) -> None:
        with self.changing() as base:
            base.execute("DELETE FROM pieces WHERE id = ?", (key,))
            base.execute("DELETE FROM revisions WHERE piece = ?", (key,))
            base.execute("DELETE FROM heads WHERE piece = ?", (key,))

    def trim(self, most_pieces: int, most_bytes: int) -> None:
        """Delete the oldest beyond so many pieces, or bytes of notes; favourites and revised pieces are not counted."""
        with self.changing() as base:
            base.execute(_TRIM, (most_pieces, most_bytes))

    def find(self, key: str) -> Record | None:
        """Return the piece of that id, None if there is none."""
        return next(iter(_records(self.read(f"SELECT {_COLUMNS} FROM pieces WHERE id = ?", (key,)))), None)

    def page(self, limit: int, *, before: int | None = None, only_favourites: bool = False) -> list[Record]:
        """Return the newest pieces, the newest first, with numbers below `before` if it is given."""
        # `is_favourite >= 0` holds for all, `>= 1` for favourites alone.
        query = f"SELECT {_COLUMNS} FROM pieces WHERE number < ? AND is_favourite >= ? ORDER BY number DESC LIMIT ?"
        return _records(self.read(query, (before or 2**62, only_favourites, limit)))

    def waiting(self) -> list[Record]:
        """Return the pieces that have not ended, the oldest first."""
        query = f"SELECT {_COLUMNS} FROM pieces WHERE state = ? ORDER BY number"
        return _records(self.read(query, (State.WAITING,)))

    def order(self, key: str) -> list[Record]:
        """Return the pieces that were ordered together with that first one, in the order of their seeds."""
        order = "CASE WHEN json_valid(asked) THEN json_extract(asked, '$.order') END"  # a damaged row has anything
        query = f"SELECT {_COLUMNS} FROM pieces WHERE {order} = ? ORDER BY number"
        return _records(self.read(query, (key,)))

    def prompt(self, key: str) -> list[Event]:
        """Return the events of a piece's prompt."""
        return self._unpacked("prompt", key)

    def events(self, key: str) -> list[Event]:
        """Return the events of a finished piece, its prompt's among them."""
        return self._unpacked("told", key)

    def _unpacked(self, column: str, key: str) -> list[Event]:
        rows = self.read(f"SELECT {column} FROM pieces WHERE id = ?", (key,))
        try:
            return unpack(rows[0][0]) if rows and rows[0][0] else []
        except (ValueError, TypeError, zlib.error) as error:
            raise HistoryError(f"the notes of the piece {key} are damaged ({error})") from error


def _is_without_room(error: sqlite3.Error) -> bool:
    return _code(error) in NO_ROOM


def _code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF  # the higher bytes say more of the same


def _reason(error: sqlite3.Error) -> str:
    """Say what hinders a history from being opened, and what would help: a sound file must not be replaced."""
    if _is_without_room(error):
        return f"cannot be opened ({error}): the disk is full, or may not be written; free some room. The file is sound"
    if _code(error) == sqlite3.SQLITE_BUSY:
        return f"is in use by another program ({error}); close that"
    return f"cannot be read ({error}); put a copy in its place"


def _records(rows: Sequence[Sequence[Any]]) -> list[Record]:
    """Return what can be read of rows; one that was damaged, or that a later version wrote, is left out."""
    records = []
    for row in rows:
        try:
            records.append(_record(row))
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            log.warning("a row of the history cannot be read and is left out: number %s (%s)", row[0], error)
    return records


def _record(row: Sequence[Any]) -> Record:
    number, key, name, state, created, is_favourite, asked, title, texts, outcome = row
    known = {field.name for field in fields(JobOutcome)}
    return Record(
        id=str(key),
        name=str(name),
        state=State(state),
        created=float(created),
        asked=dict(json.loads(asked)),
        title=str(title),
        texts=[str(text) for text in json.loads(texts)],
        number=number,
        is_favourite=bool(is_favourite),
        # A later version may have more to tell; what this one does not know is passed over.
        outcome=JobOutcome(**{name: value for name, value in json.loads(outcome).items() if name in known}),
    )
