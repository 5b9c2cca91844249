"""Server-sent events: each note and pedal of a piece as soon as it is composed, and again whenever it is asked for.

Their numbers count a piece's events from 1, so a listener who was cut off goes on after Last-Event-ID, also across
the server's restart. `progress` and `end` have none.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

from fastapi import FastAPI, Header
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from ...errors import AriettaError, RequestError
from ...music.notes import Note
from ..jobs.event_log import Event
from ..jobs.history import DONE
from ..jobs.scheduler import Job
from ..jobs.service import Service
from .problems import responses
from .schemas import KEY, PieceView, Progress

KEEP_ALIVE = 15.0  # seconds after which a silent line says that it is there
GATHER = 0.04  # seconds between two sendings: one packet for the notes of several steps
DESCRIPTION = """Each event as it comes; a finished piece's at once.

- `note`: `[onset, duration, pitch, velocity]`, times in seconds from the piece's beginning, a prompt's notes first
- `pedal`: `[down, up]`, in seconds, told when the pedal is lifted
- `progress`: `{done, whole, unit}`
- `end`: the piece, after which nothing comes; where the line ends without it, ask again

Notes and pedals are numbered in `id`; with `Last-Event-ID`, the stream goes on after that number."""
EXAMPLE = "id: 1\nevent: note\ndata: [0.0, 0.48, 60, 71]\n\n"
SCHEMA = {
    "type": "object",
    "description": "One event of the stream.",
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$"},
        "event": {"type": "string", "enum": ["note", "pedal", "progress", "end"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["event", "data"],
}
LAST = Header(alias="Last-Event-ID", description="The number of the last event heard.", examples=["12"])


class EventStream(StreamingResponse):
    """Server-sent events (the HTML standard, 9.2)."""

    media_type = "text/event-stream"


def add_events(app: FastAPI, service: Service) -> None:
    """Add the endpoint."""
    content = {EventStream.media_type: {"schema": SCHEMA, "example": EXAMPLE}}
    answers: dict[int | str, dict[str, Any]] = {200: {"description": "The events.", "content": content}}

    @app.get(
        "/v1/pieces/{id}/events",
        summary="Listen to a piece while it is composed, or afterwards",
        description=DESCRIPTION,
        response_class=EventStream,
        responses=answers | responses(_404="There is no such piece.", _422="Last-Event-ID is no number."),
        tags=["pieces"],
        name="listen",
    )
    async def listen(key: KEY, last: Annotated[str | None, LAST] = None) -> EventStream:
        heard = _number(last)
        job = service.job(key)
        if job is None:
            record = await run_in_threadpool(service.find, key)
            job = service.job(key)
        told = _live(service, job, heard) if job is not None else _kept(service, key, heard, record.state == DONE)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return EventStream(told, headers=headers)


def _number(given: str | None) -> int:
    if given is None or given == "":
        return 0
    if not (given.isascii() and given.isdigit() and len(given) < 16):
        raise RequestError(f"Last-Event-ID must be a whole number, not {given[:40]!r}")
    return int(given)


async def _kept(service: Service, key: str, heard: int, is_done: bool) -> AsyncIterator[str]:
    events = await run_in_threadpool(service.history.told, key) if is_done else []
    yield _lines(events, 0, heard)
    yield await _end(service, key)


async def _live(service: Service, job: Job, heard: int) -> AsyncIterator[str]:
    """Tell a job's events until it is over, or the server stops."""
    place, at, notifier = heard, None, service.notifier
    while True:
        seen, is_over = notifier.version, job.is_over
        events = job.told[place:]
        text = _lines(events, place, place)
        place += len(events)
        if job.progress != at:
            at = job.progress
            text += f"event: progress\ndata: {Progress.of(job).model_dump_json()}\n\n"
        if text:
            yield text
        if is_over:
            yield await _end(service, job.key)
            return
        if service.scheduler.is_stopping:
            return
        if text:
            await asyncio.sleep(GATHER)
        await notifier.wait(seen, KEEP_ALIVE)
        if notifier.version == seen:
            yield ": still here\n\n"


def _lines(events: Sequence[Event], first: int, heard: int) -> str:
    """Write events, of which the first is number `first` + 1, leaving out those up to number `heard`."""
    told = enumerate(events, first + 1)
    return "".join(
        f"id: {number}\nevent: {'note' if isinstance(event, Note) else 'pedal'}\ndata: {json.dumps(event)}\n\n"
        for number, event in told
        if number > heard
    )


async def _end(service: Service, key: str) -> str:
    """Write the piece as it is now; nothing where it was deleted in the meantime."""
    try:
        record = await run_in_threadpool(service.find, key)
    except AriettaError:
        return ""
    return f"event: end\ndata: {PieceView.of(record).model_dump_json(by_alias=True)}\n\n"
