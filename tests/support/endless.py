"""Work for the processes of a workshop, found by its name: what never ends, ends its process, refuses, fails."""

from __future__ import annotations

import os
import time

from arietta.errors import RequestError


def never_ending(*_: object, **__: object) -> bytes:
    """Work for longer than any test has patience."""
    time.sleep(600)
    return b""


def ending_its_process() -> bytes:
    """End at once, as a process does that the system ends."""
    os._exit(9)


def pid() -> bytes:
    """Return the number of the process that works."""
    return str(os.getpid()).encode()


def refusing() -> bytes:
    """Refuse to work."""
    raise RequestError("impossible")


class UnspeakableError(Exception):
    """An error that cannot be sent to another process: it is made of two words, of which it keeps one."""

    def __init__(self, number: int, _: object) -> None:
        super().__init__(number)


def failing_unspeakably() -> bytes:
    """Fail with that error."""
    raise UnspeakableError(7, None)
