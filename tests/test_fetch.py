"""Fetching a file, against a server of this machine: broken connections, servers without ranges, refusals."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import arietta.fetch
from arietta.errors import FetchError
from arietta.fetch import ATTEMPTS, MissingError, fetch_file
from tests.support.flaky_server import FlakyServer, flaky_server

CONTENT = bytes(range(256)) * 2000


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FlakyServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with flaky_server(CONTENT) as running:
        yield running


def fetch_now(server: FlakyServer, path: Path) -> bytes:
    return fetch_file(server.url, path, pause=lambda seconds: None).read_bytes()


def test_a_file_is_fetched_and_nothing_lies_beside_it(server: FlakyServer, tmp_path: Path) -> None:
    assert fetch_now(server, tmp_path / "x.zip") == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]


def test_a_broken_connection_is_resumed_where_it_stopped(server: FlakyServer, tmp_path: Path) -> None:
    server.breaks_after = [100_000, 50_000]
    assert fetch_now(server, tmp_path / "x.zip") == CONTENT
    assert server.ranges == ["", "bytes=100000-", "bytes=150000-"]
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]


def test_the_part_of_an_earlier_call_is_resumed(server: FlakyServer, tmp_path: Path) -> None:
    (tmp_path / "x.zip.part").write_bytes(CONTENT[:1234])
    assert fetch_now(server, tmp_path / "x.zip") == CONTENT
    assert server.ranges == ["bytes=1234-"]


def test_a_server_that_ignores_ranges_is_begun_anew(server: FlakyServer, tmp_path: Path) -> None:
    server.knows_ranges = False
    server.breaks_after = [100_000]
    assert fetch_now(server, tmp_path / "x.zip") == CONTENT
    assert len(server.ranges) == 2


def test_a_part_longer_than_the_file_is_begun_anew(server: FlakyServer, tmp_path: Path) -> None:
    (tmp_path / "x.zip.part").write_bytes(CONTENT + b"more")
    assert fetch_now(server, tmp_path / "x.zip") == CONTENT
    assert server.ranges == [f"bytes={len(CONTENT) + 4}-", ""]


def test_a_server_that_always_breaks_is_given_up_and_the_part_is_kept(server: FlakyServer, tmp_path: Path) -> None:
    server.breaks_after = [1000] + [0] * 20
    with pytest.raises(FetchError, match=r"cannot be fetched.*what has come is kept in .*x\.zip\.part"):
        fetch_now(server, tmp_path / "x.zip")
    assert (tmp_path / "x.zip.part").read_bytes() == CONTENT[:1000]
    assert len(server.ranges) == 1 + ATTEMPTS - 1


def test_slow_progress_is_not_given_up(server: FlakyServer, tmp_path: Path) -> None:
    server.breaks_after = [20_000] * 25
    assert fetch_now(server, tmp_path / "x.zip") == CONTENT


def test_a_missing_file_is_given_up_at_once_and_a_busy_server_is_not(server: FlakyServer, tmp_path: Path) -> None:
    for status, attempts in ((404, 1), (503, ATTEMPTS)):
        server.status, server.ranges = status, []
        error = MissingError if status == 404 else FetchError
        with pytest.raises(error, match=f"it answers {status}"):
            fetch_now(server, tmp_path / "x.zip")
        assert len(server.ranges) == attempts


def test_no_server_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(FetchError, match=r"127\.0\.0\.1:9/x\.zip: cannot be fetched \(.*refused\)"):
        fetch_file("http://127.0.0.1:9/x.zip", tmp_path / "x.zip", pause=lambda seconds: None)


def test_pauses_double_and_progress_rises_to_the_end(server: FlakyServer, tmp_path: Path) -> None:
    server.breaks_after = [0, 0, 0]
    pauses: list[float] = []
    steps: list[tuple[int, int]] = []
    fetch_file(server.url, tmp_path / "x.zip", lambda done, total: steps.append((done, total)), pauses.append)
    assert pauses == [1.0, 2.0, 4.0]
    assert steps[-1] == (len(CONTENT), len(CONTENT))
    assert steps == sorted(steps)


@pytest.mark.parametrize("is_announced", [True, False])
def test_an_answer_without_end_does_not_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_announced: bool
) -> None:
    answer = Answer(b"x" * 100_000, {"Content-Length": "10000000000"} if is_announced else {})
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: answer)
    with pytest.raises(FetchError, match="more than 1,000,000"):
        fetch_file("http://example.org/a", tmp_path / "a", pause=lambda _: None, most_bytes=1_000_000)
    assert not list(tmp_path.iterdir())


def test_a_broken_header_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: Answer(b"", {"Content-Length": "abc"}))
    with pytest.raises(FetchError, match="its answer is broken"):
        fetch_file("http://example.org/a", tmp_path / "a", pause=lambda _: None)


def test_a_server_that_sends_next_to_nothing_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arietta.fetch, "TIMEOUT", 0.02)
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: Answer(b"x", {"Content-Length": "9000"}, 0.005))
    with pytest.raises(FetchError, match="sends next to nothing"):
        fetch_file("http://example.org/a", tmp_path / "a", pause=lambda _: None)


def test_breaks_after_a_byte_each_are_given_up(server: FlakyServer, tmp_path: Path) -> None:
    server.breaks_after = [1] * 1_000
    with pytest.raises(FetchError, match="cannot be fetched"):
        fetch_now(server, tmp_path / "x.zip")
    assert len(server.ranges) == ATTEMPTS


@pytest.mark.parametrize("target", ["file:///etc/passwd", ""])
def test_a_redirection_that_leads_nowhere_is_given_up_at_once(server: FlakyServer, tmp_path: Path, target: str) -> None:
    server.redirects_to = target or server.url
    with pytest.raises(FetchError, match="it answers 302"):
        fetch_file(server.url, tmp_path / "x.zip", pause=lambda _: pytest.fail("tried again"))


class Answer:
    """An answer of a server that sends one block for ever."""

    status = 200

    def __init__(self, block: bytes, headers: dict[str, str], seconds: float = 0.0) -> None:
        self.block, self.headers, self.seconds = block, headers, seconds

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read1(self, _: int) -> bytes:
        time.sleep(self.seconds)
        return self.block
