"""The progress bar, which the library takes as a callback."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..names import escape_name

Progress = Callable[[float, float], None]
DELAY = 0.5  # seconds of a task before a bar is drawn, and loaded


@contextmanager
def progress_bar(task: str | Callable[[], str] = "composing", unit: str = "note") -> Iterator[Progress]:
    """Give a `progress(done, total)` that draws a bar, in terminals and notebooks only, after half a second.

    What is done is told in whole units. A `task` whose name changes is a function that returns it as it is now.
    """
    is_notebook = "ipykernel" in sys.modules
    is_watched = is_notebook or sys.stderr.isatty()
    begun, bars = time.perf_counter(), list[Any]()

    def name() -> str:
        return escape_name(task if isinstance(task, str) else task())

    def progress(done: float, total: float) -> None:
        elapsed = time.perf_counter() - begun
        if not is_watched or (not bars and elapsed < DELAY):
            return
        if not bars:
            from tqdm import tqdm

            if is_notebook:
                from tqdm.auto import tqdm
            bars.append(tqdm(desc=name(), unit=unit, delay=DELAY, leave=False))
            bars[0].start_t = bars[0].last_print_t = bars[0].start_t - elapsed  # when the task began
        bars[0].set_description(name(), refresh=False)
        bars[0].total = max(round(total), 1)  # may grow: takes are composed again
        bars[0].update(round(done) - bars[0].n)

    try:
        yield progress
    finally:
        for bar in bars:
            bar.close()
