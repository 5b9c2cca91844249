"""Composes music in a tempo and a metre: several takes of each request, of which the one that fits best is kept.

    take = next(generate_in_time([Request(notes=300, pulse=Pulse.read(90, "3/4"), seed=7)], engine))

The seeds of the takes follow from the request alone, so that the same request gives the same take in any company.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from ...errors import RequestError
from ...model.bundle import Bundle
from ...model.engine import Engine
from ..batch import generate_all
from ..original import SEED_STRIDE
from ..request import Request, Take

Progress = Callable[[float, float], None]


class Fitting:
    """The takes tried for a request that has a pulse: compose each of `requests` and `add` its take, in order.

    `take` is the one to keep of those so far, stretched to the pulse; its tokens are those that were composed.
    """

    def __init__(self, request: Request, bundle: Bundle) -> None:
        """Check the request against the model; raises RequestError, also where it has no pulse.

        What is asked for in bars is composed without an ending: more is composed than is kept.
        """
        if request.pulse is None:
            raise RequestError(
                "a request has no pulse: give it one, as Pulse.read(90, '3/4'), or compose it with generate"
            )
        self._pulse = request.pulse
        ending = request.ending and self._pulse.bars is None
        self._plain = replace(request, pulse=None, ending=ending).resolve(bundle)
        self.take: Take | None = None
        self._count = 0

    @property
    def request(self) -> Request:
        """What was asked for, as the model resolves it."""
        return replace(self._plain, pulse=self._pulse)

    @property
    def take_count(self) -> int:
        """How many takes are composed; fewer once it was stopped."""
        return self._pulse.takes

    @property
    def takes_left(self) -> int:
        """How many of them are still to be composed."""
        return self.take_count - self._count

    @property
    def requests(self) -> list[Request]:
        """The requests of the takes still to be composed; no one of them has a pulse."""
        seeds = [(self._plain.seed + SEED_STRIDE * number) % 2**32 for number in range(self._count, self._pulse.takes)]
        return [replace(self._plain, seed=seed) for seed in seeds]

    def add(self, take: Take) -> None:
        """Keep the take if it fits better than those before it."""
        notes, meter, fit = self._pulse.fit(take.notes)
        self._count += 1
        if self.take is None or self.take.fit is None or fit.sureness > self.take.fit.sureness:
            request = replace(self.request, meter=meter, stopped_at=take.request.stopped_at)
            is_new = np.ones(len(notes), dtype=np.bool_)
            self.take = replace(take, notes=notes, is_new=is_new, request=request, fit=fit)

    def stop(self) -> None:
        """Compose no more takes: that of those so far is kept, and its request says how many they were."""
        assert self.take is not None
        self._pulse = replace(self._pulse, takes=self._count)
        self.take = replace(self.take, request=replace(self.take.request, pulse=self._pulse))


def takes_done(done: float, whole: float, take_count: int) -> int:
    """Return how many takes are composed, from how much of all is: they are equally long, and progress is rounded."""
    return int(done / whole * take_count + 0.001)


def generate_in_time(
    requests: Sequence[Request],
    engine: Engine,
    *,
    progress: Progress | None = None,
    composed: Callable[[Take], None] = lambda _: None,
) -> Iterator[Take]:
    """Yield the best take of each request, which has a pulse, in order; raises as `generate_all` and `Fitting` do.

    `composed` is called with each take as it is done, those too that are not kept.
    """
    fittings = [Fitting(request, engine.bundle) for request in requests]
    for index, fitting in enumerate(fittings):
        plain, takes = fitting.requests, list[Take]()
        for take in generate_all(plain, engine, progress=_progress_of(progress, index, len(requests))):
            takes.append(take)
            composed(take)
        for take in sorted(takes, key=lambda take: plain.index(take.request)):
            fitting.add(take)
        assert fitting.take is not None
        yield replace(fitting.take, seconds_taken=sum(take.seconds_taken for take in takes) / len(takes))


def _progress_of(progress: Progress | None, index: int, count: int) -> Progress | None:
    """Turn the progress of request `index` into that of all `count`, which take as long."""
    if progress is None:
        return None
    return lambda done, total: progress(index * total + done, count * total)
