"""A finished piece as files: MIDI, sound, score (to edit, and to print), piano roll, notes.

Each is made when it is asked for, and not stored. MIDI and JSON take milliseconds; pictures and scores are made in a
`Workshop`, sounds bit by bit as their clients take them, in a thread beside the scheduler's.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Annotated, Any
from urllib.parse import quote

import numpy as np
from fastapi import APIRouter, Query
from fastapi import Request as HttpRequest
from fastapi.responses import Response, StreamingResponse
from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from ...errors import RequestError
from ...files import name_with
from ...music.midi import midi_bytes
from ...music.midi.tempo_map import FASTEST_GRID, SLOWEST_GRID
from ...names import is_shown
from ..jobs.editing.revisions import Version
from ..jobs.history.records import Record
from ..jobs.limits import Limits
from ..work_queue import WorkQueue
from ..workshop import Made, UnmadeError, Workshop, engraved_file, roll_file, score_file, too_long
from .middleware import client_of
from .problems import problem_responses
from .requests import AppQueues, AppService, queues_of
from .schemas import PieceId
from .views.figures import is_none
from .views.music import MeasuredMusic, MeterFields, Sent

PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"  # an SVG opened as a page runs no script
GRID = Field(
    description="Lay the file under a tempo of so many beats a minute, as a project at that tempo wants it; without it "
    "a piece that has a metre keeps its bars.",
    ge=SLOWEST_GRID,
    le=FASTEST_GRID,
    examples=[90],
)


def _check_grid(grid: Any) -> Any:
    """Refuse words, which are the command's: a server looks for no bars on the way to a file."""
    if isinstance(grid, str) and grid.strip().lower() in ("found", "none"):
        raise PydanticCustomError(
            "grid",
            "a server takes a number of beats a minute, as 90; found and none are for `arietta render FILE --grid`",
        )
    return grid


Grid = Annotated[float | None, BeforeValidator(_check_grid), GRID]
SOUND_BLOCK = 44_100  # frames that are rendered before another client's turn: a second, at most a tenth of work


class FileFields(Sent):
    """What may be asked for in the address of a MIDI file."""

    grid: Grid = None


class MusicView(MeasuredMusic):
    """A finished piece: `notes` begin with the prompt's `prompt_notes`, untouched.

    Of a revision, `composed` and `locks` are indices of the notes that a model wrote, and that none may change.
    """

    meter: MeterFields | None = Field(None, exclude_if=is_none)
    prompt_notes: int
    composed: list[int] | None = Field(None, exclude_if=is_none)
    locks: list[int] | None = Field(None, exclude_if=is_none)

    @classmethod
    def of(cls, version: Version) -> MusicView:
        """Show a version of a piece."""
        notes = version.notes
        columns = (getattr(notes, name).tolist() for name in ("onset", "duration", "pitch", "velocity"))
        return cls(
            notes=list(zip(*columns, strict=True)),
            pedal=notes.pedal.tolist(),
            meter=None if version.meter is None else MeterFields.model_validate(version.meter.describe()),
            prompt_notes=version.prompt_notes,
            composed=None if version.composed is None else list(version.composed),
            locks=None if version.locks is None else list(version.locks),
        )


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
    FileKind("pdf", "application/pdf", "as an engraved score to print"),
    FileKind("svg", "image/svg+xml", "as a piano roll", is_inline=True),
    FileKind("json", "application/json", "as notes and pedal", is_slow=False, is_inline=True),
)


def file_writer(
    ending: str, record: Record, version: Version, limits: Limits, grid: float | None = None
) -> Callable[[], bytes | None]:
    """Return what writes a version of a piece as a kind of file; sound in parts, call by call, until None.

    `grid` is the tempo of a MIDI file, in beats a minute.

    Raises RequestError where a piece is too long or too dear for sound, HTTPException where this installation lacks a
    package that the kind needs: all that can be refused, before anything is written.
    """
    try:
        return _writer(ending, record, version, limits, grid)
    except ImportError as error:
        raise HTTPException(501, f"this server cannot make .{ending} files: {error}") from error


