"""Batches drawn ahead by processes of their own, in the order of their numbers, whoever draws them.

    stream = BatchStream(crops, BatchNumbers(first_step=0), size=32, workers=14)
    batch = next(stream)
    stream.close()

Batch k depends on the seed and on k alone, so a run learns the same from any number of workers. Workers leave Ctrl-C to
the process that they work for, which finishes its update first; they end with it, however it ends.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from ...processes import interrupts_ignored
from .batches import Crops, TokenBatch

MOST_WORKERS = 14
AHEAD = 4  # batches that each worker has ready


@dataclass(frozen=True)
class BatchNumbers:
    """Which batches a process draws, from a step on: every `world`th of each step's `per_step`, beginning at `rank`."""

    first_step: int
    per_step: int = 1
    rank: int = 0
    world: int = 1

    def iterate(self, worker: int = 0, workers: int = 1) -> Iterator[int]:
        """Give the numbers that one of so many workers draws: each draws every `workers`th."""
        own = self.per_step // self.world
        for index in itertools.count(worker, workers):
            step, part = divmod(index, own)
            yield (self.first_step + step) * self.per_step + self.rank + self.world * part


class BatchStream(Iterator[TokenBatch]):
    """Gives batch after batch without end; `workers` 0 draws them here, when they are asked for."""

    def __init__(self, crops: Crops, numbers: BatchNumbers, *, size: int, workers: int = 0) -> None:
        source = _Source(crops, numbers, size)
        self._batches: Iterator[TokenBatch] | None = iter(source)
        if workers:
            loader = DataLoader(
                source,
                batch_size=None,
                num_workers=workers,
                prefetch_factor=AHEAD,
                # Not forked: a fork of a process with threads may hang, and has the GPU's handles.
                multiprocessing_context="spawn",
            )
            with interrupts_ignored():  # which new processes inherit
                self._batches = iter(loader)

    def __next__(self) -> TokenBatch:
        assert self._batches is not None, "closed"
        return next(self._batches)

    def close(self) -> None:
        """End the workers; torch does so when their iterator is no longer held."""
        self._batches = None


def worker_count(wanted: int, *, is_cuda: bool, world: int = 1) -> int:
    """Return how many workers a process has: as many as wanted, or with -1 none beside a CPU, which they would slow.

    Beside a GPU all processors but two are shared among the processes, up to MOST_WORKERS for each.
    """
    if wanted >= 0:
        return wanted
    return min(max(((os.cpu_count() or 1) - 2) // world, 0), MOST_WORKERS) if is_cuda else 0


class _Source(IterableDataset[TokenBatch]):
    """The batches of the worker that iterates over it."""

    def __init__(self, crops: Crops, numbers: BatchNumbers, size: int) -> None:
        self._crops, self._numbers, self._size = crops, numbers, size

    def __iter__(self) -> Iterator[TokenBatch]:
        worker = cast(Any, get_worker_info())
        numbers = self._numbers.iterate(worker.id, worker.num_workers) if worker else self._numbers.iterate()
        return (self._crops.batch(number, self._size) for number in numbers)
