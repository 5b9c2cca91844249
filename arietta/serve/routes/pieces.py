"""The endpoints of /v1/pieces: ask for pieces, list them, look at them, change and delete them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi import Request as HttpRequest
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from ...errors import AriettaError, RequestError
from ..jobs.composing.order import Order
from ..jobs.history.records import Record
from ..jobs.job import Job, UnknownPieceError
from ..jobs.peers.followed import FollowedJob
from ..jobs.selection import rank_records
from ..jobs.service import Service
from .middleware import client_of
from .problems import problem_responses
from .requests import FORM, JSON, AppService, body_of, read_json, read_orders
from .schemas import FILES, Change, PieceId, PiecePage, PieceRequest, PieceRequestForm, Pieces, PieceView

MOST_PER_PAGE = 200
CANCEL_SECONDS = 10.0  # a step takes some hundredths of a second
DESCRIPTION = """Answers at once with each piece's id and links; `wait` waits for the results.

Send JSON, or a form with the same names as fields and a file, MIDI or MusicXML, as
`prompt`, or as what a verb is `given`. Without a length, 300 notes are
composed. Pieces under way are composed together; what each becomes depends on its request alone."""
WAIT = Query(description="Wait up to so many seconds for the pieces to be done.", ge=0, examples=[30])
LIMIT = Query(description="How many pieces at most.", ge=1, le=MOST_PER_PAGE)
BEFORE = Query(description="`next` of the page before.", pattern="^[0-9]{1,18}$")
ORDER = Query(
    description="Only the takes that were asked for together, by `request.order` of any: the likeliest first, those "
    "that are not done last. They come in one page.",
    pattern="^[0-9a-f]{16}$",
    examples=["0123456789abcdef"],
)
FAVOURITES = Query(description="Only favourites.")
LOCATION = {"Location": {"description": "The first piece.", "schema": {"type": "string"}}}
# Bodies that are not read by FastAPI, which parses JSON in the event loop; `app` adds their schemas.
BODY: dict[str, Any] = {
    "requestBody": {
        "content": {
            JSON: {
                "schema": {"$ref": f"#/components/schemas/{PieceRequest.__name__}"},
                "example": {"notes": 300, "style": "chopin", "seed": 7},
            },
            FORM: {"schema": {"$ref": f"#/components/schemas/{PieceRequestForm.__name__}"}},
        },
        "required": True,
    }
}
router = APIRouter(tags=["pieces"])


@router.post(
    "/v1/pieces",
    status_code=202,
    summary="Ask for pieces",
    description=DESCRIPTION,
    openapi_extra=BODY,
    responses={
        202: {"description": "The pieces; what is under way is waited for at its `links.wait`.", "headers": LOCATION},
        **problem_responses(
            _404="There is no piece of the id to go on from.",
            _409="The piece to go on from is not done.",
            _413="The body is too large.",
            _415="The body is of another kind.",
            _422="A value is impossible, or the model cannot do what is asked.",
            _429="Too many pieces are under way; `Retry-After` says for how many seconds to wait.",
            _503="The server is stopping.",
            _507="Pieces with revisions fill what may be kept.",
        ),
    },
    name="ask",
)
async def ask_for_pieces(
    http: HttpRequest, answer: Response, service: AppService, wait: Annotated[float, WAIT] = 0.0
) -> Pieces:
    """Queue the pieces that a client asks for, and wait for them as long as it wishes."""
    _check_wait(wait, service)
    orders = await read_orders(http, service.limits, service.music)
    records = await run_in_threadpool(service.submit, orders, client_of(http.scope))
    jobs = [job for record in records if (job := service.job(record.id)) is not None]
    await wait_for(service, jobs, wait)
    answer.headers["Location"] = f"/v1/pieces/{records[0].id}"
    current = await run_in_threadpool(lambda: [service.find(record.id) for record in records])
    if orders[0].verb is not None and all(record.state.is_final for record in current):
        current = rank_records(current)
    return Pieces(pieces=await run_in_threadpool(lambda: [piece_view(service, record) for record in current]))


@router.post(
    "/v1/prompts",
    status_code=204,
    summary="Prepare for a piece that may be asked for",
    description="Send what /v1/pieces would be sent. Where the server has nothing else to do, its model takes in the "
    "music around the passage, or the prompt; the same asked for soon after, with any seed, then begins at once. Where "
    "the piece could not be composed, nothing is said: /v1/pieces says it.",
    openapi_extra=BODY,
    responses=problem_responses(
        _413="The body is too large.",
        _415="The body is of another kind.",
    ),
    name="prepare",
)
async def prepare_prompt(http: HttpRequest, service: AppService) -> None:
    """Prefill what the first piece of an order would begin with, while nobody waits for anything."""

    def prefill(order: Order) -> None:
        generation = service.check(order)
        service.scheduler.prefill(generation, service.models.engine(generation.bundle.name))

    with contextlib.suppress(AriettaError):
        order, *_ = await read_orders(http, service.limits, service.music)
        await run_in_threadpool(prefill, order)


@router.get(
    "/v1/pieces",
    summary="List the pieces, the newest first",
    responses=problem_responses(_422="A parameter is impossible."),
    name="list",
)
async def list_pieces(
    service: AppService,
    limit: Annotated[int, LIMIT] = 50,
    before: Annotated[str | None, BEFORE] = None,
    favourites: Annotated[bool, FAVOURITES] = False,
    order: Annotated[str | None, ORDER] = None,
) -> PiecePage:
    """Return a page of the stored pieces."""
    if order is not None:
        takes = await run_in_threadpool(service.takes, order)
        return PiecePage(pieces=await run_in_threadpool(lambda: list(_sound_views(service, takes))), next=None)
    page = partial(service.page, before=None if before is None else int(before), only_favourites=favourites)
    records = await run_in_threadpool(page, limit + 1)  # one more tells whether there are older ones
    older = str(records[limit - 1].number) if len(records) > limit else None
    views = await run_in_threadpool(lambda: list(_sound_views(service, records[:limit])))
    return PiecePage(pieces=views, next=older)


@router.get(
    "/v1/pieces/{id}",
    summary="Look at a piece: how far it is, or how it ended",
    responses=problem_responses(_404="There is no such piece.", _422="A parameter is impossible."),
    name="look",
)
async def look_at_piece(key: PieceId, service: AppService, wait: Annotated[float, WAIT] = 0.0) -> PieceView:
    """Return a piece as it is now, or once it is over."""
    _check_wait(wait, service)
    _, dot, ending = key.partition(".")
    if dot:
        raise UnknownPieceError(f"a piece is had as {', '.join(FILES)}, not as {ending[:20]!r}: /v1/pieces/ID.mid")
    record = await run_in_threadpool(service.find, key)
    following = await run_in_threadpool(service.follow, record)
    if wait and following is not None:
        await wait_for(service, [following], wait)
        record = await run_in_threadpool(service.find, key)
    view = await run_in_threadpool(piece_view, service, record)
    del following  # only now: the view is of what it had
    return view


@router.patch(
    "/v1/pieces/{id}",
    summary="Name a piece anew, or make it a favourite or none",
    responses=problem_responses(_404="There is no such piece.", _422="A value is impossible."),
    openapi_extra=body_of(Change),
    name="change",
)
async def change_piece(http: HttpRequest, key: PieceId, service: AppService) -> PieceView:
    """Rename a piece or make it a favourite."""
    change = await read_json(http, Change)
    changed = partial(service.change, name=change.name, is_favourite=change.is_favourite)
    return await run_in_threadpool(piece_view, service, await run_in_threadpool(changed, key))


@router.post(
    "/v1/pieces/{id}/stop",
    summary="Stop composing, and keep the notes so far as a finished piece",
    description="Its request stays as it was and says `stopped_at`; both together give the same piece again. A piece "
    "that has not begun is cancelled, one that is over stays as it is.",
    responses=problem_responses(_404="There is no such piece."),
    name="stop",
)
async def stop_piece(key: PieceId, service: AppService) -> PieceView:
    """Stop a piece, wait until it has ended and return it."""
    job = await run_in_threadpool(service.stop, key)
    if job is not None:
        await wait_for(service, [job], CANCEL_SECONDS)
    return await run_in_threadpool(piece_view, service, await run_in_threadpool(service.find, key))


@router.delete(
    "/v1/pieces/{id}",
    status_code=204,
    summary="Cancel a piece that is under way, or delete one that is over",
    responses=problem_responses(_404="There is no such piece."),
    name="delete",
)
async def delete_piece(key: PieceId, service: AppService) -> None:
    """Delete a piece, or cancel it and wait until it has ended."""
    job = await run_in_threadpool(service.delete, key)
    if job is not None:
        await wait_for(service, [job], CANCEL_SECONDS)


def _check_wait(seconds: float, service: Service) -> None:
    if seconds > service.limits.most_wait:
        raise RequestError(f"wait must lie in 0-{service.limits.most_wait:g}, not {seconds:g}")


async def wait_for(service: Service, jobs: Sequence[Job | FollowedJob], seconds: float) -> None:
    """Wait until all jobs are over, so many seconds at most, or until the server stops."""
    deadline = time.monotonic() + seconds
    while True:
        # Taken before looking: what changes while we look is then news, and `wait` returns at once.
        seen = service.notifier.version
        remaining = deadline - time.monotonic()
        if remaining <= 0 or service.scheduler.is_stopping or all(job.is_over for job in jobs):
            return
        await service.notifier.wait(seen, remaining)


def _sound_views(service: Service, records: Sequence[Record]) -> Iterator[PieceView]:
    for record in records:
        with contextlib.suppress(UnknownPieceError):  # one damaged row costs itself, not the list
            yield piece_view(service, record)


def piece_view(service: Service, record: Record) -> PieceView:
    """Show a piece as it is now; raises UnknownPieceError where what is stored of it is damaged."""
    try:
        return PieceView.of(record, service.job(record.id), service.revisions.current(record.id))
    except (ValidationError, LookupError, TypeError, ValueError) as error:
        raise UnknownPieceError(f"what is stored of the piece {record.id} is damaged; it can be deleted") from error
