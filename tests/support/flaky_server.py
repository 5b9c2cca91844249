"""A file on a web server of this machine that breaks connections, ignores ranges or answers with errors, as told."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FlakyServer:
    """What the server gives, how it misbehaves, and which ranges it was asked for."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.breaks_after: list[int] = []  # bytes sent in each of the first answers before the connection breaks
        self.knows_ranges = True
        self.status = 200
        self.redirects_to = ""
        self.ranges: list[str] = []
        self.url = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers.get("Range", "")
        self.ranges.append(asked)
        if self.redirects_to:
            handler.send_response(302)
            handler.send_header("Location", self.redirects_to)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        start = int(re.sub(r"\D", "", asked)) if asked and self.knows_ranges else 0
        if self.status != 200 or start >= len(self.content):
            handler.send_error(self.status if self.status != 200 else 416)
            return
        rest = self.content[start:]
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(rest)))
        handler.end_headers()
        handler.wfile.write(rest[: self.breaks_after.pop(0)] if self.breaks_after else rest)


@contextmanager
def flaky_server(content: bytes) -> Iterator[FlakyServer]:
    """Serve `content` while the block runs."""
    server = FlakyServer(content)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.answer(self)

        def log_message(self, *arguments: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{listening.server_port}/corpus.zip"
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    listening.shutdown()
    thread.join()
    listening.server_close()
