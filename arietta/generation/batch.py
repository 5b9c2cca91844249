"""Continuous batching: generations on one engine, a token of each at a time, that join and leave between steps.

    batch = Batch(engine)
    batch.add(Generation(Request(notes=300), engine.bundle))
    while batch:
        for generation, events in batch.step(): ...

What a generation becomes does not depend on its company: byte for byte it is the piece that `generate` gives.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ..model.engine import Engine
from ..music.notes import Note, Pedal
from .loop import Generation, Slot, start, step
from .request import Request, Take

MAX_SLOTS = 16  # twice as many gained little, and each holds a cache (benchmarks/speed/batch.py)


class Batch:
    """The generations in progress, in the slots of one engine's cache."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._slots: list[Slot] = []
        self._cache = engine.start([])

    def __len__(self) -> int:
        return len(self.generations)

    @property
    def slot_count(self) -> int:
        """Slots that a step decodes: two for a generation that is guided."""
        return len(self._slots)

    @property
    def generations(self) -> tuple[Generation, ...]:
        """Those still being composed."""
        return tuple(slot.generation for slot in self._slots if not slot.is_unconditional)

    def add(self, generation: Generation) -> None:
        """Let a generation join, once its prompt is prefilled; it must be of the engine's own model."""
        cache, slots = start(generation, self._engine)
        self._engine.join(self._cache, cache)
        first = len(self._slots)
        self._slots += [slot._replace(partner=first + slot.partner) for slot in slots]

    def remove(self, generation: Generation) -> None:
        """Let a generation go unfinished; raises ValueError where it is not here."""
        if generation not in self.generations:
            raise ValueError("the piece is not being composed here")
        # From the last, so that the slots that move down have all been looked at.
        for index in reversed(range(len(self._slots))):
            if self._slots[index].generation is generation:
                self._leave(index)
        if not self._slots:
            self._cache = self._engine.start([])  # gives back the memory that many pieces needed

    def _leave(self, index: int) -> None:
        """Free a slot; the last one moves into it, here as in the cache, and its partner follows."""
        self._engine.leave(self._cache, index)
        moved, last = self._slots.pop(), len(self._slots)
        if index == last:
            return
        if moved.partner == last:
            self._slots[index] = moved._replace(partner=index)
        else:
            self._slots[index] = moved
            self._slots[moved.partner] = self._slots[moved.partner]._replace(partner=index)

    def step(self) -> list[tuple[Generation, list[Note | Pedal]]]:
        """Compose one token of every generation; return each with the events completed.

        Those that end leave, and so do those of which a next part is to be opened.
        """
        if not self._slots:
            return []
        completed = step(self._slots, self._cache, self._engine)
        for generation, _ in completed:
            if generation.is_done or generation.has_next:
                self.remove(generation)
        return completed


def generate_all(
    requests: Sequence[Request],
    engine: Engine,
    *,
    progress: Callable[[float, float], None] | None = None,
    is_guarded: bool = True,
) -> Iterator[Take]:
    """Yield each request's take as it is done; `progress` is called with how much of all is, in notes or seconds.

    Raises RequestError before any work where one of them cannot be met.
    """
    generations = [Generation(request, engine.bundle, is_guarded=is_guarded) for request in requests]
    waiting, batch, began = generations[::-1], Batch(engine), dict[Generation, float]()
    while waiting or batch:
        stepped = []
        while waiting and batch.slot_count < MAX_SLOTS:
            generation = waiting.pop()
            began.setdefault(generation, time.perf_counter())
            if generation.is_done:  # a variation that changes nothing
                stepped.append(generation)
                continue
            if generation.has_next:
                generation.open_next()
            batch.add(generation)
        stepped += [generation for generation, _ in batch.step()]
        waiting += [generation for generation in stepped if generation.has_next]
        if progress is not None:
            progress(*np.sum([generation.progress for generation in generations], axis=0).tolist())
        for generation in stepped:
            if generation.is_done:
                yield generation.take(time.perf_counter() - began[generation])
