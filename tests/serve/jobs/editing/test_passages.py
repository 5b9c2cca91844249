"""Passages over a service and over HTTP: nothing else changes, a restart gives the same piece, nonsense is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arietta.errors import RequestError
from arietta.generation.loop import Generation, generate
from arietta.generation.request import Request
from arietta.generation.verbs import perform, regenerate, vary
from arietta.generation.wishes import read_wishes
from arietta.model.engine import OnnxEngine
from arietta.music.midi import midi_bytes
from arietta.music.notes import Notes
from arietta.serve.jobs.editing.passages import KEPT, PARTS, Wanted, describe_passage, stored_edit
from arietta.serve.jobs.job import State
from arietta.serve.jobs.models import Models
from tests.support.servers import ask, composed, look, opened, problem, serving, submit, until


@pytest.fixture(scope="module")
def filling(filling_engine: OnnxEngine) -> Models:
    return Models([filling_engine.bundle.path])


def sent(notes: Notes) -> dict[str, Any]:
    """Music as HTTP takes it."""
    columns = (notes.onset.tolist(), notes.duration.tolist(), notes.pitch.tolist(), notes.velocity.tolist())
    return {"notes": list(zip(*columns, strict=True)), "pedal": notes.pedal.tolist()}


def scale(count: int = 80) -> Notes:
    onset = np.arange(count) * 0.25
    return Notes.of(
        onset, np.full(count, 0.2), 40 + np.arange(count) % 30, np.full(count, 64), [[0.0, 3.0], [9.0, 12.0]]
    )


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted("regenerate", 5.0, 9.0, "left"),
        Wanted("vary", 5.0, 9.0, strength=0.4),
        Wanted("vary", strength=0.4),  # the whole piece, of which some of the top line stays
    ],
)
def test_what_is_stored_of_a_passage_is_the_passage(wanted: Wanted) -> None:
    edit = wanted.edit(scale(), 3)
    again = stored_edit({"passage": edit.describe()} | describe_passage(edit), scale())
    assert again is not None and again.describe() == edit.describe()
    assert np.array_equal(again.is_replaced, edit.is_replaced)
    assert stored_edit({"notes": 3}, scale()) is None


@pytest.mark.parametrize("asked_then", ["parts alone", "neither parts nor the newer values"])
def test_what_an_earlier_version_stored_gives_the_same_bytes(asked_then: str, filling_engine: OnnxEngine) -> None:
    edit = Wanted("regenerate", 5.0, 9.0, keep=[21, 22]).edit(scale(), 3)
    request = Request(edit=edit, seed=3, wishes=read_wishes(density=6))
    asked = json.loads(json.dumps(request.resolve(filling_engine.bundle).describe() | describe_passage(edit)))
    for name in () if asked_then == "parts alone" else ("transposed", "ending", "stopped_at", PARTS):
        asked.pop(name, None)
    asked["passage"] |= {"density": asked.pop("density")}  # where wishes once stood
    if asked_then != "parts alone":
        del asked["passage"]["context"], asked["passage"]["keep_pedal"]
    again = Request.from_description(asked, scale(), stored_edit(asked, scale()))
    takes = [generate(each, filling_engine) for each in (request, again)]
    assert midi_bytes(takes[0].notes, texts=takes[0].texts()) == midi_bytes(takes[1].notes, texts=takes[1].texts())


def test_a_passage_is_that_of_the_library_also_from_a_server_that_goes_on(filling: Models, tmp_path: Path) -> None:
    edit = Wanted("regenerate", 5.0, 9.0, keep=[21, 22]).edit(scale(), 3)
    take = generate(Request(edit=edit, seed=3), filling.engine("filling"))
    with opened(filling, tmp_path) as service:
        (record,) = submit(service, Request(edit=edit, seed=3), verb="regenerate", given="x")
        assert record.asked[KEPT] == [21, 22]
    with opened(filling, tmp_path) as service:
        until(lambda: service.find(record.id).state is State.DONE)
        version = service.music(record.id)
        assert version.notes == take.notes
        assert version.composed == np.flatnonzero(take.is_new).tolist()


def test_a_server_goes_on_in_the_midst_of_a_long_passage_with_the_same_bytes(filling: Models, tmp_path: Path) -> None:
    edit = Wanted("vary", strength=1.0).edit(scale(400), 3)
    take = generate(Request(edit=edit, seed=3), filling.engine("filling"))
    with opened(filling, tmp_path) as service:
        (record,) = submit(service, Request(edit=edit, seed=3), verb="vary", given="x")
        assert len(record.asked[PARTS]) == 8
        job = service.job(record.id)
        assert job is not None and job.passage_notes == 400
        until(lambda: job.attempt.event_log.note_count and job.attempt.event_log.events[-1][0] > 30)
    assert not job.is_over
    with opened(filling, tmp_path) as service:
        until(lambda: service.find(record.id).state is State.DONE)
        version = service.music(record.id)
        assert version.notes == take.notes
        assert version.composed == np.flatnonzero(take.is_new).tolist()


def test_a_score_is_played_over_http_also_by_a_server_that_goes_on(filling: Models, tmp_path: Path) -> None:
    (take,) = perform(scale(300), seed=3, model=filling.engine("filling"))
    with opened(filling, tmp_path) as service:
        edit = Wanted("perform").edit(scale(300), 3)
        (record,) = submit(service, Request(edit=edit, seed=3), verb="perform", given="x")
        job = service.job(record.id)
        assert job is not None
        until(lambda: job.attempt.event_log.note_count > 60)
    assert not job.is_over
    with serving(filling, tmp_path) as client:
        until(lambda: client.get(f"/v1/pieces/{record.id}").json()["state"] == "done")
        piece = client.get(f"/v1/pieces/{record.id}").json()
        answer = client.get(piece["links"]["json"]).json()
        assert [note[0] for note in answer["notes"]] == pytest.approx(take.notes.onset.tolist())
        assert answer["composed"] == list(range(300)) and "nats_per_token" not in piece["figures"]
        assert piece["request"]["score"] == {"from": 0.0, "to": 74.95, "score_notes": 300}
        assert piece["progress"] == {"done": 74.95, "whole": 74.95, "unit": "seconds"}
        revisions = client.get(f"{piece['links']['self']}/revisions").json()["revisions"]
        assert revisions[0]["note_count"] == 300


def test_a_part_that_cannot_be_written_fails_with_a_sentence(
    filling: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Generation) -> None:
        raise RequestError("choose a shorter passage")

    with serving(filling, tmp_path) as client:
        asked: dict[str, Any] = {"verb": "vary", "given": sent(scale(200)), "strength": 1, "seed": 3}
        whole = composed(client, **asked)
        monkeypatch.setattr(Generation, "open_next", opens_once(refuse))
        (piece,) = ask(client, wait=60, **asked)
        assert (piece["state"], piece["problem"]["detail"]) == ("failed", "choose a shorter passage")
        monkeypatch.undo()
        assert composed(client, **asked)["figures"] == whole["figures"]


def opens_once(refuse: Callable[[Generation], None]) -> Callable[[Generation], None]:
    """`open_next` for the first part, `refuse` for others."""
    open_next = Generation.open_next
    return lambda generation: refuse(generation) if generation.events else open_next(generation)


def test_varying_by_nothing_over_http_is_the_piece(filling: Models, tmp_path: Path) -> None:
    with serving(filling, tmp_path) as client:
        piece = composed(client, verb="vary", given=sent(scale()), strength=0, seed=3)
        answer = client.get(piece["links"]["json"]).json()
        assert answer["composed"] == [] and len(answer["notes"]) == 80
        (same,) = vary(scale(), 0.0, seed=3, model=filling.engine("filling"))
        assert same.notes == scale()


def test_a_passage_is_asked_for_over_http_and_all_around_it_stays(filling: Models, tmp_path: Path) -> None:
    music, given = scale(), sent(scale())
    with serving(filling, tmp_path) as client:
        asked: dict[str, Any] = {"verb": "regenerate", "given": given, "from": 5, "to": 9, "seed": 3}
        piece = composed(client, **asked)
        assert (piece["request"]["verb"], piece["request"]["passage"]["from"]) == ("regenerate", 5)
        assert piece == look(client, piece)
        answer = client.get(piece["links"]["json"]).json()
        stays = [note for index, note in enumerate(answer["notes"]) if index not in set(answer["composed"])]
        outside = (music.onset < 5) | (music.onset >= 9)
        assert [note[0] for note in stays] == music.onset[outside].tolist()
        assert client.get(f"{piece['links']['self']}/revisions").json()["revisions"][0]["note_count"] == len(
            answer["notes"]
        )
        again = composed(client, verb="regenerate", given={"piece": piece["id"]}, seed=4, **{"from": 5, "to": 9})
        assert again["request"]["given"] == piece["id"]
        accompanied = composed(client, verb="accompany", given=given, keep="60-127", seed=1)
        kept = {tuple(row) for row in client.get(accompanied["links"]["json"]).json()["notes"]}
        assert {row for row in given["notes"] if row[2] >= 60} <= kept
        for change, sentence in (
            ({"from": 50, "to": 60}, "lies outside the piece"),
            ({"from": 9, "to": 5}, "not at 5 s where it begins at 9 s"),
            ({"notes": 5}, "takes no notes"),
            ({"given": {}}, "needs music in given"),
            ({"keep": "feet"}, "keep 'feet' is unknown"),
            ({"from": 0, "to": 99}, "compose a new one instead"),
            ({"strength": 0.5}, "regenerate takes no strength"),
            ({"seconds": 5}, "regenerate takes no seconds"),
            ({"verb": "vary"}, "vary needs strength"),
            ({"key": "H major"}, "is no key"),
            ({"key": "G major"}, "knows no key"),
            ({"density": [[9, 4], [2, 5]]}, "go back in time"),
        ):
            assert sentence in problem(client.post("/v1/pieces", json=asked | change), 422), change


def test_a_passage_that_was_prepared_for_begins_without_prefilling(
    filling: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefilled: list[bytes] = []
    engine = OnnxEngine(filling.bundle("filling"))
    prefill = engine.prefill

    def record(*arguments: Any) -> Any:
        prefilled.append(arguments[0].tobytes())
        return prefill(*arguments)

    monkeypatch.setattr(engine, "prefill", record)
    monkeypatch.setattr(filling, "engine", lambda _: engine)
    asked: dict[str, Any] = {"verb": "regenerate", "given": sent(scale()), "from": 5, "to": 9}
    with serving(filling, tmp_path) as client:
        assert client.post("/v1/prompts", json=asked | {"seed": 1}).status_code == 204
        until(lambda: prefilled)
        composed(client, seed=2, **asked)
        assert prefilled.count(prefilled[0]) == 1
        for refused in ({"from": 9, "to": 5}, {"model": "nobody"}, {"given": {"piece": "0" * 16}}):
            assert client.post("/v1/prompts", json=asked | refused).status_code == 204
        assert client.post("/v1/prompts", content=b"no JSON").status_code == 415


def test_pieces_are_gone_on_from_led_into_and_connected_over_http(filling: Models, tmp_path: Path) -> None:
    rows = [[0.25 * index, 0.2, 60 + index % 12, 64] for index in range(40)]
    given = {"notes": rows}
    with serving(filling, tmp_path) as client:

        def music(**asked: Any) -> tuple[dict[str, Any], list[list[float]], list[int]]:
            piece = composed(client, given=given, seed=3, **asked)
            answer = client.get(piece["links"]["json"]).json()
            assert piece["request"]["verb"] == asked["verb"]
            return piece, answer["notes"], answer.get("composed", [])

        piece, notes, _ = music(verb="extend", at=5.0, notes=12, density=[[0, 1], [6, 9]])
        assert len(notes) == 32 and notes[:20] == rows[:20]
        assert piece["request"]["density"] == [[0, 1], [6, 9]]
        count = client.get(f"{piece['links']['self']}/revisions").json()["revisions"][0]["note_count"]
        assert count == 32
        piece, notes, composed_notes = music(verb="lead_in", seconds=3)
        given_rows = [note for index, note in enumerate(notes) if index not in set(composed_notes)]
        assert [note[0] for note in given_rows] == pytest.approx([row[0] + 3 for row in rows])
        nats = piece["figures"]["nats_per_token"]
        assert nats["passage"] > 0 and nats["both"] > 0
        second = {"notes": rows[:10]}
        _, notes, composed_notes = music(verb="connect", second=second, seconds=2.5)
        given_rows = [note for index, note in enumerate(notes) if index not in set(composed_notes)]
        assert len(given_rows) == 50 and given_rows[:40] == rows
        assert given_rows[40][0] == pytest.approx(9.95 + 2.5)
        for asked, sentence in (
            ({"verb": "connect", "second": second}, "connect needs seconds"),
            ({"verb": "connect", "seconds": 5}, "connect needs music in second"),
            ({"verb": "lead_in", "seconds": 99}, "seconds lie in 1-60"),
            ({"verb": "connect", "second": second, "seconds": 0.1}, "seconds lie in 1-60"),
            ({"verb": "extend", "seconds": 0.1}, "seconds must lie in 1-3600"),
            ({"verb": "lead_in", "seconds": 9, "from": 3}, "lead_in takes no from"),
            ({"verb": "perform", "density": 3}, "no density can be wished for"),
            ({"verb": "perform", "seconds": 9}, "perform takes no seconds"),
            ({"verb": "extend", "at": 0}, "no note begins before 0 s"),
            ({"verb": "extend", "best": 1}, "extend takes no best"),
            ({"strength": 0.5}, "composing a piece takes no strength"),
        ):
            body = asked if "strength" in asked else {"given": given, **asked}
            assert sentence in problem(client.post("/v1/pieces", json=body), 422), asked


def test_given_music_is_moved_into_a_key_over_http(filling: Models, tmp_path: Path) -> None:
    pitch = [62, 66, 69, 74, 67, 71, 64, 69, 73, 62] * 2
    given = {"notes": [[0.5 * index, 0.4, number, 64] for index, number in enumerate(pitch)]}
    asked: dict[str, Any] = {"seed": 1, "key": "C major", "transpose": True}
    with serving(filling, tmp_path) as client:
        for piece in (
            composed(client, verb="extend", given=given, notes=4, **asked),
            composed(client, prompt=given, notes=4, **asked),
        ):
            assert piece["request"]["transposed"] == -2
            notes = client.get(piece["links"]["json"]).json()["notes"]
            assert [note[2] for note in notes[:20]] == [number - 2 for number in pitch]
        for change, sentence in (
            ({"key": "C minor"}, "is in D major: moving it gives no C minor"),
            ({"key": [[0, "C"], [4, "D"]]}, "to one key"),
            ({"key": None}, "say which"),
            ({"verb": "connect", "second": given, "seconds": 4}, "connect takes no transpose"),
            ({"verb": None, "given": None}, "give a prompt"),
        ):
            body = asked | {"verb": "extend", "given": given} | change
            assert sentence in problem(client.post("/v1/pieces", json=body), 422), change


def test_a_model_that_cannot_fill_says_so(models: Models, tmp_path: Path) -> None:
    edit = Wanted("regenerate", 5.0, 9.0).edit(scale(), 3)
    with opened(models, tmp_path) as service, pytest.raises(RequestError, match="cannot write passages"):
        submit(service, Request(edit=edit))


def test_takes_are_ranked_over_http_as_the_library_ranks_them(filling_engine: OnnxEngine, tmp_path: Path) -> None:
    ranked = regenerate(scale(), 5.0, 9.0, n=3, seed=3, model=filling_engine)
    with serving(Models([filling_engine.bundle.path]), tmp_path) as client:
        asked = {"verb": "regenerate", "given": sent(scale()), "from": 5, "to": 9, "seed": 3, "count": 3}
        pieces = ask(client, wait=60, **asked)
        assert [piece["request"]["seed"] for piece in pieces] == [take.request.seed for take in ranked]
        for piece, take in zip(pieces, ranked, strict=True):
            assert take.nats is not None
            assert piece["figures"]["nats_per_token"] == dict(zip(("passage", "after", "both"), take.nats, strict=True))
        order = pieces[0]["request"]["order"]
        listed = client.get("/v1/pieces", params={"order": order}).json()
        assert [piece["id"] for piece in listed["pieces"]] == [piece["id"] for piece in pieces]
        assert client.get("/v1/pieces", params={"order": "0" * 16}).json()["pieces"] == []
        assert "order" in problem(client.get("/v1/pieces", params={"order": "x"}), 422)
