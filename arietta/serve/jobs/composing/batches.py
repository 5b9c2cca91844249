"""Continuous batching in this process: every step decodes a token of all running jobs, those of one model together.

Prompts are prefilled in a thread of their own before their jobs get a slot, and clients take turns there, so that long
prompts never hold up the others. A client's single short piece beside another's many is stepped apart from those, and
has half of the time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from ....generation.batch import Batch
from ....generation.loop import Generation, start
from ....model.engine import Engine
from ...turns import Turns
from ..event_log import Event
from ..job import Job
from .composer import Step

log = logging.getLogger(__name__)


class Batches:
    """The running jobs in batches, one for each model, and one for those that are stepped apart."""

    def __init__(self) -> None:
        self._jobs: dict[Generation, Job] = {}
        self._batches: dict[tuple[str, bool], Batch] = {}  # by their models' names, and whether they are stepped apart
        self._spent = {True: 0.0, False: 0.0}  # seconds, while there are both kinds
        self._prefills = _Prefills()
        self._prefilled: Future[object] | None = None  # ahead of a piece that may be asked for

    is_ready = True

    def prepare(self, job: Job, wake: Callable[[], None]) -> None:
        """Prefill what a job's prompt, or its next part, begins with: `attempt.prefill` says when that is done."""
        attempt = job.attempt
        work: Callable[[], object] | None = None
        if attempt.generation.has_next:
            work = partial(_start_next, attempt.generation, job.engine)
        elif len(attempt.generation.prompt_tokens):
            work = partial(start, attempt.generation, job.engine)
        if work is not None:
            attempt.prefill = self._prefills.submit(job.client, work)
            attempt.prefill.add_done_callback(lambda _: wake())

    def prefill(self, generation: Generation, engine: Engine) -> None:
        """Prefill what a piece would begin with, so that it begins at once; nothing while another is."""
        if len(generation.prompt_tokens) and (self._prefilled is None or self._prefilled.done()):
            self._prefilled = self._prefills.submit("", partial(start, generation, engine))

    def add(self, job: Job) -> None:
        """Let a job join its batch; raises what its engine raises."""
        key = _batch_key(job)
        if key not in self._batches:
            self._batches[key] = Batch(job.engine)
        self._batches[key].add(job.attempt.generation)
        self._jobs[job.attempt.generation] = job

    def remove(self, job: Job) -> None:
        """Let a job go unfinished."""
        self._batches[_batch_key(job)].remove(job.attempt.generation)
        del self._jobs[job.attempt.generation]

    def stop(self, job: Job) -> None:
        """Let a job end with its next note."""
        job.attempt.generation.stop()

    def step(self) -> Iterator[Step]:
        """Decode one token of every running job, or, where some are stepped apart, of those that had less time."""
        kinds = {job.is_apart for job in self._jobs.values()}
        if len(kinds) < 2:
            self._spent = {True: 0.0, False: 0.0}
        else:
            kinds = {self._spent[True] <= self._spent[False]}
        for key, batch in list(self._batches.items()):
            name, is_apart = key
            if is_apart not in kinds:
                continue
            begun = time.monotonic()
            try:
                completed = batch.step()
            except Exception:
                # The cache of the batch is in an unknown state: its jobs fail, and the next ones get a fresh batch.
                log.exception("composing with %s failed", name)
                del self._batches[key]
                for job in [job for job in self._jobs.values() if _batch_key(job) == key]:
                    del self._jobs[job.attempt.generation]
                    yield Step(job, is_failed=True)
            else:
                for generation, events in completed:
                    has_left = generation.is_done or generation.has_next
                    yield step_of(self._jobs.pop(generation) if has_left else self._jobs[generation], events)
            self._spent[is_apart] += time.monotonic() - begun

    def close(self) -> None:
        """Give up what waits to be prefilled, when what runs has ended."""
        self._prefills.close()


def step_of(job: Job, events: Sequence[Event]) -> Step:
    """Describe a step of a job whose generation is in this process."""
    generation = job.attempt.generation
    take = None
    if generation.is_done:
        assert job.started is not None
        take = generation.take(time.monotonic() - job.started)
    return Step(job, events, generation.progress, take, generation.has_next)


class _Prefills:
    """Prefills one prompt after the other in a thread of its own, clients in turn."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="prefill")
        self._lock = threading.Lock()
        self._waiting = Turns[tuple[Callable[[], object], Future[object]]]()

    def submit(self, client: str, work: Callable[[], object]) -> Future[object]:
        """Queue a client's work; the future says when it is done."""
        future: Future[object] = Future()
        with self._lock:
            self._waiting.add(client, (work, future))
        self._pool.submit(self._run_next)
        return future

    def _run_next(self) -> None:
        with self._lock:
            turn = self._waiting.pop()
        assert turn is not None  # one is run for each that was added
        work, future = turn[1]
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(work())
            except Exception as error:  # noqa: BLE001 - whoever waits for the future raises it
                future.set_exception(error)

    def close(self) -> None:
        """Give up what waits, when what runs has ended."""
        self._pool.shutdown(cancel_futures=True)


def _start_next(generation: Generation, engine: Engine) -> None:
    generation.open_next()
    start(generation, engine)


def _batch_key(job: Job) -> tuple[str, bool]:
    return job.attempt.generation.bundle.name, job.is_apart
