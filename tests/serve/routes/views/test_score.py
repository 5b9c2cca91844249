"""/v1/pieces/{id}/score: pages and moments of a piece, or a sentence where there are none."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

import arietta.serve.routes.views.score as view
from arietta.serve.jobs.models import Models
from arietta.serve.workshop import Workshop
from tests.support.servers import composed, problem, serving


def test_a_finished_piece_has_pages_and_a_moment_for_what_sounds(server: httpx.Client) -> None:
    pytest.importorskip("verovio")
    piece = composed(server, notes=40, seed=3)
    score = server.get(f"{piece['links']['self']}/score").json()
    assert score["pages"][0].startswith("<svg")
    times = [moment["seconds"] for moment in score["moments"]]
    assert times == sorted(times) and len(times) > 5
    assert all(f'id="{moment["ids"][0]}"' in score["pages"][moment["page"]] for moment in score["moments"])
    assert "there is no piece" in problem(server.get("/v1/pieces/0123456789abcdef/score"), 404)


def test_a_server_without_verovio_says_so(models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(*_: object) -> None:
        raise ImportError("scores need the package verovio: pip install it")

    monkeypatch.setattr(Workshop, "make", lacking)
    with serving(models, tmp_path) as client:
        piece = composed(client, notes=5, seed=1)
        assert "cannot engrave scores" in problem(client.get(f"{piece['links']['self']}/score"), 501)
    monkeypatch.setattr(view, "MOST_NOTES", 4)
    with serving(models, tmp_path) as client:
        assert "4 notes at most" in problem(client.get(f"{piece['links']['self']}/score"), 422)
