"""Pieces composed together on one engine, a row of each at a time: they join and leave between steps.

    ensemble = Batch(engine)
    ensemble.add(Generation(Request(notes=300), engine.bundle))
    while ensemble:
        for piece, made in ensemble.step(): ...

What a piece becomes does not depend on its company: byte for byte it is the piece that `compose` makes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ..model.engine import Engine
from ..music.notes import Note, Pedal
from .loop import Generation, Slot, start, step
from .request import Request, Take

MAX_SLOTS = 16  # places: twice as many gained little, and each holds a cache (benchmarks/speed/batch.py)


class Batch:
    """The pieces in progress, in places of one engine's cache."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._places: list[Slot] = []
        self._cache = engine.start([])

    def __len__(self) -> int:
        return len(self.generations)

    @property
    def slot_count(self) -> int:
        """Rows that a step composes: two for a piece that follows its style more strongly than the model would."""
        return len(self._places)

    @property
    def generations(self) -> tuple[Generation, ...]:
        """Those still being composed."""
        return tuple(place.piece for place in self._places if not place.is_unconditional)

    def add(self, piece: Generation) -> None:
        """Let a piece join, once its prompt is taken in; it must be of the engine's own model."""
        cache, places = start(piece, self._engine)
        self._engine.join(self._cache, cache)
        self._places += places

    def remove(self, piece: Generation) -> None:
        """Let a piece go unfinished; raises ValueError where it is not here."""
        if piece not in self.generations:
            raise ValueError("the piece is not being composed here")
        for number in reversed(range(len(self._places))):
            if self._places[number].piece is piece:
                self._engine.leave(self._cache, number)
                self._places[number] = self._places[-1]
                self._places.pop()
        if not self._places:
            self._cache = self._engine.start([])  # what many pieces needed is given back

    def step(self) -> list[tuple[Generation, list[Note | Pedal]]]:
        """Compose one row of every piece: each with what its row completed. Pieces that are done have left."""
        if not self._places:
            return []
        stepped = step(self._places, self._cache, self._engine)
        for piece, _ in stepped:
            if piece.is_done:
                self.remove(piece)
        return stepped


def generate_all(
    requests: Sequence[Request], engine: Engine, *, progress: Callable[[float, float], None] | None = None
) -> Iterator[Take]:
    """Yield each request's take as it is done; `progress` is told how much of all of them is, in notes or seconds.

    Raises RequestError before any work where one of them cannot be met.
    """
    pieces = [Generation(request, engine.bundle) for request in requests]
    waiting, ensemble, begun = pieces[::-1], Batch(engine), dict[Generation, float]()
    while waiting or ensemble:
        while waiting and ensemble.slot_count < MAX_SLOTS:
            begun[waiting[-1]] = time.perf_counter()
            ensemble.add(waiting.pop())
        done = [piece for piece, _ in ensemble.step() if piece.is_done]
        if progress is not None:
            progress(*np.sum([piece.progress for piece in pieces], axis=0).tolist())
        for piece in done:
            yield piece.take(time.perf_counter() - begun[piece])
