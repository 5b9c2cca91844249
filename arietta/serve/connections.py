"""Connections that are bounded: how many, how long one may owe a request, how long an answer may wait for its reader.

    uvicorn.Config(app, http=limited_connection(ConnectionLimits()))

uvicorn has limits of neither kind, hypercorn and granian have none for each client; so this is uvicorn's own protocol
with three clocks and two counts. What a request may be is the affair of `routes.middleware`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import psutil
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

SPARE_DESCRIPTORS = 200  # for files, the database, processes that read uploads
WORKER_DESCRIPTORS = 3  # of a process that composes, as Python starts it: two ends of pipes and a socket
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ConnectionLimits:
    """How many connections there may be, and how long each may keep the server waiting.

    Of the last quarter of `most` a client gets at most `reserve`, so that some are left for others. `proxies` are
    addresses that speak for many clients, and may have as many as there are.
    """

    most: int = 2_000
    most_per_client: int = 256
    reserve: int = 8
    head_seconds: float = 10.0  # from the connection, or the answer before, until a request's head has come
    stall_seconds: float = 30.0  # in which a client must take what is ready for it, 64 kB
    proxies: Collection[str] = ()

    def has_room(self, client: str, total: int, same_client: int) -> bool:
        """Whether a client may have one connection more."""
        if total >= self.most:
            return False
        if client in self.proxies:
            return True
        return same_client < (self.most_per_client if total < 0.75 * self.most else self.reserve)


class Connection(H11Protocol):
    """A connection of a client that keeps its limits; others are broken off without a word."""

    limits = ConnectionLimits()
    _owing: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        client = self.client[0] if self.client else ""
        clients = [getattr(other, "client", None) for other in self.connections]  # its own among them
        same = sum(other is not None and other[0] == client for other in clients)
        if not self.limits.has_room(client, len(self.connections) - 1, same - 1):
            log.warning("too many connections: another one of %s was closed", client)
            self.connections.discard(self)
            transport.abort()
            return
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(self.limits.stall_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        for clock in (self._owing, self._stalled):
            if clock is not None:
                clock.cancel()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Let the clock run while no request is being answered; bytes that come do not put it back."""
        cycle: RequestResponseCycle | None = self.cycle
        is_owing = cycle is None or cycle.response_complete
        if is_owing and self._owing is None:
            self._owing = self.loop.call_later(self.limits.head_seconds, self.transport.abort)
        elif not is_owing and self._owing is not None:
            self._owing.cancel()
            self._owing = None


def limited_connection(limits: ConnectionLimits, *, workers: int = 0) -> type[Connection]:
    """Return the protocol for uvicorn, with as many of those connections as the system allows this process.

    It opens files for so many `workers` besides, processes that compose.
    """
    allowed, spare = raise_descriptor_limit(), SPARE_DESCRIPTORS + WORKER_DESCRIPTORS * workers
    most = limits.most if allowed is None else min(limits.most, max(allowed - spare, 1))
    values: dict[str, Any] = {**vars(limits), "most": most}
    return type(Connection.__name__, (Connection,), {"limits": ConnectionLimits(**values)})


def raise_descriptor_limit() -> int | None:
    """Let this process open as many files as it may, and return how many; None where the system sets no limit."""
    if not hasattr(psutil, "RLIMIT_NOFILE"):  # not on macOS and Windows
        return None
    process = psutil.Process()
    _, hard = process.rlimit(psutil.RLIMIT_NOFILE)
    process.rlimit(psutil.RLIMIT_NOFILE, (hard, hard))
    return None if hard == psutil.RLIM_INFINITY else int(hard)
