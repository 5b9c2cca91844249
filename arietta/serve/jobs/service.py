"""The service behind the endpoints: orders become records and jobs, jobs that are over become kept pieces.

What calls it comes from the event loop's side threads; what ends a job runs in a thread of its own, the keeper's,
so that neither the scheduler nor a client ever waits for the disk of another.
"""

from __future__ import annotations

import logging
import queue
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...errors import AriettaError, RequestError
from ...generation.loop import Generation
from ...generation.original import Attempts, Originality, measure_originality
from ...generation.request import Request, Take
from ...model.bundle import Bundle
from ...model.sampling import Sampling
from ...music.notes import Notes
from ..routes.problems import FAILURE, problem_of
from .event_log import Event, events_of, to_notes
from .history import DONE, FAILED, INTERRUPTED, WAITING, History, Outcome, Record
from .limits import Limits
from .metrics import Metrics
from .models import Models
from .notifier import Notifier
from .scheduler import COMPOSING, Job, Scheduler
from .selection import in_order, mark_best

ORIGINAL = "original"  # stands in what was asked for while the piece may be composed again
log = logging.getLogger(__name__)


class UnknownPieceError(AriettaError):
    """There is no piece of that id, or no longer."""


class UnfinishedError(AriettaError):
    """The piece has no notes to give, not yet or never."""


@dataclass(frozen=True)
class Order:
    """A piece to compose: the request, with which model, under which name (the title if None), going on from which
    kept piece (its id), whether to compose it again while it shares more than works of people do, and how many of those
    that are asked for with it shall be marked as the best."""

    request: Request
    model: str | None = None
    name: str | None = None
    continues: str | None = None
    original: bool = False
    best: int | None = None


class Service:
    """Everything that a server remembers and does; `open` it before use."""

    def __init__(
        self, models: Models, history: History, limits: Limits, *, is_stopping: Callable[[], bool] = lambda: False
    ) -> None:
        self.models, self.history, self.limits = models, history, limits
        self.notifier, self.metrics = Notifier(), Metrics()
        self.scheduler = Scheduler(limits, self.notifier, self.metrics, ended=self._end, is_stopping=is_stopping)
        self.metrics.watch(lambda: self.scheduler.counts)
        self._jobs: dict[str, Job] = {}
        self._over: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)

    def open(self) -> None:
        """Start, and go on with what an earlier server left."""
        self._keeper.start()
        for record in self.history.waiting():
            self._resume(record)
        self.scheduler.open()

    def close(self) -> None:
        """Stop in good order: what is over is kept, what is not is composed when the next server starts."""
        self.scheduler.close()
        self._over.put(None)
        if self._keeper.is_alive():
            self._keeper.join()
        self.history.close()

    def submit(self, orders: Sequence[Order], client: str) -> list[Record]:
        """Keep orders and let them wait for their seats, all or none; raises RequestError where a model cannot do what
        is asked, FullError or StoppingError where there is no place."""
        self.scheduler.check_room(client, len(orders))  # before any work; once more when they are put there
        pieces = [Generation(order.request, self.models.bundle(order.model)) for order in orders]
        records = [_record(order, piece) for order, piece in zip(orders, pieces, strict=True)]
        records = in_order(records, orders[0].best)
        jobs = [self._job(record, piece, client) for record, piece in zip(records, pieces, strict=True)]
        self.history.add(records, [_events(order.request.prompt) for order in orders])
        self._jobs |= {job.key: job for job in jobs}
        try:
            self.scheduler.submit(jobs)
        except AriettaError:
            for record in records:
                del self._jobs[record.id]
                self.history.delete(record.id)
            raise
        return records

    def compose(self, order: Order, client: str) -> Job:
        """Let a piece wait for its seat that is not kept; raises as `submit` does."""
        piece = Generation(order.request, self.models.bundle(order.model))
        engine = self.models.engine(piece.bundle.name)
        job = Job(secrets.token_hex(8), piece, engine, client, is_kept=False)
        self.scheduler.submit([job])
        return job

    def _job(self, record: Record, piece: Generation, client: str) -> Job:
        name, is_original = piece.bundle.name, ORIGINAL in record.asked
        if is_original and self.models.index(name) is None:
            raise RequestError(f"{name} has no index of its training music here, which tells what is original")
        search = Attempts(piece.request) if is_original else None
        return Job(record.id, piece, self.models.engine(name), client, search=search)

    def find(self, key: str) -> Record:
        """Return a piece as it stands; raises UnknownPieceError."""
        job = self._jobs.get(key)  # looked up first: the history knows of those that are no longer there
        record = self.history.find(key)
        if record is None:
            raise UnknownPieceError(f"there is no piece {key[:40]!r} here, or no longer")
        return _current(record, job)

    def page(self, limit: int, *, before: int | None = None, only_favourites: bool = False) -> list[Record]:
        """Return kept pieces as they stand, the newest first, below a number if one is given."""
        jobs = dict(self._jobs)
        records = self.history.page(limit, before=before, only_favourites=only_favourites)
        return [_current(record, jobs.get(record.id)) for record in records]

    def job(self, key: str) -> Job | None:
        """Return a piece's job while it is under way."""
        return self._jobs.get(key)

    def delete(self, key: str) -> Job | None:
        """Forget a piece; one under way is cancelled, which its job, returned, will tell. Raises as `find` does."""
        record, job = self.find(key), self._jobs.get(key)
        if job is not None and record.state in (WAITING, COMPOSING):
            self.scheduler.cancel(job)
            return job
        self.history.delete(key)
        return None

    def change(self, key: str, *, name: str | None, is_favourite: bool | None) -> Record:
        """Name a piece anew, or make it a favourite or none; raises as `find` does."""
        self.find(key)
        self.history.change(key, name=name, is_favourite=is_favourite)
        return self.find(key)

    def told(self, key: str) -> tuple[Record, list[Event]]:
        """Return a finished piece and its events; raises UnknownPieceError, or UnfinishedError where there are none."""
        record = self.find(key)
        if record.state != DONE:
            why = (
                ": its files are there when it is done"
                if record.state in (WAITING, COMPOSING)
                else ", so it has no files"
            )
            raise UnfinishedError(f"the piece {key} is {record.state}{why}")
        return record, self.history.told(key)

    def notes(self, key: str) -> Notes:
        """Return the notes of a finished piece; raises as `told` does."""
        return to_notes(self.told(key)[1])

    def _end(self, job: Job) -> None:
        """Take a job from the scheduler's thread."""
        if job.is_kept:
            self._over.put(job)
        else:
            self._close(job)

    def _close(self, job: Job) -> None:
        job.is_over = True
        self.metrics.pieces.labels(job.state).inc()
        self.notifier.notify()

    def _keep(self) -> None:
        """Look up and keep what is over, piece by piece, until None comes."""
        while (job := self._over.get()) is not None:
            if not self._is_settled(job):
                self.scheduler.submit([job], is_resumed=True)
                continue
            try:
                self._write(job)
            except sqlite3.Error:
                log.exception("the piece %s could not be kept; it is composed again at the next start", job.key)
                job.state = FAILED
            self._mark_best(job.key)
            self._jobs.pop(job.key, None)
            self._close(job)

    def _mark_best(self, key: str) -> None:
        """Choose among what was asked for with a piece that is over, if it was the last."""
        try:
            record = self.history.find(key)
            if record is not None:
                name = record.asked["model"]
                mark_best(self.history, record, self.models.bundle(name) if name in self.models.names else None)
        except Exception:
            log.exception("the best of those asked for with the piece %s could not be chosen", key)

    def _is_settled(self, job: Job) -> bool:
        """Look up how original a piece is; whether it stays as it is."""
        index = self.models.index(job.piece.bundle.name)
        if job.take is None or index is None:
            return True
        try:
            return job.judge(measure_originality(job.take, index))
        except Exception:
            log.exception("how original the piece %s is could not be looked up", job.key)
            job.take, job.state = None, FAILED
            return True

    def _write(self, job: Job) -> None:
        problem = problem_of(500, FAILURE) if job.state == FAILED else None
        figures = None if job.take is None else _figures(job.take, job.originality)
        told = job.told if job.state == DONE else ()
        record = self.history.find(job.key) if job.take is not None and job.search is not None else None
        made = None if record is None or job.take is None else _made(record, job.take)
        outcome = Outcome(job.timing(), figures, problem, round(job.progress[0], 3))
        self.history.end(job.key, job.state, outcome, told, made)
        self.history.trim(self.limits.keep_pieces, self.limits.keep_bytes)

    def _resume(self, record: Record) -> None:
        """Compose what an earlier server left again, from its seed, or say why that cannot be."""
        try:
            bundle = self.models.bundle(record.asked["model"])
            _check_same(bundle, record)
            piece = Generation(_request(record, self.history.prompt(record.id)), bundle)
            job = self._job(record, piece, "")
        except AriettaError as error:
            reason = f"the server stopped before the piece was done, and cannot go on: {error}"
            self.history.end(record.id, INTERRUPTED, Outcome(problem=problem_of(409, reason)))
            self._mark_best(record.id)
            return
        self._jobs[job.key] = job
        self.scheduler.submit([job], is_resumed=True)


