"""The progress bar, which verbs pass to the library as a callback."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[float, float], None]


@contextmanager
def bar(task: str, unit: str) -> Iterator[Progress]:
    """Give a `progress(done, total)` that draws a bar on stderr, on terminals only, after half a second."""
    from tqdm import tqdm

    with tqdm(desc=task, unit=unit, delay=0.5, disable=not sys.stderr.isatty(), leave=False) as progress_bar:

        def progress(done: float, total: float) -> None:
            progress_bar.total = total  # may grow: takes are composed again
            progress_bar.update(done - progress_bar.n)

        yield progress
