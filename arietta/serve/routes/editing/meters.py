"""The endpoints of a piece's metre: read it, correct it, set it, and take it away.

A metre counts in seconds and changes no note, so it is no revision: all versions of a piece have the same bars.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from pydantic import FailFast, Field
from starlette.concurrency import run_in_threadpool

from ....music.meter import Meter
from ...jobs.editing.revisions import ConflictError, Version
from ...jobs.service import Service
from ...workshop import Workshop, bar_lines, corrected_meter
from ..middleware import client_of
from ..problems import problem_responses
from ..requests import AppService, body_of, queues_of, read_json
from ..schemas import PieceId
from ..views.music import MeterFields, Sent

MOST_TAPS = 10_000
MOST_BEATS = 64  # that a downbeat is moved by at once: the longest bar
REFUSALS = problem_responses(
    _404="There is no such piece.", _409="The piece is not done.", _422="A value is impossible."
)
MADE = REFUSALS | problem_responses(_429="Too many files and bars are being made.", _503="It takes too long to make.")
router = APIRouter(tags=["pieces"])


class MeterCorrection(Sent):
    """What is wrong with the bars of a piece, or with those that are found in it where it has none."""

    beats: Literal["double", "half"] | None = Field(None, description="Count twice or half as many beats.")
    downbeat: int = Field(
        0, ge=-MOST_BEATS, le=MOST_BEATS, description="And begin bars so many beats later, or earlier.", examples=[1]
    )
    taps: Annotated[list[float], FailFast()] = Field(
        default=[],
        max_length=MOST_TAPS,
        description="Seconds of beats that were tapped, the first of a bar; before and after them the beats stay.",
        examples=[[0.0, 0.52, 1.03]],
    )
    metre: str | None = Field(
        None, max_length=40, description="Bars of this metre, from the same beats.", examples=["3/4"]
    )
    bar_line: tuple[int, float] | None = Field(
        None,
        description="A bar, from 1, and the second at which it begins; those beside it stay.",
        examples=[[9, 12.5]],
    )


class MeterView(MeterFields):
    """A metre, and when its bars begin, in seconds, to the first bar line that is not before the end of the piece."""

    bar_lines: list[float] = Field(examples=[[0.0, 1.5, 3.0]])


@router.get(
    "/v1/pieces/{id}/meter",
    summary="Read the metre of a finished piece, null where it has none",
    responses=REFUSALS,
    name="meter",
)
async def read_piece_meter(key: PieceId, service: AppService) -> MeterView | None:
    """Return the metre of a piece."""
    return await run_in_threadpool(_view, service, key)


@router.post(
    "/v1/pieces/{id}/meter",
    summary="Correct the bars of a finished piece, found where it has none; its files and verbs have them from then on",
    openapi_extra=body_of(MeterCorrection),
    responses=MADE,
    name="correct_meter",
)
async def correct_piece_meter(http: HttpRequest, key: PieceId, service: AppService) -> MeterView:
    """Correct a metre and store it."""
    asked = await read_json(http, MeterCorrection)
    return await _store(http, service, key, lambda version: version.meter, asked.model_dump())


@router.put(
    "/v1/pieces/{id}/meter",
    summary="Give a finished piece this metre",
    openapi_extra=body_of(MeterFields),
    responses=MADE,
    name="set_meter",
)
async def set_meter(http: HttpRequest, key: PieceId, service: AppService) -> MeterView:
    """Store a metre."""
    asked = await read_json(http, MeterFields)
    meter = asked.meter
    return await _store(http, service, key, lambda _: meter)


@router.delete(
    "/v1/pieces/{id}/meter", status_code=204, summary="Take the metre away", responses=REFUSALS, name="forget_meter"
)
async def forget_meter(key: PieceId, service: AppService) -> None:
    """Store that a piece has no metre."""
    await run_in_threadpool(service.finished, key)
    await run_in_threadpool(service.meters.store, {key: None})


async def _store(
    http: HttpRequest,
    service: Service,
    key: str,
    before: Callable[[Version], Meter | None],
    correction: Mapping[str, Any] | None = None,
) -> MeterView:
    """Store a metre, corrected where that is asked for, and show it; raises as what makes files does.

    It is made as files are, when it is its client's turn: of an hour of music, beats are found in a minute.
    """
    workshop: Workshop = http.app.state.workshop
    queues = await queues_of(http)

    def store() -> MeterView:
        version = service.music(key)
        work = partial(corrected_meter, version.notes, before(version), **(correction or {}))
        meter, lines = workshop.make(work)
        if correction and service.music(key).meter != version.meter:
            raise ConflictError("the bars were changed while this correction was made: look at them, and ask again")
        service.meters.store({key: meter})
        return MeterView(**meter.describe(), bar_lines=lines)

    await run_in_threadpool(service.finished, key)  # refuses before it waits in the queue
    return await queues.pictures.run(client_of(http.scope), store)


def _view(service: Service, key: str) -> MeterView | None:
    version = service.music(key)
    if version.meter is None:
        return None
    return MeterView(**version.meter.describe(), bar_lines=bar_lines(version.notes, version.meter))
