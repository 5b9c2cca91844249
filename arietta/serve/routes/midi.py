"""`GET /midi/300?style=chopin&seed=7` answers with a piece of 300 notes, as a MIDI file: one call, nothing kept."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Path, Query
from fastapi import Request as HttpRequest
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from ...errors import RequestError
from ...generation.request import Request, draw_seed
from ...generation.scores.pulse import Pulse
from ...model.bundle import Bundle
from ...model.composers import offered_composers
from ...model.config import ANY
from ...music.midi import midi_bytes
from ..jobs.composing.order import Order
from ..jobs.job import Job, State
from ..jobs.models import Models
from ..jobs.problem import SERVER_FAILURE
from ..jobs.service import Service
from .files import Grid, disposition, head_response
from .middleware import client_of
from .pieces import wait_for
from .problems import problem_responses
from .requests import AppService, check_takes
from .schemas import Bpm, Metre, SamplingFields

LONGEST_WAIT = 24 * 3600.0  # in effect without end: a client that has had enough leaves
HEADERS = {
    "Content-Disposition": "The file's name.",
    "X-Arietta-Seed": "What to give as `seed` for the same piece again.",
    "X-Arietta-Model": "The model's name, percent-encoded.",
    "X-Arietta-Bundle": "Fingerprint of exactly these weights.",
    "X-Arietta-Notes": "How many notes were composed.",
}
NOTES = Path(description="How many notes, exactly.", examples=[300])
router = APIRouter(tags=["downloads"])


class DownloadFields(SamplingFields):
    """What may be asked for in the address of a download."""

    grid: Grid = None
    bpm: Bpm = None
    metre: Metre = None


class MidiFile(Response):
    """A MIDI file to be saved."""

    media_type = "audio/midi"


@router.head("/midi/{notes}/", include_in_schema=False)
@router.head("/midi/{notes}", include_in_schema=False)
@router.get("/midi/{notes}/", include_in_schema=False)
@router.get(
    "/midi/{notes}",
    summary="Compose a piece of exactly so many notes and download it",
    response_class=MidiFile,
    responses={
        200: {
            "description": "The piece, a format 1 MIDI file.",
            "content": {MidiFile.media_type: {"schema": {"type": "string", "format": "binary"}}},
            "headers": {name: {"description": text, "schema": {"type": "string"}} for name, text in HEADERS.items()},
        },
        **problem_responses(
            _422="A value is impossible, or the model does not know the style.",
            _429="Too many pieces are waiting; `Retry-After` says for how many seconds to wait.",
            _503="The server is stopping.",
        ),
    },
    name="compose",
)
async def download_piece(
    http: HttpRequest,
    notes: Annotated[int, NOTES],
    fields: Annotated[DownloadFields, Query()],
    service: AppService,
) -> Response:
    """Compose a piece, wait for it and send its file; a client that leaves ends the piece. HEAD composes nothing."""
    most_notes = service.limits.most_notes
    if not 1 <= notes <= most_notes:
        raise RequestError(f"notes must lie in 1-{most_notes}, not {notes}")
    seed = draw_seed() if fields.seed is None else fields.seed
    pulse = Pulse.read(fields.bpm, fields.metre)
    if pulse is not None:
        check_takes(pulse, notes, None, service.limits)
    request = Request(notes=notes, style=fields.style, seed=seed, sampling=fields.sampling, pulse=pulse)
    order = Order(request, fields.model)
    if http.method == "HEAD":
        generation = await run_in_threadpool(service.check, order)
        resolved = replace(generation.request, pulse=pulse)
        return _head(resolved, generation.bundle, has_seed=fields.seed is not None)
    job = await run_in_threadpool(service.compose, order, client_of(http.scope))
    try:
        await _wait(http, service, job)
    finally:
        service.scheduler.cancel(job)  # of no effect where it is over
    take = job.take
    if take is None or not job.is_over or job.state is not State.DONE:  # of one in a tempo, a take may not be chosen
        if job.state is State.FAILED:
            raise HTTPException(500, SERVER_FAILURE)
        raise HTTPException(503, "the piece was given up: the client left, or the server is stopping")
    grid = take.meter if fields.grid is None else fields.grid
    file = await run_in_threadpool(midi_bytes, take.notes, title=take.title, texts=take.texts(), grid=grid)
    return MidiFile(file, headers=_headers(take.request, take.model, take.bundle))


def _headers(request: Request, model: str, fingerprint: str) -> dict[str, str]:
    # In the order of HEADERS. Names of models may have letters that headers cannot carry.
    values = (disposition(f"{request.title(model)}.mid"), request.seed, quote(model), fingerprint, request.notes)
    return dict(zip(HEADERS, map(str, values), strict=True)) | {"Cache-Control": "no-store"}


def _head(request: Request, bundle: Bundle, *, has_seed: bool) -> Response:
    headers = _headers(request, bundle.name, bundle.fingerprint)
    if not has_seed:  # each GET draws another, which the file's name has too
        del headers["X-Arietta-Seed"], headers["Content-Disposition"]
    return head_response(headers, str(MidiFile.media_type))


async def _wait(http: HttpRequest, service: Service, job: Job) -> None:
    """Wait until the job is over, the client has left or the server stops."""

    async def wait_until_left() -> None:
        while (await http.receive())["type"] != "http.disconnect":
            pass

    end = asyncio.ensure_future(wait_for(service, [job], LONGEST_WAIT))
    leaving = asyncio.ensure_future(wait_until_left())
    try:
        await asyncio.wait({end, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        end.cancel()
        leaving.cancel()


def describe_models(models: Models) -> str:
    """Describe the endpoint by the models of a server and the styles that they know."""
    lines = ["The models here, and the styles they know:", ""]
    for name in models.names:
        composers = ", ".join(offered_composers(models.bundle(name).model.composers))
        lines.append(f"- `{name}`: {composers or f'none, leave it at `{ANY}`'}")
    return "\n".join(lines)
