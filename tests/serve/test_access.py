"""Who may ask: the names a server answers to, and what browsers say of the pages behind a request."""

from __future__ import annotations

import pytest

from arietta.serve.access import Access

FRIEND = "https://music.example.org"
PUBLIC = Access(hosts=("0.0.0.0",))


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "localhost",
        "localhost:8000",
        "LOCALHOST.",
        "arietta.localhost:80",
        "127.0.0.1:8000",
        "127.9.9.9",
        "[::1]:8000",
    ],
)
def test_a_server_answers_to_this_machines_own_names(host: str | None) -> None:
    assert Access().is_own_name(host)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "localhost.evil.example", "192.0.2.7", "[2001:db8::1]", "[", "a b", "127.1"],
)
def test_it_answers_to_no_other(host: str) -> None:
    assert not Access().is_own_name(host)


def test_names_may_be_added_and_on_all_addresses_every_number_is_one() -> None:
    assert Access(hosts=("music.example.org",)).is_own_name("music.example.org:443")
    assert PUBLIC.is_own_name("192.0.2.7:8000") and PUBLIC.is_own_name("[2001:db8::1]:8000")
    assert not PUBLIC.is_own_name("evil.example")  # rebinding needs a name
    assert Access(hosts=("192.0.2.7",)).is_own_name("192.0.2.7")


CROSS = {"host": "127.0.0.1:8000", "sec-fetch-site": "cross-site"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "may"),
    [
        ("GET", "/midi/5000", {}, True),  # no browser
        ("GET", "/midi/5000", {"sec-fetch-site": "none"}, True),  # typed by hand
        ("GET", "/midi/5000", {"sec-fetch-site": "same-origin"}, True),
        ("GET", "/midi/5000", {**CROSS, "sec-fetch-mode": "no-cors"}, False),  # <img src=...>
        ("GET", "/midi/5000", {**CROSS, "sec-fetch-mode": "navigate"}, False),
        ("GET", "/v1/pieces/1.wav", {**CROSS, "sec-fetch-mode": "no-cors"}, False),
        ("GET", "/", {**CROSS, "sec-fetch-mode": "navigate"}, True),  # a link to the studio
        ("GET", "/p/1", {**CROSS, "sec-fetch-mode": "navigate"}, True),
        ("GET", "/static/app.js", {**CROSS, "sec-fetch-mode": "no-cors"}, False),
        ("GET", "/midi/5", {**CROSS, "origin": FRIEND}, True),
        ("GET", "/midi/5", {**CROSS, "referer": f"{FRIEND}/page"}, True),
        ("GET", "/midi/5", {**CROSS, "referer": "http://[", "origin": "http://["}, False),
        ("POST", "/v1/pieces", {}, True),
        ("POST", "/v1/pieces", {"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8000"}, True),
        ("POST", "/v1/pieces", {"host": "127.0.0.1:8000", "origin": "http://evil.example"}, False),
        ("POST", "/v1/pieces", {"host": "127.0.0.1:8000", "origin": "http://["}, False),
        ("POST", "/v1/pieces", {"host": "127.0.0.1:8000", "origin": "null"}, False),
        ("POST", "/v1/pieces", {"origin": "null"}, False),
        ("POST", "/v1/pieces", CROSS, False),
        ("DELETE", "/v1/pieces/1", {"host": "127.0.0.1:8000", "origin": FRIEND}, True),
    ],
)
def test_pages_of_other_sites_may_lead_to_pages_and_make_no_work(
    method: str, path: str, headers: dict[str, str], may: bool
) -> None:
    assert Access(origins=(FRIEND,)).may_ask(method, path, headers) is may
