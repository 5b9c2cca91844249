"""The client says where no server is, goes on with a stream that breaks, and knows a server of another kind."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from arietta.client import Client
from arietta.errors import RequestError


@pytest.mark.parametrize("address", ["", "127.0.0.1:8000", "ftp://here", "http://"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(RequestError, match="not the address of a server"):
        Client(address)


def test_a_server_that_is_not_there_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(RequestError, match=rf"{address}: no server answers there \(Connection refused\)"):
        Client(address).models()


class Stutterer(BaseHTTPRequestHandler):
    """A server whose stream breaks after every event, as one does that is started anew."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        heard = int(self.headers["Last-Event-ID"])
        self.asked.append(str(heard))
        self.send_response(200)
        self.end_headers()
        if heard < 3:
            note = json.dumps([heard, 0.5, 60 + heard, 64])
            self.wfile.write(f": hello\n\nid: {heard + 1}\nevent: note\ndata: {note}\n\nid: 99\nevent: no".encode())
        else:
            self.wfile.write(b'event: end\ndata: {"id": "a", "state": "done"}\n\n')

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def answering(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/behind/a/proxy/"
        server.shutdown()
        thread.join()


def test_a_stream_that_breaks_is_taken_up_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arietta.client.PAUSE", 0.0)
    with answering(Stutterer) as address:
        heard = list(Client(address).events("a"))
    assert [event[2] for event in heard] == [60, 61, 62]
    assert Stutterer.asked == ["0", "1", "2", "3"]


class Stranger(BaseHTTPRequestHandler):
    """A server of another kind."""

    def do_GET(self) -> None:
        self.send_error(418)

    def log_message(self, *_: object) -> None:
        pass


def test_a_server_of_another_kind_is_told_apart() -> None:
    with answering(Stranger) as address, pytest.raises(RequestError, match="the server answered 418"):
        Client(address).models()
