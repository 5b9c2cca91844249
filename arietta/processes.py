"""Processes that work for this one: Ctrl-C is for this one alone, which ends them.

with interrupts_ignored():
    process.start()
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """Let processes that are started meanwhile ignore Ctrl-C from their first moment; of no effect on Windows' threads.

    In the main thread they inherit that it is ignored. Python lets no other thread set handlers: there they inherit
    that it is blocked, until they ignore it themselves.
    """
    if threading.current_thread() is threading.main_thread():
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, handler)
    elif hasattr(signal, "pthread_sigmask"):
        from multiprocessing.resource_tracker import ensure_running

        ensure_running()  # which multiprocessing does before it starts a process, and which unblocks Ctrl-C
        earlier = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, earlier)
    else:
        yield
