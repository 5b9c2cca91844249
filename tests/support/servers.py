"""Servers for tests: in a process of their own, as users start them, or in a thread, where a test may reach inside.

A service without HTTP is opened by `opened`.

Fixtures: `server` is a client of one process that all tests share, with the models `tiny` and `tiny-lstm`.
"""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from arietta.generation.request import Request
from arietta.serve.access import Access
from arietta.serve.app import create_app
from arietta.serve.connections import ConnectionLimits, limited_connection
from arietta.serve.jobs.composing.order import Order
from arietta.serve.jobs.history.pieces import open_history
from arietta.serve.jobs.history.records import Record
from arietta.serve.jobs.limits import Limits
from arietta.serve.jobs.models import Models
from arietta.serve.jobs.service import Service
from tests.support.indexes import knowing

PATIENCE = 60.0  # seconds that a test waits for what takes one or two on an idle machine
MOST_NOTES = 10_000
LIFE_SIGNS = 4  # lines that a server prints when it is ready


class Server:
    """`arietta serve` in its own process, and what it printed when it was ready.

    Its log is read all the while: one that nobody reads would stop it when the pipe is full.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.printed = [process.stdout.readline() for _ in range(LIFE_SIGNS)]
        address = re.search(r"http://127\.0\.0\.1:\d+", self.printed[0])
        assert address, process.communicate(timeout=PATIENCE)
        self.address = address[0]
        self._log: list[str] = []
        self._reading = threading.Thread(target=self._log.extend, args=(process.stdout,), daemon=True)
        self._reading.start()

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Send a signal: (exit code, what else it printed, what it complained of)."""
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self._reading.join(PATIENCE)
        assert self.process.stderr is not None
        return code, "".join(self._log), self.process.stderr.read()

    def kill(self) -> None:
        self.stop(signal.SIGKILL)


@contextmanager
def served(data: Path | str, *words: str) -> Iterator[Server]:
    """Start a server that keeps its pieces in `data`, a folder or the address of a database."""
    home = "--history" if isinstance(data, str) else "--data"
    call = [sys.executable, "-m", "arietta", "serve", "--port", "0", home, str(data), *words]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Server(process)
        finally:
            process.kill()
            process.wait(PATIENCE)


@contextmanager
def serving(
    models: Models,
    data: Path | str,
    limits: Limits | None = None,
    access: Access | None = None,
    is_stopping: Callable[[], bool] = lambda: False,
    connections: ConnectionLimits | None = None,
    proxies: Sequence[str] = (),
) -> Iterator[httpx.Client]:
    """Serve over real HTTP on a free port, in a thread; the client's `service` is what is behind its `app`."""
    service = Service(models, open_history(data), limits or Limits(), is_stopping=is_stopping)
    app = create_app(service, access)
    protocol = limited_connection(connections or ConnectionLimits())
    config = uvicorn.Config(
        app, http=protocol, log_config=None, proxy_headers=bool(proxies), forwarded_allow_ips=list(proxies)
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=PATIENCE) as client:
                client.service, client.app = service, app  # type: ignore[attr-defined]
                yield client
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
    assert not thread.is_alive()


@contextmanager
def opened(models: Models, data: Path | str, limits: Limits | None = None) -> Iterator[Service]:
    """Open a service, as a server does, without HTTP."""
    service = Service(models, open_history(data), limits or Limits())
    service.open()
    try:
        yield service
    finally:
        service.close()


def submit(service: Service, *requests: Request, client: str = "", **options: Any) -> list[Record]:
    """Order a piece of each request, with the same options."""
    return service.submit([Order(request, **options) for request in requests], client)


def finish(service: Service, *requests: Request, **options: Any) -> list[Record]:
    """Order pieces and wait until all of them are over."""
    records = submit(service, *requests, **options)
    until(lambda: not any(service.job(record.id) for record in records))
    return [service.find(record.id) for record in records]


@pytest.fixture(scope="session")
def server(tiny_bundle: Path, tiny_lstm: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    data = tmp_path_factory.mktemp("data")
    with (
        served(data, "--model", str(tiny_bundle), str(tiny_lstm)) as process,
        httpx.Client(base_url=process.address, timeout=PATIENCE) as client,
    ):
        yield client


@pytest.fixture(scope="session")
def models(tiny_bundle: Path, tiny_lstm: Path) -> Models:
    return Models([tiny_bundle, tiny_lstm])


@pytest.fixture(scope="session")
def model_knowing_two(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with an index of what seeds 7 and 107 give it."""
    requests = [Request(notes=100, seed=seed) for seed in (7, 107)]
    return knowing(tmp_path_factory.mktemp("knowing") / "tiny", tiny_bundle, *requests)


def until(claim: Callable[[], Any]) -> None:
    """Wait for a claim to come true."""
    deadline = time.monotonic() + PATIENCE
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def problem(answer: httpx.Response, status: int) -> str:
    """The sentence of a refusal, whose form is checked."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    content = answer.json()
    assert set(content) == {"type", "title", "status", "detail"}
    assert content["status"] == status
    assert "Traceback" not in answer.text
    detail: str = content["detail"]
    return detail


def ask(client: httpx.Client, wait: float = 0, **asked: Any) -> list[dict[str, Any]]:
    """Ask for pieces, which must be taken on."""
    answer = client.post("/v1/pieces", json=asked, params={"wait": wait})
    assert answer.status_code == 202, answer.text
    pieces: list[dict[str, Any]] = answer.json()["pieces"]
    return pieces


def composed(client: httpx.Client, **asked: Any) -> dict[str, Any]:
    """Ask for one piece and wait until it is done."""
    (piece,) = ask(client, wait=PATIENCE, **asked)
    assert piece["state"] == "done", piece
    return piece


def look(client: httpx.Client, piece: dict[str, Any]) -> dict[str, Any]:
    current: dict[str, Any] = client.get(piece["links"]["self"]).raise_for_status().json()
    return current


def busy(client: httpx.Client) -> int:
    """Pieces under way."""
    count: int = client.get("/healthz").json()["pieces"]
    return count


def events(text: str) -> list[tuple[int | None, str, Any]]:
    """Read server-sent events: (number, kind, data) each."""
    parsed = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            number = int(lines["id"]) if "id" in lines else None
            parsed.append((number, lines["event"], json.loads(lines["data"])))
    return parsed
