"""What the scheduler asks of that which composes, in this process or in others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ....generation.loop import Generation
from ....generation.request import Take
from ....model.engine import Engine
from ..event_log import Event
from ..job import Job


@dataclass(frozen=True)
class Step:
    """What a job has completed since its last step: events, how far it is by now, and the take if that was all.

    With `has_next` the job leaves, and comes back when what its next part begins with is prefilled. One that
    `is_failed` ends; `refusal` says why where the request is to blame.
    """

    job: Job
    events: Sequence[Event] = ()
    progress: tuple[float, float] = (0, 0)
    take: Take | None = None
    has_next: bool = False
    is_failed: bool = False
    refusal: str | None = None


class JobComposer(Protocol):
    """Composes running jobs; all but `is_ready`, `prepare` and `prefill` is for the scheduler's thread alone."""

    @property
    def is_ready(self) -> bool:
        """Whether a job that is added now is composed at once."""

    def prepare(self, job: Job, wake: Callable[[], None]) -> None:
        """Begin what a job needs before it can start; `wake` is called when that is done."""

    def prefill(self, generation: Generation, engine: Engine) -> None:
        """Prefill what a piece may begin with, unless another is being prefilled."""

    def add(self, job: Job) -> None:
        """Let a job run; what it raises, the job fails of."""

    def remove(self, job: Job) -> None:
        """Let a running job go unfinished."""

    def stop(self, job: Job) -> None:
        """Let a running job end with its next note; more than once is as once."""

    def step(self) -> Iterator[Step]:
        """Go on with the running jobs, for a moment, and give what they completed; now and then without any, too."""

    def close(self) -> None:
        """Give up all work."""
