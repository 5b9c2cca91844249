"""What a server asks of those that share its history, and the answer where there are none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ..history.pieces import History
from ..history.records import Record
from ..job import Job
from .followed import FollowedJob


class Wish(StrEnum):
    """What somebody wants of a piece that another server composes."""

    CANCEL = "cancel"
    STOP = "stop"


@dataclass(frozen=True)
class Host:
    """What a server shows and lets be done with its own pieces.

    `jobs` are those under way by their ids, `running` gives the ids of those being composed, `bundles` are the
    fingerprints of its models; `resume` takes a piece that nobody composes, and the client who asked for it; `cancel`
    stores that a piece which nobody can compose, by its id, is cancelled.
    """

    jobs: Mapping[str, Job]
    bundles: Collection[str]
    running: Callable[[], Collection[str]]
    resume: Callable[[Record, str], Job | None]
    cancel: Callable[[str], None]
    grant: Callable[[Job, Wish], None]
    notify: Callable[[], None]


class Peers(Protocol):
    """The servers that share a history; what speaks with the database raises StorageError."""

    server_count: int
    running: Mapping[str, int]  # pieces of each client that other servers compose

    def open(self, host: Host) -> None:
        """Take part, and have the host resume what nobody composes."""

    def close(self) -> None:
        """Leave what is under way to the others."""

    def admit(self, jobs: Sequence[Job]) -> None:
        """Count new jobs of one client, all or none; raises FullError beyond the limits of all servers together."""

    def release(self, jobs: Sequence[Job]) -> None:
        """Count jobs no more that are over, or were not taken on after all."""

    def is_composing(self, key: str) -> bool:
        """Whether another server composes a piece, as far as is known here."""

    def followed(self, key: str) -> FollowedJob | None:
        """Return another server's job that somebody here follows."""

    def follow(self, record: Record) -> FollowedJob | None:
        """Follow the job of an unfinished piece that another server has; None where there is no other."""

    def ask(self, record: Record, wish: Wish) -> FollowedJob | None:
        """Ask the server that has an unfinished piece to grant a wish; return the job as `follow` does."""


class Alone:
    """A server that shares its history with none."""

    server_count = 1
    running: Mapping[str, int] = {}

    def __init__(self, history: History) -> None:
        self._history = history

    def open(self, host: Host) -> None:
        """Have the host resume what an earlier server left."""
        for record in self._history.waiting() if not self._history.is_read_only else ():
            host.resume(record, "")

    def close(self) -> None:
        """Do nothing: the next server looks for what is under way."""

    def admit(self, jobs: Sequence[Job]) -> None:
        """Do nothing: the scheduler counts."""

    def release(self, jobs: Sequence[Job]) -> None:
        """Do nothing, likewise."""

    def is_composing(self, key: str) -> bool:
        """Say no."""
        return False

    def followed(self, key: str) -> FollowedJob | None:
        """Return None."""

    def follow(self, record: Record) -> FollowedJob | None:
        """Return None."""

    def ask(self, record: Record, wish: Wish) -> FollowedJob | None:
        """Return None."""
