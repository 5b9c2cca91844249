"""The history: statements about stored pieces, the same ones for whatever database.

A piece is written when it is asked for and once more when it is over, each time before its client gets the answer;
nothing is written while it is composed. What a kill leaves waiting is composed again from its seed, which gives the
same bytes: each token is one pass through the network either way, so replaying stored tokens would cost the same.

A row that cannot be read is left out, and costs nothing but itself.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ....errors import HistoryError
from ....music.meter import Meter
from ..event_log import Event, pack, unpack
from ..job import State
from .database import Changes, Database
from .postgres import PostgresDatabase, is_address
from .records import COLUMNS, ORDER, JobOutcome, Record, read_records
from .sqlite import SqliteDatabase

# What has ended stays as it is: where two servers took one piece for theirs, what the later one ends is lost.
_END = "UPDATE pieces SET state = ?, outcome = ?, told = ?, size = ? WHERE id = ? AND state = ?"
# A piece that has its title as its name, because nobody gave it another, is renamed with it.
_SET_REQUEST = """
UPDATE pieces SET name = CASE name WHEN title THEN ? ELSE name END, asked = ?, title = ?, texts = ? WHERE id = ?
"""
_SET_METER = "INSERT INTO meters SELECT id, ? FROM pieces WHERE id = ? AND state = ?"
_DROP_METER = "DELETE FROM meters WHERE piece IN (SELECT id FROM pieces WHERE id = ? AND state = ?)"
# Of the pieces that are over, neither favourites nor revised, the newest stay that both limits allow, one at least.
_TRIM = """
DELETE FROM pieces WHERE number IN (
    SELECT number FROM (
        SELECT number, ROW_NUMBER() OVER newest AS rank, SUM(size + coalesce(length(meter), 0)) OVER newest AS bytes
        FROM pieces LEFT JOIN meters ON piece = id
        WHERE state != 'waiting' AND is_favourite = 0 AND id NOT IN (SELECT piece FROM heads)
        WINDOW newest AS (ORDER BY number DESC)
    ) AS ranked WHERE rank > 1 AND (rank > ? OR bytes > ?))
