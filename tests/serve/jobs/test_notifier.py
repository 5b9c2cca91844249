"""Threads notify, coroutines wait: none misses news, and none waits for ever."""

from __future__ import annotations

import asyncio
import threading
import time

from arietta.serve.jobs.notifier import Notifier


def test_news_from_a_thread_wakes_all_who_wait() -> None:
    async def wait() -> float:
        notifier = Notifier()
        notifier.bind()
        started = time.monotonic()
        threading.Timer(0.05, notifier.notify).start()
        await asyncio.gather(*(notifier.wait(0, 30.0) for _ in range(5)))
        return time.monotonic() - started

    assert asyncio.run(wait()) < 10


def test_who_waits_in_another_loop_than_the_one_that_was_bound_is_woken() -> None:
    async def bind() -> None:
        notifier.bind()

    async def wait() -> float:
        started = time.monotonic()
        threading.Timer(0.05, notifier.notify).start()
        await notifier.wait(0, 30.0)
        return time.monotonic() - started

    notifier, bound = Notifier(), asyncio.new_event_loop()
    bound.run_until_complete(bind())
    assert asyncio.run(wait()) < 10
    bound.close()


def test_news_between_looking_and_waiting_is_not_missed() -> None:
    async def wait() -> float:
        notifier = Notifier()
        notifier.bind()
        seen, started = notifier.version, time.monotonic()
        notifier.notify()
        await notifier.wait(seen, 30.0)
        return time.monotonic() - started

    assert asyncio.run(wait()) < 10


def test_nobody_waits_longer_than_asked_and_nobody_stays() -> None:
    async def wait() -> tuple[float, int]:
        notifier = Notifier()
        notifier.bind()
        started = time.monotonic()
        await notifier.wait(0, 0.05)
        return time.monotonic() - started, len(notifier._waiting)

    waited, left = asyncio.run(wait())
    assert waited >= 0.05 and left == 0


def test_there_may_be_news_before_anyone_waits_and_after_the_loop_has_closed() -> None:
    notifier = Notifier()
    notifier.notify()

    async def bind() -> None:
        notifier.bind()

    asyncio.run(bind())
    notifier.notify()
    assert notifier.version == 2


def test_the_version_counts_the_news_of_many_threads() -> None:
    notifier = Notifier()
    threads = [threading.Thread(target=lambda: [notifier.notify() for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert notifier.version == 2_000
