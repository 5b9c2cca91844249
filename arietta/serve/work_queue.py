"""Slow work that is bounded: threads of its own, so many pieces of it at once and waiting, and of one client fewer.

    uploads = WorkQueue("uploads", threads=2, capacity=16, most_per_client=8)
    notes = await uploads.run(client, lambda: read_upload(data, most_notes=100))

Waiting takes no thread. Clients take turns: one with much work never keeps another waiting for more than a turn.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from .jobs.limits import Limits
from .jobs.scheduler import FullError, StoppingError
from .turns import Turns
from .workshop import NICENESS, PROCESSES

Result = TypeVar("Result")


class WorkQueue:
    """Runs work of one kind in the order that the module describes; used in one event loop only."""

    def __init__(
        self,
        name: str,
        *,
        threads: int,
        capacity: int,
        most_per_client: int,
        most_at_once: int | None = None,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """Make an empty queue; of its threads one client gets `most_at_once`, all of them where that is None."""
        self._name, self._capacity, self._most_per_client = name, capacity, most_per_client
        self._most_at_once = most_at_once or threads
        self._is_stopping = is_stopping
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name, initializer=_give_way)
        self._free = threads
        self._admitted: Counter[str] = Counter()
        self._waiting = Turns[asyncio.Future[None]]()
        self._working: Counter[str] = Counter()  # threads that each client has

    @property
    def count(self) -> int:
        """How much is under way."""
        return self._admitted.total()

    def check(self, client: str) -> None:
        """Raise FullError where too much is under way, of all clients or of this one."""
        if self.count >= self._capacity:
            raise FullError(f"{self.count} {self._name} are under way; try again in a few seconds")
        if self._admitted[client] >= self._most_per_client:
            raise FullError(f"you have {self._admitted[client]} {self._name} under way; wait for some of them to end")

    @contextmanager
    def admitted(self, client: str) -> Iterator[None]:
        """Count a client's work, done in one or more turns; raises FullError where too much is under way."""
        self.check(client)
        self._admitted[client] += 1
        try:
            yield
        finally:
            self._admitted[client] -= 1
            if not self._admitted[client]:  # addresses are many
                del self._admitted[client]

    async def run(self, client: str, work: Callable[[], Result]) -> Result:
        """Return what `work` returns; raises FullError where too much is under way, StoppingError before it begins."""

        def begin() -> Result:
            if self._is_stopping():
                raise StoppingError
            return work()

        with self.admitted(client):
            return await self.turn(client, begin)

    async def turn(self, client: str, work: Callable[[], Result]) -> Result:
        """Return what `work` returns, for a client who is admitted."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting.add(client, turn)
        self._start_next()
        try:
            await turn
            return await loop.run_in_executor(self._pool, work)
        finally:
            if not self._waiting.discard(client, turn):  # it has had its turn
                self._free += 1
                self._working[client] -= 1
                self._working += Counter()  # drops those who have none
            self._start_next()

    def _start_next(self) -> None:
        while self._free:
            next_turn = self._waiting.pop(lambda client: self._working[client] < self._most_at_once)
            if next_turn is None:
                return
            client, turn = next_turn
            self._working[client] += 1
            self._free -= 1
            if not turn.done():
                turn.set_result(None)

    def close(self) -> None:
        """Give up what waits."""
        self._pool.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True)
class WorkQueues:
    """The queues of a server: files of prompts are read, pictures, scores and reports made, sounds rendered in turns.

    A long sound keeps nobody from a picture, and a client's dear score no other client from theirs.
    """

    uploads: WorkQueue
    pictures: WorkQueue
    sounds: WorkQueue
    listeners: WorkQueue  # no work, but counted alike

    @classmethod
    def of(cls, limits: Limits, is_stopping: Callable[[], bool] = lambda: False) -> WorkQueues:
        """Return empty queues, in which nothing more begins once the server is stopping."""
        about: dict[str, Any] = {"most_per_client": limits.work_per_client, "is_stopping": is_stopping}
        return cls(
            uploads=WorkQueue("uploads", threads=2, capacity=limits.uploads, **about),
            # Threads that wait for the processes of a `Workshop`.
            pictures=WorkQueue("files", threads=PROCESSES, most_at_once=1, capacity=limits.files, **about),
            sounds=WorkQueue("sounds", threads=1, capacity=limits.files, **about),
            listeners=WorkQueue(
                "streams", threads=1, capacity=limits.listeners, most_per_client=limits.listeners_per_client
            ),
        )

    def close(self) -> None:
        """Give up what waits."""
        for queue in (self.uploads, self.pictures, self.sounds, self.listeners):
            queue.close()


def _give_way() -> None:
    """Let other threads go first; only where a thread has a niceness of its own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
