"""The stage: one thread that steps every running piece, those of one model together; they join and leave in between.

A `Turn` is one piece on its way over it. What a piece becomes does not depend on its company (`ensemble`). Prompts are
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
from ...generation.batch import Ensemble
from ...generation.loop import Piece, Take, begin
from ...generation.original import Originality, Search
from ...model.engine import Engine
from .event_log import Event, Transcript
from .history import CANCELLED, DONE, FAILED, WAITING
from .limits import Limits
from .metrics import Metrics
from .notifier import Bell

COMPOSING = "composing"
POLL = 0.1  # seconds between two looks at whether the server shall stop, where there is nothing to step
log = logging.getLogger(__name__)


class FullError(AriettaError):
    """There is no place for more pieces now; later there may be."""


class StoppingError(AriettaError):
    """The server is stopping, so nothing begins any more."""


@dataclass(eq=False)
class Turn:
    """One piece on its way: waiting, composing, over. `is_kept` false means that its asker alone waits for it.

    The stage's thread writes it and others read it; `is_over` comes last, once what there is to keep is kept. With a
    `search` it comes over the stage again, and tells nobody a note, until that is settled.
    Times are seconds of `time.monotonic`.
    """

    key: str
    piece: Piece
    engine: Engine
    client: str = ""
    is_kept: bool = True
    state: str = WAITING
    is_over: bool = False
    is_cancelled: bool = False
    search: Search | None = None
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
        self._best = self.piece, self.transcript

    def _begin(self) -> None:
        self.transcript = Transcript(self.piece.request.prompt)
        self.progress = self.piece.progress
        self.heard: Future[Any] | None = None  # the hearing of the prompt

    @property
    def told(self) -> Sequence[Event]:
        """What hearers may know of the piece: all that is composed so far, but nothing that may not last."""
        return self.transcript.events if self._settled else ()

    def judge(self, found: Originality) -> bool:
        """Take in how original the finished piece is; whether that settles it, or it has to be composed once more."""
        self.originality = found
        if self.search is None:
            return True
        assert self.take is not None
        self.search.judge(self.take, found)
        if self.search.take is self.take:
            self._best = self.piece, self.transcript
        if self.search.is_over:
            self.take, self.originality = self.search.take, self.search.found
            self.piece, self.transcript = self._best
            self._settled = True
        else:
            self.take, self.ended, self.state = None, None, WAITING
            self.piece = Piece(self.search.request, self.piece.bundle)
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
        rate = self.transcript.note_count / composing if composing else None
        values = {"waited": waited, "first_note": first, "composing": composing, "notes_per_second": rate}
        return {name: None if value is None else round(value, 4) for name, value in values.items()}


class Stage:
    """The turns that wait and those that are being composed. `ended(turn)` is called for each that is over, in the
    stage's thread; it sets `is_over`, sooner or later."""

    def __init__(
        self,
        limits: Limits,
        bell: Bell,
        metrics: Metrics,
        *,
        ended: Callable[[Turn], None],
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._limits, self._bell, self._metrics = limits, bell, metrics
        self._ended, self._is_told_to_stop = ended, is_stopping
        self._changed = threading.Condition()
        self._waiting: deque[Turn] = deque()
        self._seated: dict[Piece, Turn] = {}
        self._ensembles: dict[str, Ensemble] = {}
        self._usher = ThreadPoolExecutor(1, thread_name_prefix="prompts")
        self._thread = threading.Thread(target=self._run, name="stage", daemon=True)
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

    def submit(self, turns: Sequence[Turn], *, is_resumed: bool = False) -> None:
        """Let turns wait for their seats, all or none; raises FullError beyond the limits, which resumed ones pass."""
        with self._changed:
            if not is_resumed:
                self.check_room(turns[0].client, len(turns))
            for turn in turns:
                if len(turn.piece.prompt_events):
                    turn.heard = self._usher.submit(begin, turn.piece, turn.engine)
                    turn.heard.add_done_callback(lambda _: self._notify())
                self._waiting.append(turn)
            self._changed.notify()

    def check_room(self, client: str, count: int) -> None:
        """Refuse a client's next turns where there is no place for them."""
        if self.is_stopping:
            raise StoppingError("the server is stopping")
        with self._changed:
            free = max(self._limits.seats - len(self._seated), 0)
            if len(self._waiting) + count > self._limits.places + free:
                raise FullError(f"the server has {sum(self.counts)} pieces to compose; try again in a few seconds")
            mine = sum(turn.client == client for turn in (*self._waiting, *list(self._seated.values())))
            if mine + count > self._limits.most_per_client:
                raise FullError(f"you have {mine} pieces under way; wait for some of them to end")

    def cancel(self, turn: Turn) -> None:
        """End a turn within a step."""
        turn.is_cancelled = True
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
                    self._changed.wait(0.0 if any(turn.is_ready for turn in self._waiting) else POLL)
        self._bell.ring()  # those who wait for what will not come now

    def _drop_cancelled(self) -> None:
        for turn in [turn for turn in self._seated.values() if turn.is_cancelled]:
            self._ensembles[turn.piece.bundle.name].drop(turn.piece)
            self._leave(turn, CANCELLED)
        with self._changed:
            dropped = [turn for turn in self._waiting if turn.is_cancelled]
            self._waiting = deque(turn for turn in self._waiting if not turn.is_cancelled)
        for turn in dropped:
            self._leave(turn, CANCELLED)

    def _seat(self) -> None:
        """Give the free seats to those who can begin, in the order in which they came."""
        while (turn := self._next()) is not None:
            self._seated[turn.piece] = turn
            turn.seated, turn.state = turn.seated or time.monotonic(), COMPOSING
            name = turn.piece.bundle.name
            if name not in self._ensembles:
                self._ensembles[name] = Ensemble(turn.engine)
            try:
                self._ensembles[name].add(turn.piece)
            except Exception:
                log.exception("a prompt could not be heard by %s", name)
                self._leave(turn, FAILED)

    def _next(self) -> Turn | None:
        with self._changed:
            if len(self._seated) >= self._limits.seats:
                return None
            long = sum(self._is_long(turn) for turn in self._seated.values())
            for turn in self._waiting:
                if turn.is_ready and (long < self._limits.long_seats or not self._is_long(turn)):
                    self._waiting.remove(turn)
                    return turn
        return None

    def _is_long(self, turn: Turn) -> bool:
        request = turn.piece.request
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
        self._bell.ring()

    def _tell(self, turn: Turn, made: Sequence[Any]) -> None:
        before = turn.transcript.note_count
        turn.transcript.add(made)
        turn.progress = turn.piece.progress
        count = turn.transcript.note_count
        self._metrics.notes.inc(count - before)
        if count and turn.first_note is None:
            turn.first_note = time.monotonic()
            self._metrics.first_note.observe(turn.first_note - turn.came)
        if turn.piece.is_done:
            turn.transcript.close()
            assert turn.seated is not None
            turn.take = turn.piece.take(time.monotonic() - turn.seated)
            self._leave(turn, DONE)

    def _lose(self, name: str) -> None:
        """End the pieces of a model that failed; the next ones begin with a fresh ensemble."""
        del self._ensembles[name]
        for turn in [turn for turn in self._seated.values() if turn.piece.bundle.name == name]:
            self._leave(turn, FAILED)

    def _leave(self, turn: Turn, state: str) -> None:
        self._seated.pop(turn.piece, None)
        turn.ended, turn.state = time.monotonic(), state
        self._ended(turn)
