"""What a server counts for Prometheus, each server in a registry of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FIRST_NOTE_SECONDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """Counters and gauges; `text()` is what /metrics answers."""

    def __init__(self) -> None:
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
        """Show how many pieces wait and how many are being composed, asked for at each look."""
        names = (("waiting", "Pieces that wait for a seat"), ("composing", "Pieces being composed"))
        for place, (name, text) in enumerate(names):
            gauge = Gauge(f"arietta_pieces_{name}", text, registry=self._registry)
            gauge.set_function(partial(_count, counts, place))

    def text(self) -> bytes:
        return generate_latest(self._registry)


def _count(counts: Callable[[], tuple[int, int]], place: int) -> float:
    return counts()[place]
