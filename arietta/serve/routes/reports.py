"""A finished piece's report: what it is like, as a page and as JSON.

Reports are made when they are asked for, as slow files are (`files`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from ...evaluation.page.html import content_policy
from ..jobs.history.records import Record
from ..jobs.service import Service
from ..workshop import report_document, report_page
from .files import disposition, head_response, make_file
from .problems import problem_responses
from .requests import AppService
from .schemas import PieceId

PAGE_POLICY = (
    f"{content_policy()}; frame-ancestors 'none'; sandbox allow-scripts"  # its script runs, but in an origin of its own
)
REFUSALS = problem_responses(
    _404="There is no such piece.",
    _409="The piece is not done.",
    _429="Too many files and reports are being made.",
    _503="It takes too long to make.",
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
async def get_page(http: HttpRequest, key: PieceId, service: AppService) -> Response:
    """Write the report as a page."""
    record = await run_in_threadpool(service.finished, key)  # refuses before it waits in the queue

    headers = {"Content-Disposition": disposition(f"{record.name}.html", "inline"), "Cache-Control": "no-store"}
    headers["Content-Security-Policy"] = PAGE_POLICY
    if http.method == "HEAD":
        return head_response(headers, "text/html")
    page = await _make_report(http, record, report_page, record.name)
    return Response(page, headers=headers, media_type="text/html")


@router.head("/v1/pieces/{id}/report", include_in_schema=False)
@router.get(
    "/v1/pieces/{id}/report",
    summary="Ask what a finished piece is like: likelihood, statistics, originality, beside real music",
    response_model=ReportView,
    responses=REFUSALS,
    name="report",
)
async def get_report(http: HttpRequest, key: PieceId, service: AppService) -> Response:
    """Write the report as JSON."""
    record = await run_in_threadpool(service.finished, key)

    headers = {"Cache-Control": "no-store"}
    if http.method == "HEAD":
        return head_response(headers, "application/json")
    content = await _make_report(http, record, report_document)
    return Response(content, headers=headers, media_type="application/json")


async def _make_report(http: HttpRequest, record: Record, write: Callable[..., bytes], *titles: str) -> bytes:
    """Write the report on a piece by the model that composed it, or by none where that is no longer here."""
    service: Service = http.app.state.service
    version = await run_in_threadpool(service.music, record.id)
    name = record.asked.get("model")
    bundle = service.models.bundle(name) if name in service.models.names else None
    model = None if bundle is None else (bundle.path, bundle.fingerprint)
    about = {"model": model, "meter": version.meter, "request": dict(record.asked)}
    return await make_file(http, partial(write, version.notes, *titles, **about))
