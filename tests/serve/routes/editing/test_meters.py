"""/v1/pieces/{id}/meter: bars that a file brought, that are corrected by hand, and in which music is asked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from arietta.music.meter import Meter, Tempo, TimeSignature
from arietta.music.midi import midi_bytes, read_meter, read_midi
from arietta.music.notes import Notes
from arietta.serve.jobs.limits import Limits
from arietta.serve.jobs.models import Models
from tests.support.endless import never_ending
from tests.support.servers import ask, composed, look, problem, serving, until

ROWS, SLOW = [[0, 0.5, 60, 70]], {"signatures": [[0, 3, 4]], "tempos": [[0, 2]]}
METER = Meter((TimeSignature(0.0, 3, 4),), (Tempo(0.0, 0.5),))


def uploaded(client: httpx.Client, grid: Meter | None = METER) -> dict[str, Any]:
    onset = 0.5 * np.arange(24)
    notes = Notes.of(onset, np.full(24, 0.4), 60 + np.arange(24) % 12, np.full(24, 64))
    answer = client.post("/v1/uploads", content=midi_bytes(notes, grid=grid), params={"name": "waltz"})
    assert answer.status_code == 201
    piece: dict[str, Any] = answer.json()
    return piece


def test_an_upload_keeps_its_bars_and_its_files_have_them(server: httpx.Client) -> None:
    piece = uploaded(server)
    meter = server.get(f"{piece['links']['self']}/meter").json()
    assert (meter["signatures"], meter["tempos"]) == ([[0.0, 3, 4]], [[0.0, 0.5]])
    assert meter["bar_lines"] == pytest.approx([1.5 * bar for bar in range(9)])
    kept = read_meter(server.get(piece["links"]["mid"]).content)
    assert kept is not None and kept.signatures == METER.signatures
    laid = read_meter(server.get(piece["links"]["mid"], params={"grid": 90}).content)
    assert laid is not None and laid.tempos == (Tempo(0.0, 0.666667),)
    assert "<beats>3</beats>" in server.get(piece["links"]["musicxml"]).text
    assert server.get(piece["links"]["json"]).json()["meter"]["signatures"] == [[0.0, 3, 4]]
    beats = server.get(f"{piece['links']['self']}/report").json()["beats"]
    assert beats["signature"] == "3/4" and beats["is_written"]


def test_bar_lines_are_moments_of_the_piece(server: httpx.Client) -> None:
    url = f"{uploaded(server)['links']['self']}/meter"
    meter = server.put(url, json={"signatures": [[-0.1, 3, 4]], "tempos": [[-0.1, 0.5]]}).json()
    assert meter["bar_lines"][:2] == pytest.approx([0.0, 1.4]) and meter["signatures"] == [[-0.1, 3, 4]]


def test_music_is_asked_for_in_bars_and_keeps_them(server: httpx.Client) -> None:
    waltz = uploaded(server)
    longer = composed(server, bars=2, continues=waltz["id"], seed=1)
    music = server.get(longer["links"]["json"]).json()
    assert music["meter"]["signatures"] == [[0.0, 3, 4]]
    notes = read_midi(server.get(longer["links"]["mid"]).content)
    assert notes.seconds == pytest.approx(15.0, abs=0.06)
    plain = {"notes": music["notes"][:24], "meter": music["meter"]}
    assert composed(server, bars=2, prompt=plain, seed=1)["request"]["seconds"] == longer["request"]["seconds"]
    cut = composed(server, verb="extend", given={"piece": waltz["id"]}, at="bar 5", bars=2, seed=1)
    assert read_midi(server.get(cut["links"]["mid"]).content).seconds == pytest.approx(9.0, abs=0.06)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"bars": 4}, "give a prompt that has a metre"),
        ({"bars": 4, "prompt": {"notes": ROWS}}, "bars need music that has a metre"),
        ({"bars": 4, "notes": 3}, "one of them alone"),
        ({"bars": 0, "continues": "waltz"}, "bars must lie in 1-2000, not 0"),
        ({"bars": 1000, "prompt": {"notes": ROWS, "meter": SLOW}}, "1000 bars take 6006 s here; 3600 s at most"),
        ({"verb": "extend", "given": "waltz", "at": "bar 99"}, "bar 99: the music has bars 1 to 8"),
        ({"verb": "extend", "given": "waltz", "at": 99}, "the music has 11.9 s: it cannot be cut at 99 s"),
        ({"verb": "regenerate", "given": "plain", "from": "bar 2"}, "no bars that are known"),
        ({"verb": "regenerate", "given": "plain", "bars": 2}, "regenerate takes no bars"),
        ({"prompt": {"notes": ROWS, "meter": SLOW | {"signatures": [[0, 0, 4]]}}}, "not 0/4"),
    ],
)
def test_bars_that_cannot_be_are_refused_with_a_sentence(
    server: httpx.Client, asked: dict[str, Any], sentence: str
) -> None:
    pieces = {"waltz": uploaded(server)["id"], "plain": uploaded(server, None)["id"]}
    if "given" in asked:
        asked = asked | {"given": {"piece": pieces[asked["given"]]}}
    if "continues" in asked:
        asked = asked | {"continues": pieces[asked["continues"]]}
    assert sentence in problem(server.post("/v1/pieces", json=asked), 422)


def test_bars_are_corrected_set_and_taken_away(server: httpx.Client) -> None:
    piece = uploaded(server)
    path = f"{piece['links']['self']}/meter"
    halved = server.post(path, json={"beats": "half", "downbeat": 1}).json()
    assert halved["tempos"] == [[0.0, 1.0]] and halved["signatures"][-1] == [1.0, 3, 4]
    assert server.get(path).json() == halved
    kept = read_meter(server.get(piece["links"]["mid"]).content)
    assert kept is not None and kept.signatures[-1].seconds == pytest.approx(1.0)
    tapped = {"signatures": [[0.5, 2, 4]], "tempos": [[0.5, 0.5], [1.0, 0.75]]}
    assert server.put(path, json=tapped).json()["bar_lines"][:3] == pytest.approx([0.5, 1.75, 3.25])
    assert server.delete(path).status_code == 204
    assert server.get(path).json() is None
    assert server.post(path, json={}).json()["signatures"]  # where there are none, bars are found


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"signatures": [[0, 0, 4]], "tempos": [[0, 0.5]]}, "not 0/4"),
        ({"signatures": [[0, 3, 4]], "tempos": [[0, 0]]}, "quarter notes last up to"),
        ({"signatures": [[0, 3, 4]], "tempos": [[0, 0.001]]}, "bars last 0.1 s or more"),
        ({"signatures": [[0, 3, 4]], "tempos": []}, "1 to 20000 marks"),
        ({"signatures": [[1, 3, 4], [0, 3, 4]], "tempos": [[0, 1]]}, "rising order"),
        ({"signatures": [[0, 3, 4]], "tempos": [[0, 1]], "keys": [[0, 8, False]]}, "-7 to 7 sharps"),
    ],
)
def test_a_metre_that_no_piece_can_have_is_refused(server: httpx.Client, body: dict[str, Any], sentence: str) -> None:
    path = f"{uploaded(server)['links']['self']}/meter"
    assert sentence in problem(server.put(path, json=body), 422)
    assert server.get(path).json()["signatures"] == [[0.0, 3, 4]]


def test_a_piece_that_is_not_done_or_unknown_has_no_metre(server: httpx.Client) -> None:
    (piece,) = ask(server, notes=10_000)
    assert problem(server.get(f"{piece['links']['self']}/meter"), 409)
    server.delete(piece["links"]["self"])
    assert look(server, piece)["state"] == "cancelled"
    assert "there is no piece" in problem(server.post("/v1/pieces/0123456789abcdef/meter", json={}), 404)
    assert "downbeat" in problem(server.post(f"{uploaded(server)['links']['self']}/meter", json={"downbeat": 65}), 422)


def test_bars_are_tapped_dragged_and_counted_anew(server: httpx.Client) -> None:
    piece = uploaded(server, None)
    path = f"{piece['links']['self']}/meter"
    tapped = server.post(path, json={"taps": [1.01, 1.98, 3.02, 4.0], "metre": "3/4"}).json()
    assert tapped["bar_lines"][:2] == pytest.approx([1.0, 4.0]) and tapped["signatures"][-1][1:] == [3, 4]
    dragged = server.post(path, json={"bar_line": [2, 4.5]}).json()
    assert dragged["bar_lines"][:3] == pytest.approx([1.0, 4.5, 7.0])
    assert server.post(path, json={"metre": "2/4"}).json()["signatures"][-1][1:] == [2, 4]
    kept = read_meter(server.get(piece["links"]["mid"]).content)
    assert kept is not None and kept.signatures[-1].beats == 2
    undone = {name: dragged[name] for name in ("signatures", "tempos", "keys", "is_exact")}
    assert server.put(path, json=undone).json() == dragged


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"taps": [1]}, "2 to 20000 taps, not 1"),
        ({"taps": [1, "beat"]}, "taps"),
        ({"taps": [1] * 10_001}, "taps"),
        ({"metre": "0/4"}, "not 0/4"),
        ({"bar_line": [2]}, "bar_line"),
        ({"taps": [4e5, 4e5 + 0.2]}, "taps lie within 6 s of the music"),
        ({"bar_line": [99, 99]}, "there is no bar 99"),
        ({"bar_line": [2, 99]}, "bar 2 can begin at 0.10 to 2.90 s"),
        ({"bar_line": [10**9, 1]}, "bars are numbered from 1"),
    ],
)
def test_corrections_that_cannot_be_are_refused(server: httpx.Client, body: dict[str, Any], sentence: str) -> None:
    path = f"{uploaded(server)['links']['self']}/meter"
    before = server.get(path).json()
    assert sentence in problem(server.post(path, json=body), 422)
    assert server.get(path).json() == before


def test_bars_that_take_too_long_are_given_up_and_others_are_answered_meanwhile(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"signatures": [[0.0, 2, 4]], "tempos": [[0.0, 0.5]]}
    with serving(models, tmp_path, Limits(file_seconds=2.0)) as client, ThreadPoolExecutor(1) as others:
        path = f"{uploaded(client)['links']['self']}/meter"
        assert client.post(path, json={"downbeat": 3}).status_code == 200  # which starts a process
        for send, body in ((client.post, {"beats": "half"}), (client.put, given)):
            with monkeypatch.context() as patch:
                patch.setattr("arietta.serve.routes.editing.meters.corrected_meter", never_ending)
                endless = others.submit(send, path, json=body)
                until(lambda: client.app.state.queues.pictures.count)  # type: ignore[attr-defined]
                assert client.get("/healthz").status_code == 200 and not endless.done()
                assert "takes longer than 2 seconds to make" in problem(endless.result(), 503)
        assert client.get(path).json()["signatures"] == [[0.0, 3, 4]]
        assert client.put(path, json=given).json()["bar_lines"][:2] == [0.0, 1.0]
