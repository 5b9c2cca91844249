"""The files of the studio are served, and no others."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from arietta.music.correction import SHORTEST_TAP
from tests.support.servers import problem

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd", "/static/sounds/"]
)
def test_nothing_but_the_studios_files_is_served(server: httpx.Client, path: str) -> None:
    problem(server.get(f"/static/{path}"), 404)


def test_scripts_and_sounds_of_the_studio_are_served(server: httpx.Client) -> None:
    page = server.get("/p/0123456789abcdef")
    assert page.headers["content-type"].startswith("text/html") and page.headers["cache-control"] == "no-cache"
    assert server.get("/").status_code == 200
    sounds = sorted((ROOT / "arietta" / "render" / "sounds").rglob("*.*"))
    assert sounds
    for file in sounds[:3]:
        address = file.relative_to(ROOT / "arietta" / "render" / "sounds").as_posix()
        assert server.get(f"/static/sounds/{address}").content == file.read_bytes()


def test_two_taps_in_the_studio_are_as_far_apart_as_the_server_asks_for(server: httpx.Client) -> None:
    shortest = re.search(r"const SHORTEST = ([\d.]+);", server.get("/static/score/taps.js").text)
    assert shortest is not None and float(shortest[1]) == SHORTEST_TAP
