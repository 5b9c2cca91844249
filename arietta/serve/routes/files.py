"""A finished piece as files: MIDI, sound, score, piano roll, notes.

Each is made when it is asked for, and not stored. MIDI and JSON take milliseconds; the others are made one after the
other in a thread beside the scheduler's.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

import numpy as np
from fastapi import APIRouter, Depends
from fastapi import Request as HttpRequest
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from ...errors import RequestError
from ...files import name_with
from ...music.midi import midi_bytes
from ...music.notes import Notes
from ...names import is_shown
from ..jobs.event_log import to_notes
from ..jobs.history import Record
from .problems import RETRY_SECONDS, problem_responses
from .requests import AppService
from .schemas import MusicView, PieceId

PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"  # an SVG opened as a page runs no script


@dataclass(frozen=True)
class FileKind:
    """A kind of file that a piece can be had as, by the ending of its address."""

    ending: str
    media_type: str
    summary: str
    is_slow: bool = True
    is_inline: bool = False  # browsers show it instead of saving it


FILE_KINDS = (
    FileKind("mid", "audio/midi", "as a MIDI file, which carries its request", is_slow=False),
    FileKind("wav", "audio/wav", "as sound, played on a sampled piano"),
    FileKind("ogg", "audio/ogg", "as sound in Ogg Vorbis, a tenth as large"),
    FileKind("musicxml", "application/vnd.recordare.musicxml+xml", "as a score on two staves"),
    FileKind("svg", "image/svg+xml", "as a piano roll", is_inline=True),
    FileKind("json", "application/json", "as notes and pedal", is_slow=False, is_inline=True),
)


def file_content(ending: str, record: Record, notes: Notes, *, most_audio_seconds: float) -> bytes:
    """Write a piece as a kind of file; raises RequestError where it is too long for sound.

    Raises ImportError where this installation lacks a package that the kind needs.
    """
    prompt_notes = record.asked.get("prompt_notes", 0)
    match ending:
        case "mid":
            return midi_bytes(notes, title=record.title, texts=record.texts)
        case "wav" | "ogg":
            from ...render.audio import audio_bytes

            if notes.seconds > most_audio_seconds:
                limit = f"sound is made of {most_audio_seconds:.0f} s at most"
                raise RequestError(f"the piece lasts {notes.seconds:.0f} s; {limit}")
            return audio_bytes(notes, ending)
        case "musicxml":
            from ...render.score import score_musicxml

            return score_musicxml(notes, title=record.name).encode()
        case "svg":
            from ...render.roll import roll_svg

            prompt_seconds = float(np.max(notes.onset[:prompt_notes], initial=0.0))
            return roll_svg(notes, title=record.name, prompt_seconds=prompt_seconds).encode()
    columns = (getattr(notes, name).tolist() for name in ("onset", "duration", "pitch", "velocity"))
    rows = list(zip(*columns, strict=True))
    return MusicView(notes=rows, pedal=notes.pedal.tolist(), prompt_notes=prompt_notes).model_dump_json().encode()


class FileQueue:
    """Makes slow files one at a time, so that composing keeps its processor; a few may wait."""

    def __init__(self, capacity: int = 16) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="files")
        self._capacity, self._count = capacity, 0

    async def make(self, write: Callable[[], bytes]) -> bytes:
        """Return what `write` returns, when its turn has come; raises HTTPException where too many wait."""
        if self._count >= self._capacity:
            headers = {"Retry-After": str(RETRY_SECONDS)}
            raise HTTPException(429, f"{self._count} files are being made; try again in a few seconds", headers)
        self._count += 1  # without a lock: only the event loop counts
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, write)
        finally:
            self._count -= 1

    def close(self) -> None:
        """Give up what waits."""
        self._pool.shutdown(wait=False, cancel_futures=True)


async def file_queue_of(http: HttpRequest) -> FileQueue:
    """Return the queue of the app, which reports share with files."""
    queue: FileQueue = http.app.state.file_queue
    return queue


AppFileQueue = Annotated[FileQueue, Depends(file_queue_of)]


def files_router() -> APIRouter:
    """Return an endpoint for each kind of file; include it before `pieces`, whose paths would match theirs."""
    router = APIRouter(tags=["files"])
    refusals = problem_responses(
        _404="There is no such piece.",
        _409="The piece is not done.",
        _422="The piece is too long for this.",
        _429="Too many files are being made.",
        _501="This server cannot make such files.",
    )
    for kind in FILE_KINDS:
        schema = {"type": "string", "format": "binary"}
        if kind.ending == "json":
            schema = {"$ref": f"#/components/schemas/{MusicView.__name__}"}
        answer: dict[int | str, dict[str, Any]] = {
            200: {"description": f"The piece {kind.summary}.", "content": {kind.media_type: {"schema": schema}}}
        }
        path, endpoint = f"/v1/pieces/{{id}}.{kind.ending}", _file_endpoint(kind)
        router.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)
        router.add_api_route(
            path,
            endpoint,
            summary=f"Get a finished piece {kind.summary}",
            response_class=Response,
            responses=answer | refusals,
            name=f"get_{kind.ending}",
        )
    return router


def _file_endpoint(kind: FileKind) -> Callable[..., Any]:
    async def get_file(http: HttpRequest, key: PieceId, service: AppService, queue: AppFileQueue) -> Response:
        def write() -> bytes:
            record, events = service.finished(key)
            try:
                most_seconds = service.limits.most_audio_seconds
                return file_content(kind.ending, record, to_notes(events), most_audio_seconds=most_seconds)
            except ImportError as error:  # scores need the extra `score`
                raise HTTPException(501, f"this server cannot make .{kind.ending} files: {error}") from error

        record, _ = await run_in_threadpool(service.finished, key)  # refuses before it waits in the queue
        way = "inline" if kind.is_inline else "attachment"
        headers = {"Content-Disposition": disposition(f"{record.name}.{kind.ending}", way), "Cache-Control": "no-store"}
        if kind.ending == "svg":
            headers["Content-Security-Policy"] = PICTURE_POLICY
        if http.method == "HEAD":
            return head_response(headers, kind.media_type)
        content = await (queue.make(write) if kind.is_slow else run_in_threadpool(write))
        return Response(content, headers=headers, media_type=kind.media_type)

    return get_file


def head_response(headers: Mapping[str, str], media_type: str) -> Response:
    """Answer HEAD as GET would be answered, without the content, whose length nobody knows before it is made."""
    return StreamingResponse(iter(()), headers=headers, media_type=media_type)  # a plain Response says its length is 0


def disposition(name: str, way: str = "attachment") -> str:
    """Name a file in a Content-Disposition header: in plain letters, and exactly where those do not do (RFC 6266)."""
    # The plain form is for clients that do not know `filename*` (RFC 8187). No separator of folders and no control
    # character may pass in either.
    exact = "".join(letter if is_shown(letter) and letter not in "/\\" else "-" for letter in name)
    stem, _, ending = exact.rpartition(".")
    exact = name_with(stem, ending)
    plain = re.sub(r"[^A-Za-z0-9._]+", "-", exact)
    if plain != name:
        return f"{way}; filename=\"{plain}\"; filename*=UTF-8''{quote(exact, safe='')}"
    return f'{way}; filename="{plain}"'
