"""The history in PostgreSQL: what a database that restarts, hangs or refuses does to it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from arietta.errors import HistoryError
from arietta.serve.jobs.history import postgres as module
from arietta.serve.jobs.history.database import StorageError
from arietta.serve.jobs.history.pieces import History, open_history
from arietta.serve.jobs.history.postgres import PostgresDatabase, is_address
from tests.serve.jobs.history.test_pieces import TOLD, record
from tests.support.postgres import Postgres
from tests.support.servers import until


@pytest.fixture
def history(database: str) -> Iterator[History]:
    history = open_history(database)
    yield history
    history.close()


def test_an_address_is_no_folder() -> None:
    assert is_address("postgresql://host/name") and is_address("postgres://host/name")
    assert not is_address("postgresql") and not is_address("s3://bucket")


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("postgresql://me:secret@127.0.0.1:1/name", r"postgresql://me@127\.0\.0\.1:1/name: .*refused.*see that the"),
        ("postgresql://me:secret@host:port/name?x=1", "that is no address of a database; write postgresql://USER@"),
    ],
)
def test_a_database_that_cannot_be_used_is_named_without_its_password(address: str, sentence: str) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(HistoryError, match=sentence) as raised:
        open_history(address)
    assert "secret" not in str(raised.value)


def test_without_psycopg_the_sentence_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(HistoryError, match=r"needs psycopg: .*postgres"):
        open_history("postgresql://host/name")


def test_a_database_of_a_later_version_is_refused(history: History, database: str) -> None:
    with history.changing() as changes:
        changes.execute("UPDATE arietta SET format = 99")
    with pytest.raises(HistoryError, match="format 99, this version of Arietta reads up to"):
        open_history(database)


def test_a_database_that_was_restarted_is_used_again(history: History, postgres: Postgres) -> None:
    history.add([record("a")], [TOLD])
    postgres.stop()
    try:
        with pytest.raises(StorageError) as down:
            history.find("a")
        with pytest.raises(StorageError):
            history.add([record("b")], [[]])
    finally:
        postgres.start()
    assert down.value.is_passing
    time.sleep(module.RETRY_SECONDS)
    history.add([record("b")], [[]])
    assert [piece.id for piece in history.page(9)] == ["b", "a"] and history.prompt("a") == TOLD


def test_a_change_whose_connection_is_lost_is_not_made_by_half(history: History, postgres: Postgres) -> None:
    def change() -> None:
        with history.changing() as changes:
            changes.execute("DELETE FROM pieces")
            postgres.stop()
            postgres.start()
            with pytest.raises(StorageError):
                changes.execute("DELETE FROM revisions")
            changes.execute("DELETE FROM pieces")  # outside of a transaction it would be done for good

    history.add([record("a")], [[]])
    with pytest.raises(StorageError, match="the connection was lost"):
        change()
    assert [piece.id for piece in history.page(9)] == ["a"]


def test_a_database_that_does_not_answer_is_given_up_and_then_used_again(
    history: History, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.add([record("a")], [[]])
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(module, "CONNECT_SECONDS", 2)
    stopped = postgres.process_ids
    for number in reversed(stopped):
        os.kill(number, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        with pytest.raises(StorageError):
            history.find("a")
        assert time.monotonic() - begun < 10
    finally:
        for number in stopped:
            os.kill(number, signal.SIGCONT)
    time.sleep(module.RETRY_SECONDS)
    monkeypatch.setattr(module, "ANSWER_SECONDS", 20.0)
    assert [piece.id for piece in history.page(9)] == ["a"]


def test_two_servers_change_one_after_the_other(history: History, database: str) -> None:
    other = PostgresDatabase(database)
    seen = list[int]()

    def add() -> None:
        with other.changing() as changes:
            seen.append(changes.execute("SELECT count(*) FROM pieces").fetchone()[0])

    with history.changing() as changes:
        changes.execute("DELETE FROM pieces")
        waiting = threading.Thread(target=add)
        waiting.start()
        time.sleep(0.1)
        assert not seen
    waiting.join()
    other.close()
    assert seen == [0]


def test_a_change_that_waited_too_long_for_another_does_not_hinder_the_next(
    history: History, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOCK_SECONDS", 0.2)
    other = open_history(database)
    with history.changing(), pytest.raises(StorageError, match="lock timeout") as waited:
        other.add([record("a")], [[]])
    assert waited.value.is_passing
    other.add([record("a")], [[]])
    other.close()


def test_a_server_that_falls_silent_in_a_change_holds_nobody_up_for_long(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.3)
    silent, other = open_history(database), open_history(database)

    def fall_silent() -> None:
        with silent.changing() as changes:
            changes.execute("DELETE FROM pieces")
            other.add([record("a")], [[]])  # waits until the database has ended what is changed here
            changes.execute("DELETE FROM pieces")

    with pytest.raises(StorageError):
        fall_silent()
    assert [piece.id for piece in other.page(9)] == ["a"]
    for opened in (silent, other):
        opened.close()


def test_a_connection_that_is_closed_while_it_is_looked_at_does_no_harm(history: History) -> None:
    assert isinstance(history.database, PostgresDatabase)
    connection = history.database._writing
    assert connection._base is not None
    connection._base.close()
    connection._busy_since = time.monotonic() - module.ANSWER_SECONDS - 1
    connection.cut_if_silent()
    connection._busy_since = None
    history.check_writable()


def test_what_is_told_is_heard_on_the_same_channel(history: History, database: str) -> None:
    listening, told = PostgresDatabase(database), list[str]()

    def listen() -> None:
        while len(told) < 2:
            told.extend(listening.listen("pieces", 0.2))

    waiting = threading.Thread(target=listen, daemon=True)
    waiting.start()
    assert isinstance(history.database, PostgresDatabase)
    until(lambda: history.read("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'") != [(0,)])
    history.database.tell("elsewhere", "nothing")
    for word in ("one", "two"):
        history.database.tell("pieces", word)
    waiting.join(10)
    listening.close()
    assert told == ["one", "two"]
