"""GET /midi/300: a piece in one call, refused or downloaded, and nothing of it stored."""

from __future__ import annotations

import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from arietta.generation.batch import Batch
from arietta.generation.loop import generate
from arietta.generation.request import Request
from arietta.model.bundle import DEFAULT_MODEL
from arietta.model.sampling import Sampling
from arietta.music.midi import midi_bytes, read_midi, read_texts
from arietta.serve.jobs.limits import Limits
from arietta.serve.jobs.models import Models
from tests.support.servers import MOST_NOTES, busy, problem, serving, until


@contextmanager
def long_request(client: httpx.Client) -> Iterator[socket.socket]:
    """Ask for the longest piece, and leave at the end of the block without waiting for it."""
    before = busy(client)
    with socket.create_connection((client.base_url.host, client.base_url.port or 80)) as asking:
        asking.sendall(f"GET /midi/{MOST_NOTES} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        until(lambda: busy(client) == before + 1)
        yield asking


@pytest.fixture(scope="module")
def client(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with serving(models, tmp_path_factory.mktemp("data")) as client:
        yield client


@pytest.mark.parametrize("path", ["/midi/100", "/midi/100/"])
def test_a_piece_of_exactly_so_many_notes_is_downloaded(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "audio/midi"
    assert answer.headers["x-arietta-notes"] == "100"
    assert len(read_midi(answer.content)) == 100


def test_the_headers_name_the_file_the_seed_and_exactly_these_weights(client: httpx.Client, models: Models) -> None:
    headers = client.get("/midi/20", params={"seed": 7, "style": "chopin"}).headers
    assert headers["content-disposition"] == 'attachment; filename="tiny-frederic-chopin-0020-notes-seed-7.mid"'
    assert headers["x-arietta-seed"] == "7"
    assert headers["x-arietta-model"] == "tiny"
    assert headers["x-arietta-bundle"] == models.bundle("tiny").fingerprint
    assert headers["cache-control"] == "no-store"


def test_a_served_file_is_that_of_the_library_byte_for_byte(client: httpx.Client, models: Models) -> None:
    choices = {"seed": 3, "style": "Edvard Grieg", "temperature": 0.8, "top_p": 0.9, "min_p": 0.02, "guidance": 2.5}
    request = Request(notes=60, style="Edvard Grieg", seed=3, sampling=Sampling(0.8, 0.9, 0.02, 2.5))
    take = generate(request, models.engine("tiny-lstm"))
    served = client.get("/midi/60", params={**choices, "model": "tiny-lstm"}).content
    assert served == midi_bytes(take.notes, title=take.title, texts=take.texts())
    assert read_texts(served) == take.texts()


def test_a_download_lies_under_the_tempo_that_is_asked_for(client: httpx.Client) -> None:
    answer = client.get("/midi/12?seed=3&grid=90")
    assert answer.status_code == 200 and (666_667).to_bytes(3, "big") in answer.content
    assert client.get("/midi/12?seed=3&grid=4").status_code == 422


def test_the_drawn_seed_that_an_answer_names_gives_the_same_file_again(client: httpx.Client) -> None:
    first = client.get("/midi/30")
    again = client.get("/midi/30", params={"seed": first.headers["x-arietta-seed"]})
    assert again.content == first.content
    assert client.get("/midi/30").content != first.content


def test_requests_at_once_never_mix(client: httpx.Client) -> None:
    asked = [
        {"seed": seed, "model": model, "style": style, "temperature": temperature}
        for seed, (model, style, temperature) in enumerate(
            [("tiny", "grieg", 0.8), ("tiny-lstm", "any", 1.0), ("tiny", "chopin", 1.2), ("tiny", "any", 1.0)] * 3
        )
    ]

    def get(params: dict[str, Any]) -> bytes:
        return client.get("/midi/80", params=params).raise_for_status().content

    alone = [get(params) for params in asked]
    assert len(set(alone)) == len(alone)
    with ThreadPoolExecutor(len(asked)) as callers:
        assert list(callers.map(get, asked)) == alone


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/midi/0", "notes must lie in 1-10000, not 0"),
        ("/midi/-1", "notes must lie in 1-10000, not -1"),
        ("/midi/10001", "notes must lie in 1-10000, not 10001"),
        ("/midi/1000000", "notes must lie in 1-10000, not 1000000"),
        ("/midi/abc", "notes must be a whole number, not 'abc'"),
        ("/midi/1.5", "notes must be a whole number, not '1.5'"),
        ("/midi/" + "9" * 5000, "notes must be a whole number, not '" + "9" * 39 + "..."),
        (
            "/midi/9?style=chopn",
            "tiny does not know the style 'chopn'; nearest: Frédéric Chopin, ",
        ),
        ("/midi/9?style=bach", "may be Carl Philipp Emanuel Bach or Johann Sebastian Bach: give the full name"),
        ("/midi/9?model=tiny-ltsm", "there is no model 'tiny-ltsm' here; nearest: tiny-lstm"),
        ("/midi/9?model=../tiny", "there is no model '../tiny' here"),
        ("/midi/9?model=", "there is no model '' here; nearest: tiny, tiny-lstm"),
        ("/midi/9?temperature=9", "temperature must lie in 0.05-3.0, not 9.0"),
        ("/midi/9?temperature=nan", "temperature must lie in 0.05-3.0, not nan"),
        ("/midi/9?temperature=hot", "temperature must be a number, or numbers by field such as time=0.98, not 'hot'"),
        ("/midi/9?top_p=0", "top_p must lie above 0 and at most at 1, not 0.0"),
        ("/midi/9?min_p=1", "min_p must lie at 0 or above and below 1, not 1.0"),
        ("/midi/9?guidance=11", "guidance must lie in 1-10, not 11.0"),
        ("/midi/9?seed=-1", "seed must lie in 0-4294967295, not -1"),
        ("/midi/9?seed=", "seed must be a whole number, not ''"),
        ("/midi/9?seed=a&guidance=b", "seed must be a whole number, not 'a'; guidance must be a number, not 'b'"),
        ("/midi/9?top_p=tempo%3D0.98", "top_p cannot be set for 'tempo': this model has it for time, symbol"),
        ("/midi/9?bars=16", "there is no parameter 'bars': POST /v1/pieces takes it"),
        ("/midi/9?tempo=90", "there is no parameter 'tempo'; /docs lists those there are"),
    ],
)
def test_an_impossible_request_is_refused_with_a_sentence(client: httpx.Client, path: str, sentence: str) -> None:
    assert sentence in problem(client.get(path), 422)


def test_a_refused_request_never_reaches_the_stage(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(models, tmp_path) as client:
        monkeypatch.setattr(client.service.scheduler, "submit", None)
        problem(client.get("/midi/9?style=nobody"), 422)


def test_a_model_that_fails_ends_its_pieces_and_composes_the_next(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: Batch) -> None:
        raise RuntimeError("no step")

    with serving(models, tmp_path) as client:
        with monkeypatch.context() as patched:
            patched.setattr(Batch, "step", fail)
            assert "its log says what" in problem(client.get("/midi/9"), 500)
        assert client.get("/midi/9").status_code == 200
    assert "composing with tiny failed" in caplog.text


@pytest.mark.timed
def test_a_client_that_leaves_ends_its_piece(client: httpx.Client) -> None:
    with long_request(client):
        assert busy(client) == 1
    begun = time.monotonic()
    until(lambda: busy(client) == 0)
    assert time.monotonic() - begun < 5  # the piece itself takes longer


def test_a_client_that_leaves_the_queue_gives_up_its_place(models: Models, tmp_path: Path) -> None:
    with serving(models, tmp_path, Limits(seats=1, places=1)) as client, long_request(client):
        with long_request(client):
            assert busy(client) == 2
        until(lambda: busy(client) == 1)


def test_a_full_queue_refuses_and_says_when_to_come_again(models: Models, tmp_path: Path) -> None:
    with serving(models, tmp_path, Limits(seats=1, places=1)) as client:
        with long_request(client), long_request(client):
            answer = client.get("/midi/9")
            assert "try again" in problem(answer, 429)
            assert int(answer.headers["retry-after"]) > 0
            assert "no model" in problem(client.get("/midi/9?model=x"), 422)
        until(lambda: busy(client) == 0)
        assert client.get("/midi/9").status_code == 200


def test_a_stopping_server_ends_its_downloads_and_says_so(models: Models, tmp_path: Path) -> None:
    stop = threading.Event()
    with (
        serving(models, tmp_path, is_stopping=stop.is_set) as client,
        ThreadPoolExecutor(1) as callers,
    ):
        assert client.get("/readyz").json() == {"status": "ready"}
        asked = callers.submit(client.get, f"/midi/{MOST_NOTES}")
        until(lambda: busy(client) == 1)
        stop.set()
        assert "the server is stopping" in problem(asked.result(), 503)
        assert "the server is stopping" in problem(client.get("/readyz"), 503)
        assert client.get("/healthz").status_code == 200


def test_nothing_of_a_download_is_kept(client: httpx.Client) -> None:
    client.get("/midi/9").raise_for_status()
    assert client.get("/v1/pieces").json() == {"pieces": [], "next": None}


def operation(client: httpx.Client) -> dict[str, Any]:
    described: dict[str, Any] = client.get("/openapi.json").json()["paths"]["/midi/{notes}"]["get"]
    return described


def test_the_document_explains_every_parameter_with_its_range_and_an_example(client: httpx.Client) -> None:
    parameters = {parameter["name"]: parameter for parameter in operation(client)["parameters"]}
    assert list(parameters) == [
        "notes",
        "seed",
        "model",
        "style",
        "temperature",
        "top_p",
        "min_p",
        "guidance",
        "grid",
        "bpm",
        "metre",
    ]
    for parameter in parameters.values():
        assert parameter["description"].endswith(".")
        assert len(parameter["schema"]["examples"]) == 1
    assert parameters["notes"]["schema"].items() >= {"type": "integer", "minimum": 1, "maximum": MOST_NOTES}.items()
    assert parameters["seed"]["schema"].items() >= {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}.items()
    number, by_field = parameters["temperature"]["schema"]["anyOf"]
    assert number == {"type": "number", "minimum": 0.05, "maximum": 3.0}
    assert by_field == {"type": "object", "additionalProperties": number}


def test_the_examples_of_the_document_are_answered(client: httpx.Client) -> None:
    examples = {each["name"]: each["schema"]["examples"][0] for each in operation(client)["parameters"]}
    assert examples.pop("model") == DEFAULT_MODEL
    answer = client.get(f"/midi/{examples.pop('notes')}", params=examples)
    assert answer.status_code == 200
    assert len(read_midi(answer.content)) == 300


def test_the_document_knows_every_answer_of_a_download(client: httpx.Client) -> None:
    answers = operation(client)["responses"]
    assert set(answers) == {"200", "422", "429", "503", "default"}
    assert answers["200"]["content"] == {"audio/midi": {"schema": {"type": "string", "format": "binary"}}}
    for name in set(answers) - {"200"}:
        schema = answers[name]["content"]["application/problem+json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/Problem"}
    headers = client.get("/midi/5").headers
    assert {name.lower() for name in answers["200"]["headers"]} <= set(headers)


def test_the_document_names_the_models_and_their_styles(client: httpx.Client) -> None:
    assert "- `tiny-lstm`: Carl Philipp Emanuel Bach, Edvard Grieg" in operation(client)["description"]


def test_a_model_with_letters_of_its_own_still_gives_names_that_headers_can_carry(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_bundle, tmp_path / "Clair de lune – 月")
    with serving(Models([folder]), tmp_path / "data") as client:
        headers = client.get("/midi/5?seed=1").headers
    assert unquote(headers["x-arietta-model"]) == folder.name
    names = re.fullmatch(r"attachment; filename=\"([\w.-]+)\"; filename\*=UTF-8''(\S+)", headers["content-disposition"])
    assert names is not None
    assert names[1] == "Clair-de-lune-any-0005-notes-seed-1.mid"
    assert unquote(names[2]) == f"{folder.name}-any-0005-notes-seed-1.mid"


# HEAD


@pytest.mark.parametrize("path", ["/midi/20", "/midi/20/"])
def test_head_has_the_headers_of_get_and_composes_nothing(
    path: str, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"seed": 7, "style": "chopin"}
    expected = dict(client.get(path, params=asked).headers)
    composed: list[object] = []
    monkeypatch.setattr(client.service, "compose", lambda *order: composed.append(order))  # type: ignore[attr-defined]
    answer = client.head(path, params=asked)
    assert (answer.status_code, answer.content, composed) == (200, b"", [])
    changing = {"content-length", "date", "x-request-id", "transfer-encoding"}
    assert {name: value for name, value in answer.headers.items() if name not in changing} == {
        name: value for name, value in expected.items() if name not in changing
    }
    assert "content-length" not in answer.headers  # nobody knows before it is composed


def test_head_without_a_seed_promises_none(client: httpx.Client) -> None:
    headers = client.head("/midi/20").headers
    assert headers["x-arietta-notes"] == "20"
    assert "x-arietta-seed" not in headers and "content-disposition" not in headers


@pytest.mark.parametrize("path", ["/midi/0", "/midi/20?style=nobody", "/midi/20?top_p=7", "/midi/20?model=absent"])
def test_head_refuses_what_get_refuses(client: httpx.Client, path: str) -> None:
    assert client.head(path).status_code == client.get(path).status_code == 422
