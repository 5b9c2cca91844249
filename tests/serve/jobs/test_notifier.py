"""Threads ring, coroutines hear it: none sleeps through a ring, and none waits for ever."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time

import pytest

from arietta.errors import RequestError
from arietta.serve.jobs.limits import Limits
from arietta.serve.jobs.log import JsonLines
from arietta.serve.jobs.notifier import Notifier


def test_a_ring_from_a_thread_wakes_all_who_wait() -> None:
    async def listen() -> float:
        notifier = Notifier()
        notifier.bind()
        begun = time.monotonic()
        threading.Timer(0.05, notifier.notify).start()
        await asyncio.gather(*(notifier.wait(0, 30.0) for _ in range(5)))
        return time.monotonic() - begun

    assert asyncio.run(listen()) < 10


def test_a_ring_between_looking_and_waiting_is_not_missed() -> None:
    async def listen() -> float:
        notifier = Notifier()
        notifier.bind()
        seen, begun = notifier.version, time.monotonic()
        notifier.notify()
        await notifier.wait(seen, 30.0)
        return time.monotonic() - begun

    assert asyncio.run(listen()) < 10


def test_nobody_waits_longer_than_said_and_nobody_stays() -> None:
    async def listen() -> tuple[float, int]:
        notifier = Notifier()
        notifier.bind()
        begun = time.monotonic()
        await notifier.wait(0, 0.05)
        return time.monotonic() - begun, len(notifier._waiting)

    waited, left = asyncio.run(listen())
    assert waited >= 0.05 and left == 0


def test_it_may_ring_before_anyone_listens_and_after_the_loop_has_gone() -> None:
    notifier = Notifier()
    notifier.notify()

    async def hang() -> None:
        notifier.bind()

    asyncio.run(hang())
    notifier.notify()
    assert notifier.version == 2


def test_every_ring_of_many_threads_is_counted() -> None:
    notifier = Notifier()
    threads = [threading.Thread(target=lambda: [notifier.notify() for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert notifier.version == 2_000


def line(message: str, failure: Exception | None = None) -> dict[str, object]:
    info = (type(failure), failure, None) if failure is not None else None
    record = logging.LogRecord("arietta.serve", logging.WARNING, "", 0, message, None, info)
    found: dict[str, object] = json.loads(JsonLines().format(record))
    return found


def test_a_line_of_the_log_is_a_json_object_with_what_failed() -> None:
    told = line('odd\n"text"', ValueError("deep"))
    assert (told["level"], told["logger"], told["message"]) == ("warning", "arietta.serve", 'odd\n"text"')
    assert "ValueError: deep" in str(told["exception"])
    assert line('{"path": "/", "status": 200}').items() >= {"path": "/", "status": 200}.items()


@pytest.mark.parametrize(("seats", "long"), [(1, 1), (2, 1), (4, 3), (32, 24)])
def test_long_pieces_get_three_seats_of_four_and_at_least_one(seats: int, long: int) -> None:
    assert Limits(seats=seats).long_seats == long


def test_a_piece_is_long_by_its_notes_or_its_seconds() -> None:
    limits = Limits()
    assert not limits.is_long(1_000, None) and limits.is_long(1_001, None)
    assert not limits.is_long(None, 120.0) and limits.is_long(None, 120.5)


def test_impossible_limits_are_refused_as_the_command_line_names_them() -> None:
    with pytest.raises(RequestError, match="--most-per-client must lie in 1-10000, not 0"):
        Limits(most_per_client=0)