"""


def open_history(place: Path | str) -> History:
    """Open the history in a data folder, or in the PostgreSQL database at an address.

    Raises HistoryError where that is impossible.
    """
    if isinstance(place, str) and is_address(place):
        return History(PostgresDatabase(place))
    return History(SqliteDatabase(Path(place)))


class History:
    """The pieces stored in a database; threads may share it, and all raise StorageError."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @property
    def is_read_only(self) -> bool:
        """Whether nothing can ever be stored."""
        return self.database.is_read_only

    def close(self) -> None:
        """Close the database and leave it to others."""
        self.database.close()

    def check_writable(self) -> None:
        """Raise StorageError where nothing can be stored; after a write that went well nothing is tried."""
        self.database.check_writable()

    def changing(self) -> AbstractContextManager[Changes]:
        """Store all changes made inside, or none."""
        return self.database.changing()

    def read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of a query."""
        return self.database.read(query, values)

    def add(
        self,
        records: Sequence[Record],
        prompts: Sequence[Sequence[Event]],
        ends: Sequence[tuple[JobOutcome, Sequence[Event]]] = (),
    ) -> None:
        """Store pieces, each with the events of its prompt, which may be none; `ends` are of those that are over."""
        rows = [
            (
                *(record.id, record.name, record.state.value, record.created, json.dumps(record.asked), record.title),
                *(json.dumps(record.texts), pack(prompt) if prompt else None, *_end(*end)),
            )
            for record, prompt, end in zip(records, prompts, ends or [(JobOutcome(), ())] * len(records), strict=True)
        ]
        with self.changing() as changes:
            for row in rows:
                changes.execute(
                    "INSERT INTO pieces (id, name, state, created, asked, title, texts, prompt, outcome, told, size) "
                    "VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                    row,
                )

    def end(
        self,
        key: str,
        state: State,
        outcome: JobOutcome,
        events: Sequence[Event] = (),
        accepted: Record | None = None,
        meters: Sequence[Meter | None] = (),
    ) -> None:
        """Store what became of a piece; `accepted` has the request that made it, where that is another than asked.

        `meters` holds the metre that it has from then on, None for none; it is empty where that stays as it was.
        """
        outcome_text, data, size = _end(outcome, events)
        with self.changing() as changes:
            for meter in meters:
                changes.execute(_DROP_METER, (key, State.WAITING.value))
                if meter is not None:
                    changes.execute(_SET_METER, (json.dumps(meter.describe()), key, State.WAITING.value))
            if accepted is not None:
                request = (accepted.title, json.dumps(accepted.asked), accepted.title, json.dumps(accepted.texts), key)
                changes.execute(f"{_SET_REQUEST} AND state = ?", (*request, State.WAITING.value))
            changes.execute(_END, (state.value, outcome_text, data, size, key, State.WAITING.value))

    def set_outcomes(self, outcomes: Mapping[str, JobOutcome]) -> None:
        """Store other outcomes of pieces that are over, by their ids."""
        with self.changing() as changes:
            for key, outcome in outcomes.items():
                changes.execute("UPDATE pieces SET outcome = ? WHERE id = ?", (json.dumps(asdict(outcome)), key))

    def change(self, key: str, *, name: str | None, is_favourite: bool | None) -> None:
        """Rename a piece, or make it a favourite or not; None leaves it as it is."""
        with self.changing() as changes:
            changes.execute(
                "UPDATE pieces SET name = coalesce(?, name), is_favourite = coalesce(?, is_favourite) WHERE id = ?",
                (name, None if is_favourite is None else int(is_favourite), key),
            )

    def delete(self, key: str) -> None:
        """Delete a piece and its revisions, if there is one of that id; also on a full disk, to make room."""

        def delete(changes: Changes) -> None:
            changes.execute("DELETE FROM pieces WHERE id = ?", (key,))
            changes.execute("DELETE FROM revisions WHERE piece = ?", (key,))
            changes.execute("DELETE FROM heads WHERE piece = ?", (key,))

        self.database.free(delete)

    def trim(self, most_pieces: int, most_bytes: int) -> None:
        """Delete the oldest beyond so many pieces, or bytes of notes; favourites and revised pieces are not counted."""
        with self.changing() as changes:
            changes.execute(_TRIM, (most_pieces, most_bytes))

    def find(self, key: str) -> Record | None:
        """Return the piece of that id, None if there is none."""
        return next(iter(read_records(self.read(f"SELECT {COLUMNS} FROM pieces WHERE id = ?", (key,)))), None)

    def page(self, limit: int, *, before: int | None = None, only_favourites: bool = False) -> list[Record]:
        """Return the newest pieces, the newest first, with numbers below `before` if it is given."""
        # `is_favourite >= 0` holds for all, `>= 1` for favourites alone.
        query = f"SELECT {COLUMNS} FROM pieces WHERE number < ? AND is_favourite >= ? ORDER BY number DESC LIMIT ?"
        return read_records(self.read(query, (before or 2**62, int(only_favourites), limit)))

    def waiting(self) -> list[Record]:
        """Return the pieces that have not ended, the oldest first."""
        query = f"SELECT {COLUMNS} FROM pieces WHERE state = ? ORDER BY number"
        return read_records(self.read(query, (State.WAITING.value,)))

    def order(self, key: str) -> list[Record]:
        """Return the pieces that were ordered together with that first one, in the order of their seeds."""
        # Found by what is written, which both databases can, and a damaged row has anything of; then read.
        query = f"SELECT {COLUMNS} FROM pieces WHERE asked LIKE ? ORDER BY number"
        records = read_records(self.read(query, (f"%{json.dumps(ORDER)}: {json.dumps(key)}%",)))
        return [record for record in records if record.asked.get(ORDER) == key]

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


def _end(outcome: JobOutcome, events: Sequence[Event]) -> tuple[str, bytes | None, int]:
    """Return the columns of what became of a piece: outcome, notes and their bytes."""
    data = pack(events) if events else None
    return json.dumps(asdict(outcome)), data, len(data or b"")
