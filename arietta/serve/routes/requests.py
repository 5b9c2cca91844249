"""Requests for pieces, as they come over HTTP: JSON or a form with a MIDI file, checked, made into orders."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from fastapi import Request as HttpRequest
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from ...errors import RequestError
from ...generation.request import Request, draw_seed
from ...music.notes import Notes, first
from ..jobs.limits import Limits
from ..jobs.service import Order
from ..jobs.upload import read_upload
from .problems import sentences
from .schemas import Music, PieceRequest, PieceRequestForm

USUAL_NOTES = 300
JSON, FORM = "application/json", "multipart/form-data"
MOST_FIELDS = 20


async def read_orders(http: HttpRequest, limits: Limits, kept: Callable[[str], Notes]) -> list[Order]:
    """Read what a client asks for; `kept` gives the notes of a kept piece.

    Raises RequestError with a sentence where a value is impossible, HTTPException where the body is neither kind.
    """
    kind = http.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == FORM:
        asked, file = await _read_form(http)
    elif kind == JSON:
        asked, file = _checked(PieceRequest, _parsed(await http.body())), None
    else:
        raise HTTPException(415, f"send {JSON}, or {FORM} with a MIDI file, not {kind[:40] or 'nothing'}")
    _check(asked, limits)
    prompt = await run_in_threadpool(_prompt, asked, file, limits, kept)
    return _orders(asked, prompt)


async def _read_form(http: HttpRequest) -> tuple[PieceRequest, bytes | None]:
    async with http.form(max_files=1, max_fields=MOST_FIELDS) as form:
        upload = form.get("prompt")
        if upload is not None and not isinstance(upload, UploadFile):
            raise RequestError("prompt must be a MIDI file in a form; JSON takes notes")
        doubled = {name for name, _ in form.multi_items() if len(form.getlist(name)) > 1}
        if doubled:
            raise RequestError(f"{min(doubled)[:40]} must be given once")
        fields = {name: value for name, value in form.items() if name != "prompt"}
        return _checked(PieceRequestForm, fields), None if upload is None else await upload.read()


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the body must be JSON, and is not: {str(error)[:80]}") from error


def _checked(kind: type[PieceRequest], values: Any) -> PieceRequest:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise RequestError(sentences(error.errors(include_url=False))) from error


def _check(asked: PieceRequest, limits: Limits) -> None:
    """Refuse what is beyond the limits before any work is done."""
    if asked.notes is not None and not 1 <= asked.notes <= limits.most_notes:
        raise RequestError(f"notes must lie in 1-{limits.most_notes}, not {asked.notes}")
    if asked.seconds is not None and not 1 <= asked.seconds <= limits.most_seconds:
        raise RequestError(f"seconds must lie in 1-{limits.most_seconds:g}, not {asked.seconds}")
    if not 1 <= asked.count <= limits.most_count:
        raise RequestError(f"count must lie in 1-{limits.most_count}, not {asked.count}")
    if asked.best is not None and not 1 <= asked.best <= asked.count:
        raise RequestError(f"best must lie in 1-{asked.count}, as many as count composes, not {asked.best}")
    if asked.prompt_notes is not None and asked.prompt_notes < 1:
        raise RequestError(f"prompt_notes must be 1 or more, not {asked.prompt_notes}")


def _prompt(asked: PieceRequest, file: bytes | None, limits: Limits, kept: Callable[[str], Notes]) -> Notes | None:
    """Find what to go on from; raises RequestError where that is too long, or nothing."""
    if sum(source is not None for source in (asked.prompt, asked.continues, file)) > 1:
        raise RequestError("give a prompt or the id of a piece to go on from, not both")
    if asked.continues is not None:
        notes = kept(asked.continues)
    elif file is not None:
        notes = read_upload(file, most_notes=asked.prompt_notes or limits.most_prompt_notes + 1)
    elif asked.prompt is not None:
        notes = _notes(asked.prompt)
    elif asked.prompt_notes is not None:
        raise RequestError("prompt_notes says how much to take of a prompt: give one, or a piece to go on from")
    else:
        return None
    notes = notes if asked.prompt_notes is None else first(notes, asked.prompt_notes)
    if not 1 <= len(notes) <= limits.most_prompt_notes:
        count = len(notes) if len(notes) <= limits.most_prompt_notes else f"more than {limits.most_prompt_notes}"
        raise RequestError(f"the prompt has {count} notes; 1 to {limits.most_prompt_notes} are taken: see prompt_notes")
    if notes.seconds > limits.most_prompt_seconds:
        most = limits.most_prompt_seconds
        raise RequestError(f"the prompt lasts {notes.seconds:.7g} s; {most:g} at most are taken")
    return notes


def _notes(music: Music) -> Notes:
    onset, duration, pitch, velocity = zip(*music.notes, strict=True) if music.notes else ((), (), (), ())
    try:
        return Notes.of(onset, duration, pitch, velocity, music.pedal)
    except (ValueError, OverflowError) as error:
        raise RequestError(f"prompt: {error}") from error


def _orders(asked: PieceRequest, prompt: Notes | None) -> list[Order]:
    seed = draw_seed() if asked.seed is None else asked.seed
    notes = USUAL_NOTES if asked.notes is None and asked.seconds is None else asked.notes
    sampling = asked.sampling
    requests = [
        Request(notes, asked.seconds, asked.style, prompt, seed + take, sampling) for take in range(asked.count)
    ]
    return [
        Order(request, asked.model, asked.name, asked.continues, asked.original, asked.best) for request in requests
    ]
