"""`GET /midi/300?style=chopin&seed=7` answers with a piece of 300 notes, as a MIDI file: one call, nothing kept."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import FastAPI, HTTPException, Path, Query
from fastapi import Request as HttpRequest
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from ...errors import RequestError
from ...generation.request import Request, Take, draw_seed
from ...model.config import ANY
from ...music.midi import midi_bytes
from ..jobs.history import FAILED
from ..jobs.models import Models
from ..jobs.scheduler import Job
from ..jobs.service import Order, Service
from .files import disposition
from .middleware import client_of
from .pieces import wait_for
from .problems import FAILURE, responses
from .schemas import SamplingFields

LONGEST_WAIT = 24 * 3600.0
HEADERS = {
    "Content-Disposition": "The file's name.",
    "X-Arietta-Seed": "What to give as `seed` for the same piece again.",
    "X-Arietta-Model": "The model's name, percent-encoded.",
    "X-Arietta-Bundle": "Fingerprint of exactly these weights.",
    "X-Arietta-Notes": "How many notes were composed.",
}
COUNT = Path(description="How many notes, exactly.", examples=[300])


class MidiFile(Response):
    """A MIDI file to be saved, under a title."""

    media_type = "audio/midi"


def add_downloads(app: FastAPI, service: Service) -> None:
    """Add the endpoint."""
    most_notes = service.limits.most_notes

    @app.get("/midi/{notes}/", include_in_schema=False)
    @app.get(
        "/midi/{notes}",
        summary="Compose a piece of exactly so many notes and download it",
        description=_description(service.models),
        response_class=MidiFile,
        responses=_responses(most_notes),
        tags=["downloads"],
        name="compose",
    )
    async def compose(
        http: HttpRequest, notes: Annotated[int, COUNT], choices: Annotated[SamplingFields, Query()]
    ) -> MidiFile:
        if not 1 <= notes <= most_notes:
            raise RequestError(f"notes must lie in 1-{most_notes}, not {notes}")
        job = await run_in_threadpool(service.compose, _order(notes, choices), client_of(http.scope))
        try:
            await _wait(http, service, job)
        finally:
            service.scheduler.cancel(job)  # of no effect where it is over
        if job.take is None:
            raise _failure(job)
        take = job.take
        made = await run_in_threadpool(midi_bytes, take.notes, title=take.title, texts=take.texts())
        return MidiFile(made, headers=_headers(take))


def _order(notes: int, choices: SamplingFields) -> Order:
    seed = draw_seed() if choices.seed is None else choices.seed
    return Order(Request(notes=notes, style=choices.style, seed=seed, sampling=choices.sampling), choices.model)


async def _wait(http: HttpRequest, service: Service, job: Job) -> None:
    """Wait until the job is over, the client has left or the server stops."""
    over = asyncio.ensure_future(wait_for(service, [job], LONGEST_WAIT))
    leaving = asyncio.ensure_future(_left(http))
    try:
        await asyncio.wait({over, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        over.cancel()
        leaving.cancel()


async def _left(http: HttpRequest) -> None:
    """Return when the client has left."""
    while (await http.receive())["type"] != "http.disconnect":
        pass


def _failure(job: Job) -> HTTPException:
    if job.state == FAILED:
        return HTTPException(500, FAILURE)
    return HTTPException(503, "the piece was given up: the client left, or the server is stopping")


def _headers(take: Take) -> dict[str, str]:
    values = (disposition(f"{take.title}.mid"), take.request.seed, quote(take.model), take.bundle, take.note_count)
    return dict(zip(HEADERS, map(str, values), strict=True)) | {"Cache-Control": "no-store"}


def _description(models: Models) -> str:
    known = [f"- `{name}`: {_composers(models, name)}" for name in models.names]
    return "\n".join(["The models here, and the styles they know:", "", *known])


def _composers(models: Models, name: str) -> str:
    return ", ".join(models.bundle(name).model.composers) or f"none, leave it at `{ANY}`"


def _responses(most_notes: int) -> dict[int | str, dict[str, Any]]:
    headers = {name: {"description": text, "schema": {"type": "string"}} for name, text in HEADERS.items()}
    content = {MidiFile.media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {
        200: {"description": "The piece, a format 1 MIDI file.", "content": content, "headers": headers},
        **responses(
            _422=f"A value is impossible (notes lie in 1-{most_notes}), or the model does not know the style.",
            _429="Too many pieces are waiting; `Retry-After` says for how many seconds to wait.",
            _503="The server is stopping.",
        ),
    }
