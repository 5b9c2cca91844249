"""Upload a MIDI file or a score as a piece: to be listened to, changed and gone on from like any other."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi import Request as HttpRequest
from starlette.concurrency import run_in_threadpool

from ....errors import RequestError
from ...jobs.upload import read_upload
from ..middleware import client_of
from ..pieces import piece_view
from ..problems import problem_responses
from ..requests import AppService, queues_of, refuse_upload
from ..schemas import LONGEST_NAME, PieceView

BYTES = "application/octet-stream"  # that of the file does as well: what it is, its content says
NAME = Query(description="What to call the piece.", max_length=LONGEST_NAME, examples=["waltz"])
router = APIRouter(tags=["pieces"])


@router.post(
    "/v1/uploads",
    status_code=201,
    summary="Upload a MIDI file, or a score in MusicXML, as a finished piece",
    description="It can then be listened to, changed, gone on from and performed by its id; a metre that it sets is "
    "kept. What of a file was merged or left out stands in `remarks` of its request. A large score is sent as .mxl.",
    openapi_extra={
        "requestBody": {"content": {BYTES: {"schema": {"type": "string", "format": "binary"}}}, "required": True}
    },
    responses={
        201: {"description": "The piece, which is done."},
        **problem_responses(
            _413="The file is too large.",
            _415="It comes in a form, which has other bytes around it.",
            _422="It is neither MIDI nor MusicXML, or has too few or too many notes.",
            _429="Too many files are being read.",
            _507="The server has no room for more.",
        ),
    },
    name="upload",
)
async def add_upload(
    http: HttpRequest, service: AppService, answer: Response, name: Annotated[str, NAME] = "upload"
) -> PieceView:
    """Read the file and store its notes."""
    await refuse_upload(http)
    if (kind := http.headers.get("content-type", "")).startswith("multipart/"):
        raise HTTPException(415, f"send the file itself, as curl --data-binary @theme.mid does, not {kind[:19]}")
    data, most = await http.body(), service.limits.most_prompt_notes
    client = client_of(http.scope)
    uploads = (await queues_of(http)).uploads
    piece = await uploads.run(client, lambda: read_upload(data, most_notes=most + 1))
    notes = piece.notes
    if not 1 <= len(notes) <= most:
        count = len(notes) if len(notes) <= most else f"more than {most}"
        raise RequestError(f"{name} has {count} notes; 1 to {most} are taken")
    if notes.seconds > service.limits.most_prompt_seconds:
        longest = service.limits.most_prompt_seconds
        raise RequestError(f"{name} lasts {notes.seconds:.7g} s; {longest:g} at most are taken")
    record = await run_in_threadpool(service.add_upload, piece, name.strip() or "upload")
    answer.headers["Location"] = f"/v1/pieces/{record.id}"
    return await run_in_threadpool(piece_view, service, record)
