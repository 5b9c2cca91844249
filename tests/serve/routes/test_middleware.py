"""What every request passes: key, origin, size, time; and what every answer carries."""

from __future__ import annotations

import asyncio
import base64
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from arietta.serve.access import Access
from arietta.serve.jobs.limits import Limits
from arietta.serve.jobs.models import Models
from arietta.serve.routes.middleware import AccessMiddleware
from tests.support.servers import problem, serving, until

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
    assert "X-Arietta-Seed" in allowed.headers["access-control-expose-headers"]
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


@pytest.mark.timed
def test_a_body_that_does_not_come_is_not_waited_for(locked: httpx.Client) -> None:
    begun = time.monotonic()
    with socket.create_connection((locked.base_url.host, locked.base_url.port or 80), timeout=20) as slow:
        head = f"POST /v1/pieces HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {KEY}\r\nContent-Type: application/json\r\n"
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


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_under_a_name_that_is_not_its_own_nothing_is_read_or_done(server: httpx.Client, method: str) -> None:
    name = f"evil.example:{server.base_url.port}"
    answer = server.request(method, "/v1/pieces", headers={"Host": name, "Origin": f"http://{name}"})
    assert "does not go by the name evil.example" in problem(answer, 403)
    assert server.get("/healthz", headers={"Host": name}).status_code == 200  # for what watches it


def test_with_a_key_any_name_will_do(locked: httpx.Client) -> None:
    headers = {"Host": "evil.example", "X-API-Key": KEY.encode()}
    assert locked.get("/v1/pieces", headers=headers).status_code == 200


def test_a_picture_on_another_sites_page_composes_nothing(server: httpx.Client) -> None:
    picture = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    assert "pages of another site may not" in problem(server.get("/midi/5000", headers=picture), 403)
    assert server.get("/", headers=picture | {"Sec-Fetch-Mode": "navigate"}).status_code == 200


def test_a_broken_origin_is_refused_with_a_sentence(server: httpx.Client) -> None:
    problem(server.post("/v1/pieces", json={"notes": 1}, headers={"Origin": "http://["}), 403)


def test_guesses_of_the_key_are_slow_and_few_at_once(locked: httpx.Client) -> None:
    def guess(_: int) -> int:
        headers = {"X-API-Key": "wrong"}
        return httpx.get(str(locked.base_url.join("/v1/pieces")), headers=headers, timeout=30).status_code

    begun = time.monotonic()
    with ThreadPoolExecutor(12) as guessers:
        statuses = list(guessers.map(guess, range(12)))
    assert set(statuses) == {401, 429} and time.monotonic() - begun > 0.9
    assert ask(locked, None).status_code == 202  # who brings the right one is let in afterwards


def test_of_servers_that_share_their_clients_each_lets_fewer_guess(
    locked: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locked.service.peers, "server_count", 9)  # type: ignore[attr-defined]
    begun = time.monotonic()
    with ThreadPoolExecutor(6) as guessers:
        guesses = [
            guessers.submit(httpx.get, str(locked.base_url), headers={"X-API-Key": "wrong"}, timeout=30)
            for _ in range(6)
        ]
    statuses = [guess.result().status_code for guess in guesses]
    assert 1 <= statuses.count(401) <= time.monotonic() - begun + 1 and 429 in statuses


def head(kind: str, length: int) -> bytes:
    """The head of a request for a piece."""
    lines = (
        "POST /v1/pieces HTTP/1.1",
        "Host: 127.0.0.1",
        f"Content-Type: {kind}",
        f"Content-Length: {length}",
        "",
        "",
    )
    return "\r\n".join(lines).encode()


def test_who_leaves_in_the_middle_of_a_body_is_no_failure_of_the_server(
    models: Models, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"), serving(models, tmp_path) as client:
        for kind in ("application/json", "multipart/form-data; boundary=x"):
            with socket.create_connection((client.base_url.host, client.base_url.port or 80)) as leaving:
                leaving.sendall(head(kind, 100) + b"--x")
        until(lambda: sum('"status": 499' in record.getMessage() for record in caplog.records) == 2)
        assert 'arietta_errors_total{status="500"}' not in client.get("/metrics").text
        assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("is_announced", [True, False])
def test_a_body_far_over_the_limit_still_gets_its_answer(server: httpx.Client, is_announced: bool) -> None:
    body = b"x" * (9 << 20)
    content = body if is_announced else iter([body[:1_000_000]] * 9)
    answer = server.post("/v1/pieces", content=content, headers={"Content-Type": "application/json"})
    assert "at most 2097152 bytes" in problem(answer, 413)


def test_what_all_clients_send_at_once_is_limited(models: Models, tmp_path: Path) -> None:
    with serving(models, tmp_path, Limits(most_bodies=50_000)) as client:
        address = (client.base_url.host, client.base_url.port or 80)
        with socket.create_connection(address) as slow:
            slow.sendall(head("application/json", 60_000) + b" " * 45_000)
            until(lambda: client.post("/v1/pieces", json={"name": "x" * 9_000}).status_code == 429)
            assert client.post("/v1/pieces", json={"notes": 1}).status_code == 202
        until(lambda: client.post("/v1/pieces", json={"name": "x" * 9_000}).status_code == 422)


@pytest.mark.parametrize("asked", [{"style": "x" * 10**6}, {"model": "x" * 10**6}, {"continues": "x" * 10**6}])
def test_a_refusal_does_not_repeat_a_megabyte(server: httpx.Client, asked: dict[str, str]) -> None:
    answer = server.post("/v1/pieces", json=asked)
    assert "must be a text of at most 200 characters" in problem(answer, 422) and len(answer.content) < 2_000


def test_the_document_says_how_the_key_is_sent(locked: httpx.Client, server: httpx.Client) -> None:
    document = locked.get("/openapi.json", headers={"X-API-Key": KEY.encode()}).json()
    assert {way for ways in document["security"] for way in ways} == set(document["components"]["securitySchemes"])
    assert "security" not in server.get("/openapi.json").json()


def test_of_very_many_requests_at_once_a_few_enter_at_a_time_and_clients_in_turn() -> None:
    entered: list[str] = []
    counts = [0]  # of those who have entered, each time that the event loop comes round

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        entered.append(scope["client"][0])

    async def count() -> None:
        while len(entered) < 1_000:
            counts.append(len(entered))
            await asyncio.sleep(0)

    async def scene() -> None:
        middleware = AccessMiddleware(app, Limits(), Access())

        def request(client: str) -> asyncio.Task[None]:
            scope = {"type": "http", "path": "/", "method": "GET", "headers": [], "client": (client, 1)}
            return asyncio.ensure_future(middleware(scope, None, None))  # type: ignore[arg-type]

        requests = [request("many") for _ in range(1_000)]
        requests.append(request("one"))
        await asyncio.sleep(0)
        requests[1].cancel()  # this client has left while it waited
        await asyncio.gather(count(), *requests, return_exceptions=True)

    asyncio.run(scene())
    assert entered.count("many") == 999 and entered.index("one") <= 4
    assert 0 < max(after - before for before, after in pairwise(counts)) <= 8
