"""A job of another server as its listeners here see it: what it has sent so far, like a `Job` of this server."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..event_log import Event


@dataclass(eq=False)
class FollowedJob:
    """Another server's job. Its events only grow: a server that composes it anew says the first ones again.

    One thread calls `update` and `end`, other threads read. `is_over` is set last.
    """

    key: str
    unit: str  # in which `progress` counts: notes or seconds
    take_count: int = 1  # composed for it, of which one is kept
    progress: tuple[float, float] = (0.0, 0.0)
    is_over: bool = False
    texts: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    waited: Mapping[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def update(self, events: Sequence[Event], progress: tuple[float, float], timing: Mapping[str, Any]) -> None:
        """Take over what the job has by now."""
        with self._lock:
            self.waited = timing
            if len(events) >= len(self.events):
                self.events += events[len(self.events) :]
                self.progress = progress

    def end(self, events: Sequence[Event]) -> None:
        """Take over the events of the finished piece, which are none where it has no notes."""
        with self._lock:
            self.events += events[len(self.events) :]
        self.is_over = True

    def timing(self) -> Mapping[str, Any]:
        """Return the seconds of its stages, as `Job.timing` does."""
        return self.waited
