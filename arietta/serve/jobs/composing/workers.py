"""Composing in other processes of this machine; the queue, the limits and the history stay in this one.

    workers = Workers(models, 4, threads=1)
    Service(models, history, limits, composer=workers)

A job that runs is given to the worker that has the fewest. Where a worker dies or hangs, another process takes its
place, and its jobs are composed again from their seeds by the workers that are there: their first events are those that
listeners have, which are not sent twice, so streams go on. No worker, however it hangs, holds up the scheduler's
thread: orders are written, and answers read, in two threads for each.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from ....generation.loop import Generation
from ....model.engine import Engine
from ....processes import interrupts_ignored
from ..job import Job
from ..models import Models
from .composer import Step
from .worker import Answer, Asked, Cancelled, Order, Stopped, run_worker

STEP_SECONDS = 0.01  # in which a job that is submitted meanwhile waits
START_SECONDS = 600.0  # until a worker has loaded its models; a few on an idle machine
SILENT_SECONDS = 60.0  # in which one that composes answers; a prompt of 4,000 notes takes some ten before its first
RETRY_SECONDS = 5.0  # until a process is started again that could not be, or that died before it was ready
SETTLE_SECONDS = 0.2  # after a worker's death: where several die at once, no piece goes to one that is dying
MOST_LOSSES = 3  # a piece at which so many workers died is not tried again
MOST_SHARED_LOSSES = 1  # after more of them it is composed alone, so that no other piece pays for it
END_SECONDS = 2.0
log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Piece:
    """A running job: how many of its events were passed on, and how many of those its worker will say again.

    Until there is a worker for it, it has none.
    """

    job: Job
    number: int = 0
    worker: _Worker | None = None
    passed: int = 0
    repeated: int = 0
    losses: int = 0
    is_stop_sent: bool = False

    @property
    def is_suspect(self) -> bool:
        """Whether it may be what its workers died of."""
        return self.losses > MOST_SHARED_LOSSES


class Workers:
    """Processes that compose; begun at once, ended by `close`."""

    def __init__(
        self,
        models: Models,
        worker_count: int,
        *,
        threads: int | None = 1,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """Start so many processes; one that cannot be started, or dies, is logged and started again.

        Once `is_stopping`, none is: where a whole group of processes is told to end, its workers may be the first.
        """
        self._folders = [str(models.bundle(name).path) for name in models.names]
        self._threads, self._is_server_stopping, self._is_closed = threads, is_stopping, False
        self._numbers = count()
        self._pieces: dict[Job, _Piece] = {}
        self._waiting: list[_Piece] = []  # for a worker
        self._workers: list[_Worker] = []
        self._due = [0.0] * worker_count  # when those that are lacking are started, in seconds of `time.monotonic`
        self._settled = 0.0  # when pieces are given out again
        self._looked = time.monotonic()  # for silent ones
        self._news: _News = queue.SimpleQueue()
        self._start_lacking()

    @property
    def is_ready(self) -> bool:
        """Whether there is a process that composes."""
        return any(worker.is_ready and worker.process.is_alive() for worker in list(self._workers))

    @property
    def process_ids(self) -> list[int]:
        """The processes' numbers in the system."""
        return [worker.process.pid or 0 for worker in self._workers]

    def prepare(self, job: Job, wake: Callable[[], None]) -> None:
        """Do nothing: a job is prefilled by the worker that gets it."""

    def prefill(self, generation: Generation, engine: Engine) -> None:
        """Do nothing: which worker will get a piece is not known yet."""

    def add(self, job: Job) -> None:
        """Let a worker compose a job, as soon as one is ready; it raises nothing."""
        self._pieces[job] = _Piece(job)
        self._waiting.append(self._pieces[job])
        self._give_out()

    def remove(self, job: Job) -> None:
        """Let a job go unfinished."""
        piece = self._pieces.pop(job)
        if piece.worker is None:
            self._waiting.remove(piece)
        else:
            del piece.worker.pieces[piece.number]
            piece.worker.send(Cancelled(piece.number))

    def stop(self, job: Job) -> None:
        """Let a job end with its next note, of one that is composed again with the next that nobody has."""
        piece = self._pieces[job]
        if piece.worker is not None and not piece.is_stop_sent and not piece.repeated:
            piece.is_stop_sent = True
            piece.worker.send(Stopped(piece.number))

    def step(self) -> Iterator[Step]:
        """Wait a moment for what the workers have completed, and replace those that died."""
        for worker, answers in self._arrived():
            if worker not in self._workers:  # it was given up
                continue
            if answers is None:
                yield from self._lose(worker)
                continue
            worker.is_ready, worker.answered = True, time.monotonic()
            for answer in answers:
                if answer.number in worker.pieces:  # else it was cancelled
                    yield self._take(worker, answer)
        for worker in self._silent():
            log.error("a worker did not answer any more; it is ended")
            worker.process.kill()
            yield from self._lose(worker)
        if not self._is_closed and not self._is_server_stopping():
            self._start_lacking()
        self._give_out()

    def close(self) -> None:
        """End the processes, in whatever they are."""
        self._is_closed = True
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.end()

    def _arrived(self) -> Iterator[tuple[_Worker, Sequence[Answer] | None]]:
        with contextlib.suppress(queue.Empty):
            yield self._news.get(timeout=STEP_SECONDS if self._pieces else 0.0)
            while True:
                yield self._news.get_nowait()

    def _silent(self) -> list[_Worker]:
        """Return the workers that owe an answer for too long, by the time in which this process ran itself."""
        now = time.monotonic()
        if now - self._looked > SILENT_SECONDS / 2:
            for worker in self._workers:
                worker.answered = now
        self._looked = now
        return [worker for worker in self._workers if now - worker.answered > worker.patience]

    def _start_lacking(self) -> None:
        now = time.monotonic()
        for due in [due for due in self._due if due <= now]:
            self._due.remove(due)
            try:
                self._workers.append(self._start())
            except (OSError, RuntimeError) as error:  # there is no memory, descriptor or thread left
                log.error("a worker could not be started (%s); that is tried again", error)
                self._due.append(now + RETRY_SECONDS)

    def _start(self) -> _Worker:
        # A process that is forked would have the locks of this one's threads, as they happen to be.
        context = multiprocessing.get_context("spawn")
        connection, other = context.Pipe()
        process = context.Process(target=run_worker, args=(other, self._folders, self._threads), daemon=True)
        with interrupts_ignored():  # Ctrl-C is for the server
            process.start()
        other.close()  # else the end of the process would not be seen here
        return _Worker(process, connection, self._news)

    def _give_out(self) -> None:
        """Give the pieces that wait to workers that are ready, those first that have to be composed alone."""
        if not self._waiting or time.monotonic() < self._settled:
            return
        free = [worker for worker in self._workers if worker.is_free]
        for piece in sorted(self._waiting, key=lambda piece: not piece.is_suspect):
            if not free:
                return
            worker = min(free, key=lambda worker: len(worker.pieces))
            if piece.is_suspect:
                free.remove(worker)  # for it alone, now or when what it has is done
                if worker.pieces:
                    continue
            self._waiting.remove(piece)
            piece.number, piece.worker = next(self._numbers), worker
            piece.repeated, piece.is_stop_sent = piece.passed, False
            if not worker.pieces:
                worker.answered = time.monotonic()  # it owed none
            worker.pieces[piece.number] = piece
            generation = piece.job.attempt.generation
            bundle = generation.bundle
            worker.send(Asked(piece.number, generation.request, bundle.name, bundle.fingerprint, piece.job.client))

    def _take(self, worker: _Worker, answer: Answer) -> Step:
        """Make a step of an answer, without the events that were passed on before."""
        piece = worker.pieces[answer.number]
        fresh = answer.events[piece.repeated :]
        piece.repeated -= min(piece.repeated, len(answer.events))
        piece.passed += len(fresh)
        if answer.take is not None or answer.is_failed:
            del worker.pieces[answer.number], self._pieces[piece.job]
        progress = piece.job.attempt.progress if piece.repeated else answer.progress
        return Step(piece.job, fresh, progress, answer.take, is_failed=answer.is_failed, refusal=answer.refusal)

    def _lose(self, worker: _Worker) -> Iterator[Step]:
        """Have the pieces of a worker that died composed again, and another process started."""
        now = time.monotonic()
        self._workers.remove(worker)
        self._due.append(now if worker.is_ready else now + RETRY_SECONDS)
        self._settled = now + SETTLE_SECONDS
        code, pieces = worker.end(), list(worker.pieces.values())
        log.warning("a worker ended with code %s; %d pieces are composed again", code, len(pieces))
        for piece in pieces:
            piece.losses += 1
            piece.worker = None
            if piece.losses < MOST_LOSSES:
                self._waiting.append(piece)
            else:
                log.error("%d workers died at the piece %s; it is given up", MOST_LOSSES, piece.job.key)
                del self._pieces[piece.job]
                yield Step(piece.job, is_failed=True)


