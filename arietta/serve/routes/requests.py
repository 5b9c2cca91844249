"""What endpoints read from a request: the service behind the app, and the pieces that a client asks for.

Pieces come as JSON, or as a form with a file, MIDI or MusicXML; both are checked and made into orders.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, TypeVar, get_args

from fastapi import Depends
from fastapi import Request as HttpRequest
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from ...errors import RequestError
from ...generation.conversion import as_piece, take_in
from ...generation.request import DEFAULT_NOTES, Request, draw_seed
from ...generation.scores.bars import read_moment
from ...generation.scores.pulse import Pulse, find_length
from ...generation.verbs import cut_at, lead_in_meter
from ...music.meter import Meter
from ...music.notes import Notes, first
from ...music.reading import ReadPiece
from ..jobs.composing.order import Order
from ..jobs.editing.passages import Wanted
from ..jobs.editing.revisions import Version
from ..jobs.limits import Limits
from ..jobs.scheduler import FullError
from ..jobs.service import Service
from ..jobs.upload import read_upload
from ..work_queue import WorkQueues
from .middleware import client_of
from .problems import validation_detail
from .schemas import PieceRequest, PieceRequestForm
from .views.music import Given, Sent, piece_of

JSON, FORM = "application/json", "multipart/form-data"
FILE_FIELDS = "prompt", "given"  # of a form, that may hold a file
MOST_FIELDS = 38  # a form has some 35 at most; the parser refuses more before it reads them
# Of JSON: as many rows as fit into a body of 2 MB where times have six digits, and five values for each.
MOST_LISTS, MOST_VALUES = 50_000, 250_000
# What each verb takes beside music that is given, and what pieces without a verb take of these.
VERB_FIELDS = {
    "regenerate": ("begin", "end", "keep", "keep_pedal", "transpose"),
    "extend": ("at", "notes", "seconds", "bars", "ending", "stopped_at", "transpose"),
    "connect": ("second", "seconds"),
    "lead_in": ("seconds", "transpose"),
    "accompany": ("keep", "keep_pedal", "transpose"),
    "vary": ("begin", "end", "keep", "keep_pedal", "strength", "transpose"),
    "perform": ("transpose",),
}
PLAIN_FIELDS = (
    *("notes", "seconds", "bars", "ending", "stopped_at", "prompt", "prompt_notes", "continues", "transpose"),
    *("best", "original", "bpm", "metre", "takes"),
)
Stored = Callable[[str], Version]  # the music of a stored piece by its id
AnySent = TypeVar("AnySent", bound=Sent)
Result = TypeVar("Result")


async def service_of(http: HttpRequest) -> Service:
    """Return the service behind the app."""
    service: Service = http.app.state.service
    return service


async def queues_of(http: HttpRequest) -> WorkQueues:
    """Return the queues of the app, in which slow work waits for its client's turn."""
    queues: WorkQueues = http.app.state.queues
    return queues


AppService = Annotated[Service, Depends(service_of)]
AppQueues = Annotated[WorkQueues, Depends(queues_of)]


async def read_orders(http: HttpRequest, limits: Limits, stored: Stored) -> list[Order]:
    """Read what a client asks for; `stored` returns the notes and the metre of a stored piece by its id.

    Raises RequestError with a sentence where a value is impossible, HTTPException where the body is neither kind,
    FullError where too many files are being read.
    """
    queues = await queues_of(http)
    kind = http.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == FORM:
        # Before the form is taken apart, which costs more than all else of a refusal.
        await refuse_upload(http)
        asked, files = await _read_form(http)
    elif kind == JSON:
        asked, files = await read_json(http, PieceRequest), {}
    else:
        raise HTTPException(415, f"send {JSON}, or {FORM} with a MIDI file, not {kind[:40] or 'nothing'}")
    _check_limits(asked, limits)
    _check_fields(asked, set(files))
    seed = draw_seed() if asked.seed is None else asked.seed

    async def run(work: Callable[[], Result]) -> Result:
        # Files wait for their reader without a thread of those that all endpoints share.
        return await (queues.uploads.run(client_of(http.scope), work) if files else run_in_threadpool(work))

    if asked.verb is not None:
        return await run(lambda: _passage_orders(asked, files.get("given"), limits, stored, seed))

    def read() -> tuple[tuple[Notes | None, Meter | None, int | None], tuple[str, ...]]:
        given = _read_prompt(asked, files.get("prompt"), limits, stored)
        return take_in(given, asked.key, transpose=asked.transpose), given.remarks if given else ()

    (prompt, meter, semitones), remarks = await run(read)
    pulse = asked.pulse
    notes, seconds = await run_in_threadpool(_length, asked, (prompt, meter), limits)  # a stranger's metre may be long
    return [
        Order(
            request=Request(
                notes,
                seconds,
                asked.style,
                prompt,
                seed + index,
                asked.sampling,
                asked.stopped_at,
                ending=asked.ending,
                wishes=asked.wishes,
                transposed=semitones,
                meter=meter,
                pulse=pulse,
            ),
            model=asked.model,
            name=asked.name,
            continues=asked.continues,
            original=asked.original,
            best=asked.best,
            remarks=remarks,
        )
        for index in range(asked.count)
    ]


