"""Servers that share a history: limits for all together, pieces of lost ones taken over, streams across servers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from arietta.generation.loop import generate
from arietta.generation.request import Request
from arietta.serve.jobs.composing.order import Order
from arietta.serve.jobs.event_log import to_notes
from arietta.serve.jobs.history.pieces import open_history
from arietta.serve.jobs.job import State
from arietta.serve.jobs.limits import Limits
from arietta.serve.jobs.models import Models
from arietta.serve.jobs.peers import shared
from arietta.serve.jobs.peers.followed import FollowedJob
from arietta.serve.jobs.peers.shared import SharedPeers
from arietta.serve.jobs.scheduler import FullError
from arietta.serve.jobs.service import Service
from tests.support.postgres import Postgres
from tests.support.servers import opened, submit, until

LONG = Request(notes=10_000, seed=1)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "BEAT_SECONDS", 0.1)
    monkeypatch.setattr(shared, "LEASE_SECONDS", 0.5)


@pytest.fixture
def pair(models: Models, database: str) -> Iterator[tuple[Service, Service]]:
    limits = Limits(seats=2, places=1, most_per_client=4)
    with opened(models, database, limits) as first, opened(models, database, limits) as second:
        until(lambda: first.peers.server_count == second.peers.server_count == 2)
        yield first, second


def vanish(service: Service) -> None:
    """Let a server be lost: it says nothing any more, and stores nothing."""
    assert isinstance(service.peers, SharedPeers)
    service.scheduler.close()
    service.peers._is_closed.set()
    service.peers._thread.join()


def test_limits_hold_for_all_servers_together(pair: tuple[Service, Service]) -> None:
    first, second = pair
    submit(first, *[LONG] * 2, client="a")
    submit(second, LONG, client="a")
    with pytest.raises(FullError, match="you have 3 pieces under way"):
        submit(second, *[LONG] * 2, client="a")
    submit(second, LONG, client="b")
    (last,) = submit(first, LONG, client="c")
    with pytest.raises(FullError, match="the servers have 5 pieces to compose"):
        submit(second, LONG, client="d")
    with pytest.raises(FullError, match="the servers have 5 pieces to compose"):
        second.compose(Order(Request(notes=2)), "d")
    assert len(first.page(9)) == 5
    first.delete(last.id)
    until(lambda: second.history.read("SELECT count(*) FROM jobs") == [(4,)])
    job = second.compose(Order(Request(notes=2)), "d")
    assert second.history.read("SELECT count(*) FROM jobs") == [(5,)]
    second.scheduler.cancel(job)
    until(lambda: second.history.read("SELECT count(*) FROM jobs") == [(4,)])


def test_clients_take_turns_over_all_servers(pair: tuple[Service, Service]) -> None:
    first, second = pair
    submit(first, *[LONG] * 2, client="a")
    until(lambda: second.peers.running == {"a": 1})  # of two long ones, on two seats
    assert second.scheduler.running_elsewhere() == {"a": 1}


def test_the_pieces_of_a_lost_server_are_composed_by_another(pair: tuple[Service, Service], models: Models) -> None:
    first, second = pair
    requests = [Request(notes=800, seed=seed) for seed in (1, 2)]
    records = submit(first, *requests, client="a")
    until(lambda: len(first.job(records[0].id).events) > 20)  # type: ignore[union-attr]
    vanish(first)
    until(lambda: all(second.find(record.id).state is State.DONE for record in records))
    for record, request in zip(records, requests, strict=True):
        assert second.notes(record.id) == generate(request, models.engine("tiny")).notes
    until(lambda: second.history.read("SELECT count(*) FROM jobs") == [(0,)])


def test_a_listener_elsewhere_hears_a_piece_and_goes_on_when_its_server_is_lost(
    pair: tuple[Service, Service], models: Models
) -> None:
    first, second = pair
    request = Request(notes=800, seed=3)
    (record,) = submit(first, request)
    followed = second.follow(second.find(record.id))
    assert followed is not None and second.job(record.id) is followed
    until(lambda: len(followed.events) > 20)
    assert second.find(record.id).state is State.COMPOSING
    heard = list(followed.events)
    vanish(first)
    until(lambda: followed.is_over)
    assert followed.events[: len(heard)] == heard
    notes = generate(request, models.engine("tiny")).notes
    assert to_notes(followed.events) == notes


@pytest.mark.parametrize(("wish", "state"), [("stop", State.DONE), ("delete", State.CANCELLED)])
def test_a_piece_is_stopped_or_cancelled_from_another_server(
    pair: tuple[Service, Service], wish: str, state: State
) -> None:
    first, second = pair
    (record,) = submit(first, LONG)
    until(lambda: first.job(record.id).events)  # type: ignore[union-attr]
    job = getattr(second, wish)(record.id)
    until(lambda: job.is_over)
    assert second.find(record.id).state is first.find(record.id).state is state


def test_a_server_that_ends_in_good_order_is_followed_at_once(models: Models, database: str) -> None:
    with opened(models, database) as second:
        with opened(models, database) as first:
            (record,) = submit(first, Request(notes=800, seed=4))
        until(lambda: second.job(record.id))
        second.scheduler.cancel(second._jobs[record.id])
        until(lambda: second.find(record.id).state is State.CANCELLED)


def test_a_piece_goes_to_a_server_that_has_its_model_and_is_interrupted_where_none_has_for_long(
    models: Models, tiny_bundle_32: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "ABSENT_SECONDS", 0.5)
    with opened(Models([tiny_bundle_32]), database) as other:
        with opened(models, database) as first, opened(models, database) as second:
            until(lambda: first.peers.server_count == 3)
            (record,) = submit(first, Request(notes=800, seed=4))
            vanish(first)
            until(lambda: second.find(record.id).state is State.DONE)
            (left,) = submit(second, LONG)
        until(lambda: other.find(left.id).state is State.INTERRUPTED)


def test_a_piece_waits_for_the_only_server_of_its_model_to_be_started_again(
    models: Models, tiny_bundle_32: Path, database: str
) -> None:
    with opened(Models([tiny_bundle_32]), database) as other:
        with opened(models, database) as first:
            (record,) = submit(first, LONG, client="a")
        until(lambda: other.peers.server_count == 1)
        time.sleep(1.0)
        assert other.find(record.id).state is State.WAITING
        with opened(models, database) as again:
            until(lambda: again.job(record.id))
            assert again._jobs[record.id].client == "a"
            other.delete(record.id)
            until(lambda: other.find(record.id).state is State.CANCELLED)


@pytest.mark.parametrize("wish", ["stop", "delete"])
def test_a_piece_of_a_model_that_no_server_has_can_be_cancelled_at_once(
    models: Models, tiny_bundle_32: Path, database: str, wish: str
) -> None:
    with opened(Models([tiny_bundle_32]), database) as other:
        with opened(models, database) as first:
            until(lambda: other.peers.server_count == 2)
            (record,) = submit(first, LONG)
        until(lambda: other.peers.server_count == 1)
        job = getattr(other, wish)(record.id)
        until(lambda: job.is_over)
        assert other.find(record.id).state is State.CANCELLED
        with opened(models, database) as again:
            until(lambda: again.history.read("SELECT count(*) FROM jobs") == [(0,)])
            assert not again._jobs and again.find(record.id).state is State.CANCELLED
        assert other.delete(record.id) is None


@pytest.mark.parametrize("wish", ["stop", "delete"])
def test_a_wish_outlives_the_only_server_of_a_model(
    models: Models, tiny_bundle_32: Path, database: str, wish: str
) -> None:
    with opened(Models([tiny_bundle_32]), database) as other, opened(models, database) as first:
        until(lambda: other.peers.server_count == 2)
        (record,) = submit(first, LONG)
        vanish(first)
        job = getattr(other, wish)(record.id)  # before it is known to be lost
        until(lambda: job.is_over)
        assert other.find(record.id).state is State.CANCELLED


def test_the_best_are_marked_though_the_last_piece_is_one_that_nobody_can_compose(
    models: Models, tiny_bundle_32: Path, database: str
) -> None:
    with opened(Models([tiny_bundle_32]), database) as other:
        with opened(models, database) as first:
            done, left = submit(first, Request(notes=20, seed=1), LONG, best=1)
            until(lambda: first.find(done.id).state is State.DONE)
        other.delete(left.id)
        until(lambda: other.find(left.id).state is State.CANCELLED)
        until(lambda: "choice" in (other.find(done.id).outcome.figures or {}))


def test_a_database_that_stands_still_makes_no_living_server_look_lost(
    pair: tuple[Service, Service], database: str
) -> None:
    first, second = pair
    until(lambda: all(service.peers._steady_since is not None for service in pair))  # type: ignore[attr-defined]
    time.sleep(1.0)
    records = [submit(service, LONG)[0] for service in pair]
    holding = open_history(database)
    with holding.changing():
        time.sleep(1.5)
    holding.close()
    for _ in range(10):
        time.sleep(0.1)
        assert set(first._jobs) == {records[0].id} and set(second._jobs) == {records[1].id}


def test_a_lost_server_is_found_out_though_the_clock_of_the_database_was_put_back(
    pair: tuple[Service, Service],
) -> None:
    first, second = pair
    (record,) = submit(first, Request(notes=800, seed=4))
    vanish(first)
    with second.history.changing() as changes:
        changes.execute("UPDATE servers SET seen = seen + 3600 WHERE id = ?", (first.peers._id,))  # type: ignore[attr-defined]
    until(lambda: second.find(record.id).state is State.DONE)


def test_a_database_whose_clock_is_set_makes_no_living_server_look_lost(
    pair: tuple[Service, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = pair
    assert isinstance(first.peers, SharedPeers)
    until(lambda: first.peers._steady_since is not None)  # type: ignore[attr-defined]
    for hours in (1, -1):
        begun = first.peers._steady_since
        first.peers._last_beat = (first.peers._last_beat[0], first.peers._last_beat[1] + 3600 * hours)
        until(lambda begun=begun: first.peers._steady_since not in (None, begun))  # type: ignore[attr-defined, misc]


def test_who_follow_a_piece_at_once_follow_one_job(
    pair: tuple[Service, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = pair
    (record,) = submit(first, LONG)

    def make(*about: Any) -> FollowedJob:
        time.sleep(0.1)
        return FollowedJob(*about)

    monkeypatch.setattr(shared, "FollowedJob", make)
    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(second.follow, [second.find(record.id)] * 2)
    assert one is other


def test_what_another_kind_of_machine_has_begun_is_marked(
    pair: tuple[Service, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = pair
    monkeypatch.setattr(shared, "machine_kind", lambda: "an older one")
    (record,) = submit(first, Request(notes=800, seed=5))
    until(lambda: second.peers.is_composing(record.id))
    monkeypatch.undo()
    monkeypatch.setattr(shared, "BEAT_SECONDS", 0.1)
    monkeypatch.setattr(shared, "LEASE_SECONDS", 0.5)
    vanish(first)
    until(lambda: second.find(record.id).state is State.DONE)
    figures = second.find(record.id).outcome.figures
    assert figures is not None and figures["machines"][0] == "an older one"


def test_servers_go_on_where_the_database_was_restarted(
    pair: tuple[Service, Service], models: Models, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arietta.serve.jobs.service.RETRY_SECONDS", 0.1)
    first, second = pair
    requests = [Request(notes=400, seed=seed) for seed in (6, 7)]
    records = [*submit(first, requests[0]), *submit(second, requests[1])]
    postgres.stop()
    time.sleep(1.0)
    postgres.start()
    until(lambda: all(service.job(record.id) is None for service in pair for record in records))
    for record, request in zip(records, requests, strict=True):
        assert first.notes(record.id) == generate(request, models.engine("tiny")).notes
    until(lambda: first.peers.server_count == 2)
