"""What every request passes before an endpoint sees it: its number and its line in the log, the key, whose page sent
it, how large it may be; and what every answer carries.

Plain ASGI, so that streams stay streams.
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
from .problems import FAILURE, problem

OPEN = ("/healthz", "/readyz")  # for those who watch the server, without a key
SAFE = ("GET", "HEAD", "OPTIONS")
CONTENT_POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
requests_log = logging.getLogger("arietta.requests")


class RequestLogMiddleware:
    """Numbers each request, in X-Request-ID too, and writes a line about it as JSON when it has been answered; what
    fails in an endpoint is written with its traceback, and answered with a problem that tells nothing of it."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status, size = time.perf_counter(), 0, 0
        number = _number(Headers(scope=scope).get("x-request-id", ""))

        async def answer(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                _dress(MutableHeaders(scope=message), number)
            size += len(message.get("body", b""))
            await send(message)

        asked = {"request_id": number, "method": scope["method"], "path": scope["path"], "client": client_of(scope)}
        try:
            await self._app(scope, receive, answer)
        except Exception:
            requests_log.exception(json.dumps(asked))
            if status:
                raise  # half an answer cannot be mended: the HTTP server breaks it off
            await problem(500, FAILURE)(scope, receive, answer)
        finally:
            self._count(status)
            line = {**asked, "status": status, "seconds": round(time.perf_counter() - begun, 4), "bytes": size}
            requests_log.info(json.dumps(line))

    def _count(self, status: int) -> None:
        self._metrics.requests.inc()
        if status >= 400:
            self._metrics.errors.labels(str(status)).inc()


LINGER_BYTES, LINGER_SECONDS = 1 << 18, 1.0


class AccessMiddleware:
    """Refuses requests without the key, from other sites' pages, or too large or slow; in this order."""

    def __init__(self, app: ASGIApp, limits: Limits, key: str | None, origins: Collection[str]) -> None:
        self._app, self._limits, self._key, self._origins = app, limits, key, frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = None
        if not self._has_key(scope, headers):
            challenge = {"WWW-Authenticate": 'Basic realm="Arietta: the key is the password", charset="UTF-8"'}
            refusal = problem(401, "this server asks for its key: Authorization: Bearer KEY, or X-API-Key", challenge)
        elif not self._is_own(scope, headers):
            refusal = problem(403, f"pages of {headers['origin'][:80]} may not ask this server to do things")
        elif _length(headers) > self._limits.most_body:
            refusal = problem(413, _too_large(self._limits), {"Connection": "close"})
        if refusal is not None:
            await _let_finish(receive)
            await refusal(scope, receive, send)
            return
        await self._app(scope, _counted(receive, self._limits), send)

    def _has_key(self, scope: Scope, headers: Headers) -> bool:
        if self._key is None or scope["path"] in OPEN:
            return True
        return hmac.compare_digest(_given_key(headers), self._key.encode())

    def _is_own(self, scope: Scope, headers: Headers) -> bool:
        """Whether no other site's page sent it: browsers name the page's origin where something may change."""
        origin = headers.get("origin")
        if origin is None or scope["method"] in SAFE or origin in self._origins:
            return True
        return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()


def client_of(scope: Scope) -> str:
    """Name whoever asks by address."""
    return scope["client"][0] if scope.get("client") else ""


def _number(given: str) -> str:
    """Take over a number that a proxy gave, if it is a plain one."""
    return given if re.fullmatch(r"[\w.-]{1,64}", given) else uuid.uuid4().hex


def _dress(headers: MutableHeaders, number: str) -> None:
    headers["X-Request-ID"] = number
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"
    if headers.get("content-type", "").startswith("text/html"):
        headers.setdefault("Content-Security-Policy", CONTENT_POLICY)  # a report's page has its own


def _given_key(headers: Headers) -> bytes:
    """Find the key that a request brings: as itself, as a bearer's token, or as the password that browsers ask for."""
    if "x-api-key" in headers:
        return headers["x-api-key"].encode("latin-1")  # as which headers are decoded
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip().encode("latin-1")
    if kind.lower() != "basic":
        return b""
    try:
        return base64.b64decode(value, validate=True).partition(b":")[2]
    except ValueError:
        return b""


def _length(headers: Headers) -> int:
    value = headers.get("content-length", "0")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else 2**62


async def _let_finish(receive: Receive) -> None:
    """Take in what a refused client still sends, within limits: a connection closed before loses it the answer."""
    got = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while got < LINGER_BYTES:
                message = await receive()
                got += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


def _too_large(limits: Limits) -> str:
    return f"a request may have at most {limits.most_body} bytes"


def _counted(receive: Receive, limits: Limits) -> Receive:
    """Receive a body, but not without end: raises HTTPException where it is too large, or takes too long."""
    got, deadline, is_whole = 0, time.monotonic() + limits.body_seconds, False

    async def next_part() -> Message:
        nonlocal got, is_whole
        if is_whole:
            return await receive()  # the client's leaving may take as long as it likes
        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), 0.0)):
                message = await receive()
        except TimeoutError as error:
            sentence = f"the request's body did not come within {limits.body_seconds:g} seconds"
            raise HTTPException(408, sentence, {"Connection": "close"}) from error
        got += len(message.get("body", b""))
        is_whole = not message.get("more_body", False)
        if got > limits.most_body:
            raise HTTPException(413, _too_large(limits), {"Connection": "close"})
        return message

    return next_part
