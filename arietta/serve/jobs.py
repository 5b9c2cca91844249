"""Composing beside the event loop: a few threads, a queue with an end, and an early end for what nobody awaits.

Each piece has its own state in the engine, so pieces composed at once never mix.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ..composing import Request, Take, compose
from ..engine import Engine
from ..errors import RequestError
from ..midi import midi_bytes

WORKERS, PLACES = 2, 16  # pieces composed at once; requests that may wait for their turn

Composed = tuple[Take, bytes]  # a take and its MIDI file


class Jobs:
    """The pieces that are being composed, and those that wait."""

    def __init__(
        self, *, workers: int = WORKERS, places: int = PLACES, is_stopping: Callable[[], bool] = lambda: False
    ) -> None:
        """Compose on `workers` threads while `places` more may wait; once `is_stopping`, all pieces end early."""
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="compose")
        self._most = workers + places
        self._is_stopping = is_stopping
        self._open: set[Future[Composed | None]] = set()

    @property
    def piece_count(self) -> int:
        """Pieces that take up a thread or wait for one."""
        return len(self._open)

    @property
    def is_full(self) -> bool:
        return self.piece_count >= self._most

    async def compose(
        self, request: Request, engine: Callable[[], Engine], left: Callable[[], Awaitable[None]]
    ) -> Composed | None:
        """Compose with `engine`, called on the thread; None where `left` returned first or the server stops.

        A piece that ends early frees its thread within a step.
        """
        stop = threading.Event()
        job = self._pool.submit(self._compose, request, engine, stop)
        self._open.add(job)
        job.add_done_callback(self._open.discard)
        composed, leaving = asyncio.wrap_future(job), asyncio.ensure_future(left())
        either: set[asyncio.Future[Any]] = {composed, leaving}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            return await composed if composed.done() else None
        finally:
            stop.set()
            composed.cancel()
            leaving.cancel()

    def _compose(self, request: Request, engine: Callable[[], Engine], stop: threading.Event) -> Composed | None:
        def is_over() -> bool:
            return stop.is_set() or self._is_stopping()

        try:
            take = compose(request, engine(), cancelled=is_over)
        except RequestError:
            if is_over():
                return None
            raise
        return take, midi_bytes(take.notes, title=take.title, texts=take.texts())

    def close(self) -> None:
        """Let go of the threads; what waits is dropped, what is being composed is waited for."""
        self._pool.shutdown(cancel_futures=True)
