"""The endpoint of a score to look at while the piece plays: pages, and when each of their notes sounds."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Response
from fastapi import Request as HttpRequest
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from ....errors import RequestError
from ...workshop import score_document
from ..files import head_response, make_file
from ..problems import problem_responses
from ..requests import JSON, AppService
from ..schemas import PieceId

MOST_NOTES = 5000  # engraving more takes too long to be looked at
router = APIRouter(tags=["files"])


class ScoreMoment(BaseModel):
    """Notes that begin together: when they sound, the page that they stand on, from 0, and their ids in its SVG."""

    seconds: float
    page: int
    ids: list[str]


class ScoreView(BaseModel):
    """A piece as pages of a score, each an SVG, and its moments in order of time."""

    pages: list[str]
    moments: list[ScoreMoment]


@router.head("/v1/pieces/{id}/score", include_in_schema=False)
@router.get(
    "/v1/pieces/{id}/score",
    summary="Get the score of a finished piece as SVG pages, with the second at which each note sounds",
    response_model=ScoreView,
    responses=problem_responses(
        _404="There is no such piece.",
        _409="The piece is not done.",
        _422="The piece has no notes, or too many.",
        _429="Too many files are being made.",
        _501="This server cannot engrave scores.",
        _503="It takes too long to engrave.",
    ),
    name="score",
)
async def get_score(http: HttpRequest, key: PieceId, service: AppService) -> Response:
    """Engrave a piece, in its metre or in the one found in its timing."""
    await run_in_threadpool(service.finished, key)  # refuses before it waits in the queue
    headers = {"Cache-Control": "no-store"}
    if http.method == "HEAD":
        return head_response(headers, JSON)
    version = await run_in_threadpool(service.music, key)
    if len(version.notes) > MOST_NOTES:
        raise RequestError(f"a score to look at has {MOST_NOTES} notes at most, not {len(version.notes)}")
    try:
        content = await make_file(http, partial(score_document, version.notes, version.meter))
    except ImportError as error:
        raise HTTPException(501, "this server cannot engrave scores: the package verovio is not installed") from error
    return Response(content, headers=headers, media_type=JSON)
