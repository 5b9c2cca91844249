"""The progress bar, which the library takes as a callback."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..names import escape_name

Progress = Callable[[float, float], None]


@contextmanager
def progress_bar(task: str = "composing", unit: str = "note") -> Iterator[Progress]:
    """Give a `progress(done, total)` that draws a bar, in terminals and notebooks only, after half a second."""
    is_notebook = "ipykernel" in sys.modules
    from tqdm import tqdm

    if is_notebook:
        from tqdm.auto import tqdm
    is_watched = is_notebook or sys.stderr.isatty()
    with tqdm(desc=escape_name(task), unit=unit, delay=0.5, disable=not is_watched, leave=False) as bar:

        def progress(done: float, total: float) -> None:
            bar.total = total  # may grow: takes are composed again
            bar.update(done - bar.n)

        yield progress