def _length(
    asked: PieceRequest, given: tuple[Notes | None, Meter | None], limits: Limits, *, at: float | None = None
) -> tuple[int | None, float | None]:
    """Return how many notes or seconds to write; raises RequestError for bars that are none, or too many."""
    pulse, length = asked.pulse, (asked.notes, asked.seconds, asked.bars)
    notes, seconds = find_length(pulse, length, given=given, at=at, usual=DEFAULT_NOTES, original=asked.original)
    if pulse is not None:
        check_takes(pulse, notes, seconds, limits, count=asked.count)
    elif asked.bars is not None and (seconds or 0.0) > limits.most_seconds:
        raise RequestError(
            f"{asked.bars} bars take {seconds:.0f} s here; {limits.most_seconds:g} s at most are written"
        )
    return notes, seconds


def check_takes(pulse: Pulse, notes: int | None, seconds: float | None, limits: Limits, *, count: int = 1) -> None:
    """Refuse pieces in a tempo where all of their takes together are beyond the limits."""
    if (pieces := count * pulse.takes) > limits.most_pieces:
        raise RequestError(
            f"the best of {pulse.takes} takes is kept, and {pieces} pieces are more than the {limits.most_pieces} that "
            "this server composes for a client: ask /v1/pieces for so many in all, by takes and count"
        )
    most_notes, most_seconds = limits.most_notes // pulse.takes, limits.most_seconds / pulse.takes
    if notes is not None and notes > most_notes:
        raise RequestError(
            f"the best of {pulse.takes} takes is kept, so that notes must lie in 1-{most_notes}, not {notes}"
        )
    if seconds is not None and seconds > most_seconds:
        raise RequestError(
            f"the best of {pulse.takes} takes is kept, and {pulse.bars} bars need {seconds:.0f} s of each; "
            f"{most_seconds:.0f} s at most are composed"
        )


def _passage_orders(asked: PieceRequest, file: bytes | None, limits: Limits, stored: Stored, seed: int) -> list[Order]:
    """Return orders of what a verb writes, to music that is given or in a `file`; raises RequestError for none."""
    read = partial(_given_piece, limits=limits, stored=stored)
    given = read(asked.given, f"{asked.verb} needs music in given", file=file)
    notes, meter, semitones = take_in(given, asked.key, transpose=asked.transpose)
    assert notes is not None
    base = Request(
        notes=DEFAULT_NOTES,
        style=asked.style,
        seed=seed,
        sampling=asked.sampling,
        wishes=asked.wishes,
        transposed=semitones,
        meter=meter,
    )
    if asked.verb == "extend":
        at = None if asked.at is None else read_moment(asked.at, notes.seconds, meter)
        prompt = cut_at(notes, at)
        if len(prompt) > limits.most_prompt_notes:
            raise RequestError(f"extend goes on from {len(prompt)} notes; {limits.most_prompt_notes} at most are taken")
        count, seconds = _length(asked, (prompt, meter), limits, at=at)
        base = replace(base, notes=count, seconds=seconds, prompt=prompt, ending=asked.ending)
        requests = [
            replace(base, seed=number, stopped_at=asked.stopped_at) for number in range(seed, seed + asked.count)
        ]
    else:
        second = read(asked.second, "connect needs music in second").notes if asked.verb == "connect" else None
        begin = read_moment(asked.begin or 0.0, notes.seconds, meter)
        end = None if asked.end is None else read_moment(asked.end, notes.seconds, meter)
        wanted = Wanted(
            *(asked.verb or "", begin, end, asked.keep, asked.keep_pedal, asked.strength),
            seconds=asked.seconds,
            second=second,
        )
        if asked.verb == "lead_in" and asked.seconds is not None:
            base = replace(base, meter=lead_in_meter(notes, meter, asked.seconds))
        requests = [
            replace(base, notes=None, seed=number, edit=wanted.edit(notes, number))
            for number in range(seed, seed + asked.count)
        ]
    source = asked.given.piece if asked.given else None
    return [
        Order(
            request=request,
            model=asked.model,
            name=asked.name,
            verb=asked.verb,
            given=source,
            remarks=given.remarks,
        )
        for request in requests
    ]


