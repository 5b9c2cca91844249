"""The history in a PostgreSQL database, which several servers share; they write one after the other.

A connection that is lost, because the database was restarted, is opened anew; one on which nothing comes for
ANSWER_SECONDS is cut, and what waited for it is told so. The password stands in no message.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ....errors import HistoryError
from ....program import install_command
from .database import Changes, Rows, StorageError

if TYPE_CHECKING:
    import psycopg

FORMAT = 1
CONNECT_SECONDS = 5
RETRY_SECONDS = 1.0  # after a connection was refused
ANSWER_SECONDS = 20.0  # of one statement, or of the statements of one change
LOCK_SECONDS = 15.0  # that a change waits for those of others; less, so that the database gives up first
IDLE_SECONDS = 20.0  # after which the database ends a change whose server has said nothing more, and lets others go on
SCHEMES = ("postgresql://", "postgres://")
_WRITING = 0x41726965  # the advisory lock of whoever writes: "Arie"
_TABLES = """
CREATE TABLE IF NOT EXISTS pieces (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    is_favourite INTEGER NOT NULL DEFAULT 0,
    size BIGINT NOT NULL DEFAULT 0,
    asked TEXT NOT NULL,
    title TEXT NOT NULL,
    texts TEXT NOT NULL,
    outcome TEXT NOT NULL DEFAULT '{}',
    prompt BYTEA,
    told BYTEA
);
CREATE INDEX IF NOT EXISTS pieces_waiting ON pieces (number) WHERE state = 'waiting';
CREATE TABLE IF NOT EXISTS revisions (
    piece TEXT NOT NULL,
    number INTEGER NOT NULL,
    parent INTEGER NOT NULL,
    name TEXT NOT NULL,
    cause TEXT NOT NULL,
    source TEXT,
    created DOUBLE PRECISION NOT NULL,
    visited BIGINT NOT NULL,
    note_count INTEGER NOT NULL,
    seconds DOUBLE PRECISION NOT NULL,
    marks TEXT NOT NULL,
    music BYTEA NOT NULL,
    size BIGINT NOT NULL,
    PRIMARY KEY (piece, number)
);
CREATE TABLE IF NOT EXISTS heads (piece TEXT PRIMARY KEY, head INTEGER NOT NULL, version BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS meters (
    piece TEXT PRIMARY KEY REFERENCES pieces (id) ON DELETE CASCADE,
    meter TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS servers (
    id TEXT PRIMARY KEY,
    seen DOUBLE PRECISION NOT NULL,
    seats INTEGER NOT NULL,
    bundles TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY,
    server TEXT NOT NULL,
    client TEXT NOT NULL,
    machine TEXT NOT NULL DEFAULT '',
    is_stored INTEGER NOT NULL DEFAULT 1,
    pieces INTEGER NOT NULL DEFAULT 1,
    is_running INTEGER NOT NULL DEFAULT 0,
    wish TEXT,
    progress TEXT,
    events BYTEA
);
CREATE TABLE IF NOT EXISTS arietta (format INTEGER NOT NULL);
"""
log = logging.getLogger(__name__)
Result = TypeVar("Result")


def is_address(place: str) -> bool:
    """Tell the address of a database from a folder."""
    return place.startswith(SCHEMES)


class PostgresDatabase:
    """The database at an address such as postgresql://user@host/name."""

    is_read_only = False

    def __init__(self, address: str) -> None:
        """Connect, and make the tables where there are none; raises HistoryError where that is impossible."""
        self._name, self._address = _shown(address), address
        self._reading, self._writing, self._listening = (_Connection(address) for _ in range(3))
        self._is_closed = threading.Event()
        try:
            self._set_up()
        except StorageError as error:
            self.close()
            raise HistoryError(
                f"{self._name}: {error.reason}; see that the database runs, and who may use it"
            ) from error
        except HistoryError:
            self.close()
            raise
        threading.Thread(target=self._cut_silent, name="database", daemon=True).start()

    def _set_up(self) -> None:
        with self.changing() as changes:
            for statement in _TABLES.split(";\n"):
                if statement.strip():
                    changes.execute(statement)
            row = changes.execute("SELECT format FROM arietta").fetchone()
            if row is None:
                changes.execute("INSERT INTO arietta VALUES (?)", (FORMAT,))
            elif row[0] > FORMAT:
                raise HistoryError(
                    f"{self._name}: format {row[0]}, this version of Arietta reads up to {FORMAT}; install a newer "
                    "one, or take another database"
                )

    def close(self) -> None:
        """Close the connections."""
        self._is_closed.set()
        for connection in (self._reading, self._writing, self._listening):
            connection.close()

    def check_writable(self) -> None:
        """Raise StorageError where nothing can be stored."""
        with self.changing() as changes:
            changes.execute("UPDATE arietta SET format = format")

    def read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of a query; raises StorageError."""
        statement, given = _translated(query, values)
        with self._reading.lock:
            return self._reading.run(lambda base: base.execute(statement, given).fetchall())

    @contextlib.contextmanager
    def changing(self, *, is_durable: bool = True) -> Iterator[Changes]:
        """Store all changes made inside, or none; raises StorageError. No server changes anything meanwhile.

        Where they need not be durable, a crash of the database may take the last ones with it.
        """
        with self._writing.lock:
            try:
                # Begun anew where the connection was lost since the last change; nothing is lost with it yet.
                self._writing.run(_begin)
                if not is_durable:
                    self._writing.go_on(lambda base: base.execute("SET LOCAL synchronous_commit = off"))
                yield _Changes(self._writing)
                self._writing.go_on(lambda base: base.execute("COMMIT"))
            except BaseException:
                with contextlib.suppress(StorageError):
                    self._writing.go_on(lambda base: base.execute("ROLLBACK"))
                raise

    def free(self, change: Callable[[Changes], object]) -> None:
        """Make a change that makes room."""
        with self.changing() as changes:
            change(changes)

    def tell(self, channel: str, news: str) -> None:
        """Tell all servers that listen on a channel; raises StorageError."""
        self.read("SELECT pg_notify(?, ?)", (channel, news))

    def listen(self, channel: str, seconds: float) -> list[str]:
        """Wait so many seconds at most for what is told on a channel; raises StorageError.

        What is told between two calls is not lost, but where the connection was.
        """

        def listen(base: psycopg.Connection[Any]) -> list[str]:
            base.execute(f"LISTEN {channel}")
            return [notice.payload for notice in base.notifies(timeout=seconds, stop_after=1)]

        with self._listening.lock:
            return self._listening.run(listen)

    def _cut_silent(self) -> None:
        while not self._is_closed.wait(1.0):
            for connection in (self._reading, self._writing, self._listening):
                connection.cut_if_silent()


class _Changes:
    """Where the statements of a change go."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    def execute(self, query: str, values: Sequence[Any] = (), /) -> Rows:
        statement, given = _translated(query, values)
        rows: Rows = self._connection.go_on(lambda base: base.execute(statement, given))
        return rows


class _Connection:
    """A connection that is opened when it is needed; whoever uses it holds its `lock`."""

    def __init__(self, address: str) -> None:
        self.lock = threading.RLock()
        self._address = address
        self._base: psycopg.Connection[Any] | None = None
        self._busy_since: float | None = None
        self._failed, self._failure = -RETRY_SECONDS, ""  # to connect: when, and why

    def run(self, work: Callable[[psycopg.Connection[Any]], Result]) -> Result:
        """Do some work, once more where the connection turns out to have been lost; raises StorageError."""
        if self._base is None:
            self._connect()
            return self.go_on(work)
        try:
            return self.go_on(work)
        except StorageError:
            if self._base is not None:
                raise
            self._connect()
            return self.go_on(work)

    def go_on(self, work: Callable[[psycopg.Connection[Any]], Result]) -> Result:
        """Do some work on the connection that there is; raises StorageError where it is lost."""
        import psycopg

        if self._base is None:
            raise StorageError("the connection was lost")
        self._busy_since = time.monotonic()
        try:
            return work(self._base)
        except (psycopg.Error, OSError) as error:
            if self._base.closed:
                self.close()
            is_lasting = isinstance(error, psycopg.DataError | psycopg.IntegrityError | psycopg.ProgrammingError)
            raise StorageError(_sentence(error), is_passing=not is_lasting) from error
        finally:
            self._busy_since = None

    def _connect(self) -> None:
        """Open it; who comes while the database does not answer is not kept waiting for that, one after the other."""
        import psycopg

        if time.monotonic() - self._failed < RETRY_SECONDS:
            raise StorageError(self._failure)
        try:
            self._base = psycopg.connect(
                self._address,
                autocommit=True,
                connect_timeout=CONNECT_SECONDS,
                fallback_application_name="arietta",
                keepalives_idle=5,
                keepalives_interval=2,
                keepalives_count=3,
            )
            self._base.execute(f"SET lock_timeout = '{round(LOCK_SECONDS * 1000)}ms'")
            self._base.execute(f"SET idle_in_transaction_session_timeout = '{round(IDLE_SECONDS * 1000)}ms'")
        except (psycopg.Error, OSError) as error:
            self.close()
            self._failed, self._failure = time.monotonic(), _sentence(error)
            raise StorageError(self._failure) from error

    def cut_if_silent(self) -> None:
        """End a connection on which somebody has waited for too long, so that it fails for them."""
        import psycopg

        since, base = self._busy_since, self._base
        if since is None or base is None or time.monotonic() - since < ANSWER_SECONDS:
            return
        log.warning("the database did not answer for %g seconds; the connection is cut", ANSWER_SECONDS)
        # It may be closed by whoever uses it meanwhile.
        failures = (OSError, ValueError, psycopg.Error)
        with contextlib.suppress(*failures), socket.socket(fileno=os.dup(base.pgconn.socket)) as same:
            same.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it; the next use opens another."""
        base, self._base = self._base, None
        if base is not None:
            base.close()


def _begin(base: psycopg.Connection[Any]) -> None:
    base.execute("BEGIN")
    base.execute(f"SELECT pg_advisory_xact_lock({_WRITING})")


def _translated(query: str, values: Sequence[Any]) -> tuple[str, list[Any]]:
    """Write a statement as psycopg takes it; a text may not hold the sign 0 there."""
    given = [value.replace("\0", "\ufffd") if isinstance(value, str) else value for value in values]
    return query.replace("%", "%%").replace("?", "%s"), given


def _sentence(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _shown(address: str) -> str:
    """Return an address without its password; raises HistoryError where it is none, or psycopg is not there."""
    try:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict
    except ImportError as error:
        raise HistoryError(f"a history in PostgreSQL needs psycopg: {install_command('postgres')}") from error
    try:
        parts = conninfo_to_dict(address)
    except ProgrammingError as error:
        raise HistoryError("that is no address of a database; write postgresql://USER@HOST/NAME") from error
    user, host, port = (f"{parts[name]}" if parts.get(name) else "" for name in ("user", "host", "port"))
    return f"postgresql://{user and f'{user}@'}{host}{port and f':{port}'}/{parts.get('dbname') or user}"
