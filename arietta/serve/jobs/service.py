"""What a server does, without HTTP: orders become jobs, and finished jobs become pieces in the history.

Its methods are called from side threads of the event loop. Jobs that have ended are stored by a thread of its own, so
that neither the scheduler nor a client ever waits for the disk on behalf of somebody else.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import secrets
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ...errors import AriettaError, RequestError
from ...generation.loop import Generation
from ...generation.original import Attempts, measure_originality
from ...generation.request import Request
from ...generation.scores.in_time import Fitting
from ...machine import machine_kind
from ...music.notes import Notes
from ...music.reading import ReadPiece
from .composing.composer import JobComposer
from .composing.order import ORIGINAL, Order, upload_record
from .editing.meters import Meters
from .editing.passages import scored_passage, stored_edit
from .editing.revisions import Revisions, Version
from .event_log import events_of, to_notes
from .history.database import StorageError
from .history.pieces import History
from .history.records import JobOutcome, Record
from .job import Job, State, UnfinishedError, UnknownPieceError, figures_of
from .limits import Limits
from .metrics import Metrics
from .models import Models
from .notifier import Notifier
from .peers.followed import FollowedJob
from .peers.peers import Host, Wish
from .peers.shared import find_peers
from .problem import SERVER_FAILURE, problem_json
from .scheduler import Scheduler
from .selection import mark_best, rank_records

RETRY_SECONDS = 2.0  # between two tries to store what a full disk refused
log = logging.getLogger(__name__)


class Service:
    """The models, the jobs and the history of a server; `open` it before use."""

    def __init__(
        self,
        models: Models,
        history: History,
        limits: Limits,
        *,
        is_stopping: Callable[[], bool] = lambda: False,
        composer: JobComposer | None = None,
    ) -> None:
        self.models, self.history, self.limits = models, history, limits
        self.revisions, self.meters = Revisions(history, limits), Meters(history)
        self.notifier, self.metrics = Notifier(), Metrics()
        self.peers = find_peers(history, limits)
        self.scheduler = Scheduler(
            limits, self.notifier.notify, self.metrics, on_end=self._on_end, is_stopping=is_stopping, composer=composer
        )
        self.scheduler.running_elsewhere = lambda: self.peers.running
        self.metrics.watch(lambda: self.scheduler.counts)
        self._jobs: dict[str, Job] = {}  # those to be stored, until they are
        self._ended: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._storing = threading.Thread(target=self._store_ended, name="storing", daemon=True)

    def open(self) -> None:
        """Start, and resume the jobs that an earlier server left unfinished, or another one that was lost."""
        self._storing.start()
        self.peers.open(
            Host(
                jobs=self._jobs,
                bundles=frozenset(self.models.bundle(name).fingerprint for name in self.models.names),
                running=lambda: self.scheduler.running_keys,
                resume=self._resume,
                cancel=lambda key: self._end_left(key, State.CANCELLED, JobOutcome()),
                grant=self._grant,
                notify=self.notifier.notify,
            )
        )
        if self._jobs:
            log.warning("pieces that the last server left undone are composed first: %d", len(self._jobs))
        self.scheduler.open()

    def close(self) -> None:
        """Stop in good order: what has ended is stored, the rest is composed when the next server starts."""
        self.scheduler.close()
        self._ended.put(None)  # after the last job, so that all that has ended is stored
        if self._storing.is_alive():
            self._storing.join()
        self.peers.close()
        self.history.close()

    def submit(self, orders: Sequence[Order], client: str) -> list[Record]:
        """Store orders and queue them, all or none.

        Raises RequestError where a model cannot do what is asked, FullError or StorageFullError where there is no
        room, StoppingError.
        """
        self.revisions.check_room()
        pieces = sum(order.request.take_count for order in orders)
        self.scheduler.check_room(client, pieces)  # before any work; checked again when they are queued
        jobs = [self._job(order, client) for order in orders]
        records = [order.record(job, jobs[0].key) for order, job in zip(orders, jobs, strict=True)]
        prompts = [order.request.edit.music if order.request.edit else order.request.prompt for order in orders]
        meters = {job.key: meter for order, job in zip(orders, jobs, strict=True) if (meter := order.request.meter)}
        self.peers.admit(jobs)
        with contextlib.ExitStack() as undoing:  # where a later step fails, in the opposite order
            undoing.callback(self.peers.release, jobs)
            # Stored before they are queued: a job must not end before there is a record of it.
            undoing.callback(self._forget, jobs)  # also where it is not known whether they were stored
            self.history.add(records, [[] if prompt is None else events_of(prompt) for prompt in prompts])
            self.meters.store(meters)
            self._jobs |= {job.key: job for job in jobs}
            self.scheduler.submit(jobs)
            undoing.pop_all()
        return records

    def _forget(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self._jobs.pop(job.key, None)
            try:
                self.history.delete(job.key)
            except StorageError as error:  # what is told is why they were not taken on
                log.warning("the piece %s, which was refused, may have been stored (%s)", job.key, error.reason)

    def compose(self, order: Order, client: str) -> Job:
        """Queue a piece that is not stored; raises as `submit` does."""
        job = self._job(order, client, is_stored=False)
        self.peers.admit([job])
        try:
            self.scheduler.submit([job])
        except AriettaError:
            self.peers.release([job])
            raise
        return job

    def check(self, order: Order) -> Generation:
        """Return what would compose an order; raises RequestError where its model cannot do what is asked."""
        request, bundle = order.request, self.models.bundle(order.model)
        return Generation(request if request.pulse is None else Fitting(request, bundle).requests[0], bundle)

    def _job(self, order: Order, client: str, *, key: str | None = None, is_stored: bool = True) -> Job:
        generation = self.check(order)
        model = generation.bundle.name
        if order.original and self.models.index(model) is None:
            raise RequestError(f"{model} has no index of its training music here: leave original out")
        return Job(
            key=key or secrets.token_hex(8),
            generation=generation,
            engine=self.models.engine(model),
            client=client,
            is_stored=is_stored,
            retries=Attempts(generation.request) if order.original else None,
            fitting=None if order.request.pulse is None else Fitting(order.request, generation.bundle),
        )

    def find(self, key: str) -> Record:
        """Return a piece as it is now; raises UnknownPieceError."""
        # The job first: one that ends between the two lines is then found in the history.
        job = self._jobs.get(key)
        if (record := self.history.find(key)) is None:
            raise UnknownPieceError(f"there is no piece {key[:40]!r} here, or no longer; GET /v1/pieces lists all")
        return self._current(record, job)

    def page(self, limit: int, *, before: int | None = None, only_favourites: bool = False) -> list[Record]:
        """Return stored pieces as they are now, the newest first, with numbers below `before` if it is given."""
        jobs = dict(self._jobs)  # before the history is read, for the reason in `find`
        records = self.history.page(limit, before=before, only_favourites=only_favourites)
        return [self._current(record, jobs.get(record.id)) for record in records]

    def takes(self, order: str) -> list[Record]:
        """Return the takes of a passage that were asked for together, by the id of the first: the likeliest first."""
        return rank_records(self.find(record.id) for record in self.history.order(order))

    def job(self, key: str) -> Job | FollowedJob | None:
        """Return the job of a piece while it is under way: here, or elsewhere where it is followed."""
        return self._jobs.get(key) or self.peers.followed(key)

    def follow(self, record: Record) -> Job | FollowedJob | None:
        """Return the job of a piece while it is under way, wherever; of another server only who asks often has news."""
        return self._jobs.get(record.id) or (None if record.state.is_final else self.peers.follow(record))

    def delete(self, key: str) -> Job | FollowedJob | None:
        """Delete a piece, or cancel it while it is under way and return its job; raises as `find` does."""
        record = self.find(key)
        if not record.state.is_final and (job := self._wish(record, Wish.CANCEL)) is not None:
            return job
        self.history.delete(key)
        return None

    def stop(self, key: str) -> Job | FollowedJob | None:
        """End a piece that is under way with the notes it has, and return its job; raises as `find` does.

        One that has not begun is cancelled, and one that is over stays as it is.
        """
        record = self.find(key)
        return None if record.state.is_final else self._wish(record, Wish.STOP)

    def _wish(self, record: Record, wish: Wish) -> Job | FollowedJob | None:
        """Have a wish granted by the server that has a piece, this one or another; return its job."""
        if (job := self._jobs.get(record.id)) is None:
            return self.peers.ask(record, wish)
        self._grant(job, wish)
        return job

    def _grant(self, job: Job, wish: Wish) -> None:
        (self.scheduler.cancel if wish is Wish.CANCEL else self.scheduler.stop)(job)

    def change(self, key: str, *, name: str | None, is_favourite: bool | None) -> Record:
        """Rename a piece, or make it a favourite or not; None leaves it as it is. Raises as `find` does."""
        self.find(key)
        self.history.change(key, name=name, is_favourite=is_favourite)
        return self.find(key)

    def finished(self, key: str) -> Record:
        """Return a finished piece; raises UnknownPieceError, or UnfinishedError where it has no notes."""
        record = self.find(key)
        if record.state is not State.DONE:
            consequence = ", so it has no files" if record.state.is_final else ": its files are there when it is done"
            raise UnfinishedError(f"the piece {key} is {record.state}{consequence}")
        return record

    def music(self, key: str, number: int | None = None) -> Version:
        """Return a version of a finished piece: a revision by its number, or the one at the head.

        Raises as `finished` does, and UnknownPieceError where there is no such revision.
        """
        record, number = self.finished(key), self.revisions.tree(key).head if number is None else number
        meter = self.meters.find(key)
        if number:
            return replace(self.revisions.music(key, number), meter=meter)
        events = self.history.events(key)
        edit = stored_edit(record.asked, to_notes(self.history.prompt(key)))
        if edit is None:
            return Version(to_notes(events), prompt_notes=record.asked.get("prompt_notes", 0), meter=meter)
        notes, is_new = edit.join(events)
        return Version(notes, composed=np.flatnonzero(is_new).tolist(), meter=meter)

    def notes(self, key: str) -> Notes:
        """Return the notes of a finished piece as it is now; raises as `finished` does."""
        return self.music(key).notes

    def add_upload(self, piece: ReadPiece, name: str) -> Record:
        """Store music from elsewhere as a finished piece; raises StorageFullError where there is no room."""
        notes = piece.notes
        self.revisions.check_room()
        record, figures = upload_record(piece, name), {"notes": len(notes), "seconds": round(notes.seconds, 3)}
        self.history.add([record], [()], [(JobOutcome(figures=figures, done=len(notes)), events_of(notes))])
        self.meters.store({record.id: piece.meter})
        self.history.trim(self.limits.keep_pieces, self.limits.keep_bytes)
        return self.find(record.id)

    def _on_end(self, job: Job) -> None:
        """Take a job from the scheduler's thread, which must not wait."""
        if job.is_stored or job.fitting is not None:
            self._ended.put(job)
        else:
            self._close(job)

    def _close(self, job: Job) -> None:
        self.peers.release([job])
        job.is_over = True
        self.metrics.pieces.labels(job.state).inc()
        self.notifier.notify()

    def _store_ended(self) -> None:
        """Store what has ended, or queue it for another attempt, job by job, until None comes.

        What cannot be stored is tried again, and is under way until then. It is never more than a server takes on,
        because while nothing can be stored nothing is taken on.
        """
        unstored, is_closing = deque[Job](), False
        while not is_closing:
            with contextlib.suppress(queue.Empty):
                job = self._ended.get(timeout=RETRY_SECONDS if unstored else None)
                is_closing = job is None
                if job is not None and job.state is State.DONE and not self._is_settled(job):
                    self.scheduler.submit([job], is_resumed=True)
                elif job is not None and job.is_stored:
                    unstored.append(job)
                elif job is not None:
                    self._close(job)
            while unstored and self._try_to_store(unstored[0]):
                unstored.popleft()
        for job in unstored:
            log.error("the piece %s could not be kept; it is composed again at the next start", job.key)

    def _try_to_store(self, job: Job) -> bool:
        """Store a job that has ended, and tell those who wait; return False if it is worth another try."""
        try:
            self._store(job)
        except StorageError as error:
            if error.is_passing:
                log.warning("a piece cannot be kept just now (%s); it is tried again", error.reason)
                return False
            log.exception("the piece %s could not be kept; it is composed again at the next start", job.key)
            job.state = State.FAILED
        # The marks come before the job is over, so that who waits for the last piece of an order gets them.
        self._mark_best(job.key)
        self._jobs.pop(job.key, None)
        self._close(job)
        return True

    def _is_settled(self, job: Job) -> bool:
        """Choose among a finished job's takes, and look up how original it is; return whether it needs no further."""
        index = self.models.index(job.attempt.generation.bundle.name)
        try:
            if job.take is not None and not job.choose_take():
                return False
            if job.take is None or index is None or job.take.request.edit is not None or not job.is_stored:
                return True
            return job.settle(measure_originality(job.take, index))
        except Exception:
            log.exception("which take of the piece %s to keep could not be looked up", job.key)
            job.state = State.FAILED
            return True

    def _store(self, job: Job) -> None:
        attempt, take = job.attempt, job.take if job.state is State.DONE else None
        problem = problem_json(500, SERVER_FAILURE) if job.refusal is None else problem_json(422, job.refusal)
        figures = None if take is None else figures_of(scored_passage(take, job.engine), attempt.originality)
        if figures is not None and job.begun_by is not None:
            figures["machines"] = [job.begun_by, machine_kind()]
        outcome = JobOutcome(
            timing=job.timing(),
            figures=figures,
            problem=problem if job.state is State.FAILED else None,
            done=round(job.progress[0], 3),
        )
        meters = [take.meter] if take is not None and job.fitting is not None else []
        accepted, is_other = None, job.retries is not None or job.fitting is not None or job.is_stopping
        if take is not None and is_other and (record := self.history.find(job.key)) is not None:
            # The take may be of a later seed than was asked for; to get it again from that seed, no index is needed.
            asked = {name: field for name, field in record.asked.items() if name != ORIGINAL}
            # So may it be shorter, or the best of fewer takes.
            described = take.request.describe()
            asked |= {name: described[name] for name in ("seed", "stopped_at", "takes") if name in described}
            accepted = replace(record, asked=asked, title=take.title, texts=take.texts())
        self.history.end(job.key, job.state, outcome, () if take is None else job.events, accepted, meters)
        # Here and not by a clock: what counts for the limits grows only here.
        self.history.trim(self.limits.keep_pieces, self.limits.keep_bytes)

    def _mark_best(self, key: str) -> None:
        """Mark the best of the pieces that were ordered together with one that is over, if it was the last."""
        try:
            if record := self.history.find(key):
                model = record.asked["model"]
                mark_best(self.history, record, self.models.bundle(model) if model in self.models.names else None)
        except Exception:
            # A piece is worth more than its mark: it stays as it is.
            log.exception("the best of those asked for with the piece %s could not be chosen", key)

    def _resume(self, record: Record, client: str) -> Job | None:
        """Queue a piece that a server left, to be composed from its seed, or store why that cannot be."""
        asked = record.asked
        try:
            bundle = self.models.bundle(asked["model"])
            if bundle.fingerprint != asked["bundle"]:
                raise RequestError(f"{bundle.name} has other weights now")
            given = Notes.from_events(prompt) if (prompt := self.history.prompt(record.id)) else None
            edit = None if given is None else stored_edit(asked, given)
            request = Request.from_description(asked, given, edit, self.meters.find(record.id))
            job = self._job(Order(request, bundle.name, original=ORIGINAL in asked), client, key=record.id)
        except StorageError:
            raise
        except (AriettaError, AttributeError, LookupError, TypeError, ValueError) as error:  # a row may be damaged
            reason = f"the server stopped before the piece was done, and cannot go on: {error}"
            try:
                self._end_left(record.id, State.INTERRUPTED, JobOutcome(problem=problem_json(409, reason)))
            except StorageError:
                log.exception("the piece %s cannot be composed, and that cannot be stored", record.id)
            return None
        self._jobs[job.key] = job
        self.scheduler.submit([job], is_resumed=True)
        return job

    def _end_left(self, key: str, state: State, outcome: JobOutcome) -> None:
        """Store what becomes of a piece that is not composed."""
        self.history.end(key, state, outcome)
        self._mark_best(key)

    def _current(self, record: Record, job: Job | None) -> Record:
        """Add to a record what only memory knows of a piece under way."""
        if record.state is not State.WAITING:
            return record
        if job is not None:
            return replace(record, state=job.standing, outcome=JobOutcome(timing=job.timing()))
        return replace(record, state=State.COMPOSING) if self.peers.is_composing(record.id) else record
