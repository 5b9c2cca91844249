"""What a server answers when it cannot do what was asked: problem documents with one sentence in `detail`.

Clients never see a traceback: what is not theirs to mend is answered with 500, and stands in the server's log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from ...errors import AriettaError, HistoryError, RequestError
from ...names import suggest
from ..jobs.editing.revisions import ConflictError, StorageFullError
from ..jobs.history.database import StorageError
from ..jobs.job import UnfinishedError, UnknownPieceError
from ..jobs.problem import problem_json
from ..jobs.scheduler import FullError, NoWorkerError, StoppingError
from ..workshop import UnmadeError

MEDIA_TYPE = "application/problem+json"
LONGEST_VALUE = 40  # characters of a value that are repeated to its sender
LONGEST_DETAIL = 1_000
RETRY_SECONDS = 5  # a piece of 1,000 notes takes about as long
PAUSE_SECONDS = 0.5  # before a client hears that it asks too much: some ask again at once, from many connections
STATUSES: Mapping[type[AriettaError], int] = {
    RequestError: 422,
    UnknownPieceError: 404,
    UnfinishedError: 409,
    ConflictError: 409,
    FullError: 429,
    StoppingError: 503,
    NoWorkerError: 503,
    StorageFullError: 507,
    UnmadeError: 503,
    StorageError: 503,
    HistoryError: 500,  # the stored notes of a piece are damaged
}
# What is expected, by the beginning of the names of pydantic's errors. The first that fits counts, so longer names
# come before their own beginnings.
EXPECTED = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "string_too": "a text of at most 200 characters",
    "string": "a text",
    "list": "a list",
    "tuple": "a list",
    "too": "a list of as many values as it takes",
    "model": "an object",
}
INTERFACE = "/v1/", "/midi/"  # where the paths of the interface for programs begin
# What a row of a list is, by the list's name.
ROWS = {"notes": "[onset, duration, pitch, velocity]", "pedal": "[down, up]"}
# What pieces may be asked for in a body, and not in the address of a download.
OF_PIECES = frozenset({"seconds", "bars", "count", "best", "original", "ending", "density", "loudness", "key", "name"})


class Problem(BaseModel):
    """A refusal; `detail` says what is wrong and what would be right."""

    type: str = "about:blank"
    title: str = Field(examples=["Unprocessable Entity"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["notes must lie in 1-10000, not 0"])


def problem_response(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return the answer for a status and a sentence, which is cut where it repeats very much."""
    cut = detail if len(detail) <= LONGEST_DETAIL else f"{detail[: LONGEST_DETAIL // 2]} ... {detail[-100:]}"
    # With lone surrogates escaped, which no encoding can write.
    text = cut.encode(errors="backslashreplace").decode()
    return JSONResponse(problem_json(status, text), status, headers, MEDIA_TYPE)


def problem_responses(**sentences: str) -> dict[int | str, dict[str, Any]]:
    """Describe problems for OpenAPI, as `_422="A value is impossible."`."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {int(status[1:]): {"description": text, "content": content} for status, text in sentences.items()}


async def check_query(http: Request) -> None:
    """Refuse parameters in the address that an endpoint of the interface does not have, and those that come twice.

    Pages, and questions whether the server is there, may have any: browsers and balancers add some. Raises
    RequestError.
    """
    route = http.scope.get("route")
    if not http.query_params or not isinstance(route, APIRoute) or not route.path.startswith(INTERFACE):
        return
    known = list[str]()
    for parameter in route.dependant.query_params:
        kind = parameter.field_info.annotation
        fields = kind.model_fields if isinstance(kind, type) and issubclass(kind, BaseModel) else {}
        known += [field.alias or name for name, field in fields.items()] or [parameter.alias]
    for name in http.query_params:
        if name not in known:
            raise RequestError(validation_detail([{"type": "extra_forbidden", "loc": ("query", name)}], known))
        if len(http.query_params.getlist(name)) > 1:
            raise RequestError(f"{name} must be given once")


async def answer_error(request: Request, error: Exception) -> JSONResponse:
    """Answer an error with a problem; an error of another kind is a failure, which the middleware logs and answers."""
    match error:
        case AriettaError():
            status = STATUSES[type(error)]
            headers = {"Retry-After": str(RETRY_SECONDS)} if status in (429, 503) else None
            if status == HTTPStatus.TOO_MANY_REQUESTS:
                await asyncio.sleep(PAUSE_SECONDS)
            return problem_response(status, str(error), headers)
        case RequestValidationError():
            return problem_response(422, validation_detail(error.errors()))
    assert isinstance(error, HTTPException)
    detail = error.detail
    # Starlette's own errors, of unknown paths and methods, carry nothing but the phrase of their status.
    if detail == HTTPStatus(error.status_code).phrase:
        detail = f"{request.method} {request.url.path}: {detail.lower()}; /docs tells what there is"
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # A path has a route for each of its methods, and the first alone is what starlette names.
        matching = [route for route in request.app.state.routes if route.matches(request.scope)[0] is not Match.NONE]
        headers["Allow"] = ", ".join(sorted({method for route in matching for method in route.methods or ()}))
    return problem_response(error.status_code, detail, headers)


ERROR_HANDLERS: dict[int | type[Exception], Any] = dict.fromkeys(
    (*STATUSES, RequestValidationError, HTTPException), answer_error
)


def validation_detail(errors: Sequence[Any], known: Collection[str] = ()) -> str:
    """Say in one sentence what the first few of pydantic's errors mean; `known` are the parameters there are."""
    return "; ".join(dict.fromkeys(_error_sentence(error, known) for error in errors[:4]))


def _error_sentence(error: Mapping[str, Any], known: Collection[str]) -> str:
    """Say what one of pydantic's errors means: the parameter, what is expected, what was given."""
    # The path to the value, as prompt.notes[3][2], without what pydantic and FastAPI put before it.
    parts = [part for part in error["loc"] if part not in ("query", "path", "header", "body")]
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    name, kind = name.lstrip(".") if parts else "the body", str(error["type"])
    if kind == "extra_forbidden":
        # Of an address only; a body may have them.
        elsewhere = ": POST /v1/pieces takes it" if "query" in error["loc"] and name in OF_PIECES else ""
        meant = suggest(name, known) if len(parts) == 1 else ""
        return f"there is no parameter {_shortened(name)}{elsewhere}{meant}; /docs lists those there are"
    rows = [index for index, part in enumerate(parts[1:], 1) if isinstance(part, int) and parts[index - 1] in ROWS]
    if kind in ("missing", "too_long", "tuple_type") and rows:  # of a list of rows, a row that has too few or too many
        row = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts[: rows[0] + 1]).lstrip(".")
        return f"{row} must be {ROWS[parts[rows[0] - 1]]}, not {_shortened(error.get('input'))}"
    if kind == "missing":
        return f"{name} must be given"
    if kind == "string_pattern_mismatch":
        return f"{name} must match {error['ctx']['pattern']}, which {_shortened(error.get('input'))} does not"
    # Of ranges and choices pydantic says itself what is expected, as "less than or equal to 200".
    told = str(error["msg"]).partition("Input should be ")[2]
    expected = next((text for start, text in EXPECTED.items() if kind.startswith(start)), told)
    given = _shortened(error.get("input"))
    return f"{name} must be {expected}, not {given}" if expected else f"{name}: {error['msg']}, given was {given}"


def _shortened(given: object) -> str:
    text = "null" if given is None else repr(given)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."
