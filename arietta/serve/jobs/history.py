"""What a server keeps, in one SQLite file of its data folder: every piece asked for, what became of it, its notes.

A piece is written down when it is asked for and once more when it is over, each time before its client is told;
nothing is written while it is composed. What a kill leaves waiting is composed again from its seed, which gives the
same bytes: each row is one pass through the network either way, so replaying kept rows would cost the same.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...errors import HistoryError
from .event_log import Event, pack, unpack

FORMAT = 1
WAITING, DONE, CANCELLED, FAILED, INTERRUPTED = "waiting", "done", "cancelled", "failed", "interrupted"
_TABLE = """
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
)
"""
_COLUMNS = "number, id, name, state, created, is_favourite, asked, title, texts, outcome"
_REQUEST = """
UPDATE pieces SET name = CASE name WHEN title THEN ? ELSE name END, asked = ?, title = ?, texts = ? WHERE id = ?
"""
# Of what is no favourite and over, the newest stay, as many as both limits allow; one always does.
_TRIM = """
DELETE FROM pieces WHERE number IN (
    SELECT number FROM (
        SELECT number, ROW_NUMBER() OVER newest AS place, SUM(size) OVER newest AS held
        FROM pieces WHERE state != 'waiting' AND NOT is_favourite WINDOW newest AS (ORDER BY number DESC)
    ) WHERE place > 1 AND (place > ? OR held > ?)
)
"""


@dataclass(frozen=True)
class Outcome:
    """How a piece ended: seconds of its stages, figures of its notes, or the problem that kept it from them; and how
    much had been composed, notes or seconds as was asked."""

    timing: Mapping[str, float | None] | None = None
    figures: Mapping[str, Any] | None = None
    problem: Mapping[str, Any] | None = None
    done: float = 0.0


@dataclass(frozen=True)
class Record:
    """A piece as it is kept, without its notes. `asked` is its request as JSON values, `title` and `texts` what its
    MIDI file carries; `number` counts up and is 0 until it is kept."""

    id: str
    name: str
    state: str
    created: float
    asked: Mapping[str, Any]
    title: str
    texts: Sequence[str]
    number: int = 0
    is_favourite: bool = False
    outcome: Outcome = Outcome()


class History:
    """The pieces kept in a data folder; threads may share it. One server at a time has a folder."""

    def __init__(self, folder: Path) -> None:
        """Open the folder, made where there is none; raises HistoryError where that is impossible."""
        self._lock = threading.Lock()
        with contextlib.ExitStack() as opened:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                owner = opened.enter_context((folder / "lock").open("w"))
                _own(owner, folder)
                self._base = sqlite3.connect(folder / "history.sqlite", check_same_thread=False)
                opened.callback(self._base.close)
                self._prepare(folder)
            except OSError as error:
                why = f"cannot be used ({error.strerror}); --data takes another folder"
                raise HistoryError(f"{folder}: {why}") from error
            except sqlite3.Error as error:
                why = f"cannot be read ({error}); put a copy in place"
                raise HistoryError(f"{folder / 'history.sqlite'}: {why}") from error
            self._opened = opened.pop_all()

    def _prepare(self, folder: Path) -> None:
        self._base.execute("PRAGMA auto_vacuum = FULL")
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = FULL")
        (version,) = self._base.execute("PRAGMA user_version").fetchone()
        if version > FORMAT:
            raise HistoryError(f"{folder / 'history.sqlite'}: format {version}, this version reads up to {FORMAT}")
        self._base.executescript(f"{_TABLE}; PRAGMA user_version = {FORMAT}")

    def close(self) -> None:
        with self._lock:
            self._opened.close()

    @contextlib.contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """Everything inside is kept, or nothing."""
        with self._lock, self._base:
            yield self._base

    def _read(self, query: str, values: Sequence[Any]) -> list[Any]:
        with self._lock:
            return self._base.execute(query, values).fetchall()

    def add(self, records: Sequence[Record], prompts: Sequence[Sequence[Event]]) -> None:
        """Keep pieces that wait, each with its prompt, which may be empty."""
        rows = [
            (
                *(record.id, record.name, record.state, record.created, json.dumps(record.asked), record.title),
                *(json.dumps(record.texts), pack(prompt) if prompt else None),
            )
            for record, prompt in zip(records, prompts, strict=True)
        ]
        with self._changing() as base:
            base.executemany(
                "INSERT INTO pieces (id, name, state, created, asked, title, texts, prompt) VALUES (?,?,?,?,?,?,?,?)",
                rows,
            )

    def end(
        self, key: str, state: str, outcome: Outcome, told: Sequence[Event] = (), made: Record | None = None
    ) -> None:
        """Keep what became of a piece; `made` is its record where another request made it than was asked for first."""
        data = pack(told) if told else None
        values = (state, json.dumps(asdict(outcome)), data, len(data or b""), key)
        with self._changing() as base:
            base.execute("UPDATE pieces SET state = ?, outcome = ?, told = ?, size = ? WHERE id = ?", values)
            if made is not None:
                base.execute(_REQUEST, (made.title, json.dumps(made.asked), made.title, json.dumps(made.texts), key))

    def judge(self, outcomes: Mapping[str, Outcome]) -> None:
        """Keep what was found out about finished pieces later, by their ids."""
        with self._changing() as base:
            values = [(json.dumps(asdict(outcome)), key) for key, outcome in outcomes.items()]
            base.executemany("UPDATE pieces SET outcome = ? WHERE id = ?", values)

    def change(self, key: str, *, name: str | None, is_favourite: bool | None) -> None:
        """Give a piece another name, or make it a favourite or none; None leaves it."""
        with self._changing() as base:
            base.execute(
                "UPDATE pieces SET name = coalesce(?, name), is_favourite = coalesce(?, is_favourite) WHERE id = ?",
                (name, is_favourite, key),
            )

    def delete(self, key: str) -> None:
        with self._changing() as base:
            base.execute("DELETE FROM pieces WHERE id = ?", (key,))

    def trim(self, most_pieces: int, most_bytes: int) -> None:
        """Let the oldest go beyond so many pieces, or bytes of notes; favourites stay, and are not counted."""
        with self._changing() as base:
            base.execute(_TRIM, (most_pieces, most_bytes))

    def find(self, key: str) -> Record | None:
        rows = self._read(f"SELECT {_COLUMNS} FROM pieces WHERE id = ?", (key,))
        return _record(rows[0]) if rows else None

    def page(self, limit: int, *, before: int | None = None, only_favourites: bool = False) -> list[Record]:
        """Return the newest first, below a number if one is given."""
        query = f"SELECT {_COLUMNS} FROM pieces WHERE number < ? AND is_favourite >= ? ORDER BY number DESC LIMIT ?"
        return [_record(row) for row in self._read(query, (before or 2**62, only_favourites, limit))]

    def waiting(self) -> list[Record]:
        """Return what was never ended, the oldest first."""
        query = f"SELECT {_COLUMNS} FROM pieces WHERE state = ? ORDER BY number"
        return [_record(row) for row in self._read(query, (WAITING,))]

    def order(self, key: str) -> list[Record]:
        """Return the pieces that say they were asked for together with that first one, in the order of their seeds."""
        query = f"SELECT {_COLUMNS} FROM pieces WHERE json_extract(asked, '$.order') = ? ORDER BY number"
        return [_record(row) for row in self._read(query, (key,))]

    def prompt(self, key: str) -> list[Event]:
        return self._events("prompt", key)

    def told(self, key: str) -> list[Event]:
        return self._events("told", key)

    def _events(self, column: str, key: str) -> list[Event]:
        rows = self._read(f"SELECT {column} FROM pieces WHERE id = ?", (key,))
        return unpack(rows[0][0]) if rows and rows[0][0] else []


def _own(file: Any, folder: Path) -> None:
    """Take the folder for this process, until it ends in whatever way."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise HistoryError(f"{folder}: another server keeps its pieces there; --data takes another folder") from error


def _record(row: Sequence[Any]) -> Record:
    number, key, name, state, created, is_favourite, asked, title, texts, outcome = row
    return Record(
        id=key,
        name=name,
        state=state,
        created=created,
        asked=json.loads(asked),
        title=title,
        texts=json.loads(texts),
        number=number,
        is_favourite=bool(is_favourite),
        outcome=Outcome(**json.loads(outcome)),
    )
