"""Refusals: one sentence each, in the form of a problem, and nothing of a failure given away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from arietta.model.engine import OnnxEngine
from arietta.serve.jobs.models import Models
from arietta.serve.routes.problems import problem_response, validation_detail
from arietta.serve.routes.schemas import PieceRequest
from tests.support.servers import problem, serving


@pytest.mark.parametrize("path", ["/midi", "/midi/", "/midi/9/9", "/pieces"])
def test_an_unknown_address_is_told_where_the_known_ones_stand(server: httpx.Client, path: str) -> None:
    assert problem(server.get(path), 404) == f"GET {path}: not found; /docs tells what there is"


def test_a_wrong_method_is_told_which_is_right(server: httpx.Client) -> None:
    answer = server.post("/midi/9")
    assert problem(answer, 405) == "POST /midi/9: method not allowed; /docs tells what there is"
    assert answer.headers["allow"] == "GET, HEAD"
    assert server.put("/v1/pieces").headers["allow"] == "GET, HEAD, POST"
    assert server.put("/v1/pieces/0").headers["allow"] == "DELETE, GET, HEAD, PATCH"


def test_a_failure_of_the_server_tells_its_log_and_not_the_client(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(name: str) -> OnnxEngine:
        raise RuntimeError("the secret of the house")

    with serving(models, tmp_path) as client:
        with monkeypatch.context() as patched:
            patched.setattr(models, "engine", fail)
            answer = client.get("/midi/9")
            assert problem(answer, 500) == "something failed in the server, not in your request; its log says what"
        assert client.get("/midi/9").status_code == 200
        assert 'arietta_errors_total{status="500"} 1.0' in client.get("/metrics").text
    assert "the secret of the house" in caplog.text
    assert answer.headers["x-request-id"] in caplog.text


def detail(**asked: Any) -> str:
    with pytest.raises(ValidationError) as raised:
        PieceRequest.model_validate(asked)
    return validation_detail(raised.value.errors())


def test_a_wrong_value_is_named_by_where_it_stands_with_what_is_expected() -> None:
    assert detail(notes="many") == "notes must be a whole number, not 'many'"
    assert (
        detail(prompt={"notes": [[0, 1, 60]]})
        == "prompt.notes[0] must be [onset, duration, pitch, velocity], not [0, 1, 60]"
    )
    assert detail(prompt={"notes": None}) == "prompt.notes must be given"
    assert detail(verb="hum").startswith("verb must be 'regenerate', 'extend', ")
    assert detail(**{"": 1}) == "there is no parameter ''; /docs lists those there are"
    assert detail(tempo=90) == "there is no parameter 'tempo'; /docs lists those there are"


def test_several_wrong_values_make_one_sentence_and_long_ones_are_shortened() -> None:
    wrong = {"seed": "x" * 99, "seconds": "a", "count": "b", "best": "c", "notes": "d"}
    sentences = detail(**wrong).split("; ")
    assert len(sentences) == 4
    assert any(sentence.endswith("'" + "x" * 39 + "...") for sentence in sentences)


def test_a_very_long_sentence_is_cut_and_a_text_that_is_none_is_escaped() -> None:
    content = json.loads(problem_response(422, "no \udfff " + "x" * 10**6 + " to be taken").body)
    assert content["detail"].startswith("no \\udfff xxx") and content["detail"].endswith(" to be taken")
    assert len(content["detail"]) < 1_000
