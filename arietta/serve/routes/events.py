"""Server-sent events: each note and pedal of a piece as soon as it is composed, and again whenever it is asked for.

Their numbers count a piece's events from 1, so a listener who was cut off goes on after Last-Event-ID, even if the
server was restarted in between. `progress` and `end` have no number.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi import Request as HttpRequest
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from ...errors import AriettaError, RequestError
from ...music.notes import Note
from ..jobs.event_log import Event
from ..jobs.job import Job, State
from ..jobs.peers.followed import FollowedJob
from ..jobs.service import Service
from ..work_queue import WorkQueue
from .files import head_response
from .middleware import client_of
from .problems import problem_responses
from .requests import AppService, queues_of
from .schemas import PieceId, PieceView, ProgressView

KEEP_ALIVE = 15.0  # seconds without an event after which a comment line keeps proxies from closing the stream
COLLECT_SECONDS = 0.1  # between two packets, so that one carries the notes of several steps
MOST_PACKETS = 300  # a second, to all listeners: with very many of them packets are rarer
DESCRIPTION = """Each event as it comes; a finished piece's at once.

- `note`: `[onset, duration, pitch, velocity]`, times in seconds from the piece's beginning, a prompt's notes first
- `pedal`: `[down, up]`, in seconds, told when the pedal is lifted
- `progress`: `{done, whole, unit}`, and of a piece in a tempo `take` and `takes`: which of how many is being composed
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
LAST = Header(alias="Last-Event-ID", description="The number of the last event received.", examples=["12"])
router = APIRouter(tags=["pieces"])


class EventStream(StreamingResponse):
    """Server-sent events (the HTML standard, section 9.2)."""

    media_type = "text/event-stream"

    def __init__(
        self,
        content: AsyncIterator[str],
        listeners: WorkQueue,
        client: str,
        headers: Mapping[str, str],
        status_code: int = 200,  # FastAPI reads the default, for the OpenAPI document
    ) -> None:
        self._listeners, self._client = listeners, client
        super().__init__(content, status_code, headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events; raises FullError, before anything is sent, where too many listen."""
        with self._listeners.admitted(self._client):
            await super().__call__(scope, receive, send)


@router.get(
    "/v1/pieces/{id}/events",
    summary="Listen to a piece while it is composed, or afterwards",
    description=DESCRIPTION,
    status_code=200,  # which FastAPI otherwise reads from the signature of the class
    response_class=EventStream,
    responses={
        200: {
            "description": "The events.",
            "content": {EventStream.media_type: {"schema": SCHEMA, "example": EXAMPLE}},
        },
        **problem_responses(
            _404="There is no such piece.", _422="Last-Event-ID is no number.", _429="Too many are listening."
        ),
    },
    name="listen",
)
async def listen(
    http: HttpRequest, key: PieceId, service: AppService, last: Annotated[str | None, LAST] = None
) -> Response:
    """Stream the events of a piece."""
    received, listeners = _event_number(last), (await queues_of(http)).listeners
    job = service.job(key)
    if job is None:
        record = await run_in_threadpool(service.find, key)
        job = await run_in_threadpool(service.follow, record)  # it may have been queued in between, or elsewhere
    # Proxies such as nginx must not hold the events back to send them in larger pieces.
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    if http.method == "HEAD":
        return head_response(headers, EventStream.media_type)
    if job is not None:
        stream = _live_events(service, listeners, job, received)
    else:
        stream = _stored_events(service, key, received, is_done=record.state is State.DONE)
    return EventStream(stream, listeners, client_of(http.scope), headers)


def _event_number(header: str | None) -> int:
    """Read the Last-Event-ID header: how many events the client already has."""
    if header is None or header == "":
        return 0
    # `isdigit` alone accepts digits of other scripts, and `int` takes long to read thousands of digits.
    if not (header.isascii() and header.isdigit() and len(header) < 16):
        raise RequestError(f"Last-Event-ID must be a whole number, not {header[:40]!r}")
    return int(header)


async def _stored_events(service: Service, key: str, received: int, *, is_done: bool) -> AsyncIterator[str]:
    events = await run_in_threadpool(service.history.events, key) if is_done else []
    yield "".join(_event_texts(events[received:], received))
    yield await _end_lines(service, key)


async def _live_events(
    service: Service, listeners: WorkQueue, job: Job | FollowedJob, received: int
) -> AsyncIterator[str]:
    """Stream a job's events until it is over, or the server stops."""
    sent, progress, notifier = received, None, service.notifier
    while True:
        # Both are read before the events: what comes after them is sent in the next round, and nothing is missed.
        seen, is_over = notifier.version, job.is_over
        count, texts = len(job.events), job.texts
        # With a thousand listeners, writing each event for each of them would take all of the processor.
        texts += _event_texts(job.events[len(texts) : count], len(texts))
        text = "".join(texts[sent:count])
        sent = max(sent, count)
        if job.progress != progress:
            progress = job.progress
            text += f"event: progress\ndata: {ProgressView.of(job).model_dump_json()}\n\n"
        if text:
            yield text
        if is_over:
            yield await _end_lines(service, job.key)
            return
        if service.scheduler.is_stopping:
            return
        # Also where there was nothing to send: something changes at every step, of whichever piece.
        await asyncio.sleep(max(COLLECT_SECONDS, listeners.count / MOST_PACKETS))
        await notifier.wait(seen, KEEP_ALIVE)
        if notifier.version == seen:
            yield ": still here\n\n"


def _event_texts(events: Sequence[Event], before: int) -> list[str]:
    """Write each of the events, of which `before` others come first."""
    return [
        f"id: {number}\nevent: {'note' if isinstance(event, Note) else 'pedal'}\ndata: {json.dumps(event)}\n\n"
        for number, event in enumerate(events, before + 1)
    ]


async def _end_lines(service: Service, key: str) -> str:
    """Write the piece as it is now; nothing where it was deleted in the meantime."""
    try:
        record = await run_in_threadpool(service.find, key)
    except AriettaError:
        return ""
    return f"event: end\ndata: {PieceView.of(record).model_dump_json(by_alias=True)}\n\n"
