"""On how many threads a model composes fastest here, among the numbers that give the same bytes as one."""

from __future__ import annotations

import logging
import os
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bundle import Bundle
from .engine import load_engine
from .sampling import Sampling

CANDIDATES = (2, 4)  # a step of one piece has products too small for more
LEAST_GAIN = 1.15  # times as fast: less may be chance, and the processors are others' too
STEPS, STEPS_A_PROMPT = 12, 48  # measured, and weighed against the prefilling of one chunk

logger = logging.getLogger(__name__)


def fastest_threads(bundle: Bundle) -> int:
    """Prefill and compose a few tokens on one thread and on more, and return the number that pays, mostly 1.

    A number whose bytes differ from one thread's in anything, cache and likelihoods included, is never returned.
    """
    alone, least = _try(bundle, 1)
    best = 1
    for threads in CANDIDATES:
        if threads > _processors():
            break
        composed, seconds = _try(bundle, threads)
        if composed != alone:
            logger.debug("%s: %d threads compose other bytes", bundle.name, threads)
        elif seconds * LEAST_GAIN < least:
            best, least = threads, seconds
    return best


def _processors() -> int:
    """How many processors this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _try(bundle: Bundle, threads: int) -> tuple[bytes, float]:
    """Prefill two chunks and compose some tokens: every byte that came of it, and the seconds of a request like it."""
    engine = load_engine(bundle, threads=threads)
    cache = engine.start([bundle.model.condition_ids()])
    prompt = np.zeros((bundle.prefill_chunk, len(bundle.model.field_sizes)), dtype=np.uint16)
    nll = [engine.prefill(prompt, cache)]  # which loads the graph
    begun = perf_counter()
    nll.append(engine.prefill(prompt, cache))
    prefilling = perf_counter() - begun
    noise = np.zeros((1, sum(bundle.model.field_sizes)), dtype=np.float32)
    masks = bundle.codec.decoder().masks()
    steps, composed = [], []
    for _ in range(STEPS):
        begun = perf_counter()
        composed.append(engine.decode(cache, noise, [masks], [Sampling()]))
        steps.append(perf_counter() - begun)
    arrays: list[NDArray[Any]] = [*nll, *composed, cache.nll, *cache.buffers.values()]
    # The quickest step counts: what else the machine does only ever adds.
    return b"".join(array.tobytes() for array in arrays), prefilling + STEPS_A_PROMPT * min(steps)
