"""A job: one piece on its way from being asked for to being stored.

A job that shall be original may need several attempts, each with a later seed; `generation.original` ends them. One in
a tempo has as many as takes are chosen among. Its events are withheld until an attempt is accepted, so that nobody
listens to notes that are then thrown away.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import InitVar, dataclass, field
from enum import StrEnum
from typing import Any

from ...errors import AriettaError
from ...generation.loop import Generation
from ...generation.original import Attempts, Originality
from ...generation.request import Request, Take
from ...generation.scores.in_time import Fitting
from ...model.engine import Engine
from .event_log import Event, EventLog, events_of


class UnknownPieceError(AriettaError):
    """There is no piece of that id, or no longer."""


class UnfinishedError(AriettaError):
    """The piece has no notes, not yet or never."""


class State(StrEnum):
    """Where a piece stands, in the words that are stored and sent.

    waiting -> composing -> done, cancelled or failed; interrupted if a later server cannot compose it.
    """

    WAITING = "waiting"
    COMPOSING = "composing"  # never stored: after a crash such a piece is waiting again
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens to the piece."""
        return self not in (State.WAITING, State.COMPOSING)


@dataclass(eq=False)
class Attempt:
    """One composing of a job's piece: a generation in progress, what it has completed, and in the end its take.

    `prefill` is the work of running the prompt through the network, None without a prompt. Listeners may have the
    events if `is_accepted`. So many takes were composed `before` it for the same piece, to choose among.
    """

    generation: Generation
    is_accepted: bool = True
    prefill: Future[Any] | None = None
    take: Take | None = None
    originality: Originality | None = None
    before: int = 0

    def __post_init__(self) -> None:
        self.event_log = EventLog(self.generation.request.prompt)
        # A copy, so that readers in other threads see the progress as it was when the last step ended.
        self.progress: tuple[float, float] = self.generation.progress


