"""The queue of slow work by itself: who has the next turn, and how much there may be."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from arietta.serve.jobs.limits import Limits
from arietta.serve.jobs.scheduler import FullError, StoppingError
from arietta.serve.work_queue import WorkQueue, WorkQueues

PATIENCE = 30.0


class Stage:
    """A queue of one thread, whose first work goes on until `release`, and what was done after it."""

    def __init__(self, capacity: int = 16, most_per_client: int = 16) -> None:
        self.queue = WorkQueue("works", threads=1, capacity=capacity, most_per_client=most_per_client)
        self.gate, self.done = threading.Event(), list[str]()
        self.tasks = [self.ask("first", self._wait)]

    def _wait(self) -> None:
        assert self.gate.wait(PATIENCE)

    def ask(self, name: str, work: Callable[[], object] | None = None) -> asyncio.Task[Any]:
        """Ask for work of a client, whose name is that without its digits."""
        task = asyncio.ensure_future(
            self.queue.run(name.rstrip("0123456789"), work or (lambda: self.done.append(name)))
        )
        if work is None:
            self.tasks.append(task)
        return task

    async def release(self) -> list[str]:
        """Let the first work end and return the names of the others in the order in which they were done."""
        await asyncio.sleep(0)
        self.gate.set()
        await asyncio.wait_for(asyncio.gather(*self.tasks), PATIENCE)
        self.queue.close()
        return self.done


def run(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scene())


def test_clients_take_turns_however_much_one_of_them_wants() -> None:
    async def scene() -> None:
        stage = Stage()
        for name in ("much1", "much2", "much3", "little", "much4", "other1", "other2"):
            stage.ask(name)
        assert await stage.release() == ["much1", "little", "other1", "much2", "other2", "much3", "much4"]

    run(scene)


def test_beyond_its_limits_it_refuses_before_anything_is_done() -> None:
    async def scene() -> None:
        stage = Stage(capacity=4, most_per_client=2)
        stage.ask("one1")
        stage.ask("one2")
        await asyncio.sleep(0)
        with pytest.raises(FullError, match="you have 2 works under way; wait for some of them to end"):
            await stage.ask("one3", work=stage.gate.set)
        stage.ask("other")
        await asyncio.sleep(0)
        with pytest.raises(FullError, match="4 works are under way; try again in a few seconds"):
            await stage.ask("another", work=stage.gate.set)
        assert stage.queue.count == 4
        assert len(await stage.release()) == 3
        assert stage.queue.count == 0

    run(scene)


def test_what_fails_or_is_given_up_makes_room() -> None:
    async def scene() -> None:
        stage = Stage()
        impatient = stage.ask("impatient", work=lambda: stage.done.append("impatient"))
        failing = stage.ask("failing", work=lambda: 1 // 0)
        stage.ask("patient")
        await asyncio.sleep(0)
        impatient.cancel()
        assert await stage.release() == ["patient"]
        with pytest.raises(ZeroDivisionError):
            await failing
        assert stage.queue.count == 0

    run(scene)


def test_work_in_several_turns_counts_until_its_client_leaves() -> None:
    async def scene() -> None:
        queue = WorkQueue("works", threads=1, capacity=1, most_per_client=1)
        with queue.admitted("one"):
            assert [await queue.turn("one", lambda: 1), await queue.turn("one", lambda: 2)] == [1, 2]
            with pytest.raises(FullError):
                await queue.run("other", lambda: 3)
        assert await queue.run("other", lambda: 3) == 3
        queue.close()

    run(scene)


def test_a_server_has_a_queue_for_each_kind_of_work_and_closing_gives_up_what_waits() -> None:
    async def scene() -> None:
        queues = WorkQueues.of(Limits(uploads=3, files=2, work_per_client=1))
        for queue in (queues.uploads, queues.pictures, queues.sounds):
            assert await queue.run("", lambda: 5) == 5
        queues.close()
        with pytest.raises(RuntimeError):
            await queues.sounds.run("", lambda: 5)

    run(scene)


def test_what_waits_when_the_server_is_told_to_stop_is_refused_when_its_turn_comes() -> None:
    async def scene() -> None:
        stopping = threading.Event()
        queues = WorkQueues.of(Limits(), stopping.is_set)
        gates = [threading.Event() for _ in range(2)]
        begun = [asyncio.ensure_future(queues.uploads.run("", lambda gate=gate: gate.wait(PATIENCE))) for gate in gates]
        late = asyncio.ensure_future(queues.uploads.run("", lambda: True))
        await asyncio.sleep(0.01)
        stopping.set()
        for gate in gates:
            gate.set()
        assert await asyncio.gather(*begun) == [True, True]
        with pytest.raises(StoppingError, match="the server is stopping"):
            await late
        queues.close()

    run(scene)
