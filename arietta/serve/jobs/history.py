"""What a server stores, in one SQLite file of its data folder: every piece asked for, what became of it, its notes.

A piece is written when it is asked for and once more when it is over, each time before its client gets the answer;
nothing is written while it is composed. What a kill leaves waiting is composed again from its seed, which gives the
same bytes: each token is one pass through the network either way, so replaying stored tokens would cost the same.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ...errors import HistoryError
from .event_log import Event, pack, unpack
from .job import State

FORMAT = 2  # a file of format 1 has no revisions, and gets the tables for them
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
"""
_COLUMNS = "number, id, name, state, created, is_favourite, asked, title, texts, outcome"
# A piece that has its title as its name, because nobody gave it another, is renamed with it.
_SET_REQUEST = """
UPDATE pieces SET name = CASE name WHEN title THEN ? ELSE name END, asked = ?, title = ?, texts = ? WHERE id = ?
"""
# Of the pieces that are over, and neither favourites nor revised, the newest stay, as many as both limits allow; the
# newest of all always stays.
_TRIM = """
DELETE FROM pieces WHERE number IN (
    SELECT number FROM (
        SELECT number, ROW_NUMBER() OVER newest AS rank, SUM(size) OVER newest AS bytes
        FROM pieces WHERE state != 'waiting' AND NOT is_favourite AND id NOT IN (SELECT piece FROM heads)
        WINDOW newest AS (ORDER BY number DESC)
    ) WHERE rank > 1 AND (rank > ? OR bytes > ?)
)
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
        # What was opened is closed again where a later step fails: the folder can then be opened by others.
        with contextlib.ExitStack() as opened:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                # The system unlocks the file however the process ends.
                opened.enter_context(FileLock(folder / "lock", blocking=False, thread_local=False))
                self._base = sqlite3.connect(folder / "history.sqlite", check_same_thread=False)
                opened.callback(self._base.close)
                self._prepare(folder / "history.sqlite")
            except Timeout as error:
                reason = "another server keeps its pieces there; --data takes another folder"
                raise HistoryError(f"{folder}: {reason}") from error
            except (OSError, NotImplementedError) as error:  # the second where a network's folder knows no locks
                reason = f"cannot be used ({getattr(error, 'strerror', error)}); --data takes another folder"
                raise HistoryError(f"{folder}: {reason}") from error
            except sqlite3.Error as error:
                reason = f"cannot be read ({error}); put a copy in its place"
                raise HistoryError(f"{folder / 'history.sqlite'}: {reason}") from error
            self._opened = opened.pop_all()

    def _prepare(self, file: Path) -> None:
        """Set how the database is written, and make the table if there is none."""
        self._base.execute("PRAGMA auto_vacuum = FULL")  # pieces that are trimmed make the file smaller
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute(
            "PRAGMA synchronous = FULL"
        )  # with WAL, less would lose the last pieces when the power fails
        (version,) = self._base.execute("PRAGMA user_version").fetchone()
        if version > FORMAT:
            raise HistoryError(f"{file}: format {version}, this version reads up to {FORMAT}")
        self._base.executescript(f"{_TABLES} PRAGMA user_version = {FORMAT}")

    def close(self) -> None:
        """Close the database and leave the folder to others."""
        with self._lock:
            self._opened.close()

    @contextlib.contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """Store all changes made inside, or none."""
        with self._lock, self._base:
            yield self._base

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
        """Delete a piece and its revisions, if there is one of that id."""
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
        rows = self.read(f"SELECT {_COLUMNS} FROM pieces WHERE id = ?", (key,))
        return _record(rows[0]) if rows else None

    def page(self, limit: int, *, before: int | None = None, only_favourites: bool = False) -> list[Record]:
        """Return the newest pieces, the newest first, with numbers below `before` if it is given."""
        # `is_favourite >= 0` holds for all, `>= 1` for favourites alone.
        query = f"SELECT {_COLUMNS} FROM pieces WHERE number < ? AND is_favourite >= ? ORDER BY number DESC LIMIT ?"
        return [_record(row) for row in self.read(query, (before or 2**62, only_favourites, limit))]

    def waiting(self) -> list[Record]:
        """Return the pieces that have not ended, the oldest first."""
        query = f"SELECT {_COLUMNS} FROM pieces WHERE state = ? ORDER BY number"
        return [_record(row) for row in self.read(query, (State.WAITING,))]

    def order(self, key: str) -> list[Record]:
        """Return the pieces that were ordered together with that first one, in the order of their seeds."""
        query = f"SELECT {_COLUMNS} FROM pieces WHERE json_extract(asked, '$.order') = ? ORDER BY number"
        return [_record(row) for row in self.read(query, (key,))]

    def prompt(self, key: str) -> list[Event]:
        """Return the events of a piece's prompt."""
        return self._unpacked("prompt", key)

    def events(self, key: str) -> list[Event]:
        """Return the events of a finished piece, its prompt's among them."""
        return self._unpacked("told", key)

    def _unpacked(self, column: str, key: str) -> list[Event]:
        rows = self.read(f"SELECT {column} FROM pieces WHERE id = ?", (key,))
        return unpack(rows[0][0]) if rows and rows[0][0] else []


def _record(row: Sequence[Any]) -> Record:
    number, key, name, state, created, is_favourite, asked, title, texts, outcome = row
    return Record(
        id=key,
        name=name,
        state=State(state),
        created=created,
        asked=json.loads(asked),
        title=title,
        texts=json.loads(texts),
        number=number,
        is_favourite=bool(is_favourite),
        outcome=JobOutcome(**json.loads(outcome)),
    )
