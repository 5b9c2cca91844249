"""Continuous batching: one thread steps every running job, those of one model together in one batch.

Jobs join and leave between steps. What a job becomes does not depend on the others in its batch (`generation.batch`).
Prompts are prefilled in a thread of their own before their jobs get a slot, and clients take turns there, so that long
prompts never hold up the others. A client's single short piece beside another's many is stepped apart from those, and
has half of the time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from ...errors import AriettaError
from ...generation.batch import Batch
from ...generation.loop import Generation, start
from ...model.cache import slot_bytes
from ...model.engine import Engine
from .event_log import Event
from .job import Job, State
from .limits import Limits
from .metrics import Metrics
from .notifier import Notifier

# Seconds between two looks at `is_stopping` where there is nothing to step: a signal handler sets it and wakes nobody.
POLL = 0.1
FILL_SECONDS = 0.05  # in which jobs may join; the running ones are stepped before more do
log = logging.getLogger(__name__)


class FullError(AriettaError):
    """There is no room for more jobs now; later there may be."""


class StoppingError(AriettaError):
    """The server is stopping, so nothing new begins."""

    def __init__(self) -> None:
        super().__init__("the server is stopping; ask again when it has started")


class Scheduler:
    """The waiting and the running jobs. `on_end(job)` is called in the scheduler's thread for each that has ended."""

    def __init__(
        self,
        limits: Limits,
        notifier: Notifier,
        metrics: Metrics,
        *,
        on_end: Callable[[Job], None],
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._limits, self._notifier, self._metrics = limits, notifier, metrics
        self._on_end, self._is_server_stopping = on_end, is_stopping
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._running: dict[Generation, Job] = {}
        self._batches: dict[tuple[str, bool], Batch] = {}  # by their models' names, and whether they are stepped apart
        self._spent = {True: 0.0, False: 0.0}  # seconds, while there are both kinds
        self._prefills = _Prefills()
        self._prefilled: Future[object] | None = None  # ahead of a piece that may be asked for
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)
        self._is_closing = False

    @property
    def counts(self) -> tuple[int, int]:
        """How many jobs wait, and how many run."""
        return len(self._waiting), len(self._running)

    @property
    def is_stopping(self) -> bool:
        """Whether no job will be stepped any more."""
        return self._is_closing or self._is_server_stopping()

    @property
    def is_running(self) -> bool:
        """Whether jobs are being stepped."""
        return self._thread.is_alive() and not self.is_stopping

    def open(self) -> None:
        """Start stepping."""
        self._thread.start()

    def close(self) -> None:
        """Stop within a step; unfinished jobs stay as they are."""
        self._is_closing = True
        self._wake()
        if self._thread.is_alive():
            self._thread.join()
        self._prefills.close()

    def submit(self, jobs: Sequence[Job], *, is_resumed: bool = False) -> None:
        """Queue jobs, all or none; raises FullError beyond the limits, which do not bind resumed ones."""
        with self._changed:
            if not is_resumed:
                self.check_room(jobs[0].client, len(jobs))
            for job in jobs:
                attempt = job.attempt
                if len(attempt.generation.prompt_tokens):
                    attempt.prefill = self._prefills.submit(job.client, partial(start, attempt.generation, job.engine))
                    attempt.prefill.add_done_callback(lambda _: self._wake())
                self._waiting.append(job)
            self._changed.notify()

    def prefill(self, generation: Generation, engine: Engine) -> None:
        """Prefill what a piece would begin with, so that it begins at once; nothing where there is other work."""
        with self._changed:
            is_idle = not any(self.counts) and (self._prefilled is None or self._prefilled.done())
            if is_idle and not self.is_stopping and len(generation.prompt_tokens):
                self._prefilled = self._prefills.submit("", partial(start, generation, engine))

    def check_room(self, client: str, count: int) -> None:
        """Raise FullError where a client may not queue so many more jobs, StoppingError where nobody may."""
        if self.is_stopping:
            raise StoppingError
        with self._changed:
            free_slots = max(self._limits.seats - len(self._running), 0)
            if len(self._waiting) + count > self._limits.places + free_slots:
                raise FullError(f"the server has {sum(self.counts)} pieces to compose; try again in a few seconds")
            # `list`, because the scheduler's thread changes the dictionary without the lock.
            unfinished = sum(job.client == client for job in (*self._waiting, *list(self._running.values())))
            if unfinished + count > self._limits.most_per_client:
                raise FullError(f"you have {unfinished} pieces under way; wait for some of them to end")

    def cancel(self, job: Job) -> None:
        """End a job within a step; of no effect on one that has ended."""
        job.is_cancelled = True
        self._wake()

    def stop(self, job: Job) -> None:
        """End a running job with its next note; of no effect on one that has ended.

        One that waits is cancelled, and so is a passage: half of one would leave a hole in its piece.
        """
        job.is_stopping = True
        job.is_cancelled = job.is_cancelled or job.started is None or job.attempt.generation.request.edit is not None
        self._wake()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify()

    def _run(self) -> None:
        while not self.is_stopping:
            self._drop_cancelled()
            self._fill_slots()
            if self._running:
                self._step()
            else:
                with self._changed:
                    # A prompt may have been prefilled since the slots were filled: then there is no time to sleep.
                    self._changed.wait(0.0 if any(job.can_start for job in self._waiting) else POLL)
        self._notifier.notify()  # for those who wait for what will not come now

    def _drop_cancelled(self) -> None:
        for job in [job for job in self._running.values() if job.is_cancelled]:
            self._batches[_batch_key(job)].remove(job.attempt.generation)
            self._end(job, State.CANCELLED)
        with self._changed:
            dropped = [job for job in self._waiting if job.is_cancelled]
            self._waiting = deque(job for job in self._waiting if not job.is_cancelled)
        for job in dropped:
            if job.attempt.prefill is not None:
                job.attempt.prefill.cancel()  # of no effect where it has begun
            self._end(job, State.CANCELLED)

    def _fill_slots(self) -> None:
        """Let the jobs that can start join their batches while a slot is free, for a moment only.

        The first step of many that joined together takes a second, in which nobody else's piece would go on.
        """
        begun = time.monotonic()
        while time.monotonic() - begun < FILL_SECONDS and (job := self._pop_next()) is not None:
            generation = job.attempt.generation
            if job.attempt.prefill is not None and (error := job.attempt.prefill.exception()) is not None:
                log.error("what %s was given could not be taken in", generation.bundle.name, exc_info=error)
                job.refusal = str(error) if isinstance(error, AriettaError) else None
                self._end(job, State.FAILED)
                continue
            counts = Counter(other.client for other in self._running.values())
            job.is_apart = not counts[job.client] and not self._is_long(job) and max(counts.values(), default=0) > 1
            self._running[generation] = job
            job.start()
            if generation.is_done:  # a variation that changes nothing
                self._record(job, ())
                continue
            key = _batch_key(job)
            if key not in self._batches:
                self._batches[key] = Batch(job.engine)
            try:
                self._batches[key].add(generation)
            except Exception:
                log.exception("a prompt could not be prefilled by %s", generation.bundle.name)
                self._end(job, State.FAILED)

    def _pop_next(self) -> Job | None:
        """Take the next job that may have a slot from the queue: of the client with the fewest, and the first of it.

        Where all slots are taken, a client without any gets one more for a short piece: nobody's many pieces keep
        another's single one waiting.
        """
        with self._changed:
            running = list(self._running.values())
            counts = Counter(job.client for job in running)
            has_long_slot = sum(map(self._is_long, running)) < self._limits.long_slots
            free_bytes = self._limits.cache_bytes - sum(map(_cache_bytes, running))
            ready = [
                job
                for job in self._waiting
                if job.can_start
                and (has_long_slot or not self._is_long(job))
                and (not running or _cache_bytes(job) <= free_bytes)
            ]
            if not ready:
                return None
            job = min(ready, key=lambda job: counts[job.client])
            is_guest = not counts[job.client] and not self._is_long(job)
            if len(running) >= self._limits.seats + self._limits.guest_seats * is_guest:
                return None
            self._waiting.remove(job)
            return job

    def _is_long(self, job: Job) -> bool:
        request = job.attempt.generation.request
        return self._limits.is_long(request.notes or job.passage_notes, request.seconds)

    def _step(self) -> None:
        """Decode one token of every running job, or, where some are stepped apart, of those that had less time."""
        for job in self._running.values():
            if job.is_stopping:
                job.attempt.generation.stop()
        kinds = {job.is_apart for job in self._running.values()}
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
                for generation, events in batch.step():
                    self._record(self._running[generation], events)
            except Exception:
                # The cache of the batch is in an unknown state: its jobs fail, and the next ones get a fresh batch.
                log.exception("composing with %s failed", name)
                del self._batches[key]
                for job in [job for job in self._running.values() if _batch_key(job) == key]:
                    self._end(job, State.FAILED)
            self._spent[is_apart] += time.monotonic() - begun
        self._notifier.notify()

    def _record(self, job: Job, events: Sequence[Event]) -> None:
        """Log what a step completed, and end the job with it if that was all."""
        attempt = job.attempt
        earlier_count = attempt.event_log.note_count
        attempt.event_log.add(events)
        attempt.progress = attempt.generation.progress
        note_count = attempt.event_log.note_count
        self._metrics.notes.inc(note_count - earlier_count)
        if note_count and job.first_note is None:
            job.first_note = time.monotonic()
            self._metrics.first_note.observe(job.first_note - job.submitted)
        if attempt.generation.is_done:
            attempt.event_log.close()
            assert job.started is not None
            attempt.take = attempt.generation.take(time.monotonic() - job.started)
            self._end(job, State.DONE)
        elif attempt.generation.has_next:
            # Its slot is free until the next part is prefilled, in the thread in which that keeps nobody waiting.
            self._running.pop(attempt.generation)
            with self._changed:
                attempt.prefill = self._prefills.submit(
                    job.client, partial(_start_next, attempt.generation, job.engine)
                )
                attempt.prefill.add_done_callback(lambda _: self._wake())
                self._waiting.appendleft(job)

    def _end(self, job: Job, state: State) -> None:
        self._running.pop(job.attempt.generation, None)
        job.end(state)
        self._on_end(job)


