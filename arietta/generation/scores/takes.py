"""Composes requests each in the way that it asks for: once, again until it is original, or as the best in a tempo.

    for take, originality in generate_takes([Request(notes=300, seed=7)], engine): ...

Python and the command compose here; a server takes turns between its clients' takes (`serve.jobs.job`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...model.engine import Engine
from ...originality.index import PassageIndex
from ..batch import generate_all
from ..original import Originality, generate_original
from ..request import Request, Take
from .in_time import generate_in_time


def generate_takes(
    requests: Sequence[Request],
    engine: Engine,
    *,
    index: PassageIndex | None = None,
    progress: Callable[[float, float], None] | None = None,
    composed: Callable[[Take], None] = lambda _: None,
) -> Iterator[tuple[Take, Originality | None]]:
    """Yield each request's take, as it is done or in order, and, with an `index`, what it shares with that.

    The requests are alike: all with a pulse, or none. With an index a take that shares too much is composed again.
    `composed` is called with each take that counts in `Request.take_count`, as soon as it is done. Raises RequestError
    before any work where a request cannot be met.
    """
    if requests[0].pulse is not None:
        for take in generate_in_time(requests, engine, progress=progress, composed=composed):
            yield take, None
    elif index is None:
        for take in generate_all(requests, engine, progress=progress):
            composed(take)
            yield take, None
    else:
        for take, originality in generate_original(requests, engine, index, progress=progress):
            composed(take)
            yield take, originality
