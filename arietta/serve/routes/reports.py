"""A finished piece's report: what it is like, as a page and as JSON.

Reports are made when they are asked for, one after the other, as slow files are (`files`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from ...evaluation.page.html import content_policy
from ...evaluation.page.piece import TitledReport, report_html
from ...evaluation.report import Report, report_on
from ...evaluation.words import report_json
from ...music.notes import Notes
from ..jobs.history import Record
from ..jobs.service import Service
from ..work_queue import WorkQueue
from .files import AppQueues, disposition, head_response
from .middleware import client_of
from .problems import problem_responses
from .requests import AppService
from .schemas import PieceId

PAGE_POLICY = (
    f"{content_policy()}; frame-ancestors 'none'; sandbox allow-scripts"  # its script runs, but in an origin of its own
)
REFUSALS = problem_responses(
    _404="There is no such piece.", _409="The piece is not done.", _429="Too many files and reports are being made."
)
Figures = dict[str, float]
router = APIRouter(tags=["files"])  # to be included before `pieces`, whose path would match the page's


class ReportView(BaseModel):
    """What a piece is like, as `arietta judge --json` has it; null where there is nothing to say."""

    notes: int
    seconds: float
    measured: dict[str, Any] = Field(description="Statistics by name: a number, or the shares of a distribution.")
    beats: dict[str, Any] | None = Field(description="Statistics in beats, written in a file or found in the playing.")
    key: str | None = Field(examples=["E flat major"])
    entropy: float | None = Field(description="Of the pitch classes, in bits.")
    coming_back: Figures = Field(description="How like each window is to its like elsewhere, by seconds a window.")
    loops: list[float] = Field(description="When a pattern has come eight times in a row.")
    touch: dict[str, Any] | None = Field(description="The share of short notes and the longest wait, with a sentence.")
    wishes: list[dict[str, Any]] = Field(description="What was asked for from a second on, and what was found there.")
    model: str | None
    bundle: str | None
    nats_per_note: float | None = Field(description="Under the model; less is more as it expected.")
    surprises: list[dict[str, Any]] = Field(description="The notes that the model expected least.")
    originality: dict[str, Any] | None = Field(description="What it shares with the model's training music.")
    composers: Figures = Field(description="Whom it sounds like, with shares.")
    sample: dict[str, Any] | None = Field(description="The figures by which it is held against real music.")
    real: list[dict[str, Any]] = Field(description="Real music's 5, 25, 50, 75 and 95th percentile of each figure.")


@router.head("/v1/pieces/{id}.html", include_in_schema=False)
@router.get(
    "/v1/pieces/{id}.html",
    summary="Read what a finished piece is like, on a page that plays it",
    response_class=Response,
    responses={
        200: {"description": "A page that loads nothing.", "content": {"text/html": {"schema": {"type": "string"}}}},
        **REFUSALS,
    },
    name="get_html",
)
async def get_page(http: HttpRequest, key: PieceId, service: AppService, queues: AppQueues) -> Response:
    """Write the report as a page."""
    record = await run_in_threadpool(service.finished, key)  # refuses before it waits in the queue

    def write(notes: Notes, report: Report) -> bytes:
        return report_html([TitledReport(record.name, notes, report)]).encode()

    headers = {"Content-Disposition": disposition(f"{record.name}.html", "inline"), "Cache-Control": "no-store"}
    headers["Content-Security-Policy"] = PAGE_POLICY
    if http.method == "HEAD":
        return head_response(headers, "text/html")
    page = await _report(http, queues.pictures, record, write)
    return Response(page, headers=headers, media_type="text/html")


@router.head("/v1/pieces/{id}/report", include_in_schema=False)
@router.get(
    "/v1/pieces/{id}/report",
    summary="Ask what a finished piece is like: likelihood, statistics, originality, beside real music",
    response_model=ReportView,
    responses=REFUSALS,
    name="report",
)
async def get_report(http: HttpRequest, key: PieceId, service: AppService, queues: AppQueues) -> Response:
    """Write the report as JSON."""
    record = await run_in_threadpool(service.finished, key)

    def write(_: Notes, report: Report) -> bytes:
        return json.dumps(report_json(report), allow_nan=False).encode()

    headers = {"Cache-Control": "no-store"}
    if http.method == "HEAD":
        return head_response(headers, "application/json")
    content = await _report(http, queues.pictures, record, write)
    return Response(content, headers=headers, media_type="application/json")


async def _report(
    http: HttpRequest, queue: WorkQueue, record: Record, write: Callable[[Notes, Report], bytes]
) -> bytes:
    """Judge a piece by the model that composed it, or without one where that is no longer here; write the report."""
    service: Service = http.app.state.service

    def judge_and_write() -> bytes:
        version = service.music(record.id)
        notes, meter = version.notes, version.meter
        models, model = service.models, record.asked.get("model")
        if model in models.names:
            report = report_on(
                notes, engine=models.engine(model), index=models.index(model), meter=meter, request=record.asked
            )
        else:
            report = report_on(notes, meter=meter, request=record.asked)
        return write(notes, report)

    return await queue.run(client_of(http.scope), judge_and_write)