@dataclass(eq=False)
class Job:
    """One piece to compose; a job that is not `is_stored` has only its caller waiting for the result.

    The scheduler's thread writes a job and other threads read it. `is_over` is set last, once what is to be stored is
    stored. Times are seconds of `time.monotonic`.
    """

    key: str
    generation: InitVar[Generation]
    engine: Engine
    client: str = ""
    is_stored: bool = True
    retries: Attempts | None = None  # of a job that shall be original
    fitting: Fitting | None = None  # of a job in a tempo and a metre
    state: State = State.WAITING
    is_over: bool = False
    is_cancelled: bool = False
    is_stopping: bool = False
    is_apart: bool = False  # whether it is stepped apart from other clients' many pieces
    submitted: float = field(default_factory=time.monotonic)
    started: float | None = None
    first_note: float | None = None
    ended: float | None = None
    begun_by: str | None = None  # the kind of machine that another server began it on, where this is another
    refusal: str | None = None  # of a passage, why a part of it could not be written

    def __post_init__(self, generation: Generation) -> None:
        self.attempt = Attempt(generation, is_accepted=self.retries is None and self.fitting is None)
        self._most_original = self.attempt
        edit = generation.request.edit
        self.passage_notes = 0 if edit is None else int(edit.is_inside.sum())  # that a passage has so far

    @property
    def take(self) -> Take | None:
        """The finished take of the present attempt."""
        return self.attempt.take

    @property
    def events(self) -> Sequence[Event]:
        """What listeners may have so far: nothing until an attempt is accepted."""
        attempt = self.attempt
        return attempt.event_log.events if attempt.is_accepted else ()

    @property
    def request(self) -> Request:
        """What was asked for, as the model resolves it."""
        return self.attempt.generation.request if self.fitting is None else self.fitting.request

    @property
    def take_count(self) -> int:
        """How many takes are composed for it, of which one is kept; of one that shall be original it is not known."""
        return 1 if self.fitting is None else self.fitting.take_count

    @property
    def pieces_left(self) -> int:
        """How many pieces it counts as while it is unfinished: the takes that are left."""
        return 1 if self.fitting is None else max(self.fitting.takes_left, 1)

    @property
    def progress(self) -> tuple[float, float]:
        """How much is composed, and of how much: of all takes together, in the notes or seconds that were asked for."""
        done, total = self.attempt.progress
        if self.fitting is None:
            return done, total
        pulse = self.fitting.request.pulse
        share = (self.attempt.before + done / total) / self.take_count
        total = total if pulse is None or pulse.seconds is None else pulse.seconds
        return min(share, 1.0) * total, total

    @property
    def texts(self) -> list[str]:
        """The first events as listeners are sent them, written once for all."""
        return self.attempt.event_log.texts

    @property
    def unit(self) -> str:
        """In which `progress` counts: notes or seconds."""
        return "seconds" if self.attempt.generation.request.notes is None else "notes"

    @property
    def standing(self) -> State:
        """Where a job that is not over stands: a second attempt that waits is composing too."""
        return State.WAITING if self.started is None else State.COMPOSING

    @property
    def can_start(self) -> bool:
        """Whether the prompt, if there is one, is prefilled."""
        prefill = self.attempt.prefill
        return prefill is None or prefill.done()

    def start(self) -> None:
        """Begin composing; the time of a later attempt counts from the start of the first."""
        self.started = self.started or time.monotonic()
        self.state = State.COMPOSING

    def end(self, state: State) -> None:
        """Finish the present attempt in a state."""
        self.ended, self.state = time.monotonic(), state

    def choose_take(self) -> bool:
        """Keep the finished take if it fits its tempo best so far; return False if another is to be composed."""
        fitting = self.fitting
        if fitting is None:
            return True
        assert self.take is not None
        # Where composing was stopped, a finished earlier take is worth more than the part of a later one.
        if fitting.take is None or not self.is_stopping:
            fitting.add(self.take)
        if fitting.takes_left and not self.is_stopping:
            generation = Generation(fitting.requests[0], self.attempt.generation.bundle)
            before = fitting.take_count - fitting.takes_left
            self.attempt = Attempt(generation, is_accepted=False, before=before)
            self.ended, self.state = None, State.WAITING
            return False
        if fitting.takes_left:
            fitting.stop()
        attempt = self.attempt
        assert fitting.take is not None
        attempt.take, attempt.event_log = fitting.take, EventLog()
        attempt.event_log.add(sorted(events_of(fitting.take.notes), key=lambda event: event[0]))
        attempt.is_accepted = True  # last, so that no listener gets events of a take that is not kept
        return True

    def settle(self, originality: Originality) -> bool:
        """Record how original the finished attempt is; return False if the job must be composed once more."""
        self.attempt.originality = originality
        if self.retries is None:
            return True
        assert self.take is not None
        # Where composing was stopped, a finished earlier attempt is worth more than the part of a later one.
        if not (self.is_stopping and self.retries.take is not None):
            self.retries.add(self.take, originality)
        if self.retries.take is self.take:
            self._most_original = self.attempt
        if not self.retries.is_settled and not self.is_stopping:
            self.attempt = Attempt(
                Generation(self.retries.next_request, self.attempt.generation.bundle), is_accepted=False
            )
            self.ended, self.state = None, State.WAITING
            return False
        self._most_original.originality = self.retries.originality
        self.attempt = self._most_original
        self.attempt.is_accepted = True  # last, so that no listener gets events of a rejected attempt
        return True

    def timing(self) -> dict[str, float | None]:
        """Return seconds waited for a slot, to the first note and of composing, and notes per second of composing."""
        now = time.monotonic() if self.ended is None else self.ended
        waited = None if self.started is None else self.started - self.submitted
        first_note = None if self.first_note is None else self.first_note - self.submitted
        composing = None if self.started is None else now - self.started
        rate = self.attempt.event_log.note_count / composing if composing else None
        seconds = {"waited": waited, "first_note": first_note, "composing": composing, "notes_per_second": rate}
        return {name: None if number is None else round(number, 4) for name, number in seconds.items()}


def figures_of(take: Take, originality: Originality | None) -> dict[str, Any]:
    """Return what is stored of a finished take beside its notes, as JSON values."""
    figures: dict[str, Any] = {
        "notes": take.note_count,
        "seconds": round(take.notes.seconds, 3),
        "nll_per_note": round(take.nll, 4),
    }
    if take.nats is not None:
        figures["nats_per_token"] = dict(zip(("passage", "after", "both"), take.nats, strict=True))
    if take.interventions:
        figures["interventions"] = dict(take.interventions)
    if take.fit is not None:
        figures["fit"] = take.fit.describe() | {"has_bars": take.fit.has_bars}
    return figures if originality is None else figures | {"originality": originality.describe()}
