"""What every request passes: key, origin, size, time; and what every answer carries."""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Iterator
from html.parser import HTMLParser

import httpx
import pytest

from arietta.serve.app import Access
from arietta.serve.jobs.limits import Limits
from arietta.serve.jobs.models import Models
from tests.support.servers import problem, serving

KEY = "clé de sol"


FRIEND = "https://music.example.org"


@pytest.fixture(scope="module")
def locked(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    access = Access(key=KEY, origins=(FRIEND,))
    with serving(models, tmp_path_factory.mktemp("data"), Limits(most_body=5_000, body_seconds=0.5), access) as client:
        yield client


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"anyone:{password}".encode()).decode()


@pytest.mark.parametrize("path", ["/", "/v1/pieces", "/midi/5", "/docs", "/openapi.json", "/metrics", "/static/x"])
def test_without_the_key_nothing_is_given_away(locked: httpx.Client, path: str) -> None:
    answer = locked.get(path)
    assert "asks for its key" in problem(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Basic ")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_who_watches_the_server_needs_no_key(locked: httpx.Client, path: str) -> None:
    assert locked.get(path).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": KEY},
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"bearer  {KEY}"},
        {"Authorization": basic(KEY)},
    ],
)
def test_the_key_opens_as_header_token_or_password(locked: httpx.Client, headers: dict[str, str]) -> None:
    encoded = {name: value.encode() for name, value in headers.items()}
    assert locked.get("/v1/pieces", headers=encoded).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": KEY[:-1]},
        {"X-API-Key": ""},
        {"Authorization": f"Bearer {KEY}x"},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic !!!"},
        {"Authorization": basic("")},
        {"Authorization": f"Digest {KEY}"},
    ],
)
def test_no_other_key_opens(locked: httpx.Client, headers: dict[str, str]) -> None:
    encoded = {name: value.encode() for name, value in headers.items()}
    problem(locked.get("/v1/pieces", headers=encoded), 401)


def ask(client: httpx.Client, origin: str | None, key: str | None = KEY) -> httpx.Response:
    headers = {} if key is None else {"X-API-Key": key.encode()}
    if origin is not None:
        headers["Origin"] = origin.encode()
    return client.post("/v1/pieces", json={"notes": 1}, headers=headers)


def test_pages_of_other_sites_may_not_make_a_visitor_compose(locked: httpx.Client) -> None:
    own = f"http://{locked.base_url.host}:{locked.base_url.port}"
    for origin in (None, own, FRIEND):
        assert ask(locked, origin).status_code == 202
    for origin in ("https://evil.example", "null", f"{own}.evil.example"):
        assert "may not ask this server" in problem(ask(locked, origin), 403)


def test_another_page_reads_answers_only_where_it_is_allowed(locked: httpx.Client, server: httpx.Client) -> None:
    allowed = ask(locked, FRIEND)
    assert allowed.headers["access-control-allow-origin"] == FRIEND
    assert "access-control-allow-origin" not in server.get("/v1/pieces", headers={"Origin": FRIEND}).headers
    question = {"Origin": FRIEND, "Access-Control-Request-Method": "DELETE"}
    assert locked.options("/v1/pieces/0", headers=question).status_code == 200  # browsers ask without a key
    assert locked.options("/v1/pieces/0", headers=question | {"Origin": "https://evil.example"}).status_code == 400


def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(locked: httpx.Client) -> None:
    answer = locked.post("/v1/pieces", content=b"x" * 5_001, headers={"X-API-Key": KEY.encode()})
    assert problem(answer, 413) == "a request may have at most 5000 bytes"


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x"])
def test_a_body_that_does_not_say_is_counted_while_it_comes(locked: httpx.Client, kind: str) -> None:
    sent = []

    def parts() -> Iterator[bytes]:
        for _ in range(200):
            sent.append(1)
            yield b"x" * 1_000

    headers = {"X-API-Key": KEY.encode(), "Content-Type": kind}
    try:
        answer = locked.post("/v1/pieces", content=parts(), headers=headers)
    except httpx.WriteError:  # the server had answered and closed before all was sent
        return
    if kind == "application/json":
        problem(answer, 413)
    else:
        assert answer.status_code in (400, 413)


def test_a_body_that_does_not_come_is_not_waited_for(locked: httpx.Client) -> None:
    begun = time.monotonic()
    with socket.create_connection((locked.base_url.host, locked.base_url.port or 80), timeout=20) as slow:
        head = f"POST /v1/pieces HTTP/1.1\r\nHost: here\r\nX-API-Key: {KEY}\r\nContent-Type: application/json\r\n"
        slow.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        said = slow.recv(1_000).decode()
    assert said.startswith("HTTP/1.1 408")
    assert time.monotonic() - begun < 10


class Loads(HTMLParser):
    """Addresses that a page loads by itself, and scripts and styles that stand in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        address = named.get("src") or (named.get("href") if tag == "link" else None)
        if address:
            self.addresses.append(address)
        if (tag in ("script", "style") and not address) or any(name.startswith("on") for name in named):
            self.inline.append(tag)


@pytest.mark.parametrize("path", ["/", "/docs", "/p/0000000000000000"])
def test_every_page_forbids_other_origins_and_needs_none(server: httpx.Client, path: str) -> None:
    answer = server.get(path, headers={"Accept": "text/html,*/*"})
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    loads = Loads(answer.text)
    assert not loads.inline
    assert all(address.startswith("/") and not address.startswith("//") for address in loads.addresses)
    for address in loads.addresses:
        assert server.get(address).status_code == 200, address


def test_every_answer_is_taken_for_what_it_says_and_tells_no_other_site_where_it_was_read(server: httpx.Client) -> None:
    for path in ("/", "/docs", "/nowhere", "/v1/models"):
        headers = server.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["x-request-id"]
