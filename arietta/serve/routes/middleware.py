"""What every request passes before an endpoint: its line in the log, the key, the page it comes from, its size.

Every answer gets its headers of security and its number here. It is plain ASGI, because the middleware that takes whole
answers would hold back the event streams.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import json
import logging
import re
import time
import uuid
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..jobs.limits import Limits
from ..jobs.metrics import Metrics
from ..jobs.problem import SERVER_FAILURE
from .problems import problem_response

OPEN_PATHS = ("/healthz", "/readyz")  # for what watches the server, without a key
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
CONTENT_POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
# How much, and how long, a refused client may go on sending.
LINGER_BYTES, LINGER_SECONDS = 1 << 18, 1.0
requests_log = logging.getLogger("arietta.requests")


class RequestLogMiddleware:
    """Numbers each request, also in X-Request-ID, and logs it as a line of JSON when it has been answered.

    What fails in an endpoint is logged with its traceback, and answered with a problem that gives nothing of it away.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status, size = time.perf_counter(), 0, 0
        given = Headers(scope=scope).get("x-request-id", "")
        # The number that a proxy gave, but only a plain one, which cannot forge anything in the log.
        number = given if re.fullmatch(r"[\w.-]{1,64}", given) else uuid.uuid4().hex

        async def answer(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = number
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "same-origin"
                if headers.get("content-type", "").startswith("text/html"):
                    headers.setdefault("Content-Security-Policy", CONTENT_POLICY)  # the page of a report has its own
            size += len(message.get("body", b""))
            await send(message)

        request = {"request_id": number, "method": scope["method"], "path": scope["path"], "client": client_of(scope)}
        try:
            await self._app(scope, receive, answer)
        except Exception:
            requests_log.exception(json.dumps(request))
            if status:
                raise  # half an answer cannot be taken back: the HTTP server breaks it off
            await problem_response(500, SERVER_FAILURE)(scope, receive, answer)
        finally:
            self._metrics.requests.inc()
            if status >= 400:
                self._metrics.errors.labels(str(status)).inc()
            line = {**request, "status": status, "seconds": round(time.perf_counter() - started, 4), "bytes": size}
            requests_log.info(json.dumps(line))


class AccessMiddleware:
    """Refuses requests without the key, from other sites' pages, or with too large or slow a body; in this order."""

    def __init__(self, app: ASGIApp, limits: Limits, key: str | None, origins: Collection[str]) -> None:
        self._app, self._limits, self._key, self._origins = app, limits, key, frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = None
        key = None if scope["path"] in OPEN_PATHS else self._key
        # In constant time: how long a comparison takes must not tell how much of the key is right.
        if key is not None and not hmac.compare_digest(_given_key(headers), key.encode()):
            challenge = {"WWW-Authenticate": 'Basic realm="Arietta: the key is the password", charset="UTF-8"'}
            refusal = problem_response(
                401, "this server asks for its key: Authorization: Bearer KEY, or X-API-Key", challenge
            )
        elif not self._is_allowed_origin(scope, headers):
            refusal = problem_response(403, f"pages of {headers['origin'][:80]} may not ask this server to do things")
        elif _content_length(headers) > self._limits.most_body:
            refusal = problem_response(413, _too_large(self._limits), {"Connection": "close"})
        # As an answer and not an exception: the handlers of the app lie behind this middleware.
        if refusal is not None:
            await _drain(receive)
            await refusal(scope, receive, send)
            return
        await self._app(scope, _limited(receive, self._limits), send)

    def _is_allowed_origin(self, scope: Scope, headers: Headers) -> bool:
        """Whether no page of another site sent it: browsers name the origin of the page where something may change."""
        origin = headers.get("origin")
        if origin is None or scope["method"] in SAFE_METHODS or origin in self._origins:
            return True
        return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()


def client_of(scope: Scope) -> str:
    """Return the address of whoever asks."""
    return scope["client"][0] if scope.get("client") else ""


def _given_key(headers: Headers) -> bytes:
    """Return the key that a request brings: as X-API-Key, as bearer token, or as the password that browsers ask for."""
    if "x-api-key" in headers:
        return headers["x-api-key"].encode("latin-1")  # as which headers are decoded
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip().encode("latin-1")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(credentials, validate=True).partition(b":")[2]
    except ValueError:
        return b""


def _content_length(headers: Headers) -> int:
    """Read how many bytes a request announces; more than any limit where the header is no number."""
    text = headers.get("content-length", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 2**62


async def _drain(receive: Receive) -> None:
    """Receive what a refused client still sends, within limits: a connection closed before that loses the answer."""
    size = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while size < LINGER_BYTES:
                message = await receive()
                size += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


def _too_large(limits: Limits) -> str:
    return f"a request may have at most {limits.most_body} bytes"


def _limited(receive: Receive, limits: Limits) -> Receive:
    """Receive a body within limits; raises HTTPException where it is too large, or takes too long.

    A Content-Length may be missing or wrong, so the bytes that come are counted.
    """
    size, deadline, is_complete = 0, time.monotonic() + limits.body_seconds, False

    async def next_part() -> Message:
        nonlocal size, is_complete
        if is_complete:
            return await receive()  # what comes now is that the client leaves, which may take as long as it likes
        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), 0.0)):
                message = await receive()
        except TimeoutError as error:
            sentence = f"the request's body did not come within {limits.body_seconds:g} seconds"
            raise HTTPException(408, sentence, {"Connection": "close"}) from error
        size += len(message.get("body", b""))
        is_complete = not message.get("more_body", False)
        if size > limits.most_body:
            raise HTTPException(413, _too_large(limits), {"Connection": "close"})
        return message

    return next_part