def _current(record: Record, job: Job | None) -> Record:
    """Return a record with what only memory knows of a piece under way."""
    if job is None or record.state != WAITING:
        return record
    state = WAITING if job.seated is None else COMPOSING
    return replace(record, state=state, outcome=Outcome(timing=job.timing()))


def _check_same(bundle: Bundle, record: Record) -> None:
    if bundle.fingerprint != record.asked["bundle"]:
        raise RequestError(f"{bundle.name} has other weights now")


def _record(order: Order, piece: Generation) -> Record:
    request, bundle = order.request, piece.bundle
    blank = piece.take(0.0)  # knows what the finished take will be called
    asked = {"model": bundle.name, "bundle": bundle.fingerprint} | request.describe()
    if order.continues is not None:
        asked["continues"] = order.continues
    if order.original:
        asked[ORIGINAL] = True
    return Record(
        id=secrets.token_hex(8),
        name=order.name or blank.title,
        state=WAITING,
        created=time.time(),
        asked=asked,
        title=blank.title,
        texts=blank.texts(),
    )


def _made(record: Record, take: Take) -> Record:
    """The record of a piece that may be of a later seed than was asked for; to get it again, no index is needed."""
    asked = {name: value for name, value in record.asked.items() if name != ORIGINAL}
    return replace(record, asked=asked | {"seed": take.request.seed}, title=take.title, texts=take.texts())


def _request(record: Record, prompt: Sequence[Event]) -> Request:
    asked = record.asked
    return Request(
        notes=asked.get("notes"),
        seconds=asked.get("seconds"),
        style=asked["style"],
        prompt=Notes.from_events(prompt) if prompt else None,
        seed=asked["seed"],
        sampling=Sampling.from_description(asked),
    )


def _events(prompt: Notes | None) -> list[Event]:
    return [] if prompt is None else events_of(prompt)


def _figures(take: Take, found: Originality | None) -> dict[str, Any]:
    placed = {} if found is None else {"originality": found.describe()}
    seconds, nll = round(take.notes.seconds, 3), round(take.nll, 4)
    return {"notes": take.note_count, "seconds": seconds, "nll_per_note": nll} | placed
