"""Connections by themselves: how many there may be, and how long one may keep the server waiting."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from arietta.serve.connections import ConnectionLimits, limited_connection, raise_descriptor_limit
from arietta.serve.jobs.models import Models
from tests.support.servers import composed, serving, until

HASTY = ConnectionLimits(most=24, most_per_client=12, reserve=2, head_seconds=1.0, stall_seconds=0.4)


@contextmanager
def connected(client: httpx.Client, source: str = "127.0.0.1") -> Iterator[socket.socket]:
    """Connect to a server, from one of this machine's addresses."""
    address = (client.base_url.host, client.base_url.port or 80)
    with socket.create_connection(address, timeout=20, source_address=(source, 0)) as connection:
        yield connection


def is_closed(connection: socket.socket) -> bool:
    """Whether the server has closed it; an answer that it wrote before is read."""
    connection.settimeout(0.01)
    try:
        while connection.recv(65_536):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


@pytest.fixture(scope="module")
def hasty(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with serving(models, tmp_path_factory.mktemp("data"), connections=HASTY) as client:
        yield client


@pytest.mark.parametrize("begin", [b"", b"GET / HT", b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"])
@pytest.mark.timed
def test_who_owes_a_request_is_not_waited_for_however_slowly_it_comes(hasty: httpx.Client, begin: bytes) -> None:
    with connected(hasty) as slow:
        begun = time.monotonic()
        slow.sendall(begin)
        while not is_closed(slow):
            assert time.monotonic() - begun < 10
            try:
                slow.sendall(b"x")
            except ConnectionError:
                break
            time.sleep(0.05)
        assert time.monotonic() - begun > 0.8


def test_who_waits_for_an_answer_is_not_cut_off(hasty: httpx.Client) -> None:
    begun = time.monotonic()
    (piece,) = hasty.post("/v1/pieces", json={"notes": 9_000}).json()["pieces"]
    assert hasty.get("/v1/pieces", params={"limit": 1}).status_code == 200
    with hasty.stream("GET", piece["links"]["events"]) as stream:
        for _ in stream.iter_lines():
            if time.monotonic() - begun > 1.5:
                break
    hasty.delete(piece["links"]["self"])


def test_an_answer_that_nobody_reads_is_broken_off(hasty: httpx.Client) -> None:
    piece = composed(hasty, notes=3, seed=1, prompt={"notes": [[0, 1, 60, 60], [600, 1, 60, 60]]})
    sounds = hasty.app.state.queues.sounds  # type: ignore[attr-defined]
    with connected(hasty) as slow:
        slow.sendall(f"GET {piece['links']['wav']} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        until(lambda: sounds.count == 1)
        until(lambda: sounds.count == 0)
        until(lambda: is_closed(slow))


def test_one_client_cannot_have_all_connections(hasty: httpx.Client) -> None:
    with ExitStack() as opened:
        mine = [opened.enter_context(connected(hasty)) for _ in range(HASTY.most_per_client + 8)]
        until(lambda: sum(map(is_closed, mine)) >= 8)
        with connected(hasty, "127.0.0.2") as another:
            another.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert another.recv(100).startswith(b"HTTP/1.1 200")


def test_the_last_quarter_is_kept_for_those_who_have_few_and_proxies_may_have_all() -> None:
    limits = ConnectionLimits(most=100, most_per_client=60, reserve=3, proxies=["10.0.0.1"])
    assert limits.has_room("a", 59, 59) and not limits.has_room("a", 60, 60)
    assert limits.has_room("a", 90, 2) and not limits.has_room("a", 90, 3)
    assert limits.has_room("10.0.0.1", 99, 99) and not limits.has_room("10.0.0.1", 100, 100)


@pytest.mark.skipif(not hasattr(psutil, "RLIMIT_NOFILE"), reason="this system has no such limit")
def test_as_many_connections_are_taken_as_the_system_has_descriptors_for() -> None:
    code = (
        "import psutil; psutil.Process().rlimit(psutil.RLIMIT_NOFILE, (256, 700))\n"
        "from arietta.serve.connections import ConnectionLimits, limited_connection, raise_descriptor_limit\n"
        "print(raise_descriptor_limit(), limited_connection(ConnectionLimits()).limits.most)\n"
        "print(limited_connection(ConnectionLimits(), workers=100).limits.most)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["700", "500", "200"]
    assert limited_connection(ConnectionLimits(most=30)).limits.most == 30
    assert raise_descriptor_limit() is None or raise_descriptor_limit() > 256


def test_silent_connections_shut_nobody_out(models: Models, tmp_path: Path) -> None:
    with (
        serving(models, tmp_path, connections=ConnectionLimits(most=200, most_per_client=150)) as client,
        ExitStack() as opened,
    ):
        for _ in range(400):
            opened.enter_context(connected(client))
        with connected(client, "127.0.0.3") as another:
            another.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert another.recv(100).startswith(b"HTTP/1.1 200")
