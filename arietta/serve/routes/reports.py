"""A finished piece's report: what it is like, as a page and as JSON.

It is made when it is asked for, beside the scheduler, one after the other as slow files are (`files`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from ...evaluation.page.html import content_policy
from ...evaluation.page.piece import TitledReport, report_html
from ...evaluation.report import Report, report_on, report_values
from ...music.notes import Notes
from ..jobs.event_log import to_notes
from ..jobs.history import Record
from ..jobs.service import Service
from .files import FileQueue, disposition
from .problems import responses
from .schemas import KEY

PAGE_POLICY = f"{content_policy()}; frame-ancestors 'none'; sandbox allow-scripts"
REFUSALS = responses(
    _404="There is no such piece.", _409="The piece is not done.", _429="Too many files and reports are being made."
)
Figures = dict[str, float]


class ReportView(BaseModel):
    """What a piece is like, as `arietta judge --json` tells it; null where there is nothing to tell."""

    notes: int
    seconds: float
    measured: dict[str, Any] = Field(description="Statistics by name: a number, or the shares of a distribution.")
    beats: dict[str, Any] | None = Field(description="Statistics in beats, written in a file or found in the playing.")
    key: str | None = Field(examples=["E flat major"])
    entropy: float | None = Field(description="Of the pitch classes, in bits.")
    coming_back: Figures = Field(description="How like each window is to its like elsewhere, by seconds a window.")
    loops: list[float] = Field(description="When a pattern has come eight times in a row.")
    model: str | None
    bundle: str | None
    nats_per_note: float | None = Field(description="Under the model; less is more as it expected.")
    surprises: list[dict[str, Any]] = Field(description="The notes that the model expected least.")
    originality: dict[str, Any] | None = Field(description="What it shares with the model's training music.")
    composers: Figures = Field(description="Whom it sounds like, with shares.")
    sample: dict[str, Any] | None = Field(description="The figures by which it is held against real music.")
    real: list[dict[str, Any]] = Field(description="Real music's 5, 25, 50, 75 and 95th percentile of each figure.")


def add_reports(app: FastAPI, service: Service, file_queue: FileQueue) -> None:
    """Add the endpoints; before that of the piece itself, whose path would take the page's."""
    page = {"schema": {"type": "string"}}

    async def answered(key: str, write: Callable[[Record, Notes, Report], bytes]) -> tuple[Record, bytes]:
        record, _ = await run_in_threadpool(service.told, key)  # refuses before it waits

        def make() -> bytes:
            notes = to_notes(service.told(key)[1])
            return write(record, notes, _report(service, record, notes))

        return record, await file_queue.make(make)

    @app.get(
        "/v1/pieces/{id}.html",
        summary="Read what a finished piece is like, on a page that plays it",
        response_class=Response,
        responses={200: {"description": "A page that loads nothing.", "content": {"text/html": page}}, **REFUSALS},
        tags=["files"],
        name="get_html",
    )
    async def get_page(key: KEY) -> Response:
        record, made = await answered(key, _page)
        headers = {"Content-Disposition": disposition(f"{record.name}.html", "inline"), "Cache-Control": "no-store"}
        headers["Content-Security-Policy"] = PAGE_POLICY
        return Response(made, headers=headers, media_type="text/html")

    @app.get(
        "/v1/pieces/{id}/report",
        summary="Ask what a finished piece is like: likelihood, statistics, originality, beside real music",
        response_model=ReportView,
        responses=REFUSALS,
        tags=["files"],
        name="report",
    )
    async def get_report(key: KEY) -> Response:
        _, made = await answered(key, _json)
        return Response(made, headers={"Cache-Control": "no-store"}, media_type="application/json")


def _report(service: Service, record: Record, notes: Notes) -> Report:
    """Judge a piece by the model that composed it; without one where that is no longer here."""
    models, name = service.models, record.asked["model"]
    if name not in models.names:
        return report_on(notes)
    return report_on(notes, engine=models.engine(name), index=models.index(name))


def _page(record: Record, notes: Notes, report: Report) -> bytes:
    return report_html([TitledReport(record.name, notes, report)]).encode()


def _json(_: Record, notes: Notes, report: Report) -> bytes:
    return json.dumps(report_values(report), allow_nan=False).encode()
