"""Who is composed, and in which order: one thread lets waiting jobs run and logs what running jobs complete.

Jobs join and leave between steps of the composer, which is `Batches` of this process or `Workers` in others. What a job
becomes does not depend on the others beside it (`generation.batch`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence

from ...errors import AriettaError
from ...generation.loop import Generation
from ...model.cache import slot_bytes
from ...model.engine import Engine
from .composing.batches import Batches, step_of
from .composing.composer import JobComposer, Step
from .job import Job, State
from .limits import Limits
from .metrics import Metrics

# Seconds between two looks at `is_stopping` where there is nothing to step: a signal handler sets it and wakes nobody.
POLL = 0.1
CLOSE_SECONDS = 30.0  # in which a step must end when the server stops
FILL_SECONDS = 0.05  # in which jobs may join; the running ones are stepped before more do
log = logging.getLogger(__name__)


class FullError(AriettaError):
    """There is no room for more jobs now; later there may be."""


class StoppingError(AriettaError):
    """The server is stopping, so nothing new begins."""

    def __init__(self) -> None:
        super().__init__("the server is stopping; ask again when it has started")


class NoWorkerError(AriettaError):
    """No process that composes is ready."""

    def __init__(self) -> None:
        super().__init__("no process that composes is ready: they are starting, or ended and are started again")


class Scheduler:
    """The waiting and the running jobs.

    In the scheduler's thread `on_end(job)` is called for each that has ended, and `notify` when something changed.
    """

    def __init__(
        self,
        limits: Limits,
        notify: Callable[[], None],
        metrics: Metrics,
        *,
        on_end: Callable[[Job], None],
        is_stopping: Callable[[], bool] = lambda: False,
        composer: JobComposer | None = None,
    ) -> None:
        self._limits, self._notify, self._metrics = limits, notify, metrics
        self._on_end, self._is_server_stopping = on_end, is_stopping
        self._composer = composer or Batches()
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._running: dict[Job, None] = {}  # in their order
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)
        self._is_closing = False
        self.running_elsewhere: Callable[[], Mapping[str, int]] = dict  # pieces of each client at other servers

    @property
    def running_keys(self) -> list[str]:
        """The ids of the jobs that run."""
        return [job.key for job in list(self._running)]

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

    def check_ready(self) -> None:
        """Raise StoppingError or NoWorkerError where a job that is queued now would not be composed."""
        if not self.is_running:
            raise StoppingError
        if not self._composer.is_ready:
            raise NoWorkerError

    def open(self) -> None:
        """Start stepping."""
        self._thread.start()

    def close(self) -> None:
        """Stop within a step; unfinished jobs stay as they are."""
        self._is_closing = True
        self._wake()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)
            if self._thread.is_alive():
                log.error("a step did not end within %g seconds; its pieces stay as they are", CLOSE_SECONDS)
        self._composer.close()

    def submit(self, jobs: Sequence[Job], *, is_resumed: bool = False) -> None:
        """Queue jobs, all or none; raises FullError beyond the limits, which do not bind resumed ones."""
        with self._changed:
            if not is_resumed:
                self.check_room(jobs[0].client, sum(job.pieces_left for job in jobs))
            for job in jobs:
                self._composer.prepare(job, self._wake)
                self._waiting.append(job)
            self._changed.notify()

    def prefill(self, generation: Generation, engine: Engine) -> None:
        """Prefill what a piece would begin with, so that it begins at once; nothing where there is other work."""
        with self._changed:
            if not any(self.counts) and not self.is_stopping:
                self._composer.prefill(generation, engine)

    def check_room(self, client: str, count: int) -> None:
        """Raise FullError where a client may not queue so many more pieces, StoppingError where nobody may.

        A job of several takes counts as so many pieces as are left of it.
        """
        if self.is_stopping:
            raise StoppingError
        with self._changed:
            free_slots = max(self._limits.seats - len(self._running), 0)
            waiting = sum(job.pieces_left for job in self._waiting)
            if waiting + count > self._limits.places + free_slots:
                raise FullError(f"the server has {sum(self.counts)} pieces to compose; try again in a few seconds")
            # `list`, because the scheduler's thread changes the dictionary without the lock.
            jobs = (*self._waiting, *list(self._running))
            unfinished = sum(job.pieces_left for job in jobs if job.client == client)
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
        job.is_cancelled = job.is_cancelled or job.started is None or job.attempt.generation.request.edit is not None
        job.is_stopping = True  # last: a passage is not stopped before it is cancelled
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
                for step in self._composer.step():  # of none, but its processes may have died
                    self._record(step)
                with self._changed:
                    # A prompt may have been prefilled since the slots were filled: then there is no time to sleep.
                    self._changed.wait(0.0 if any(job.can_start for job in self._waiting) else POLL)
        self._notify()  # for those who wait for what will not come now

    def _drop_cancelled(self) -> None:
        for job in [job for job in list(self._running) if job.is_cancelled]:
            self._composer.remove(job)
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
            counts = Counter(other.client for other in list(self._running))
            job.is_apart = not counts[job.client] and not self._is_long(job) and max(counts.values(), default=0) > 1
            self._running[job] = None
            job.start()
            if generation.is_done:  # a variation that changes nothing
                self._record(step_of(job, ()))
                continue
            try:
                self._composer.add(job)
            except Exception:
                log.exception("a prompt could not be prefilled by %s", generation.bundle.name)
                self._end(job, State.FAILED)

    def _pop_next(self) -> Job | None:
        """Take the next job that may have a slot from the queue: of the client with the fewest, and the first of it.

        Where all slots are taken, a client without any gets one more for a short piece: nobody's many pieces keep
        another's single one waiting.
        """
        with self._changed:
            running = list(self._running)
            counts = Counter(job.client for job in running)
            counts.update(self.running_elsewhere())
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
        takes = job.take_count
        return self._limits.is_long(takes * (request.notes or job.passage_notes), takes * (request.seconds or 0.0))

    def _step(self) -> None:
        """Let the running jobs go on for a moment, and log what they completed."""
        for job in self._running:
            if job.is_stopping:
                self._composer.stop(job)
        for step in self._composer.step():
            self._record(step)
        self._notify()

    def _record(self, step: Step) -> None:
        """Log what a step completed, and end the job with it if that was all."""
        job, attempt = step.job, step.job.attempt
        if step.is_failed:
            job.refusal = step.refusal
            self._end(job, State.FAILED)
            return
        earlier_count = attempt.event_log.note_count
        attempt.event_log.add(step.events)
        attempt.progress = step.progress
        note_count = attempt.event_log.note_count
        self._metrics.notes.inc(note_count - earlier_count)
        if note_count and job.first_note is None:
            job.first_note = time.monotonic()
            self._metrics.first_note.observe(job.first_note - job.submitted)
        if step.take is not None:
            attempt.event_log.close()
            attempt.take = step.take
            self._end(job, State.DONE)
        elif step.has_next:
            # Its slot is free until the next part is prefilled, in the thread in which that keeps nobody waiting.
            self._running.pop(job)
            with self._changed:
                self._composer.prepare(job, self._wake)
                self._waiting.appendleft(job)

    def _end(self, job: Job, state: State) -> None:
        self._running.pop(job, None)
        job.end(state)
        self._on_end(job)


def _cache_bytes(job: Job) -> int:
    """Bytes of the slots that a job has once it runs: a guided one has two."""
    generation = job.attempt.generation
    bundle = generation.bundle
    return slot_bytes(bundle.model, bundle.bits) * (1 + generation.is_guided)
