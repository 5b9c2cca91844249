"""The best of several pieces over HTTP: asked for as JSON, in a form, by the client and by the command."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

import arietta
from arietta.cli import main
from arietta.client import Client
from tests.support.servers import PATIENCE, ask, problem


def test_the_figures_of_each_piece_carry_its_mark(server: httpx.Client) -> None:
    pieces = ask(server, wait=PATIENCE, notes=20, count=2, best=1)
    marks = [piece["figures"]["choice"] for piece in pieces]
    assert sorted(mark["is_chosen"] for mark in marks) == [False, True]
    assert all(set(mark) == {"is_chosen", "score", "parts"} for mark in marks)
    assert all("choice" not in piece["figures"] for piece in ask(server, wait=PATIENCE, notes=20, count=2))


@pytest.mark.parametrize(("count", "best"), [(3, 4), (3, 0), (3, -1), (1, 2)])
def test_more_than_are_composed_cannot_be_the_best(server: httpx.Client, count: int, best: int) -> None:
    answer = server.post("/v1/pieces", json={"notes": 5, "count": count, "best": best})
    assert problem(answer, 422) == f"best must lie in 1-{count}, as many as count composes, not {best}"


def test_a_form_and_the_client_ask_for_it_too(server: httpx.Client) -> None:
    fields = {name: (None, value) for name, value in {"notes": "20", "count": "2", "best": "1"}.items()}
    answer = server.post("/v1/pieces", files=fields, params={"wait": PATIENCE})
    assert sum(piece["figures"]["choice"]["is_chosen"] for piece in answer.json()["pieces"]) == 1
    there = Client(str(server.base_url))
    pieces = there.submit(arietta.Request(notes=20, seed=5), count=3, best=2)
    for piece in pieces:
        list(there.events(piece["id"]))
    assert sum(there.piece(piece["id"])["figures"]["choice"]["is_chosen"] for piece in pieces) == 2


def test_the_command_keeps_the_same_take_with_a_server_and_without(
    server: httpx.Client, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["compose", "--notes", "120", "--seed", "41", "--count", "4", "--best", "1"]
    for name, where in (("there", ["--server", str(server.base_url)]), ("here", ["--model", str(tiny_bundle)])):
        assert main([*words, *where, "-o", str(tmp_path / f"{name}.mid")]) == 0
        assert "kept" in capsys.readouterr().out
    assert (tmp_path / "there.mid").read_bytes() == (tmp_path / "here.mid").read_bytes()
