"""What a server answers when it cannot do what was asked: problem details (RFC 9457) with one sentence in `detail`.

Clients never see a traceback: what is not theirs to mend is answered with 500, and stands in the server's log.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from ..errors import RequestError

MEDIA_TYPE = "application/problem+json"
LONGEST_VALUE = 40  # characters of a value that are repeated to its sender
KINDS = {"int": "a whole number", "float": "a number"}  # by the beginning of pydantic's names of its errors


class Problem(BaseModel):
    """A refusal; `detail` says what is wrong and what would be right."""

    type: str = "about:blank"
    title: str = Field(examples=["Unprocessable Entity"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["notes must lie in 1-10000, not 0"])


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Make the answer for a status and a sentence."""
    content = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail).model_dump()
    return JSONResponse(content, status, headers, MEDIA_TYPE)


def responses(**sentences: str) -> dict[int | str, dict[str, Any]]:
    """Describe answers for OpenAPI, as `_422="when it is given"`."""
    content = {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}
    return {int(status[1:]): {"description": text, "content": content} for status, text in sentences.items()}


def add_problems(app: FastAPI) -> None:
    """Answer every error of `app` with a problem."""

    @app.exception_handler(RequestError)
    async def impossible(_: Request, error: RequestError) -> JSONResponse:
        return problem(422, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return problem(422, "; ".join(sentence(found) for found in error.errors()))

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        is_plain = error.detail == HTTPStatus(error.status_code).phrase
        what = f"{request.method} {request.url.path}: {error.detail.lower()}; /docs tells what there is"
        return problem(error.status_code, what if is_plain else error.detail, error.headers)

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> JSONResponse:
        sentence = "something failed in the server, not in your request; its log says what"
        return problem(500, sentence, {"Connection": "close"})  # as the HTTP server closes it after a failure


def sentence(error: Mapping[str, Any]) -> str:
    """Say what one of pydantic's errors about a parameter means: the parameter, what is right, what was given."""
    name, kind = str(error["loc"][-1]), str(error["type"])
    if kind == "extra_forbidden":
        return f"there is no parameter {_short(name)}; /docs lists those there are"
    right = KINDS.get(kind.partition("_")[0])
    given = _short(error.get("input"))
    return f"{name} must be {right}, not {given}" if right else f"{name}: {error['msg']}, given was {given}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."
