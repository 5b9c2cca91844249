"""What the history asks of a database; `sqlite` and `postgres` are the two there are.

Statements are written once, in what both understand, with a `?` for each value:

    with database.changing() as changes:
        changes.execute("UPDATE pieces SET name = ? WHERE id = ?", (name, key))
    rows = database.read("SELECT name FROM pieces WHERE id = ?", (key,))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ....errors import AriettaError


class StorageError(AriettaError):
    """Pieces cannot be stored, or read, just now; where the reason `is_passing`, the same may be tried again."""

    def __init__(self, reason: object, *, is_passing: bool = True) -> None:
        super().__init__(f"the server cannot keep pieces just now ({reason}); try again later")
        self.reason, self.is_passing = str(reason), is_passing


class Rows(Protocol):
    """What a statement gives."""

    def fetchone(self) -> Any:
        """Return the next row, None where there is none."""

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""


class Changes(Protocol):
    """Where the statements of one change go."""

    def execute(self, query: str, values: Sequence[Any] = ..., /) -> Rows:
        """Run a statement."""


class Database(Protocol):
    """A database with the history's tables; threads may share it. All but `close` raise StorageError."""

    is_read_only: bool

    def read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of a query."""

    def changing(self) -> AbstractContextManager[Changes]:
        """Store all changes made inside, or none; whatever else changes the database waits for them."""

    def free(self, change: Callable[[Changes], object]) -> None:
        """Make a change that makes room, also where there is none left to write it down."""

    def check_writable(self) -> None:
        """Raise StorageError where nothing can be stored."""

    def close(self) -> None:
        """Leave the database to others."""