def _writer(
    ending: str, record: Record, version: Version, limits: Limits, grid: float | None
) -> Callable[[], bytes | None]:
    notes = version.notes
    # The request of a piece that was changed gives another piece: its file does not carry it.
    texts = () if version.is_changed else record.texts
    match ending:
        case "mid":
            return lambda: midi_bytes(
                notes, title=record.title, texts=texts, grid=version.meter if grid is None else grid
            )
        case "wav" | "ogg":
            from ...render.audio import audio_parts
            from ...render.piano import tone_seconds

            for what, seconds, most in (
                ("the piece lasts", notes.seconds, limits.most_audio_seconds),
                ("its notes sound for", tone_seconds(notes), limits.most_tone_seconds),
            ):
                if seconds > most:
                    raise RequestError(f"{what} {seconds:.0f} s; sound is made of {most:.0f} s at most")
            parts = audio_parts(notes, ending, block=SOUND_BLOCK)
            return lambda: next(parts, None)
        case "musicxml":
            return partial(score_file, notes, record.name, version.meter, texts)
        case "pdf":
            if find_spec("verovio") is None:
                raise ImportError("the package verovio is not installed")
            return partial(engraved_file, notes, record.name, version.meter)
        case "svg":
            prompt_seconds = float(np.max(notes.onset[: version.prompt_notes], initial=0.0))
            return partial(roll_file, notes, record.name, prompt_seconds, version.meter)
    return lambda: MusicView.of(version).model_dump_json().encode()


async def make_file(http: HttpRequest, work: Callable[[], Made]) -> Made:
    """Return what `work` makes in the app's workshop, when it is its client's turn; raises as that does."""
    workshop: Workshop = http.app.state.workshop
    queues = await queues_of(http)
    return await queues.pictures.run(client_of(http.scope), lambda: workshop.make(work))


class SoundStream(StreamingResponse):
    """A sound file that is rendered as fast as its client takes it, and counts in the queue until it is sent.

    Each part is bounded, so that looking at the clock between two of them ends what takes too long.
    """

    def __init__(
        self, write: Callable[[], bytes | None], queue: WorkQueue, client: str, seconds: float, **about: Any
    ) -> None:
        self._write, self._queue, self._client = write, queue, client
        self._seconds, self._worked = seconds, 0.0
        self._parts = self._rendered()
        self._first = b""
        super().__init__(self._content(), **about)

    async def _rendered(self) -> AsyncIterator[bytes]:
        while (part := await self._queue.turn(self._client, self._write_part)) is not None:
            if part:
                yield part

    def _write_part(self) -> bytes | None:
        if self._worked > self._seconds:
            raise UnmadeError(too_long(self._seconds))
        begun = time.monotonic()
        part = self._write()
        self._worked += time.monotonic() - begun
        return part

    async def _content(self) -> AsyncIterator[bytes]:
        yield self._first
        async for part in self._parts:
            yield part

    async def stream_response(self, send: Send) -> None:
        """Send the sound, which begins when its first part is there: until then it may be refused."""
        self._first = await anext(self._parts, b"")
        await super().stream_response(send)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file; raises FullError, before anything is sent, where too many sounds are under way."""
        with self._queue.admitted(self._client):
            await super().__call__(scope, receive, send)


def files_router() -> APIRouter:
    """Return an endpoint for each kind of file; include it before `pieces`, whose paths would match theirs."""
    router = APIRouter(tags=["files"])
    refusals = problem_responses(
        _404="There is no such piece.",
        _409="The piece is not done.",
        _422="The piece is too long for this.",
        _429="Too many files are being made.",
        _501="This server cannot make such files.",
        _503="It takes too long to make.",
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
    async def get_file(
        http: HttpRequest, key: PieceId, service: AppService, queues: AppQueues, fields: Annotated[FileFields, Query()]
    ) -> Response:
        def prepare() -> tuple[Record, Callable[[], bytes | None]]:
            record = service.finished(key)
            return record, file_writer(kind.ending, record, service.music(key), service.limits, fields.grid)

        record, write = await run_in_threadpool(prepare)  # refuses before it waits in the queue, and HEAD too
        way = "inline" if kind.is_inline else "attachment"
        headers = {"Content-Disposition": disposition(f"{record.name}.{kind.ending}", way), "Cache-Control": "no-store"}
        if kind.ending in ("wav", "ogg"):
            headers["Accept-Ranges"] = "none"  # a sound is rendered from its beginning
        if kind.ending == "svg":
            headers["Content-Security-Policy"] = PICTURE_POLICY
        if http.method == "HEAD":
            return head_response(headers, kind.media_type)
        client = client_of(http.scope)
        if kind.ending in ("wav", "ogg"):
            seconds, about = service.limits.sound_seconds, {"headers": headers, "media_type": kind.media_type}
            return SoundStream(write, queues.sounds, client, seconds, **about)
        content = await (make_file(http, write) if kind.is_slow else run_in_threadpool(write))
        return Response(content, headers=headers, media_type=kind.media_type)

    if kind.ending == "mid":
        return get_file

    async def get_other(http: HttpRequest, key: PieceId, service: AppService, queues: AppQueues) -> Response:
        return await get_file(http, key, service, queues, FileFields())

    return get_other


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