class _Prefills:
    """Prefills one prompt after the other in a thread of its own, of the client who has waited longest for a turn."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="prefill")
        self._lock = threading.Lock()
        self._waiting: list[tuple[str, Callable[[], object], Future[object]]] = []
        self._turns, self._served = 0, dict[str, int]()  # how many there were, and the last one of each who waits

    def submit(self, client: str, work: Callable[[], object]) -> Future[object]:
        """Queue a client's work; the future says when it is done."""
        future: Future[object] = Future()
        with self._lock:
            self._waiting.append((client, work, future))
        self._pool.submit(self._run_next)
        return future

    def _run_next(self) -> None:
        with self._lock:
            # `min` takes the first of equals, which has waited longest.
            turn = min(self._waiting, key=lambda waiting: self._served.get(waiting[0], 0))
            self._waiting.remove(turn)
            client, work, future = turn
            self._turns += 1
            clients = {waiting[0] for waiting in self._waiting}
            self._served = {name: last for name, last in self._served.items() if name in clients}
            self._served[client] = self._turns
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


def _cache_bytes(job: Job) -> int:
    """Bytes of the slots that a job has once it runs: a guided one has two."""
    generation = job.attempt.generation
    bundle = generation.bundle
    return slot_bytes(bundle.model, bundle.bits) * (1 + generation.is_guided)
