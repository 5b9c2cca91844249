"""What the server says about itself: alive, busy, ready, its models and counters."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

import arietta.serve.jobs.models
from arietta.serve.jobs.history.database import StorageError
from arietta.serve.jobs.models import Models
from tests.serve.routes.test_pieces import LONG
from tests.support.servers import ask, composed, problem, serving


def test_the_root_answers_as_the_first_seeds_clients_expect(server: httpx.Client) -> None:
    answer = server.get("/")
    assert answer.status_code == 200
    assert answer.json() == {"Message": "Alive", "version": arietta.__version__, "models": ["tiny", "tiny-lstm"]}


def test_browsers_get_the_studio_where_programs_get_json(server: httpx.Client) -> None:
    for accept in ("*/*", "application/json", ""):
        answer = server.get("/", headers={"Accept": accept})
        assert answer.json()["Message"] == "Alive" and answer.headers["vary"] == "Accept"
    page = server.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert "<title>Arietta" in page.text and page.headers["vary"] == "Accept"


def test_the_server_says_how_busy_it_is_and_that_it_is_ready(models: Models, tmp_path: Path) -> None:
    with serving(models, tmp_path) as client:
        assert client.get("/healthz").json() == {"status": "ok", "pieces": 0}
        (piece,) = ask(client, notes=LONG)
        assert client.get("/healthz").json() == {"status": "ok", "pieces": 1}
        assert client.get("/readyz").json() == {"status": "ready"}
        client.delete(piece["links"]["self"])


def test_a_server_whose_history_is_broken_is_not_ready(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise StorageError("disk I/O error")

    with serving(models, tmp_path) as client:
        monkeypatch.setattr(client.service.history, "page", fail)  # type: ignore[attr-defined]
        assert "cannot keep pieces just now (disk I/O error)" in problem(client.get("/readyz"), 503)


def test_a_server_that_could_not_store_is_not_ready_until_it_can(models: Models, tmp_path: Path) -> None:
    with serving(models, tmp_path) as client:
        base = client.service.history.database._base  # type: ignore[attr-defined]
        (pages,) = base.execute("PRAGMA page_count").fetchone()
        base.execute(f"PRAGMA max_page_count = {pages}")
        prompt = {"notes": [[0.1 * n + 1 / (n + 3), 0.1, 60, 64] for n in range(2_000)]}
        assert "full" in problem(client.post("/v1/pieces", json={"notes": 3, "prompt": prompt}), 503)
        base.execute("PRAGMA query_only = 1")
        assert "cannot keep pieces just now" in problem(client.get("/readyz"), 503)
        base.execute("PRAGMA query_only = 0")
        assert client.get("/readyz").status_code == 200


def test_a_server_whose_folder_may_not_be_written_to_is_read_and_not_ready(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(models, tmp_path) as client:
        done = composed(client, notes=5)
        kept = client.get(done["links"]["mid"]).content
        (left,) = ask(client, notes=LONG)
    monkeypatch.setattr("os.access", lambda *_: False)
    with serving(models, tmp_path) as client:
        pieces = client.get("/v1/pieces").json()["pieces"]
        assert [piece["id"] for piece in pieces] == [left["id"], done["id"]]
        assert pieces[0]["state"] == "waiting" and client.get(done["links"]["mid"]).content == kept
        assert "event: end" in client.get(done["links"]["events"]).text
        sentence = "the server cannot keep pieces just now (attempt to write a readonly database)"
        assert sentence in problem(client.get("/readyz"), 503)
        assert sentence in problem(client.post("/v1/pieces", json={"notes": 3}), 503)
        assert sentence in problem(client.delete(done["links"]["self"]), 503)
        assert client.get("/midi/3").status_code == 200  # which is not kept
        assert client.get("/healthz").json()["pieces"] == 0


def test_the_models_say_what_they_are_and_can(server: httpx.Client) -> None:
    models = server.get("/v1/models").json()["models"]
    assert [(model["name"], model["is_default"], model["can_continue"]) for model in models] == [
        ("tiny", True, True),
        ("tiny-lstm", False, True),
    ]
    assert models[0]["styles"][1:3] == ["Edvard Grieg", "Frédéric Chopin"]
    assert models[0]["licence"] == "Apache-2.0" and models[0]["sources"] == ["measured", "sequenced"]


def test_the_counters_count(models: Models, tmp_path: Path) -> None:
    with serving(models, tmp_path) as client:
        composed(client, notes=25)
        client.get("/nowhere")
        text = client.get("/metrics").text
        for line in (
            "arietta_notes_total 25.0",
            'arietta_pieces_total{state="done"} 1.0',
            'arietta_errors_total{status="404"} 1.0',
            "arietta_first_note_seconds_count 1.0",
            "arietta_pieces_waiting 0.0",
            "arietta_pieces_composing 0.0",
        ):
            assert line in text.splitlines()
