"""What a server counts for Prometheus, each server in a registry of its own."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Upper bounds of the histogram: finest below a second, within which the first note of a piece is promised.
FIRST_NOTE_SECONDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """Counters and gauges; `text()` is what /metrics answers."""

    def __init__(self) -> None:
        # Not the registry that all of the process shares: tests start several servers in one process.
        self._registry = registry = CollectorRegistry()
        self.notes = Counter("arietta_notes", "Notes composed", registry=registry)
        self.pieces = Counter("arietta_pieces", "Pieces that are over, by how they ended", ["state"], registry=registry)
        self.errors = Counter("arietta_errors", "Requests answered with an error", ["status"], registry=registry)
        self.requests = Counter("arietta_requests", "Requests answered", registry=registry)
        self.first_note = Histogram(
            "arietta_first_note_seconds",
            "From asking for a piece to its first note",
            buckets=FIRST_NOTE_SECONDS,
            registry=registry,
        )

    def watch(self, counts: Callable[[], tuple[int, int]]) -> None:
        """Show how many pieces wait and how many are being composed; `counts` is asked whenever they are read."""
        waiting = Gauge("arietta_pieces_waiting", "Pieces that wait for a seat", registry=self._registry)
        waiting.set_function(lambda: counts()[0])
        composing = Gauge("arietta_pieces_composing", "Pieces being composed", registry=self._registry)
        composing.set_function(lambda: counts()[1])

    def text(self) -> bytes:
        """Write all of them in the format of Prometheus."""
        return generate_latest(self._registry)
