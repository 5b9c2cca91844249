"""A piece's report over real HTTP: as JSON, as a page under its own policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from arietta.evaluation.page.html import content_policy
from arietta.serve.jobs.models import Models
from arietta.serve.routes.middleware import CONTENT_POLICY
from tests.support.servers import ask, composed, problem, serving


@pytest.fixture(scope="module")
def piece(server: httpx.Client) -> dict[str, Any]:
    return composed(server, notes=120, seed=4, name="<b>Étude</b>")


def test_the_report_tells_what_the_command_would(server: httpx.Client, piece: dict[str, Any]) -> None:
    answer = server.get(piece["links"]["report"])
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    report = answer.json()
    assert report["notes"] == 120 and report["measured"]["note_count"] == 120
    assert (report["model"], report["bundle"]) == (piece["request"]["model"], piece["request"]["bundle"])
    assert report["nats_per_note"] > 0 and len(report["surprises"]) == 10
    assert [reference["corpus"] for reference in report["real"]] == ["maestro", "giantmidi"]


def test_the_page_may_run_its_own_script_and_nothing_else(server: httpx.Client, piece: dict[str, Any]) -> None:
    answer = server.get(piece["links"]["html"])
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith(content_policy()) and "sandbox" in policy and "unsafe" not in policy
    assert answer.headers["content-disposition"].startswith("inline")
    assert "&lt;b&gt;Étude&lt;/b&gt;" in answer.text and "<b>" not in answer.text


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_every_other_page_keeps_the_studios_policy(server: httpx.Client, path: str) -> None:
    answer = server.get(path, headers={"Accept": "text/html"})
    assert answer.headers["content-security-policy"] == CONTENT_POLICY


@pytest.mark.parametrize("kind", ["html", "report"])
def test_what_is_not_there_or_not_done_has_no_report(server: httpx.Client, kind: str) -> None:
    nobody = "0" * 16
    place = f"/v1/pieces/{nobody}" + (".html" if kind == "html" else "/report")
    assert "there is no piece" in problem(server.get(place), 404)
    (waiting,) = ask(server, notes=3000)
    assert "its files are there when it is done" in problem(server.get(waiting["links"][kind]), 409)
    server.delete(waiting["links"]["self"])


def test_a_piece_of_one_note_has_a_report(server: httpx.Client) -> None:
    piece = composed(server, notes=1)
    assert server.get(piece["links"]["report"]).json()["notes"] == 1
    assert "1 note," in server.get(piece["links"]["html"]).text


def test_a_piece_whose_model_is_gone_is_judged_without_it(tiny_bundle: Path, tiny_lstm: Path, tmp_path: Path) -> None:
    with serving(Models([tiny_bundle, tiny_lstm]), tmp_path) as client:
        piece = composed(client, notes=20, model="tiny-lstm")
    with serving(Models([tiny_bundle]), tmp_path) as client:
        report = client.get(piece["links"]["report"]).json()
        assert report["notes"] == 20 and report["model"] is None and report["nats_per_note"] is None
