"""The scheduler: one thread that steps every running piece, those of one model together.

A `Job` is one piece on its way over it. What a piece becomes does not depend on its company (`ensemble`). Prompts are
heard in a thread of their own before a piece joins, so that a long one never holds up the others.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ...errors import AriettaError
from ...generation.batch import Batch
from ...generation.loop import Generation, start
from ...generation.original import Attempts, Originality
from ...generation.request import Take
from ...model.engine import Engine
from .event_log import Event, EventLog
from .history import CANCELLED, DONE, FAILED, WAITING
from .limits import Limits
from .metrics import Metrics
from .notifier import Notifier

COMPOSING = "composing"
POLL = 0.1  # seconds between two looks at whether the server shall stop, where there is nothing to step
log = logging.getLogger(__name__)


class FullError(AriettaError):
    """There is no place for more pieces now; later there may be."""


class StoppingError(AriettaError):
    """The server is stopping, so nothing begins any more."""


@dataclass(eq=False)
class Job:
    """One piece on its way: waiting, composing, over. `is_kept` false means that its asker alone waits for it.

    The scheduler thread writes it and others read it; `is_over` comes last, once what there is to keep is kept. With a
    `search` it comes over the scheduler again, and tells nobody a note, until that is settled.
    Times are seconds of `time.monotonic`.
    """

    key: str
    piece: Generation
    engine: Engine
    client: str = ""
    is_kept: bool = True
    state: str = WAITING
    is_over: bool = False
    is_cancelled: bool = False
    search: Attempts | None = None
    originality: Originality | None = None
    progress: tuple[float, float] = (0.0, 0.0)
    take: Take | None = None
    came: float = field(default_factory=time.monotonic)
    seated: float | None = None
    first_note: float | None = None
    ended: float | None = None

    def __post_init__(self) -> None:
        self._begin()
        self._settled = self.search is None
        self._best = self.piece, self.event_log

    def _begin(self) -> None:
        self.event_log = EventLog(self.piece.request.prompt)
        self.progress = self.piece.progress
        self.heard: Future[Any] | None = None  # the hearing of the prompt

    @property
    def told(self) -> Sequence[Event]:
        """What hearers may know of the piece: all that is composed so far, but nothing that may not last."""
        return self.event_log.events if self._settled else ()

    def judge(self, found: Originality) -> bool:
        """Take in how original the finished piece is; whether that settles it, or it has to be composed once more."""
        self.originality = found
        if self.search is None:
            return True
        assert self.take is not None
        self.search.add(self.take, found)
        if self.search.take is self.take:
            self._best = self.piece, self.event_log
        if self.search.is_settled:
            self.take, self.originality = self.search.take, self.search.originality
            self.piece, self.event_log = self._best
            self._settled = True
        else:
            self.take, self.ended, self.state = None, None, WAITING
            self.piece = Generation(self.search.next_request, self.piece.bundle)
            self._begin()
        return self._settled

    @property
    def is_ready(self) -> bool:
        """Whether the piece could begin now."""
        return self.heard is None or self.heard.done()

    def timing(self) -> dict[str, float | None]:
        """Seconds waited for a seat and for the first note, seconds of composing, and notes a second of those."""
        until = time.monotonic() if self.ended is None else self.ended
        waited = None if self.seated is None else self.seated - self.came
        first = None if self.first_note is None else self.first_note - self.came
        composing = None if self.seated is None else until - self.seated
        rate = self.event_log.note_count / composing if composing else None
        values = {"waited": waited, "first_note": first, "composing": composing, "notes_per_second": rate}
        return {name: None if value is None else round(value, 4) for name, value in values.items()}


class Scheduler:
    """The jobs that wait and those that are being composed. `ended(job)` is called for each that is over, in the
    scheduler's thread; it sets `is_over`, sooner or later."""

    def __init__(
        self,
        limits: Limits,
        notifier: Notifier,
        metrics: Metrics,
        *,
        ended: Callable[[Job], None],
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._limits, self._notifier, self._metrics = limits, notifier, metrics
        self._ended, self._is_told_to_stop = ended, is_stopping
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._seated: dict[Generation, Job] = {}
        self._ensembles: dict[str, Batch] = {}
        self._usher = ThreadPoolExecutor(1, thread_name_prefix="prompts")
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)
        self._is_closing = False

    @property
    def counts(self) -> tuple[int, int]:
        """Pieces that wait, and that are being composed."""
        return len(self._waiting), len(self._seated)

    @property
    def is_stopping(self) -> bool:
        return self._is_closing or self._is_told_to_stop()

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive() and not self.is_stopping

    def open(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End within a step; what is unfinished stays as it is."""
        self._is_closing = True
        self._notify()
        if self._thread.is_alive():
            self._thread.join()
        self._usher.shutdown(cancel_futures=True)

    def submit(self, jobs: Sequence[Job], *, is_resumed: bool = False) -> None:
        """Let jobs wait for their seats, all or none; raises FullError beyond the limits, which resumed ones pass."""
        with self._changed:
            if not is_resumed:
                self.check_room(jobs[0].client, len(jobs))
            for job in jobs:
                if len(job.piece.prompt_tokens):
                    job.heard = self._usher.submit(start, job.piece, job.engine)
                    job.heard.add_done_callback(lambda _: self._notify())
                self._waiting.append(job)
            self._changed.notify()

    def check_room(self, client: str, count: int) -> None:
        """Refuse a client's next jobs where there is no place for them."""
        if self.is_stopping:
            raise StoppingError("the server is stopping")
        with self._changed:
            free = max(self._limits.seats - len(self._seated), 0)
            if len(self._waiting) + count > self._limits.places + free:
                raise FullError(f"the server has {sum(self.counts)} pieces to compose; try again in a few seconds")
            mine = sum(job.client == client for job in (*self._waiting, *list(self._seated.values())))
            if mine + count > self._limits.most_per_client:
                raise FullError(f"you have {mine} pieces under way; wait for some of them to end")

    def cancel(self, job: Job) -> None:
        """End a job within a step."""
        job.is_cancelled = True
        self._notify()

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify()

    def _run(self) -> None:
        while not self.is_stopping:
            self._drop_cancelled()
            self._seat()
            if self._seated:
                self._step()
            else:
                with self._changed:
                    self._changed.wait(0.0 if any(job.is_ready for job in self._waiting) else POLL)
        self._notifier.notify()  # those who wait for what will not come now

    def _drop_cancelled(self) -> None:
        for job in [job for job in self._seated.values() if job.is_cancelled]:
            self._ensembles[job.piece.bundle.name].remove(job.piece)
            self._leave(job, CANCELLED)
        with self._changed:
            dropped = [job for job in self._waiting if job.is_cancelled]
            self._waiting = deque(job for job in self._waiting if not job.is_cancelled)
        for job in dropped:
            self._leave(job, CANCELLED)

    def _seat(self) -> None:
        """Give the free seats to those who can begin, in the order in which they came."""
        while (job := self._next()) is not None:
            self._seated[job.piece] = job
            job.seated, job.state = job.seated or time.monotonic(), COMPOSING
            name = job.piece.bundle.name
            if name not in self._ensembles:
                self._ensembles[name] = Batch(job.engine)
            try:
                self._ensembles[name].add(job.piece)
            except Exception:
                log.exception("a prompt could not be heard by %s", name)
                self._leave(job, FAILED)

    def _next(self) -> Job | None:
        with self._changed:
            if len(self._seated) >= self._limits.seats:
                return None
            long = sum(self._is_long(job) for job in self._seated.values())
            for job in self._waiting:
                if job.is_ready and (long < self._limits.long_seats or not self._is_long(job)):
                    self._waiting.remove(job)
                    return job
        return None

    def _is_long(self, job: Job) -> bool:
        request = job.piece.request
        return self._limits.is_long(request.notes, request.seconds)

    def _step(self) -> None:
        """Compose a row of every piece."""
        for name, ensemble in list(self._ensembles.items()):
            try:
                for piece, made in ensemble.step():
                    self._tell(self._seated[piece], made)
            except Exception:
                log.exception("composing with %s failed", name)
                self._lose(name)
        self._notifier.notify()

    def _tell(self, job: Job, made: Sequence[Any]) -> None:
        before = job.event_log.note_count
        job.event_log.add(made)
        job.progress = job.piece.progress
        count = job.event_log.note_count
        self._metrics.notes.inc(count - before)
        if count and job.first_note is None:
            job.first_note = time.monotonic()
            self._metrics.first_note.observe(job.first_note - job.came)
        if job.piece.is_done:
            job.event_log.close()
            assert job.seated is not None
            job.take = job.piece.take(time.monotonic() - job.seated)
            self._leave(job, DONE)

    def _lose(self, name: str) -> None:
        """End the pieces of a model that failed; the next ones begin with a fresh ensemble."""
        del self._ensembles[name]
        for job in [job for job in self._seated.values() if job.piece.bundle.name == name]:
            self._leave(job, FAILED)

    def _leave(self, job: Job, state: str) -> None:
        self._seated.pop(job.piece, None)
        job.ended, job.state = time.monotonic(), state
        self._ended(job)
