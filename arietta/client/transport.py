"""HTTP with a server, on the standard library: requests, answers, streams of events, and refusals in its own words."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

import numpy as np

from ..errors import RequestError, real_number, require
from ..names import escape_name

LONGEST_TIMEOUT = 10**6  # seconds: of much more, systems know no time


class Transport:
    """How a server is reached: each call opens a connection of its own. Raises RequestError for no address."""

    def __init__(self, address: str, api_key: str | None, timeout: float) -> None:
        require(address, str, "the address of a server is text, such as http://127.0.0.1:8000")
        self.address, self._parts = address.rstrip("/"), _server_parts(address)
        self._timeout = real_number(timeout, "timeout")
        if not 0 < self._timeout <= LONGEST_TIMEOUT:
            raise RequestError(f"timeout must be above 0 and at most {LONGEST_TIMEOUT} seconds, not {self._timeout:g}")
        self._headers = {} if api_key is None else {"X-API-Key": api_key.encode()}

    def stream(self, key: str, after: int) -> Iterator[tuple[int | None, str, Any]]:
        """Read server-sent events as (number, kind, data); progress has no number, so it cannot be resumed from."""
        headers = {"Last-Event-ID": str(after), "Accept": "text/event-stream"}
        connection = self._connect()
        try:
            answer = self._send(connection, "GET", f"{piece_path(key)}/events", None, headers)
            fields: dict[str, str] = {}
            for line in answer:
                name, _, value = line.decode().rstrip("\r\n").partition(": ")
                if name:
                    fields[name] = value
                    continue
                if "data" in fields:
                    number = int(fields["id"]) if "id" in fields else None
                    yield number, fields["event"], json.loads(fields["data"])
                fields = {}
        finally:
            connection.close()

    def json(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request and return the JSON of its answer; raises as `call` does."""
        return json.loads(self.call(method, path, body))

    def call(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> bytes:
        """Send a request and return its answer's body; RequestError where the server refuses or is not there."""
        connection = self._connect()
        try:
            return self._send(connection, method, path, body, {"Accept": "*/*", **(headers or {})}).read()
        except (OSError, http.client.HTTPException) as error:
            raise self.no_answer(error) from error
        finally:
            connection.close()

    def _send(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: Any, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body, default=_plain).encode()
        kind = {} if data is None else {"Content-Type": "audio/midi" if data is body else "application/json"}
        connection.request(method, self._parts.path.rstrip("/") + path, data, {**headers, **kind, **self._headers})
        answer = connection.getresponse()
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise RequestError(f"{_sentence(answer)}; give it as api_key=, on the command line as ARIETTA_API_KEY")
        if answer.status >= 400:
            raise RequestError(_sentence(answer))
        return answer

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        assert self._parts.hostname is not None
        return kind(self._parts.hostname, self._parts.port, timeout=self._timeout)

    def no_answer(self, error: Exception) -> RequestError:
        """Return what to raise where the server cannot be reached."""
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return RequestError(
            f"{self.address}: no server answers there ({escape_name(reason)}); `arietta serve` starts one"
        )


def _server_parts(address: str) -> SplitResult:
    """Take an address apart; raises RequestError where no server can have it."""
    try:
        parts = urlsplit(address)
        # Both are read, and refused, only when they are asked for.
        is_address = parts.scheme in ("http", "https") and parts.port != 0 and (parts.hostname or "").encode("idna")
    except ValueError:
        is_address = b""
    if not is_address:
        raise RequestError(f"{address}: is not the address of a server, such as http://127.0.0.1:8000")
    return parts


def piece_path(key: str) -> str:
    """Return the path of a piece; raises RequestError where what should be its id is none."""
    require(key, str, 'a piece is named by its id, as in piece["id"]')
    return f"/v1/pieces/{quote(key)}"


def _sentence(answer: http.client.HTTPResponse) -> str:
    """Return why a server refused: its own sentence where it is an Arietta server."""
    try:
        return escape_name(json.loads(answer.read())["detail"])
    except (ValueError, KeyError, TypeError):
        status = f"{answer.status} {escape_name(answer.reason)}"
        return f"the server answered {status}, as no server of this kind does; see that the address is right"


def _plain(value: Any) -> Any:
    """Return a number or an array of numpy as JSON has it; raises RequestError for what no request holds."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise RequestError(f"a {type(value).__name__} cannot be sent to a server")
