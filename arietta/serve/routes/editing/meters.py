"""The endpoints of a piece's metre: read it, correct it, set it, and take it away.

A metre counts in seconds and changes no note, so it is no revision: all versions of a piece have the same bars.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter
from fastapi import Request as HttpRequest
from pydantic import FailFast, Field
from starlette.concurrency import run_in_threadpool

from ....errors import RequestError
from ....music.correction import correct_meter
from ....music.meter import Meter
from ...jobs.service import Service
from ..middleware import client_of
from ..problems import problem_responses
from ..requests import AppQueues, AppService, body_of, read_json
from ..schemas import PieceId
from ..views.music import MeterFields, Sent

MOST_TAPS = 10_000
MOST_BEATS = 64  # that a downbeat is moved by at once: the longest bar
REFUSALS = problem_responses(
    _404="There is no such piece.", _409="The piece is not done.", _422="A value is impossible."
)
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
    responses=REFUSALS,
    name="correct_meter",
)
async def correct_piece_meter(
    http: HttpRequest, key: PieceId, service: AppService, queues: AppQueues
) -> MeterView | None:
    """Correct a metre and store it."""
    asked = await read_json(http, MeterCorrection)

    def correct() -> MeterView | None:
        version = service.music(key)
        return _store(service, key, correct_meter(version.notes, version.meter, **asked.model_dump()))

    return await queues.pictures.run(client_of(http.scope), correct)  # of an hour beats are found in two seconds


@router.put(
    "/v1/pieces/{id}/meter",
    summary="Give a finished piece this metre",
    openapi_extra=body_of(MeterFields),
    responses=REFUSALS,
    name="set_meter",
)
async def set_meter(http: HttpRequest, key: PieceId, service: AppService) -> MeterView | None:
    """Store a metre."""
    asked = await read_json(http, MeterFields)

    def store() -> MeterView | None:
        service.finished(key)
        return _store(service, key, asked.meter)

    return await run_in_threadpool(store)


@router.delete(
    "/v1/pieces/{id}/meter", status_code=204, summary="Take the metre away", responses=REFUSALS, name="forget_meter"
)
async def forget_meter(key: PieceId, service: AppService) -> None:
    """Store that a piece has no metre."""
    await run_in_threadpool(service.finished, key)
    await run_in_threadpool(service.meters.store, {key: None})


def _store(service: Service, key: str, meter: Meter) -> MeterView | None:
    """Store a metre that could be read back, and show it; raises RequestError for one that no piece can have."""
    try:
        service.meters.store({key: Meter.from_description(meter.describe())})
    except ValueError as error:
        raise RequestError(f"the bars cannot be corrected so: {error}") from error
    return _view(service, key)


def _view(service: Service, key: str) -> MeterView | None:
    version = service.music(key)
    if version.meter is None:
        return None
    # Of a metre that begins before the piece does, bar 1 is entered at 0: there its notes are.
    lines = np.maximum(version.meter.bar_lines(version.notes.seconds), 0.0)
    return MeterView(**version.meter.describe(), bar_lines=lines.tolist())
