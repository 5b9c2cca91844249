"""The best of several pieces asked for at once: marked when the last of them is over, as the library would choose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

import arietta
from arietta.cli import main
from arietta.client import Client
from arietta.evaluation.ranking import rank_takes
from arietta.generation.loop import generate
from arietta.generation.request import Request
from arietta.model.bundle import load_bundle
from arietta.model.engine import load_engine
from arietta.music.notes import Notes
from arietta.serve.jobs.event_log import events_of
from arietta.serve.jobs.history import History, JobOutcome, Record
from arietta.serve.jobs.job import State
from arietta.serve.jobs.models import Models
from arietta.serve.jobs.selection import mark_best
from arietta.serve.routes.schemas import ModelView
from tests.serve.routes.test_pieces import LONG, as_json
from tests.support.indexes import knowing
from tests.support.servers import PATIENCE, ask, look, problem, serving, until
from tests.support.tunes import tune


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def client(models: Models, data: Path) -> Iterator[httpx.Client]:
    with serving(models, data) as client:
        yield client


def marks(client: httpx.Client, pieces: list[dict[str, Any]]) -> list[Any]:
    """What the figures of pieces say of the choice, as they stand now."""
    return [(look(client, piece)["figures"] or {}).get("choice") for piece in pieces]


def chosen(found: list[Any]) -> list[bool]:
    return [bool(mark and mark["is_chosen"]) for mark in found]


def test_the_best_are_those_that_the_library_chooses(client: httpx.Client, tiny_bundle: Path) -> None:
    pieces = ask(client, wait=PATIENCE, notes=120, seed=41, count=4, best=2)
    engine = load_engine(load_bundle(tiny_bundle))
    judged = rank_takes([generate(Request(notes=120, seed=seed), engine) for seed in (41, 42, 43, 44)], 2)
    expected = {one.take.request.seed: (one.is_chosen, one.score, one.parts) for one in judged}
    for piece in pieces:
        mark = piece["figures"]["choice"]
        assert (mark["is_chosen"], mark["score"], mark["parts"]) == expected[piece["request"]["seed"]]
    assert marks(client, pieces) == [piece["figures"]["choice"] for piece in pieces]  # and so they stay
    assert sum(chosen(marks(client, pieces))) == 2
    assert client.get(pieces[0]["links"]["mid"]).status_code == 200


def test_without_the_wish_nothing_is_marked(client: httpx.Client) -> None:
    pieces = ask(client, wait=PATIENCE, notes=20, count=2)
    assert all("choice" not in piece["figures"] for piece in pieces)


def test_nobody_is_marked_before_all_are_over(client: httpx.Client) -> None:
    pieces = ask(client, notes=LONG, seed=1, count=2, best=1)
    (other,) = ask(client, wait=PATIENCE, notes=5)
    assert marks(client, [*pieces, other]) == [None] * 3
    for piece in pieces:
        client.delete(piece["links"]["self"]).raise_for_status()
    assert marks(client, pieces) == [None, None]


def test_of_an_order_of_which_one_is_cancelled_the_others_are_judged(client: httpx.Client) -> None:
    pieces = ask(client, notes=300, seed=1, count=3, best=3)
    client.delete(pieces[2]["links"]["self"]).raise_for_status()
    left = [piece for piece in pieces if look(client, piece)["state"] != "cancelled"]
    until(lambda: all(marks(client, left)))
    assert chosen(marks(client, left)) == [True] * len(left)


def test_a_copy_is_not_the_best(tiny_bundle: Path, tmp_path: Path, data: Path) -> None:
    model = knowing(tmp_path / "tiny", tiny_bundle, Request(notes=100, seed=7))
    with serving(Models([model]), data) as client:
        pieces = ask(client, wait=PATIENCE, notes=100, seed=7, count=2, best=1)
    assert [piece["figures"]["choice"]["is_chosen"] for piece in pieces] == [False, True]
    assert [piece["figures"]["choice"]["parts"]["originality"] for piece in pieces] == [0.1, 1.0]


def test_a_prompt_is_not_judged(client: httpx.Client) -> None:
    places = range(64)
    ostinato = Notes.of([0.25 * place for place in places], [0.2] * 64, [40 + place % 2 for place in places], [64] * 64)
    pieces = ask(client, wait=PATIENCE, notes=20, count=2, best=1, prompt=as_json(ostinato))
    assert [piece["figures"]["choice"]["parts"]["loops"] for piece in pieces] == [1.0, 1.0]


def test_an_order_that_a_server_leaves_is_judged_by_the_next(models: Models, data: Path) -> None:
    with serving(models, data) as client:
        pieces = ask(client, notes=600, seed=3, count=2, best=1)
    with serving(models, data) as client:
        until(lambda: all(marks(client, pieces)))
        assert sum(chosen(marks(client, pieces))) == 1


def test_pieces_are_kept_where_choosing_fails(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("arietta.serve.jobs.selection.rank_takes", fail)
    pieces = ask(client, wait=PATIENCE, notes=20, count=2, best=1)
    assert [piece["state"] for piece in pieces] == ["done", "done"] and marks(client, pieces) == [None, None]
    monkeypatch.undo()
    assert sum(chosen(marks(client, ask(client, wait=PATIENCE, notes=20, count=2, best=1)))) == 1


@pytest.mark.parametrize(("count", "best"), [(3, 4), (3, 0), (3, -1), (1, 2)])
def test_more_than_are_composed_cannot_be_the_best(server: httpx.Client, count: int, best: int) -> None:
    answer = server.post("/v1/pieces", json={"notes": 5, "count": count, "best": best})
    assert problem(answer, 422) == f"best must lie in 1-{count}, as many as count composes, not {best}"


def test_a_form_and_the_client_ask_for_it_too(client: httpx.Client) -> None:
    fields = {name: (None, value) for name, value in {"notes": "20", "count": "2", "best": "1"}.items()}
    answer = client.post("/v1/pieces", files=fields, params={"wait": PATIENCE})
    assert sum(piece["figures"]["choice"]["is_chosen"] for piece in answer.json()["pieces"]) == 1
    there = Client(str(client.base_url))
    pieces = there.submit(arietta.Request(notes=20, seed=5), count=3, best=2)
    for piece in pieces:
        list(there.events(piece["id"]))
    assert sum(there.piece(piece["id"])["figures"]["choice"]["is_chosen"] for piece in pieces) == 2


def test_the_command_keeps_the_same_take_with_a_server_and_without(
    client: httpx.Client, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["compose", "--notes", "120", "--seed", "41", "--count", "4", "--best", "1"]
    for name, where in (("there", ["--server", str(client.base_url)]), ("here", ["--model", str(tiny_bundle)])):
        assert main([*words, *where, "-o", str(tmp_path / f"{name}.mid")]) == 0
        assert "kept" in capsys.readouterr().out
    assert (tmp_path / "there.mid").read_bytes() == (tmp_path / "here.mid").read_bytes()


def test_a_model_tells_what_it_finds_usual(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    told = replace(bundle, card={"training": {"validation": {"nats_per_note": 10.5}}})
    assert [ModelView.of(one, is_default=True).nats_per_note for one in (bundle, told)] == [None, 10.5]


def test_the_choice_waits_for_the_last_and_takes_what_is_done(tmp_path: Path) -> None:
    history, told = History(tmp_path), events_of(tune(1, 40))
    asked = {"notes": 40, "seed": 7, "bundle": "0" * 16, "order": "a", "best": 2}
    records = [Record(key, key, State.WAITING, 1.5e9, asked, key, []) for key in "abc"]
    history.add(records, [[]] * 3)
    states = {"b": State.DONE, "a": State.CANCELLED, "c": State.DONE}
    for key, state in states.items():
        assert all("choice" not in (found.outcome.figures or {}) for found in history.order("a"))
        figures = {"notes": 40, "nll_per_note": 9.0} if state == State.DONE else None
        history.end(key, state, JobOutcome(figures=figures), told if state == State.DONE else [])
        mark_best(history, history.order("a")[0], None)
    found = {one.id: one.outcome.figures for one in history.order("a")}
    assert found["a"] is None and history.events("b") == told
    assert (
        found["b"]
        == found["c"]
        == {
            "notes": 40,
            "nll_per_note": 9.0,
            "choice": {"is_chosen": True, "score": 1.0, "parts": {"loops": 1.0}},
        }
    )
    history.close()
