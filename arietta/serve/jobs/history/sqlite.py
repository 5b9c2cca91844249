"""The history in one SQLite file of a data folder, which one server at a time owns.

A spare file is given up where the disk is full, so that pieces can be deleted there; without one, or in a folder that
may not be written to, a server can only be read.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ....errors import HistoryError
from ....files import write_file
from .database import Changes, StorageError
from .records import COLUMNS

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


class SqliteDatabase:
    """A data folder's database."""

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
        self._base.execute(f"SELECT {COLUMNS}, size, prompt, told FROM pieces LIMIT 0")  # raises where one is missing

    def close(self) -> None:
        """Close the database and leave the folder to others."""
        with self._lock:
            self._opened.close()

    def check_writable(self) -> None:
        """Raise StorageError where nothing can be stored; after a write that went well nothing is tried."""
        if self._has_failed:
            with self.changing() as base:
                base.execute(f"PRAGMA user_version = {FORMAT}")

    @contextlib.contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """Store all changes made inside, or none; raises StorageError."""
        self._has_failed = True  # until it is done, whatever happens
        with _storage_errors(), self._lock, self._base:
            yield self._base
        self._has_failed = False

    def read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of a query; raises StorageError."""
        with _storage_errors(), self._lock:
            return self._base.execute(query, values).fetchall()

    def free(self, change: Callable[[Changes], object]) -> None:
        """Make a change that makes room; on a full disk the spare file makes room for it. Raises StorageError."""
        had_failed = self._has_failed
        try:
            with self.changing() as base:
                change(base)
        except StorageError as error:
            if not self._give_up_reserve(error.__cause__):
                raise
            with self.changing() as base:
                change(base)
        if self._has_failed or not self._reserve.exists():
            with _storage_errors(), self._lock:
                self._base.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # gives the room back to the disk
            self._keep_reserve()
        self._has_failed |= had_failed  # what makes room may go well where nothing can be added

    def _give_up_reserve(self, error: BaseException | None) -> bool:
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


@contextlib.contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:  # of these, the disk is full, or another program holds the file
        raise StorageError(error, is_passing=isinstance(error, sqlite3.OperationalError)) from error


def _is_without_room(error: BaseException | None) -> bool:
    return _code(error) in NO_ROOM


def _code(error: BaseException | None) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF  # the higher bytes say more of the same


def _reason(error: sqlite3.Error) -> str:
    """Say what hinders a history from being opened, and what would help: a sound file must not be replaced."""
    if _is_without_room(error):
        return f"cannot be opened ({error}): the disk is full, or may not be written; free some room. The file is sound"
    if _code(error) == sqlite3.SQLITE_BUSY:
        return f"is in use by another program ({error}); close that"
    return f"cannot be read ({error}); put a copy in its place"