class _Worker:
    """A process that composes, its pieces by their numbers, and when it last answered."""

    def __init__(self, process: BaseProcess, connection: Connection, news: _News) -> None:
        """Take over a process that is starting; raises RuntimeError where there can be no more threads."""
        self.process, self.pieces = process, dict[int, _Piece]()
        self.is_ready, self.answered = False, time.monotonic()
        self._connection, self._news = connection, news
        self._orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        try:
            for work in (self._write, self._read):
                threading.Thread(target=work, name=work.__name__, daemon=True).start()
        except RuntimeError:
            process.kill()
            self.end()
            raise

    @property
    def is_free(self) -> bool:
        """Whether it can be given pieces: it is ready, alive, and composes none that has to be alone."""
        has_suspect = any(piece.is_suspect for piece in self.pieces.values())
        return self.is_ready and not has_suspect and self.process.is_alive()

    @property
    def patience(self) -> float:
        """Seconds in which it has to answer."""
        if not self.is_ready:
            return START_SECONDS
        return SILENT_SECONDS if self.pieces else float("inf")

    def send(self, order: Order) -> None:
        """Give it an order, without waiting until it takes it."""
        self._orders.put(order)

    def end(self) -> int | None:
        """Wait a moment for its end, and kill it where it does not come; return its exit code, None if it lives on."""
        self._orders.put(None)
        self.process.join(END_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join(END_SECONDS)
        return self.process.exitcode

    def _write(self) -> None:
        with contextlib.suppress(OSError):  # it is gone, as `_read` finds too
            while (order := self._orders.get()) is not None:
                self._connection.send(order)

    def _read(self) -> None:
        try:
            while True:
                self._news.put((self, self._connection.recv()))
        except Exception as error:  # noqa: BLE001 - it is gone, or what it says cannot be read
            log.debug("a worker's pipe is at its end: %r", error)
            self._news.put((self, None))


_News = queue.SimpleQueue[tuple[_Worker, Sequence[Answer] | None]]
