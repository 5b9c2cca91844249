"""Threads notify, coroutines wait.

seen = notifier.version
if not is_there_yet():
    await notifier.wait(seen, 15.0)  # returns at once if there was news since `seen`
"""

from __future__ import annotations

import asyncio
import contextlib
import threading


class Notifier:
    """Wakes every coroutine that waits, each time something changes."""

    def __init__(self) -> None:
        self.version = 0  # how often there was news
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: set[asyncio.Future[None]] = set()
        self._lock = threading.Lock()

    def bind(self) -> None:
        """Serve the running event loop, in which all that wait are."""
        self._loop = asyncio.get_running_loop()

    def notify(self) -> None:
        """Say that something changed; any thread may call it."""
        with self._lock:  # += on an attribute is not atomic
            self.version += 1
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()

    async def wait(self, seen: int, seconds: float) -> None:
        """Wait until the version is another than `seen`, at most so many seconds."""
        self.bind()  # Ray Serve answers requests in another loop than that in which it opens the app
        if self.version != seen:
            return
        # No news is lost between the line above and the next ones: `_wake` runs in this loop too, so only after them.
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        try:
            await asyncio.wait({waiting}, timeout=max(seconds, 0.0))
        finally:
            self._waiting.discard(waiting)