def _given_piece(
    given: Given | None, need: str, *, limits: Limits, stored: Stored, file: bytes | None = None
) -> ReadPiece:
    """Read music that a verb works on; raises RequestError with `need` where there is none."""
    most = limits.most_notes + limits.most_prompt_notes
    if file is not None:
        piece = read_upload(file, most_notes=most + 1)  # one more, as of a prompt
    elif given is None or (given.piece is None) == (not given.notes):
        raise RequestError(f"{need}: the id of a piece, or notes")
    else:
        piece = as_piece(stored(given.piece)) if given.piece is not None else piece_of(given, "given")
    notes = piece.notes
    if not 1 <= len(notes) <= most:
        count = len(notes) if len(notes) <= most else f"more than {most}"
        raise RequestError(f"the given music has {count} notes; 1 to {most} are taken")
    if notes.seconds > (most_seconds := limits.most_seconds + limits.most_prompt_seconds):
        raise RequestError(f"the given music lasts {notes.seconds:.7g} s; {most_seconds:g} at most are taken")
    return piece


def _check_fields(asked: PieceRequest, files: set[str]) -> None:
    """Refuse what the verb, or composing without one, has no use for, as a field or a file."""
    taken = PLAIN_FIELDS if asked.verb is None else VERB_FIELDS[asked.verb]
    if misplaced := files - ({"prompt"} if asked.verb is None else {"given"}):
        raise RequestError(f"{asked.verb or 'composing a piece'} takes no file in {min(misplaced)}: leave it out")
    names = {*PLAIN_FIELDS, *(name for fields in VERB_FIELDS.values() for name in fields)} - set(taken)
    for name in sorted(names & asked.model_fields_set):
        field = type(asked).model_fields[name]
        if getattr(asked, name) not in (None, field.default):
            shown = field.alias or name
            verbs = [verb for verb, fields in VERB_FIELDS.items() if name in fields and asked.verb is None]
            others = f", or say a verb that takes it, and `given`: {' or '.join(verbs)}" if verbs else ""
            raise RequestError(f"{asked.verb or 'composing a piece'} takes no {shown}: leave it out{others}")


def body_of(kind: type[Sent]) -> dict[str, Any]:
    """Describe a body that `read_json` reads, which FastAPI would parse in the event loop; `app` adds the schema."""
    schema = {"$ref": f"#/components/schemas/{kind.__name__}"}
    return {"requestBody": {"content": {JSON: {"schema": schema}}, "required": True}}


async def read_json(http: HttpRequest, kind: type[AnySent]) -> AnySent:
    """Read the body as an object of that kind; raises RequestError with a sentence where it is none."""
    return await run_in_threadpool(_parse_json, await http.body(), kind)


def _parse_json(body: bytes, kind: type[AnySent]) -> AnySent:
    # Counted first: parser and checks hold the interpreter's lock, for a third of a second with 600,000 lists.
    if body.count(b"[") + body.count(b"{") > MOST_LISTS or body.count(b",") > MOST_VALUES:
        raise RequestError(f"the body may have at most {MOST_LISTS} lists and objects, and {MOST_VALUES} values")
    try:
        content = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:  # deeply nested lists exhaust the parser's stack
        raise RequestError(f"the body must be JSON, and is not: {str(error)[:80]}") from error
    return _validated(kind, content)


async def refuse_upload(http: HttpRequest) -> None:
    """Raise FullError, once the body has come, where no file more of this client is read."""
    try:
        (await queues_of(http)).uploads.check(client_of(http.scope))
    except FullError:
        async for _ in http.stream():  # a client reads its answer only when it has sent all
            pass
        raise


