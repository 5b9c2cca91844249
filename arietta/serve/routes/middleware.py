"""What every request passes before an endpoint: its line in the log, its host, the key, its page, its size.

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
from collections import Counter
from collections.abc import Callable, Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...names import escape_name
from ..access import Access
from ..jobs.limits import Limits
from ..jobs.metrics import Metrics
from ..jobs.problem import SERVER_FAILURE
from ..turns import Turns
from .problems import RETRY_SECONDS, problem_response

CLIENT_LEFT = 499  # in the log, as nginx has it: nobody is there to be answered
OPEN_PATHS = ("/healthz", "/readyz")  # for what watches the server, without a key
MOST_GUESSES, GUESS_SECONDS = 4, 1.0  # wrong keys of a client at once, and how long each is answered
CONTENT_POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
# How much, and how long, a refused client may go on sending: it reads its answer only when it has sent all.
LINGER_BYTES, LINGER_SECONDS = 64 << 20, 5.0
AT_ONCE = 4  # requests that enter each time that the event loop comes round; each takes a millisecond or two
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
        number = given if re.fullmatch(r"[\w.-]{1,64}", given, re.ASCII) else uuid.uuid4().hex

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
        except ClientDisconnect:
            status = status or CLIENT_LEFT
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


class _Entrance:
    """Lets requests in a few at a time, clients in turn: a thousand at once keep nobody else's waiting.

    Otherwise all of them would go on whenever the event loop comes round, and each such round would take a second.
    """

    def __init__(self) -> None:
        self._waiting = Turns[asyncio.Future[None]]()
        self._is_coming = False

    async def enter(self, client: str) -> None:
        """Wait for a client's turn."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.add(client, turn)
        self._come_round()
        await turn

    def _come_round(self) -> None:
        if self._waiting and not self._is_coming:
            self._is_coming = True
            asyncio.get_running_loop().call_soon(self._let_in)

    def _let_in(self) -> None:
        self._is_coming = False
        for _ in range(AT_ONCE):
            next_turn = self._waiting.pop()
            if next_turn is not None and not next_turn[1].done():  # a client may have left meanwhile
                next_turn[1].set_result(None)
        self._come_round()


class AccessMiddleware:
    """Refuses requests under another name, without the key, of other sites' pages, with too large or slow a body.

    In this order.
    """

    def __init__(
        self, app: ASGIApp, limits: Limits, access: Access, server_count: Callable[[], int] = lambda: 1
    ) -> None:
        self._app, self._limits, self._access = app, limits, access
        self._server_count = server_count  # that share their clients, and what each may guess
        self._guesses: Counter[str] = Counter()  # of wrong keys that are being answered, by client
        self._bodies: set[_Body] = set()  # of the requests that are being answered
        self._entrance = _Entrance()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = await self._refusal(scope, Headers(scope=scope))
        # As an answer and not an exception: the handlers of the app lie behind this middleware.
        if refusal is not None:
            await _drain(receive)
            await refusal(scope, receive, send)
            return
        await self._entrance.enter(client_of(scope))
        body = _Body(receive, self._limits, others=self._bodies)
        self._bodies.add(body)
        try:
            await self._app(scope, body.receive, send)
        finally:
            self._bodies.discard(body)

    async def _refusal(self, scope: Scope, headers: Headers) -> ASGIApp | None:
        is_open = scope["path"] in OPEN_PATHS
        if self._access.key is None and not is_open and not self._access.is_own_name(headers.get("host")):
            name = escape_name(headers["host"][:80])
            return problem_response(403, f"this server does not go by the name {name}; --allow-host lets it")
        if self._access.key is not None and not is_open:
            refusal = await self._check_key(_given_key(headers), client_of(scope))
            if refusal is not None:
                return refusal
        if not self._access.may_ask(scope["method"], scope["path"], headers):
            page = escape_name(headers.get("origin", "another site")[:80])
            return problem_response(403, f"pages of {page} may not ask this server to do things")
        if _content_length(headers) > self._limits.most_body:
            return problem_response(413, _too_large(self._limits), {"Connection": "close"})
        return None

    async def _check_key(self, given: bytes, client: str) -> ASGIApp | None:
        """Return the refusal of a wrong key; a guess is answered after a second, a few of one client at once."""
        assert self._access.key is not None
        if given and self._guesses[client] >= max(
            MOST_GUESSES // self._server_count(), 1
        ):  # right or wrong: else guessing would go on
            return problem_response(429, "too many wrong keys; try again in a few seconds", {"Retry-After": "2"})
        # In constant time: how long a comparison takes must not tell how much of the key is right.
        if hmac.compare_digest(given, self._access.key.encode()):
            return None
        if given:
            self._guesses[client] += 1
            try:
                await asyncio.sleep(GUESS_SECONDS)
            finally:
                self._guesses -= Counter([client])  # drops those without one, for addresses are many
        challenge = {"WWW-Authenticate": 'Basic realm="Arietta: the key is the password", charset="UTF-8"'}
        fault = "that key is wrong" if given else "this server asks for its key"
        return problem_response(401, f"{fault}: Authorization: Bearer KEY, or X-API-Key", challenge)


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


class _Body:
    """The body of a request while it comes, within limits: its size and its time, and the size of all at once."""

    def __init__(self, receive: Receive, limits: Limits, *, others: Collection[_Body]) -> None:
        self._receive, self._limits, self._others = receive, limits, others
        self._deadline, self._is_complete = time.monotonic() + limits.body_seconds, False
        self.size = 0

    async def receive(self) -> Message:
        """Receive the next part; raises HTTPException where the body is too large, or takes too long.

        A Content-Length may be missing or wrong, so the bytes that come are counted.
        """
        if self._is_complete:
            return await self._receive()  # what comes now is that the client leaves, which may take as long as it likes
        try:
            async with asyncio.timeout(max(self._deadline - time.monotonic(), 0.0)):
                message = await self._receive()
        except TimeoutError as error:
            sentence = f"the request's body did not come within {self._limits.body_seconds:g} seconds"
            raise HTTPException(408, sentence, {"Connection": "close"}) from error
        self.size += len(message.get("body", b""))
        self._is_complete = not message.get("more_body", False)
        if self.size > self._limits.most_body:
            await self._refuse(413, _too_large(self._limits))
        if self.size and sum(body.size for body in self._others) > self._limits.most_bodies:
            await self._refuse(429, "other clients send very much just now; try again in a few seconds")
        return message

    async def _refuse(self, status: int, sentence: str) -> None:
        if not self._is_complete:
            await _drain(self._receive)
        headers = {"Connection": "close"} | ({"Retry-After": str(RETRY_SECONDS)} if status == 429 else {})
        raise HTTPException(status, sentence, headers)
