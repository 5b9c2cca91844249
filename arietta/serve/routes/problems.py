"""What a server answers when it cannot do what was asked: problem details (RFC 9457) with one sentence in `detail`.

Clients never see a traceback: what is not theirs to mend is answered with 500, and stands in the server's log.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from ...errors import AriettaError, RequestError

MEDIA_TYPE = "application/problem+json"
LONGEST_VALUE = 40  # characters of a value that are repeated to its sender
# By the beginning of pydantic's names of its errors; the longer names first.
KINDS = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "string_too": "a text of at most 200 characters",
    "string": "a text",
    "list": "a list",
    "tuple": "a list",
    "missing": "a value",
    "too": "a list of as many values as it takes",
    "model": "an object",
}
FAILURE = "something failed in the server, not in your request; its log says what"
RETRY_SECONDS = 5  # a piece of 1,000 notes takes about as long


class Problem(BaseModel):
    """A refusal; `detail` says what is wrong and what would be right."""

    type: str = "about:blank"
    title: str = Field(examples=["Unprocessable Entity"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["notes must lie in 1-10000, not 0"])


def problem_of(status: int, detail: str) -> dict[str, Any]:
    """Make the problem's JSON values."""
    return Problem(title=HTTPStatus(status).phrase, status=status, detail=detail).model_dump()


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Make the answer for a status and a sentence."""
    return JSONResponse(problem_of(status, detail), status, headers, MEDIA_TYPE)


def responses(**sentences: str) -> dict[int | str, dict[str, Any]]:
    """Describe answers for OpenAPI, as `_422="when it is given"`."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {int(status[1:]): {"description": text, "content": content} for status, text in sentences.items()}


def add_problems(app: FastAPI) -> None:
    """Answer every error of `app` with a problem."""
    from ..jobs.scheduler import FullError, StoppingError
    from ..jobs.service import UnfinishedError, UnknownPieceError

    statuses: dict[type[AriettaError], int] = {
        RequestError: 422,
        UnknownPieceError: 404,
        UnfinishedError: 409,
        FullError: 429,
        StoppingError: 503,
    }

    async def refused_by_us(_: Request, error: Exception) -> JSONResponse:
        status = statuses[type(error)]  # type: ignore[index]  # registered for these only
        return problem(status, str(error), {"Retry-After": str(RETRY_SECONDS)} if status in (429, 503) else None)

    for kind in statuses:
        app.add_exception_handler(kind, refused_by_us)
    _add_others(app)


def _add_others(app: FastAPI) -> None:
    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return problem(422, sentences(error.errors()))

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        is_plain = error.detail == HTTPStatus(error.status_code).phrase
        what = f"{request.method} {request.url.path}: {error.detail.lower()}; /docs tells what there is"
        return problem(error.status_code, what if is_plain else error.detail, error.headers)

    @app.exception_handler(sqlite3.Error)
    async def not_kept(_: Request, error: sqlite3.Error) -> JSONResponse:
        return problem(503, f"the server cannot keep pieces just now ({error}); try again later")


def sentences(errors: Sequence[Any]) -> str:
    """Say what pydantic's errors mean, the first few of them."""
    return "; ".join(dict.fromkeys(sentence(found) for found in errors[:4]))


def sentence(error: Mapping[str, Any]) -> str:
    """Say what one of pydantic's errors about a parameter means: the parameter, what is right, what was given."""
    name, kind = _name(error["loc"]), str(error["type"])
    if kind == "extra_forbidden":
        return f"there is no parameter {_short(name)}; /docs lists those there are"
    right = next((right for start, right in KINDS.items() if kind.startswith(start)), None)
    given = _short(error.get("input"))
    return f"{name} must be {right}, not {given}" if right else f"{name}: {error['msg']}, given was {given}"


def _name(place: Sequence[str | int]) -> str:
    """Name a value by where it stands: prompt.notes[3][2]."""
    names = [part for part in place if part not in ("query", "path", "header", "body")]
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in names)
    return name.lstrip(".") or "the body"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."
