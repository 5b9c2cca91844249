"""A PostgreSQL server of Debian's package for tests, started once, and a fresh database of it for each test.

Fixtures: `postgres` is the server, `database` the address of an empty database; `place` is where a history lies, a
folder for one run of a test and a database for another. Where PostgreSQL or psycopg is not installed they are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

USER = "postgres"


class Postgres:
    """A server that listens on a socket in a folder of its own; `stop` and `start` are a restart."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder, self._numbers = programs, folder, count()
        # PostgreSQL refuses to run as root; Debian's package has made a user for it.
        self._words = ["runuser", "-u", USER, "--"] if os.geteuid() == 0 else []
        if self._words:
            shutil.chown(folder, USER)
        self._run("initdb", "-A", "trust", "-U", USER, "--no-sync", "-E", "UTF8", "--locale=C")
        self.start()

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories={self._folder} -c fsync=off"
        self._run("pg_ctl", "-w", "-l", str(self._folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """End it at once, as a crash does."""
        self._run("pg_ctl", "-m", "immediate", "stop")

    def fresh(self) -> str:
        """Make an empty database; return its address."""
        name = f"test{next(self._numbers)}"
        with self.connected(self.address("postgres")) as base:
            base.execute(f"CREATE DATABASE {name}")
        return self.address(name)

    def address(self, name: str) -> str:
        return f"postgresql://{USER}@/{name}?host={self._folder}"

    def connected(self, address: str) -> Any:
        import psycopg

        return psycopg.connect(address, autocommit=True)

    @property
    def process_ids(self) -> list[int]:
        """The processes' numbers in the system, the first one's first."""
        first = (self._folder / "data" / "postmaster.pid").read_text().split()[0]
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        return [int(number) for number in (first, *children)]

    def _run(self, program: str, *words: str) -> None:
        call = [*self._words, str(self._programs / program), "-D", str(self._folder / "data"), *words]
        # To a file: the server would keep a pipe open.
        with (self._folder / "said").open("w") as said:
            subprocess.run(call, check=True, stdout=said, stderr=said, cwd=self._folder)


def programs() -> Path | None:
    """The folder of PostgreSQL's programs, that of the newest version."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((folder for folder in reversed(folders) if (folder / "initdb").exists()), None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    pytest.importorskip("psycopg", reason="needs psycopg: pip install '.[postgres]'")
    found = programs()
    if found is None or (os.geteuid() == 0 and shutil.which("runuser") is None):
        pytest.skip("needs PostgreSQL: apt install postgresql")
    # Not in pytest's own folder, which another user may not enter.
    with tempfile.TemporaryDirectory(prefix="arietta-postgres-") as folder:
        server = Postgres(found, Path(folder))
        yield server
        server.stop()


@pytest.fixture
def database(postgres: Postgres) -> str:
    return postgres.fresh()


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    if request.param == "sqlite":
        return tmp_path / "data"
    address: str = request.getfixturevalue("database")
    return address
