"""A process that composes for a server: it takes orders from a pipe, and answers with events and takes.

It runs a scheduler of its own, whose limits are wide: who is composed, and when, the server's scheduler has decided.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

from ....errors import BundleError
from ....generation.loop import Generation
from ....generation.request import Request, Take
from ..event_log import Event
from ..job import Job
from ..limits import Limits
from ..metrics import Metrics
from ..models import Models
from ..scheduler import Scheduler

WIDE = Limits(
    seats=256, cache_megabytes=10**6, places=10_000, most_per_client=10_000, short_notes=10**9, short_seconds=1e9
)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """A piece that a worker is to compose; later orders and answers name it by `number`.

    `fingerprint` is that of the model's bundle: notes of other weights must not be joined to those that listeners have.
    """

    number: int
    request: Request
    model: str
    fingerprint: str
    client: str


@dataclass(frozen=True)
class Cancelled:
    """Let a piece go unfinished."""

    number: int


@dataclass(frozen=True)
class Stopped:
    """End a piece with its next note."""

    number: int


Order = Asked | Cancelled | Stopped


@dataclass(frozen=True)
class Answer:
    """The events that a piece has gained, how far it is, and, where it is over, its take or that it failed.

    A piece that is over without a take has failed: nobody looks for the answer to one that was cancelled.
    """

    number: int
    events: Sequence[Event]
    progress: tuple[float, float] = (0, 0)
    take: Take | None = None
    is_failed: bool = False
    refusal: str | None = None


def run_worker(connection: Connection, models: Sequence[str], threads: int | None) -> None:
    """Compose what is asked for over `connection` until it is closed; the first answer, an empty one, says ready."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which closes the connection
    _Worker(connection, Models(models, threads=threads)).run()


class _Worker:
    def __init__(self, connection: Connection, models: Models) -> None:
        self._connection, self._models = connection, models
        self._sending = threading.Lock()
        self._jobs: dict[int, Job] = {}  # the scheduler's thread takes out what the main thread puts in
        self._sent: dict[int, int] = {}  # events of each
        self._scheduler = Scheduler(WIDE, self._send_news, Metrics(), on_end=self._send_end)

    def run(self) -> None:
        """Do what comes until nothing can come any more."""
        self._send([])
        self._scheduler.open()
        while True:
            try:
                order = self._connection.recv()
            except (EOFError, OSError):  # the server is gone, or wants no more
                os._exit(0)  # in the middle of a step too
            if isinstance(order, Asked):
                self._begin(order)
            elif job := self._jobs.get(order.number):
                if isinstance(order, Cancelled):
                    self._scheduler.cancel(job)
                else:  # for the server it runs, also where it waits here, so it has a note at least
                    job.attempt.generation.stop()

    def _begin(self, asked: Asked) -> None:
        """Compose a piece, or answer that it failed, whatever was the matter: the others go on."""
        try:
            engine = self._models.engine(asked.model)
            if engine.bundle.fingerprint != asked.fingerprint:
                raise BundleError(
                    f"{engine.bundle.path} has other weights ({engine.bundle.fingerprint}) than the server began with "
                    f"({asked.fingerprint}); start the server again"
                )
            job = Job(str(asked.number), Generation(asked.request, engine.bundle), engine, asked.client)
            self._sent[asked.number] = 0  # first: the scheduler's thread looks for it when it sees the job
            self._jobs[asked.number] = job
            self._scheduler.submit([job])
        except Exception:
            log.exception("a piece by %s could not be begun", asked.model)
            self._jobs.pop(asked.number, None)
            self._send([Answer(asked.number, (), is_failed=True)])

    def _send_news(self) -> None:
        """Send what the last step has added, in the scheduler's thread."""
        answers = [
            Answer(number, events, job.attempt.progress)
            for number, job in list(self._jobs.items())
            if (events := self._news(number, job))
        ]
        if answers:
            self._send(answers)

    def _send_end(self, job: Job) -> None:
        number = int(job.key)
        events = self._news(number, job)
        answer = Answer(number, events, job.attempt.progress, job.take, job.take is None, job.refusal)
        del self._jobs[number], self._sent[number]
        self._send([answer])

    def _news(self, number: int, job: Job) -> Sequence[Event]:
        events = job.attempt.generation.events[self._sent[number] :]
        self._sent[number] += len(events)
        return events

    def _send(self, answers: list[Answer]) -> None:
        """Send answers, from either thread."""
        try:
            with self._sending:
                self._connection.send(answers)
        except OSError:
            os._exit(0)
