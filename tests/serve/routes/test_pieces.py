"""/v1/pieces over real HTTP, with the server in a process of its own."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from arietta.generation.loop import generate
from arietta.generation.request import Request
from arietta.model.bundle import load_bundle
from arietta.model.engine import load_engine
from arietta.model.sampling import Sampling
from arietta.music.midi import midi_bytes, read_midi
from arietta.music.notes import Notes, first
from arietta.serve.jobs.limits import Limits
from arietta.serve.jobs.models import Models
from tests.support.servers import PATIENCE, ask, busy, composed, look, problem, serving, until

STATES = {"waiting", "composing", "done", "cancelled", "failed", "interrupted"}


LONG = 10_000


def as_json(notes: Notes) -> dict[str, Any]:
    rows = zip(*(getattr(notes, name).tolist() for name in ("onset", "duration", "pitch", "velocity")), strict=True)
    return {"notes": [list(row) for row in rows], "pedal": notes.pedal.tolist()}


def local(bundle: Path, request: Request) -> bytes:
    """The file that the library makes of a request."""
    take = generate(request, load_engine(load_bundle(bundle)))
    return midi_bytes(take.notes, title=take.title, texts=take.texts())


def test_a_piece_is_taken_on_at_once_and_its_links_lead_to_it(server: httpx.Client) -> None:
    answer = server.post("/v1/pieces", json={"notes": 30, "seed": 7, "style": "chopin", "name": "Evening"})
    assert answer.status_code == 202
    (piece,) = answer.json()["pieces"]
    assert answer.headers["location"] == piece["links"]["self"] == f"/v1/pieces/{piece['id']}"
    assert re.fullmatch("[0-9a-f]{16}", piece["id"])
    assert piece["name"] == "Evening"
    assert piece["state"] in STATES
    files = {"mid", "wav", "ogg", "musicxml", "pdf", "svg", "json", "html"}
    assert set(piece["links"]) == {"self", "wait", "page", "events", "report"} | files
    until(lambda: look(server, piece)["state"] == "done")
    assert len(read_midi(server.get(piece["links"]["mid"]).content)) == 30


def test_a_finished_piece_tells_all_about_itself(server: httpx.Client, tiny_bundle: Path) -> None:
    piece = composed(server, notes=40, seed=3, style="grieg", temperature=0.8, top_p=0.9, min_p=0.02, guidance=2)
    assert piece["name"] == "tiny-edvard-grieg-0040-notes-seed-3"
    assert piece["progress"] == {"done": 40, "whole": 40, "unit": "notes"}
    assert piece["request"] == {
        "model": "tiny",
        "bundle": load_bundle(tiny_bundle).fingerprint,
        "notes": 40,
        "style": "Edvard Grieg",
        "seed": 3,
        "temperature": 0.8,
        "top_p": 0.9,
        "min_p": 0.02,
        "guidance": 2.0,
    }
    assert piece["figures"]["notes"] == 40 and piece["figures"]["seconds"] > 0 and piece["figures"]["nll_per_note"] > 0
    timing = piece["timing"]
    assert 0 <= timing["waited"] <= timing["first_note"] <= timing["waited"] + timing["composing"]
    assert timing["notes_per_second"] == pytest.approx(40 / timing["composing"], rel=0.05)
    assert piece["problem"] is None and piece["is_favourite"] is False
    age = datetime.now(UTC) - datetime.fromisoformat(piece["created"])
    assert piece["created"].endswith("Z") and 0 <= age.total_seconds() < PATIENCE


def test_a_kept_piece_is_that_of_the_library_byte_for_byte(server: httpx.Client, tiny_bundle: Path) -> None:
    piece = composed(server, notes=60, seed=11, style="Edvard Grieg", temperature=0.8)
    request = Request(notes=60, seed=11, style="Edvard Grieg", sampling=Sampling(temperature=0.8))
    assert server.get(piece["links"]["mid"]).content == local(tiny_bundle, request)


def test_sixteen_pieces_at_once_are_each_what_they_are_alone(
    server: httpx.Client, tiny_bundle: Path, waltz: Notes
) -> None:
    requests = [
        Request(notes=30 + 7 * seed, seed=seed, prompt=None if seed % 3 else first(waltz, 4 + seed % 5))
        for seed in range(16)
    ]

    def order(request: Request) -> bytes:
        prompt = {} if request.prompt is None else {"prompt": as_json(request.prompt)}
        piece = composed(server, notes=request.notes, seed=request.seed, **prompt)
        return server.get(piece["links"]["mid"]).content

    with ThreadPoolExecutor(16) as callers:
        together = list(callers.map(order, requests))
    engine = load_engine(load_bundle(tiny_bundle))
    for request, file in zip(requests, together, strict=True):
        take = generate(request, engine)
        assert file == midi_bytes(take.notes, title=take.title, texts=take.texts())


def test_without_a_length_300_notes_are_composed_and_a_drawn_seed_is_told(server: httpx.Client) -> None:
    piece = composed(server)
    assert piece["figures"]["notes"] == 300
    again = composed(server, seed=piece["request"]["seed"])
    assert server.get(again["links"]["mid"]).content == server.get(piece["links"]["mid"]).content


def test_several_pieces_have_seeds_that_count_up(server: httpx.Client) -> None:
    pieces = ask(server, wait=PATIENCE, notes=20, count=3, seed=5)
    assert [piece["request"]["seed"] for piece in pieces] == [5, 6, 7]
    assert {piece["state"] for piece in pieces} == {"done"}
    files = {server.get(piece["links"]["mid"]).content for piece in pieces}
    assert len(files) == 3


def test_seconds_may_be_asked_instead(server: httpx.Client) -> None:
    piece = composed(server, seconds=8, seed=1)
    assert piece["progress"] == {"done": 8, "whole": 8, "unit": "seconds"}
    assert piece["request"]["seconds"] == 8 and "notes" not in piece["request"]
    assert abs(piece["figures"]["seconds"] - 8) <= 0.16


@pytest.mark.parametrize("way", ["json", "form"])
def test_a_prompt_stays_as_it_is_and_is_gone_on_from(
    server: httpx.Client, tiny_bundle: Path, waltz: Notes, way: str
) -> None:
    file = midi_bytes(waltz)
    if way == "json":
        piece = composed(server, notes=10, seed=1, prompt=as_json(read_midi(file)), prompt_notes=7)
    else:
        fields = {"notes": "10", "seed": "1", "prompt_notes": "7"}
        answer = server.post("/v1/pieces?wait=30", data=fields, files={"prompt": ("../waltz.mid", file)})
        (piece,) = answer.json()["pieces"]
    assert piece["request"]["prompt_notes"] == 7
    request = Request(notes=10, seed=1, prompt=first(read_midi(file), 7))
    assert server.get(piece["links"]["mid"]).content == local(tiny_bundle, request)


def test_a_kept_piece_is_gone_on_from_by_its_id(server: httpx.Client) -> None:
    before = composed(server, notes=12, seed=4)
    piece = composed(server, notes=10, seed=2, continues=before["id"])
    assert piece["request"]["continues"] == before["id"] and piece["request"]["prompt_notes"] == 12
    continued = server.get(piece["links"]["json"]).json()
    assert continued["prompt_notes"] == 12
    assert continued["notes"][:12] == server.get(before["links"]["json"]).json()["notes"]
    shorter = composed(server, notes=10, seed=2, continues=before["id"], prompt_notes=5)
    assert shorter["request"]["prompt_notes"] == 5


def test_a_wait_that_is_too_short_tells_how_far_the_piece_is(server: httpx.Client) -> None:
    (piece,) = ask(server, wait=0.3, notes=LONG)
    assert piece["state"] == "composing"
    assert 0 <= piece["progress"]["done"] < LONG
    until(lambda: look(server, piece)["progress"]["done"] > piece["progress"]["done"])
    server.delete(piece["links"]["self"])


@pytest.mark.timed
def test_a_piece_under_way_is_cancelled_within_a_step_and_frees_its_place(server: httpx.Client) -> None:
    until(lambda: busy(server) == 0)
    (piece,) = ask(server, notes=LONG)
    until(lambda: look(server, piece)["progress"]["done"] > 0)
    answer = server.delete(piece["links"]["self"])
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.elapsed.total_seconds() < 2
    assert busy(server) == 0
    cancelled = look(server, piece)
    assert cancelled["state"] == "cancelled"
    assert 0 < cancelled["progress"]["done"] < cancelled["progress"]["whole"]
    assert "is cancelled, so it has no files" in problem(server.get(piece["links"]["mid"]), 409)


def test_a_piece_that_is_over_is_deleted(server: httpx.Client) -> None:
    piece = composed(server, notes=5)
    assert server.delete(piece["links"]["self"]).status_code == 204
    sentence = problem(server.get(piece["links"]["self"]), 404)
    assert sentence == f"there is no piece '{piece['id']}' here, or no longer; GET /v1/pieces lists all"
    problem(server.delete(piece["links"]["self"]), 404)


def test_a_piece_is_named_anew_and_made_a_favourite(server: httpx.Client) -> None:
    piece = composed(server, notes=5, seed=1)
    file = server.get(piece["links"]["mid"])
    named = server.patch(piece["links"]["self"], json={"name": "Über den Wolken"}).json()
    assert (named["name"], named["is_favourite"]) == ("Über den Wolken", False)
    loved = server.patch(piece["links"]["self"], json={"is_favourite": True}).json()
    assert (loved["name"], loved["is_favourite"]) == ("Über den Wolken", True)
    assert loved == look(server, piece)
    again = server.get(piece["links"]["mid"])
    assert again.content == file.content
    assert "filename*=UTF-8''%C3%9Cber%20den%20Wolken.mid" in again.headers["content-disposition"]
    favourites = server.get("/v1/pieces", params={"favourites": True}).json()["pieces"]
    assert piece["id"] in [each["id"] for each in favourites] and all(each["is_favourite"] for each in favourites)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name must be a text of at most 200 characters"),
        ({"is_favourite": "perhaps"}, "is_favourite must be true or false, not 'perhaps'"),
        ({"is_favourite": 0}, "is_favourite must be true or false, not 0"),
        ({"state": "done"}, "there is no parameter 'state'"),
    ],
)
def test_an_impossible_change_is_refused(server: httpx.Client, change: dict[str, Any], sentence: str) -> None:
    piece = composed(server, notes=2)
    assert sentence in problem(server.patch(piece["links"]["self"], json=change), 422)
    assert look(server, piece) == piece


def test_a_change_that_is_no_json_is_refused_with_a_sentence(server: httpx.Client) -> None:
    piece = composed(server, notes=2)
    sentence = problem(server.patch(piece["links"]["self"], content=b"{"), 422)
    assert sentence.startswith("the body must be JSON, and is not")


def test_pages_lead_from_the_newest_piece_to_the_oldest_without_gaps(models: Models, tmp_path: Path) -> None:
    with serving(models, tmp_path) as client:
        asked = [composed(client, notes=1, seed=seed)["id"] for seed in range(7)]
        pages, cursor = [], None
        while True:
            params = {"limit": 3} | ({"before": cursor} if cursor else {})
            page = client.get("/v1/pieces", params=params).json()
            pages.append([piece["id"] for piece in page["pieces"]])
            cursor = page["next"]
            if cursor is None:
                break
        assert [len(page) for page in pages] == [3, 3, 1]
        assert sum(pages, []) == asked[::-1]  # noqa: RUF017 - three short lists


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "before=x", "before=-1", "favourites=maybe"])
def test_an_impossible_page_is_refused(server: httpx.Client, query: str) -> None:
    assert query.partition("=")[0] + " must " in problem(server.get(f"/v1/pieces?{query}"), 422)


def test_more_pieces_than_there_are_places_for_are_refused_all_of_them(models: Models, tmp_path: Path) -> None:
    with serving(models, tmp_path, Limits(seats=2, places=1, short_notes=LONG)) as client:
        kept = ask(client, notes=LONG, count=2)
        until(lambda: {look(client, piece)["state"] for piece in kept} == {"composing"})
        answer = client.post("/v1/pieces", json={"notes": 5, "count": 2})
        assert "the server has 2 pieces to compose; try again" in problem(answer, 429)
        assert int(answer.headers["retry-after"]) > 0
        (waiting,) = ask(client, notes=5)
        assert waiting["state"] == "waiting"
        assert len(client.get("/v1/pieces").json()["pieces"]) == 3
        assert "its files are there when it is done" in problem(client.get(waiting["links"]["mid"]), 409)
        client.delete(kept[0]["links"]["self"])
        until(lambda: look(client, waiting)["state"] == "done")
        assert client.delete(kept[1]["links"]["self"]).status_code == 204


def test_one_client_may_not_take_all_places(models: Models, tmp_path: Path) -> None:
    with serving(models, tmp_path, Limits(most_per_client=2)) as client:
        kept = ask(client, notes=LONG, count=2)
        answer = client.post("/v1/pieces", json={"notes": 5})
        assert "you have 2 pieces under way; wait for some of them to end" in problem(answer, 429)
        for piece in kept:
            client.delete(piece["links"]["self"])
        composed(client, notes=5)


def test_a_short_piece_does_not_wait_for_long_ones(models: Models, tmp_path: Path) -> None:
    with serving(models, tmp_path, Limits(seats=4)) as client:
        long = ask(client, notes=LONG, count=6)
        assert composed(client, notes=5)["timing"]["waited"] < 5
        states = [look(client, piece)["state"] for piece in long]
        assert states == ["composing"] * 3 + ["waiting"] * 3
        for piece in long:
            client.delete(piece["links"]["self"])


def test_retention_drops_the_oldest_but_no_favourite(models: Models, tmp_path: Path) -> None:
    with serving(models, tmp_path, Limits(keep_pieces=2)) as client:
        loved = composed(client, notes=2, seed=1)
        client.patch(loved["links"]["self"], json={"is_favourite": True})
        others = [composed(client, notes=2, seed=seed) for seed in range(2, 6)]
        left = [piece["id"] for piece in client.get("/v1/pieces").json()["pieces"]]
        assert left == [others[3]["id"], others[2]["id"], loved["id"]]


def test_a_parameter_of_a_wrong_form_is_told_its_form(server: httpx.Client) -> None:
    detail = problem(server.get("/v1/pieces", params={"order": "x"}), 422)
    assert detail == "order must match ^[0-9a-f]{16}$, which 'x' does not"


def test_a_piece_can_be_waited_for_after_it_was_asked_for(server: httpx.Client) -> None:
    (piece,) = ask(server, notes=40, seed=5)
    assert server.get(piece["links"]["wait"]).json()["state"] == "done"
    assert "wait must lie in 0-120" in problem(server.get(piece["links"]["self"], params={"wait": 121}), 422)
