"""Composes music in a tempo and a metre: several takes of each request, of which the one that fits best is kept.

    take = next(generate_in_time([Request(notes=300, pulse=Pulse.read(90, "3/4"), seed=7)], engine))

The seeds of the takes follow from the request alone, so that the same request gives the same take in any company.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from ...errors import RequestError
from ...model.engine import Engine
from ..batch import generate_all
from ..original import SEED_STRIDE
from ..request import Request, Take
from .pulse import TAKES

Progress = Callable[[float, float], None]


def generate_in_time(
    requests: Sequence[Request], engine: Engine, *, progress: Progress | None = None
) -> Iterator[Take]:
    """Yield the best take of each request, which has a pulse, in order; raises as `generate_all` does.

    Its tokens are those that were composed, before it was stretched. What is asked for in bars is composed without an
    ending: more is composed than is kept. Raises RequestError for a request without a pulse.
    """
    pulses = [request.pulse for request in requests if request.pulse is not None]
    if len(pulses) < len(requests):
        raise RequestError("a request has no pulse: give it one, as Pulse.read(90, '3/4'), or compose it with generate")
    plain_requests = [
        replace(request, pulse=None, ending=request.ending and pulse.bars is None).resolve(engine.bundle)
        for request, pulse in zip(requests, pulses, strict=True)
    ]
    for index, (request, pulse, resolved) in enumerate(zip(requests, pulses, plain_requests, strict=True)):
        plain = [replace(resolved, seed=(request.seed + SEED_STRIDE * number) % 2**32) for number in range(TAKES)]
        takes = list(generate_all(plain, engine, progress=_progress_of(progress, index, len(requests))))
        takes.sort(key=lambda take: plain.index(take.request))
        fits = [pulse.fit(take.notes) for take in takes]
        best = max(range(TAKES), key=lambda number: fits[number][2].sureness)
        notes, meter, fit = fits[best]
        yield replace(
            takes[best],
            notes=notes,
            is_new=np.ones(len(notes), dtype=np.bool_),
            request=replace(resolved, meter=meter, pulse=pulse),
            seconds_taken=sum(take.seconds_taken for take in takes) / TAKES,
            fit=fit,
        )


def _progress_of(progress: Progress | None, index: int, count: int) -> Progress | None:
    """Turn the progress of request `index` into that of all `count`, which take as long."""
    if progress is None:
        return None
    return lambda done, total: progress(index * total + done, count * total)
