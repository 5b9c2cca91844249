"""The endpoints of /v1/pieces: ask for pieces, look at them, name them, let them go."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import Body, FastAPI, Query, Response
from fastapi import Request as HttpRequest
from starlette.concurrency import run_in_threadpool

from ...errors import RequestError
from ..jobs.history import Record
from ..jobs.scheduler import Job
from ..jobs.service import Service
from .middleware import client_of
from .problems import responses
from .requests import FORM, JSON, read_orders
from .schemas import KEY, Change, Page, PieceRequest, PieceRequestForm, Pieces, PieceView

MOST_A_PAGE = 200
CANCEL_SECONDS = 10.0  # a step takes some hundredths of one
DESCRIPTION = """Answers at once with each piece's id and links; `wait` waits for the results.

Send JSON, or a form with the same names as fields and a MIDI file as `prompt`. Without a length, 300 notes are
composed. Pieces under way are stepped together; what each becomes depends on its request alone."""
WAIT = Query(description="Wait up to so many seconds for the pieces to be done.", ge=0, examples=[30])
LIMIT = Query(description="How many pieces at most.", ge=1, le=MOST_A_PAGE)
BEFORE = Query(description="`next` of the page before.", pattern="^[0-9]{1,18}$")
FAVOURITES = Query(description="Only favourites.")


def body_document() -> dict[str, Any]:
    """Describe the body of a request for pieces, which FastAPI cannot read from one type."""
    kinds = {JSON: PieceRequest.__name__, FORM: PieceRequestForm.__name__}
    content: dict[str, dict[str, Any]] = {
        kind: {"schema": {"$ref": f"#/components/schemas/{name}"}} for kind, name in kinds.items()
    }
    content[JSON]["example"] = {"notes": 300, "style": "chopin", "seed": 7}
    return {"requestBody": {"content": content, "required": True}}


def add_pieces(app: FastAPI, service: Service) -> None:
    """Add the endpoints."""
    _add_asking(app, service)
    _add_looking(app, service)
    _add_changing(app, service)


def _add_asking(app: FastAPI, service: Service) -> None:
    location = {"Location": {"description": "The first piece.", "schema": {"type": "string"}}}
    refusals = responses(
        _404="There is no piece of the id to go on from.",
        _409="The piece to go on from is not done.",
        _413="The body is too large.",
        _415="The body is of another kind.",
        _422="A value is impossible, or the model cannot do what is asked.",
        _429="Too many pieces are under way; `Retry-After` says for how many seconds to wait.",
        _503="The server is stopping.",
    )

    @app.post(
        "/v1/pieces",
        status_code=202,
        summary="Ask for pieces",
        description=DESCRIPTION,
        openapi_extra=body_document(),
        responses={202: {"description": "The pieces, under way.", "headers": location}, **refusals},
        tags=["pieces"],
        name="ask",
    )
    async def ask(http: HttpRequest, answer: Response, wait: Annotated[float, WAIT] = 0.0) -> Pieces:
        if wait > service.limits.most_wait:
            raise RequestError(f"wait must lie in 0-{service.limits.most_wait:g}, not {wait:g}")
        orders = await read_orders(http, service.limits, service.notes)
        records = await run_in_threadpool(service.submit, orders, client_of(http.scope))
        jobs = [job for record in records if (job := service.job(record.id)) is not None]
        await wait_for(service, jobs, wait)
        answer.headers["Location"] = f"/v1/pieces/{records[0].id}"
        return Pieces(pieces=await run_in_threadpool(_views, service, [record.id for record in records]))


def _add_looking(app: FastAPI, service: Service) -> None:
    @app.get(
        "/v1/pieces",
        summary="List the pieces, the newest first",
        responses=responses(_422="A parameter is impossible."),
        tags=["pieces"],
        name="list",
    )
    async def list_pieces(
        limit: Annotated[int, LIMIT] = 50,
        before: Annotated[str | None, BEFORE] = None,
        favourites: Annotated[bool, FAVOURITES] = False,
    ) -> Page:
        look = partial(service.page, before=None if before is None else int(before), only_favourites=favourites)
        records = await run_in_threadpool(look, limit + 1)
        older = str(records[limit - 1].number) if len(records) > limit else None
        return Page(pieces=[_view(service, record) for record in records[:limit]], next=older)

    @app.get(
        "/v1/pieces/{id}",
        summary="Look at a piece: how far it is, or how it ended",
        responses=responses(_404="There is no such piece."),
        tags=["pieces"],
        name="look",
    )
    async def look_at(key: KEY) -> PieceView:
        return _view(service, await run_in_threadpool(service.find, key))


def _add_changing(app: FastAPI, service: Service) -> None:
    @app.patch(
        "/v1/pieces/{id}",
        summary="Name a piece anew, or make it a favourite or none",
        responses=responses(_404="There is no such piece.", _422="A value is impossible."),
        tags=["pieces"],
        name="change",
    )
    async def change(key: KEY, change: Annotated[Change, Body()]) -> PieceView:
        changed = partial(service.change, name=change.name, is_favourite=change.is_favourite)
        return _view(service, await run_in_threadpool(changed, key))

    @app.delete(
        "/v1/pieces/{id}",
        status_code=204,
        summary="Cancel a piece that is under way, or delete one that is over",
        responses=responses(_404="There is no such piece."),
        tags=["pieces"],
        name="delete",
    )
    async def delete(key: KEY) -> None:
        job = await run_in_threadpool(service.delete, key)
        if job is not None:
            await wait_for(service, [job], CANCEL_SECONDS)


async def wait_for(service: Service, jobs: Sequence[Job], seconds: float) -> None:
    """Wait until all jobs are over, so many seconds at most, or until the server stops."""
    deadline = time.monotonic() + seconds
    while True:
        seen = service.notifier.version
        left = deadline - time.monotonic()
        if left <= 0 or service.scheduler.is_stopping or all(job.is_over for job in jobs):
            return
        await service.notifier.wait(seen, left)


def _views(service: Service, keys: Sequence[str]) -> list[PieceView]:
    return [_view(service, service.find(key)) for key in keys]


def _view(service: Service, record: Record) -> PieceView:
    return PieceView.of(record, service.job(record.id))
