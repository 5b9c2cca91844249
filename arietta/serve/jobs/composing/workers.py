"""Composing in other processes of this machine; the queue, the limits and the history stay in this one.

    workers = Workers(models, 4, threads=1)
    Service(models, history, limits, composer=workers)

A job that runs is given to the worker that has the fewest. Where a worker dies, another process takes its place, and
its jobs are composed again from their seeds by the workers that are there: their first events are those that listeners
have, which are not sent twice, so streams go on.
"""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from ....generation.loop import Generation
from ....model.engine import Engine
from ..job import Job
from ..models import Models
from .composer import Step
from .worker import Answer, Asked, Cancelled, Stopped, run_worker

STEP_SECONDS = 0.01  # in which a job that is submitted meanwhile waits
MOST_LOSSES = 3  # a piece at which so many workers died is not tried again
END_SECONDS = 2.0
log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Piece:
    """A running job: how many of its events were passed on, and how many of those its worker will say again."""

    job: Job
    passed: int = 0
    repeated: int = 0
    losses: int = 0
    is_stop_sent: bool = False


@dataclass(eq=False)
class _Worker:
    process: BaseProcess
    connection: Connection
    is_ready: bool = False
    pieces: dict[int, _Piece] = field(default_factory=dict)


class Workers:
    """Processes that compose; begun at once, ended by `close`."""

    def __init__(self, models: Models, worker_count: int, *, threads: int | None = 1) -> None:
        self._folders = [str(models.bundle(name).path) for name in models.names]
        self._threads = threads
        self._numbers = count()
        self._pieces: dict[Job, tuple[int, _Worker]] = {}
        self._workers = [self._start() for _ in range(worker_count)]

    @property
    def process_ids(self) -> list[int]:
        """The processes' numbers in the system."""
        return [worker.process.pid or 0 for worker in self._workers]

    def prepare(self, job: Job, wake: Callable[[], None]) -> None:
        """Do nothing: a job is prefilled by the worker that gets it."""

    def prefill(self, generation: Generation, engine: Engine) -> None:
        """Do nothing: which worker will get a piece is not known yet."""

    def add(self, job: Job) -> None:
        """Let a worker compose a job."""
        self._assign(_Piece(job))

    def remove(self, job: Job) -> None:
        """Let a job go unfinished."""
        number, worker = self._pieces.pop(job)
        del worker.pieces[number]
        self._send(worker, Cancelled(number))

    def stop(self, job: Job) -> None:
        """Let a job end with its next note, of one that is composed again with the next that nobody has."""
        number, worker = self._pieces[job]
        piece = worker.pieces[number]
        if not piece.is_stop_sent and not piece.repeated:
            piece.is_stop_sent = True
            self._send(worker, Stopped(number))

    def step(self) -> Iterator[Step]:
        """Wait a moment for what the workers have completed."""
        connections = {worker.connection: worker for worker in self._workers}
        for connection in wait(list(connections), STEP_SECONDS):
            assert isinstance(connection, Connection)
            worker = connections[connection]
            try:
                answers: list[Answer] = connection.recv()
            except (EOFError, OSError):
                yield from self._replace(worker)
                continue
            worker.is_ready = True
            for answer in answers:
                if answer.number in worker.pieces:  # else it was cancelled
                    yield self._take(worker, answer)

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.connection.close()
        for worker in self._workers:
            worker.process.join(END_SECONDS)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()

    def _start(self) -> _Worker:
        # A process that is forked would have the locks of this one's threads, as they happen to be.
        context = multiprocessing.get_context("spawn")
        connection, other = context.Pipe()
        process = context.Process(target=run_worker, args=(other, self._folders, self._threads), daemon=True)
        process.start()
        other.close()  # else the end of the process would not be seen here
        return _Worker(process, connection)

    def _assign(self, piece: _Piece) -> None:
        ready = [worker for worker in self._workers if worker.is_ready]
        worker = min(ready or self._workers, key=lambda worker: len(worker.pieces))
        number, generation = next(self._numbers), piece.job.attempt.generation
        piece.repeated, piece.is_stop_sent = piece.passed, False
        worker.pieces[number] = piece
        self._pieces[piece.job] = number, worker
        self._send(worker, Asked(number, generation.request, generation.bundle.name, piece.job.client))

    def _send(self, worker: _Worker, order: Asked | Cancelled | Stopped) -> None:
        try:
            worker.connection.send(order)
        except OSError:
            log.debug("a worker is gone; the next step finds that too")

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

    def _replace(self, worker: _Worker) -> Iterator[Step]:
        """Start another process for one that died, and have its pieces composed again."""
        worker.connection.close()
        worker.process.join(END_SECONDS)
        code, pieces = worker.process.exitcode, list(worker.pieces.values())
        log.warning("a worker ended with code %s; %d pieces are composed again", code, len(pieces))
        self._workers[self._workers.index(worker)] = self._start()
        for piece in pieces:
            piece.losses += 1
            if piece.losses < MOST_LOSSES:
                self._assign(piece)
            else:
                log.error("%d workers died at the piece %s; it is given up", MOST_LOSSES, piece.job.key)
                del self._pieces[piece.job]
                yield Step(piece.job, is_failed=True)
