"""Pieces in a tempo and a metre, over HTTP: what the library gives, limited by what all takes cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

import arietta
from arietta.cli import main
from arietta.client import Client
from arietta.serve.jobs.job import Job
from arietta.serve.jobs.limits import Limits
from arietta.serve.jobs.models import Models
from tests.serve.routes.test_events import listen, music
from tests.support.servers import PATIENCE, ask, composed, problem, serving

ASKED: dict[str, Any] = {"notes": 40, "bpm": 90, "metre": "3/4", "seed": 7}


def test_the_client_composes_what_the_library_does(server: httpx.Client, tiny_bundle: Path, tmp_path: Path) -> None:
    for asked in ({"notes": 40}, {"bars": 4}):
        options: dict[str, Any] = {**asked, "bpm": 90, "metre": "3/4", "seed": 7}
        there, here = Client(str(server.base_url)).compose(**options), arietta.compose(model=tiny_bundle, **options)
        here.save(tmp_path / "here.mid")
        assert (there.request, there.notes, there.fit) == (here.request, here.notes, here.fit)
        assert there.file == (tmp_path / "here.mid").read_bytes() and there.title == here.title


def test_nobody_hears_a_note_before_the_take_is_chosen(server: httpx.Client) -> None:
    (piece,) = ask(server, **ASKED)
    stream = listen(server, piece)
    shares = [data["done"] / data["whole"] for _, kind, data in stream if kind == "progress"]
    assert shares == sorted(shares) and shares[-1] == 1
    takes = [(data["take"], data["takes"]) for _, kind, data in stream if kind == "progress"]
    assert takes == sorted(takes) and takes[0] == (1, 8) and takes[-1] == (8, 8)
    kinds = [kind for _, kind, _ in stream]
    assert "progress" not in kinds[kinds.index("note") : -2]
    assert [number for number, _, _ in music(stream)] == list(range(1, len(music(stream)) + 1))
    end = stream[-1][2]
    assert end["figures"]["fit"].keys() == {"sureness", "factor", "bars", "has_bars"}
    assert kinds.count("note") == 40 and end["progress"] == {"done": 40, "whole": 40, "unit": "notes"}
    asked = {name: end["request"][name] for name in ("notes", "bpm", "metre", "seed")}
    assert asked == ASKED and "takes" not in end["request"]


def test_bars_are_told_as_they_were_asked_for_and_a_form_may_ask_for_them(server: httpx.Client) -> None:
    form = {name: (None, str(text)) for name, text in ({**ASKED, "bars": 4} | {"count": 2}).items() if name != "notes"}
    pieces = server.post("/v1/pieces", files=form, params={"wait": PATIENCE}).json()["pieces"]
    assert [piece["request"]["seed"] for piece in pieces] == [7, 8]
    for piece in pieces:
        assert piece["request"]["bars"] == 4 and "seconds" not in piece["request"]
        assert piece["progress"] == {"done": 8, "whole": 8, "unit": "seconds"}


def test_a_piece_of_fewer_takes_is_asked_for_as_it_says_of_itself(server: httpx.Client) -> None:
    piece = composed(server, **ASKED, takes=2)
    again = composed(server, **{name: piece["request"][name] for name in (*ASKED, "takes")})
    assert server.get(piece["links"]["mid"]).content == server.get(again["links"]["mid"]).content


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"metre": "0/4"}, "a metre has 1 to 16 beats of 1, 2, 4, 8, 16 or 32, not 0/4"),
        ({"metre": "waltz"}, "a metre is beats and a unit, such as 3/4, not 'waltz'"),
        ({"bpm": 0}, "bpm must lie in 40-200 beats a minute, not 0"),
        ({"bpm": 10_000}, "bpm must lie in 40-200 beats a minute, not 10000"),
        ({"bpm": None}, "bpm and metre go together: say both, as bpm 90 and metre 3/4"),
        ({"bars": 4}, "say how much to write: a number of notes or of bars, and one of them alone"),
        ({"notes": None, "seconds": 9}, "music is stretched to its bpm: ask for notes or bars, not for seconds"),
        ({"original": True}, "original composes again until it is: leave it out, or bpm and metre"),
        ({"takes": 9}, "takes must lie in 1-8, not 9"),
        ({"bpm": None, "metre": None, "takes": 2}, "takes says among how many the best in a tempo is chosen"),
        ({"prompt": {"notes": [[0, 1, 60, 64]]}}, "a tempo and a metre are for music composed from the beginning"),
        ({"notes": 2_000}, "the best of 8 takes is kept, so that notes must lie in 1-1250, not 2000"),
        ({"notes": None, "bars": 400}, "the best of 8 takes is kept, and 400 bars need 1103 s of each; 450 s at most"),
        ({"verb": "perform", "given": {"notes": [[0, 1, 60, 64]]}}, "perform takes no bpm: leave it out"),
    ],
)
def test_what_cannot_be_composed_so_is_refused(server: httpx.Client, asked: dict[str, Any], sentence: str) -> None:
    body = {name: field for name, field in {**ASKED, **asked}.items() if field is not None}
    assert sentence in problem(server.post("/v1/pieces", json=body), 422)


def test_a_download_is_composed_in_a_tempo_and_nothing_of_it_is_stored(
    server: httpx.Client, tiny_bundle: Path, tmp_path: Path
) -> None:
    before = server.get("/v1/pieces").json()["pieces"]
    asked = {"bpm": 90, "metre": "3/4", "seed": 7}
    answer = server.get("/midi/40", params=asked)
    here = arietta.compose(40, model=tiny_bundle, **asked)
    here.save(tmp_path / "here.mid")
    assert answer.content == (tmp_path / "here.mid").read_bytes()
    name = answer.headers["content-disposition"]
    assert f"{here.title}.mid" in name and server.head("/midi/40", params=asked).headers["content-disposition"] == name
    assert server.get("/v1/pieces").json()["pieces"] == before
    assert "bpm and metre go together" in problem(server.get("/midi/40?bpm=90"), 422)
    assert "notes must lie in 1-1250, not 2000" in problem(server.get("/midi/2000?bpm=90&metre=3/4"), 422)


@pytest.mark.parametrize("limits", [Limits(most_per_client=4), Limits(seats=1, places=3)])
def test_more_takes_than_a_server_ever_composes_for_a_client_are_refused_for_good(
    models: Models, tmp_path: Path, limits: Limits
) -> None:
    with serving(models, tmp_path, limits) as client:
        for count, takes, pieces in ((1, 8, 8), (2, 4, 8), (5, 1, 5)):
            answer = client.post("/v1/pieces", json={**ASKED, "takes": takes, "count": count})
            sentence = f"the best of {takes} takes is kept, and {pieces} pieces are more than the 4 that this server"
            assert sentence in problem(answer, 422)
        assert "ask /v1/pieces for so many" in problem(client.get("/midi/40?bpm=90&metre=3/4"), 422)
        assert composed(client, **ASKED, takes=4)["state"] == "done"


def test_a_download_whose_take_cannot_be_chosen_fails(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(job: Job) -> bool:
        raise RuntimeError(f"no take of {job.key} fits")

    with serving(models, tmp_path) as client:
        with monkeypatch.context() as patch:
            patch.setattr(Job, "choose_take", fail)
            assert "its log says what" in problem(client.get("/midi/20?bpm=90&metre=3/4"), 500)
        assert client.get("/midi/20?bpm=90&metre=3/4").status_code == 200


def test_the_command_lets_a_server_compose_them(
    server: httpx.Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--bpm", "90", "--metre", "3/4", "--notes", "40", "--seed", "7", "-o", str(tmp_path / "a.mid")]
    assert main(["compose", "--server", str(server.base_url), *words]) == 0
    assert "Fit to 90 beats a minute in 3/4: " in capsys.readouterr().out
