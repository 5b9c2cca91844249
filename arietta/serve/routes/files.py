"""A finished piece as files: MIDI, sound, score, piano roll, notes. Each is made when it is asked for, and not kept:
MIDI and JSON take milliseconds, the others are made one after the other beside the scheduler.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np
from fastapi import FastAPI
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from ...errors import RequestError
from ...music.midi import midi_bytes
from ...music.notes import Notes
from ..jobs.event_log import to_notes
from ..jobs.history import Record
from ..jobs.service import Service
from .problems import RETRY_SECONDS, responses
from .schemas import KEY, MusicView

PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"  # for a picture opened as a page
Make = Callable[[Record, Notes, float], bytes]


@dataclass(frozen=True)
class Kind:
    """A kind of file: what it is called and how it is made of a record, its notes, and most seconds of sound."""

    ending: str
    media_type: str
    tells: str
    make: Make
    is_slow: bool = True


def _mid(record: Record, notes: Notes, _: float) -> bytes:
    return midi_bytes(notes, title=record.title, texts=record.texts)


def _json(record: Record, notes: Notes, _: float) -> bytes:
    rows = zip(*(getattr(notes, name).tolist() for name in ("onset", "duration", "pitch", "velocity")), strict=True)
    prompt_notes = record.asked.get("prompt_notes", 0)
    return MusicView(notes=list(rows), pedal=notes.pedal.tolist(), prompt_notes=prompt_notes).model_dump_json().encode()


def _sound(kind: Any) -> Make:
    def make(record: Record, notes: Notes, most_seconds: float) -> bytes:
        from ...render.audio import audio_bytes

        if notes.seconds > most_seconds:
            raise RequestError(f"the piece lasts {notes.seconds:.0f} s; sound is made of {most_seconds:.0f} s at most")
        return audio_bytes(notes, kind)

    return make


def _score(record: Record, notes: Notes, _: float) -> bytes:
    from ...render.score import musicxml

    return musicxml(notes, title=record.name).encode()


def _roll(record: Record, notes: Notes, _: float) -> bytes:
    from ...render.roll import roll_svg

    prompt = notes.onset[: record.asked.get("prompt_notes", 0)]
    return roll_svg(notes, title=record.name, prompt_seconds=float(np.max(prompt, initial=0.0))).encode()


KINDS = (
    Kind("mid", "audio/midi", "as a MIDI file, which carries its request", _mid, is_slow=False),
    Kind("wav", "audio/wav", "as sound, played on a sampled piano", _sound("wav")),
    Kind("ogg", "audio/ogg", "as sound in Ogg Vorbis, a tenth as large", _sound("ogg")),
    Kind("musicxml", "application/vnd.recordare.musicxml+xml", "as a score on two staves", _score),
    Kind("svg", "image/svg+xml", "as a piano roll", _roll),
    Kind("json", "application/json", "as notes and pedal", _json, is_slow=False),
)


class FileQueue:
    """Makes slow files one at a time; a few may wait."""

    def __init__(self, places: int = 16) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="files")
        self._places, self._count = places, 0

    async def make(self, work: Callable[[], bytes]) -> bytes:
        """Run `work`; raises HTTPException where too many wait."""
        if self._count >= self._places:
            headers = {"Retry-After": str(RETRY_SECONDS)}
            raise HTTPException(429, f"{self._count} files are being made; try again in a few seconds", headers)
        self._count += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._count -= 1

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def add_files(app: FastAPI, service: Service, file_queue: FileQueue) -> None:
    """Add an endpoint for each kind of file; before that of the piece itself, whose path would take theirs."""
    for kind in KINDS:
        _add_kind(app, service, file_queue, kind)


def _add_kind(app: FastAPI, service: Service, file_queue: FileQueue, kind: Kind) -> None:
    refusals = responses(
        _404="There is no such piece.",
        _409="The piece is not done.",
        _422="The piece is too long for this.",
        _429="Too many files are being made.",
        _501="This server cannot make such files.",
    )
    binary = {"schema": {"type": "string", "format": "binary"}}
    content = {
        kind.media_type: {"schema": {"$ref": f"#/components/schemas/{MusicView.__name__}"}}
        if kind.ending == "json"
        else binary
    }
    answers: dict[int | str, dict[str, Any]] = {200: {"description": f"The piece {kind.tells}.", "content": content}}

    @app.get(
        f"/v1/pieces/{{id}}.{kind.ending}",
        summary=f"Get a finished piece {kind.tells}",
        response_class=Response,
        responses=answers | refusals,
        tags=["files"],
        name=f"get_{kind.ending}",
    )
    async def get_file(key: KEY) -> Response:
        def make() -> bytes:
            return _made(service, key, kind)

        if kind.is_slow:
            await run_in_threadpool(service.told, key)  # refuses before it waits
        made = await (file_queue.make(make) if kind.is_slow else run_in_threadpool(make))
        record = await run_in_threadpool(service.find, key)
        way = "inline" if kind.ending in ("svg", "json") else "attachment"
        headers = {"Content-Disposition": disposition(f"{record.name}.{kind.ending}", way), "Cache-Control": "no-store"}
        if kind.ending == "svg":
            headers["Content-Security-Policy"] = PICTURE_POLICY
        return Response(made, headers=headers, media_type=kind.media_type)


def _made(service: Service, key: str, kind: Kind) -> bytes:
    record, events = service.told(key)
    try:
        return kind.make(record, to_notes(events), service.limits.most_audio_seconds)
    except ImportError as error:
        raise HTTPException(501, f"this server cannot make .{kind.ending} files: {error}") from error


def disposition(name: str, way: str = "attachment") -> str:
    """Offer a file to be saved under `name`, and in letters that every client reads (RFC 6266)."""
    plain = re.sub(r"[^A-Za-z0-9._]+", "-", name)
    exact = "" if plain == name else f"; filename*=UTF-8''{quote(name.replace('/', '-'))}"
    return f'{way}; filename="{plain}"{exact}'
