"""Pieces that shall be original: composed again before anybody hears a note, and told with what they share."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import arietta
from arietta.cli import main
from arietta.client import Client
from arietta.errors import CorpusError
from arietta.generation.original import MAX_ATTEMPTS
from arietta.generation.request import Request
from arietta.model.bundle import INDEX
from arietta.originality.index import POSTINGS
from arietta.serve.jobs.models import Models
from tests.serve.routes.test_events import heard, music, played
from tests.serve.routes.test_pieces import local
from tests.support.indexes import knowing
from tests.support.servers import PATIENCE, ask, composed, events, look, problem, serving, until

ASKED: dict[str, Any] = {"notes": 100, "seed": 7}


@pytest.fixture(scope="module")
def knowing_two(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with an index of what seeds 7 and 107 give it."""
    requests = [Request(notes=100, seed=seed) for seed in (7, 107)]
    return knowing(tmp_path_factory.mktemp("knowing") / "tiny", tiny_bundle, *requests)


@pytest.fixture(scope="module")
def client(knowing_two: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with serving(Models([knowing_two]), tmp_path_factory.mktemp("data")) as client:
        yield client


def test_a_piece_that_borrows_is_composed_again_before_it_is_done(client: httpx.Client, tiny_bundle: Path) -> None:
    piece = composed(client, **ASKED, original=True)
    assert piece["request"]["seed"] == 207 and "original" not in piece["request"]
    assert piece["name"] == "tiny-any-0100-notes-seed-207"
    assert client.get(piece["links"]["mid"]).content == local(tiny_bundle, Request(notes=100, seed=207))
    found = piece["figures"]["originality"]
    assert found["is_inside"] and found["work"] is None and (found["longest"], found["share"]) == (0, 0)
    assert [(one["seed"], one["work"]) for one in found["rejected"]] == [(7, "Nobody: Tune 0"), (107, "Nobody: Tune 1")]
    assert look(client, piece) == piece


def test_nobody_hears_a_note_of_what_is_rejected(client: httpx.Client) -> None:
    (piece,) = ask(client, **ASKED, original=True)
    assert piece["request"]["original"] is True
    told = heard(client, piece)
    assert [number for number, _, _ in music(told)] == list(range(1, len(music(told)) + 1))
    assert played(told) == {
        name: column for name, column in client.get(piece["links"]["json"]).json().items() if name != "prompt_notes"
    }
    assert [kind for _, kind, _ in told].count("note") == 100 and told[-1][1] == "end"
    kinds = [kind for _, kind, _ in told]
    assert "progress" not in kinds[kinds.index("note") : -2]


def test_every_piece_is_told_with_what_it_shares(client: httpx.Client) -> None:
    found = composed(client, **ASKED)["figures"]["originality"]
    assert (found["is_inside"], found["work"], found["rejected"]) == (False, "Nobody: Tune 0", [])
    assert found["longest"] > 80 and found["share"] > 0.8
    assert found["longest_percentile"] == found["share_percentile"] == 100


def test_a_name_of_ones_own_stays(client: httpx.Client) -> None:
    assert composed(client, **ASKED, original=True, name="Evening")["name"] == "Evening"


def test_several_may_be_asked_for_in_a_form(client: httpx.Client) -> None:
    form = {"notes": "100", "seed": "6", "count": "2", "original": "true"}
    fields = {name: (None, value) for name, value in form.items()}
    answer = client.post("/v1/pieces", files=fields, params={"wait": PATIENCE})
    assert [piece["request"]["seed"] for piece in answer.json()["pieces"]] == [6, 207]


def test_where_all_tries_borrow_the_piece_says_so(tiny_bundle: Path, tmp_path: Path) -> None:
    requests = [Request(notes=60, seed=7 + 100 * attempt) for attempt in range(MAX_ATTEMPTS)]
    model = knowing(tmp_path / "tiny", tiny_bundle, *requests)
    with serving(Models([model]), tmp_path / "data") as client:
        piece = composed(client, notes=60, seed=7, original=True)
        found, told = piece["figures"]["originality"], heard(client, piece)
        assert client.get(piece["links"]["mid"]).content == local(
            tiny_bundle, Request(notes=60, seed=piece["request"]["seed"])
        )
    assert not found["is_inside"] and [one["seed"] for one in found["rejected"]] == [one.seed for one in requests]
    assert piece["request"]["seed"] == min(found["rejected"], key=lambda one: one["longest"])["seed"]
    assert [kind for _, kind, _ in told].count("note") == 60


def test_a_model_without_an_index_cannot_tell(server: httpx.Client) -> None:
    answer = server.post("/v1/pieces", json={"notes": 5, "original": True})
    assert problem(answer, 422) == "tiny has no index of its training music here, which tells what is original"
    assert "originality" not in composed(server, notes=5)["figures"]


def test_a_server_that_stops_goes_on_with_the_tries(knowing_two: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    with serving(Models([knowing_two]), tmp_path) as client:
        (piece,) = ask(client, **ASKED, original=True)
    with serving(Models([knowing_two]), tmp_path) as client:
        until(lambda: look(client, piece)["state"] == "done")
        assert client.get(piece["links"]["mid"]).content == local(tiny_bundle, Request(notes=100, seed=207))
        (piece,) = ask(client, **ASKED | {"notes": 10_000}, original=True)  # too long to be done before the end
    with serving(Models([tiny_bundle]), tmp_path) as client:
        until(lambda: look(client, piece)["state"] == "interrupted")
        assert "tiny has no index of its training music here" in look(client, piece)["problem"]["detail"]


def test_a_piece_is_cancelled_between_its_tries(client: httpx.Client) -> None:
    (piece,) = ask(client, notes=10_000, seed=7, original=True)
    client.delete(piece["links"]["self"]).raise_for_status()
    told = events(client.get(piece["links"]["events"]).text)
    assert (told[-1][1], told[-1][2]["state"]) == ("end", "cancelled") and not music(told)


def test_ends_are_counted_once(client: httpx.Client) -> None:
    def count() -> float:
        (value,) = re.findall(r'arietta_pieces_total\{state="done"\} (\S+)', client.get("/metrics").text)
        return float(value)

    composed(client, **ASKED)
    before = count()
    composed(client, **ASKED, original=True)
    assert count() == before + 1


def test_a_damaged_index_is_refused_when_the_server_starts(knowing_two: Path, tmp_path: Path) -> None:
    model = shutil.copytree(knowing_two, tmp_path / "tiny")
    (model / INDEX / POSTINGS).unlink()
    with pytest.raises(CorpusError, match="no index of passages here"):
        Models([model])


# From programs and the command


def test_the_client_composes_what_the_library_does(client: httpx.Client, knowing_two: Path, tmp_path: Path) -> None:
    there = Client(str(client.base_url)).compose(100, seed=7, original=True)
    here = arietta.compose(100, seed=7, original=True, model=str(knowing_two))
    here.save(tmp_path / "here.mid")
    assert (there.request, there.notes, there.file) == (here.request, here.notes, (tmp_path / "here.mid").read_bytes())
    assert there.originality is not None and [one.seed for one in there.originality.rejected] == [7, 107]


def test_the_command_tells_what_the_server_rejected(
    client: httpx.Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--notes", "100", "--seed", "7", "--original", "-o", str(tmp_path / "piece.mid")]
    assert main(["compose", "--server", str(client.base_url), *words]) == 0
    told = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"Seed 107 shared \d+ notes with Nobody: Tune 1: composed again with seed 207\.", told[1])
