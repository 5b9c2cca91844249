"""Pieces that shall be original, over HTTP: their events, and how the client and the command ask for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import arietta
from arietta.cli import main
from arietta.client import Client
from arietta.serve.jobs.models import Models
from tests.serve.routes.test_events import listen, music, piece_of
from tests.support.servers import PATIENCE, ask, composed, problem, serving

ASKED: dict[str, Any] = {"notes": 100, "seed": 7}


@pytest.fixture(scope="module")
def client(model_knowing_two: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with serving(Models([model_knowing_two]), tmp_path_factory.mktemp("data")) as client:
        yield client


def test_nobody_hears_a_note_of_what_is_rejected(client: httpx.Client) -> None:
    (piece,) = ask(client, **ASKED, original=True)
    assert piece["request"]["original"] is True
    stream = listen(client, piece)
    assert [number for number, _, _ in music(stream)] == list(range(1, len(music(stream)) + 1))
    assert piece_of(stream) == {
        name: column for name, column in client.get(piece["links"]["json"]).json().items() if name != "prompt_notes"
    }
    assert [kind for _, kind, _ in stream].count("note") == 100 and stream[-1][1] == "end"
    kinds = [kind for _, kind, _ in stream]
    assert "progress" not in kinds[kinds.index("note") : -2]


def test_several_may_be_asked_for_in_a_form(client: httpx.Client) -> None:
    form = {"notes": "100", "seed": "6", "count": "2", "original": "true"}
    fields = {name: (None, value) for name, value in form.items()}
    answer = client.post("/v1/pieces", files=fields, params={"wait": PATIENCE})
    assert [piece["request"]["seed"] for piece in answer.json()["pieces"]] == [6, 207]


def test_a_model_without_an_index_cannot_tell(server: httpx.Client) -> None:
    answer = server.post("/v1/pieces", json={"notes": 5, "original": True})
    assert problem(answer, 422) == "tiny has no index of its training music here: leave original out"
    assert "originality" not in composed(server, notes=5)["figures"]


def test_the_client_composes_what_the_library_does(
    client: httpx.Client, model_knowing_two: Path, tmp_path: Path
) -> None:
    there = Client(str(client.base_url)).compose(100, seed=7, original=True)
    here = arietta.compose(100, seed=7, original=True, model=str(model_knowing_two))
    here.save(tmp_path / "here.mid")
    assert (there.request, there.notes, there.file) == (here.request, here.notes, (tmp_path / "here.mid").read_bytes())
    assert there.originality is not None and [rejected.seed for rejected in there.originality.rejected] == [7, 107]


def test_the_command_prints_what_the_server_rejected(
    client: httpx.Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--notes", "100", "--seed", "7", "--original", "-o", str(tmp_path / "piece.mid")]
    assert main(["compose", "--server", str(client.base_url), *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"Seed 107 shared \d+ notes with Nobody: Tune 1: composed again with seed 207\.", lines[1])