async def _read_form(http: HttpRequest) -> tuple[PieceRequest, dict[str, bytes]]:
    """Read the fields of a form, and its file by the name that it has there: prompt, or given."""
    async with http.form(max_files=1, max_fields=MOST_FIELDS) as form:
        if isinstance(form.get("prompt"), str):
            raise RequestError("prompt must be a MIDI file in a form; JSON takes notes")
        repeated = {name for name, _ in form.multi_items() if len(form.getlist(name)) > 1}
        if repeated:
            raise RequestError(f"{min(repeated)[:40]} must be given once")
        uploads = {name: form[name] for name in FILE_FIELDS if name in form}
        files = {name: await upload.read() for name, upload in uploads.items() if isinstance(upload, UploadFile)}
        fields: dict[str, Any] = {name: field for name, field in form.items() if name not in files}
        if "given" in fields:
            fields["given"] = {"piece": fields["given"]}
        return _validated(PieceRequestForm, fields), files


def _validated(kind: type[AnySent], content: Any) -> AnySent:
    # To pydantic and to Python, true is the number 1.
    for name in (
        [name for name, value in content.items() if isinstance(value, bool)] if isinstance(content, dict) else ()
    ):
        field = next((field for known, field in kind.model_fields.items() if name == (field.alias or known)), None)
        if field is not None and bool not in _types_of(field.annotation):
            raise RequestError(f"{name} must not be true or false")
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        known = [field.alias or name for name, field in kind.model_fields.items()]
        raise RequestError(validation_detail(error.errors(include_url=False), known)) from error


def _types_of(annotation: Any) -> list[Any]:
    """Return a field's type and all types that it is made of."""
    return [annotation, *(inner for part in get_args(annotation) for inner in _types_of(part))]


def _check_limits(asked: PieceRequest, limits: Limits) -> None:
    """Refuse what is beyond the limits before any work is done."""
    if asked.notes is not None and not 1 <= asked.notes <= limits.most_notes:
        raise RequestError(f"notes must lie in 1-{limits.most_notes}, not {asked.notes}")
    # What connects two pieces, or leads into one, is shorter, and refused in its own words.
    has_length = asked.verb in (None, "extend")
    if has_length and asked.seconds is not None and not 1 <= asked.seconds <= limits.most_seconds:
        raise RequestError(f"seconds must lie in 1-{limits.most_seconds:g}, not {asked.seconds}")
    if not 1 <= asked.count <= limits.most_count:
        raise RequestError(f"count must lie in 1-{limits.most_count}, not {asked.count}")
    if asked.best is not None and not 1 <= asked.best <= asked.count:
        raise RequestError(f"best must lie in 1-{asked.count}, as many as count composes, not {asked.best}")
    if asked.prompt_notes is not None and asked.prompt_notes < 1:
        raise RequestError(f"prompt_notes must be 1 or more, not {asked.prompt_notes}")


def _read_prompt(asked: PieceRequest, file: bytes | None, limits: Limits, stored: Stored) -> ReadPiece | None:
    """Return the music to continue; raises RequestError where it is too long, or empty."""
    if sum(source is not None for source in (asked.prompt, asked.continues, file)) > 1:
        raise RequestError("give a prompt or the id of a piece to go on from, not both")
    if asked.continues is not None:
        piece = as_piece(stored(asked.continues))
    elif file is not None:
        # One note more than is allowed, so that a file that is too long is seen to be.
        piece = read_upload(file, most_notes=asked.prompt_notes or limits.most_prompt_notes + 1)
    elif asked.prompt is not None:
        piece = piece_of(asked.prompt, "prompt")
    elif asked.prompt_notes is not None:
        raise RequestError("prompt_notes says how much to take of a prompt: give one, or a piece to go on from")
    else:
        return None
    notes = piece.notes if asked.prompt_notes is None else first(piece.notes, asked.prompt_notes)
    if not 1 <= len(notes) <= limits.most_prompt_notes:
        count = len(notes) if len(notes) <= limits.most_prompt_notes else f"more than {limits.most_prompt_notes}"
        raise RequestError(f"the prompt has {count} notes; 1 to {limits.most_prompt_notes} are taken: see prompt_notes")
    if notes.seconds > limits.most_prompt_seconds:
        most = limits.most_prompt_seconds
        raise RequestError(f"the prompt lasts {notes.seconds:.7g} s; {most:g} at most are taken")
    return piece._replace(notes=notes)
