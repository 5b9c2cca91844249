"""The client, against a real server: the same words as the library, and the same files."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

import arietta
from arietta.cli import main
from arietta.client import Client, ServedTake
from arietta.errors import RequestError
from arietta.generation.request import DEFAULT_NOTES, Request
from arietta.model.sampling import Sampling
from arietta.music.correction import correct_meter
from arietta.music.meter import Meter, Tempo, TimeSignature
from arietta.music.midi import midi_bytes, read_midi, write_midi
from arietta.music.notes import Notes, first
from arietta.serve.access import Access
from arietta.serve.jobs.models import Models
from tests.support.servers import look, serving
from tests.support.written import headed, note, score


@pytest.fixture(scope="module")
def client(server: httpx.Client) -> Client:
    return Client(str(server.base_url))


def test_it_composes_what_the_library_composes(client: Client, tiny_bundle: Path, tmp_path: Path, waltz: Notes) -> None:
    asked = {"seed": 5, "style": "grieg", "sampling": Sampling(0.8, 0.9, 0.01), "prompt": first(waltz, 7)}
    take = client.compose(30, **asked)
    local = arietta.compose(30, model=str(tiny_bundle), **asked)
    assert isinstance(take, ServedTake)
    assert take.notes == local.notes
    assert (take.title, take.request, take.bundle) == (local.title, local.request, local.bundle)
    assert (take.model, take.note_count, take.prompt_notes) == ("tiny", 30, 7)
    assert take.prompt_seconds == local.prompt_seconds
    assert take.nll == pytest.approx(local.nll, abs=1e-4) and take.seconds_taken > 0
    take.save(tmp_path / "there.mid")
    local.save(tmp_path / "here.mid")
    assert (tmp_path / "there.mid").read_bytes() == (tmp_path / "here.mid").read_bytes()


def test_it_takes_what_the_library_takes_of_the_sampling(client: Client, tiny_bundle: Path) -> None:
    asked = {"seed": 5, "temperature": np.float32(0.5), "top_p": {"time": 0.9}, "guidance": 2, "ending": False}
    assert client.compose(20, **asked).request == arietta.compose(20, model=str(tiny_bundle), **asked).request


@pytest.mark.parametrize("wrong", [{"temperature": 1}, 0.9])
def test_a_sampling_that_is_none_is_refused_as_by_the_library(client: Client, wrong: Any) -> None:
    with pytest.raises(RequestError, match="sampling is a Sampling, as in "):
        client.compose(20, sampling=wrong)


def test_what_goes_on_from_a_score_is_the_file_that_it_is_without_a_server(
    client: Client, tiny_bundle: Path, tmp_path: Path
) -> None:
    theme = headed(score([note("C4", 2) + note("E4", 2)] * 2), "Minuet", "Petzold")
    take, local = client.compose(8, prompt=theme, seed=5), arietta.compose(8, prompt=theme, seed=5, model=tiny_bundle)
    assert take.request == local.request and take.meter is not None
    for grid in (None, 90):
        assert take.to_bytes(grid=grid) == local.to_bytes(grid=grid)
        assert b"Made from: Minuet, Petzold" in take.to_bytes(grid=grid)
    assert take.to_bytes("musicxml").count(b"arietta grid") == 0


def test_a_take_is_bytes_as_it_is_a_file(client: Client, tiny_bundle: Path, tmp_path: Path) -> None:
    take = client.compose(5, seed=5)
    local = arietta.compose(5, model=str(tiny_bundle), seed=5)
    assert take.to_bytes() == local.to_bytes() == local.to_bytes(".mid") == take.file == client.file(take.id, ".mid")
    local.save(tmp_path / "a.svg")
    assert local.to_bytes("svg") == take.to_bytes("svg").replace(take.title.encode(), local.title.encode())
    with pytest.raises(RequestError, match=r"a piece is had as mid, .*, not as 'doc'"):
        local.to_bytes("doc")


def test_what_is_no_id_and_no_timeout_is_refused(client: Client) -> None:
    with pytest.raises(RequestError, match=r"a piece is named by its id, as in .*, not None"):
        client.piece(None)  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="timeout must be a number, not '5'"):
        Client(client.address, timeout="5")  # type: ignore[arg-type]
    for timeout in (0, float("inf"), float("nan"), 1e300):
        with pytest.raises(RequestError, match=r"timeout must be above 0 and at most \d+ seconds, not"):
            Client(client.address, timeout=timeout)
    for address in ("http://host:99999", "http://host:x", "http://host:0", "http://[::1", "http://a..b", "host:8000"):
        with pytest.raises(RequestError, match="is not the address of a server"):
            Client(address)
    assert repr(client) == f"Client({client.address!r})"


def test_without_a_length_it_composes_300_notes_and_draws_a_seed(client: Client) -> None:
    takes = [client.compose(), client.compose()]
    assert [take.note_count for take in takes] == [300, 300]
    assert takes[0].file != takes[1].file


def test_seconds_a_model_and_a_prompts_file_may_be_asked_for(client: Client, tmp_path: Path, waltz: Notes) -> None:
    write_midi(tmp_path / "theme.mid", waltz)
    take = client.compose(seconds=6, prompt=tmp_path / "theme.mid", model="tiny-lstm", seed=1)
    assert take.model == "tiny-lstm" and take.prompt_notes == 12
    assert take.request.seconds == 6 and take.request.notes is None


def test_bars_of_a_file_are_a_length_and_the_take_keeps_them(
    client: Client, tiny_bundle: Path, tmp_path: Path, waltz: Notes
) -> None:
    meter = Meter((TimeSignature(0.0, 3, 4),), (Tempo(0.0, 0.5),))
    write_midi(tmp_path / "theme.mid", waltz, grid=meter)
    asked = {"bars": 2, "prompt": tmp_path / "theme.mid", "seed": 1}
    take, local = client.compose(**asked), arietta.compose(**asked, model=tiny_bundle)
    assert take.notes == local.notes and take.meter == local.meter is not None
    take.save(tmp_path / "there.mid")
    local.save(tmp_path / "here.mid")
    assert (tmp_path / "there.mid").read_bytes() == (tmp_path / "here.mid").read_bytes()
    with pytest.raises(RequestError, match="bar 99: the music has bars 1 to 3"):
        client.extend(tmp_path / "theme.mid", "bar 99")
    with pytest.raises(RequestError, match="no bars that are known"):
        client.extend(waltz, "bar 2")


def test_events_come_as_notes_and_pedals_and_end_with_the_piece(client: Client) -> None:
    (piece,) = client.submit(arietta.Request(notes=80, seed=2), name="Heard")
    told: list[tuple[float, float]] = []
    heard, events = [], client.events(piece["id"], progress=lambda done, whole: told.append((done, whole)))
    while True:
        try:
            heard.append(next(events))
        except StopIteration as stopped:
            ended = stopped.value
            break
    assert ended["state"] == "done" and ended["name"] == "Heard"
    assert told[-1] == (80, 80) and len(set(told)) == len(told)
    assert sum(isinstance(event, arietta.Note) for event in heard) == 80
    assert list(client.events(piece["id"], after=len(heard) - 3)) == heard[-3:]
    assert client.take(piece["id"]).request.seed == 2
    told.clear()
    list(client.events(piece["id"], progress=lambda done, whole: told.append((done, whole))))
    assert told == [(80, 80)]


def test_pieces_are_listed_named_loved_and_deleted(client: Client) -> None:
    (one, two) = client.submit(arietta.Request(notes=4, seed=8), count=2, name="Pair")
    list(client.events(two["id"]))
    assert [piece["id"] for piece, _ in zip(client.pieces(), range(2), strict=False)] == [two["id"], one["id"]]
    assert client.change(one["id"], name="One", is_favourite=True)["name"] == "One"
    assert one["id"] in [piece["id"] for piece in client.pieces(only_favourites=True)]
    client.delete(one["id"])
    with pytest.raises(RequestError, match="there is no piece"):
        client.piece(one["id"])
    assert [model["name"] for model in client.models()] == ["tiny", "tiny-lstm"]


def test_all_pieces_are_listed_over_pages(models: Models, tmp_path: Path) -> None:
    with serving(models, tmp_path) as server:
        client = Client(str(server.base_url))
        keys = []
        for seed in range(8):
            keys += [piece["id"] for piece in client.submit(arietta.Request(notes=1, seed=seed), count=8)]
            list(client.events(keys[-1]))
        assert [piece["id"] for piece in client.pieces()] == keys[::-1]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"notes": 10_001}, "notes must lie in 1-10000, not 10001"),
        ({"style": "chopn"}, "tiny does not know the style 'chopn'; nearest: Frédéric Chopin"),
        ({"model": "no/such"}, "there is no model 'no/such' here"),
        ({"notes": 5, "seconds": 5}, "either a number of notes or of seconds"),
    ],
)
def test_what_the_server_refuses_is_its_sentence(client: Client, asked: dict[str, object], sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        client.compose(**asked)


def test_a_key_is_sent(models: Models, tmp_path: Path) -> None:
    with serving(models, tmp_path, access=Access(key="clé")) as server:
        address = str(server.base_url)
        assert Client(address, api_key="clé").compose(3).note_count == 3
        for wrong, fault in ((None, "asks for its key"), ("key", "that key is wrong")):
            with pytest.raises(RequestError, match=f"{fault}.*ARIETTA_API_KEY"):
                Client(address, api_key=wrong).compose(3)
        with pytest.raises(RequestError, match="this server asks for its key"):
            Client(address).models()


def test_a_piece_that_is_cancelled_elsewhere_is_an_error(client: Client) -> None:
    (piece,) = client.submit(arietta.Request(notes=10_000))
    threading.Timer(0.5, client.delete, [piece["id"]]).start()
    with pytest.raises(RequestError, match=f"the piece {piece['id']} is cancelled"):
        list(client.events(piece["id"]))


def test_an_interrupted_call_cancels_its_pieces(client: Client, server: httpx.Client) -> None:
    def interrupt(done: float, whole: float) -> None:
        raise KeyboardInterrupt

    takes = client.compose_all([arietta.Request(notes=10_000, seed=seed) for seed in (1, 2)], progress=interrupt)
    with pytest.raises(KeyboardInterrupt):
        next(takes)
    states = [look(server, piece)["state"] for piece, _ in zip(client.pieces(), range(2), strict=False)]
    assert states == ["cancelled", "cancelled"]


def test_the_client_needs_nothing_but_the_standard_library_and_our_notes() -> None:
    code = "import sys, arietta; arietta.Client; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"fastapi", "httpx", "requests", "onnxruntime", "torch"} & set(done.stdout.split())


def test_the_command_writes_the_same_files_with_a_server_as_without(
    server: httpx.Client, tiny_bundle: Path, tmp_path: Path, waltz: Notes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "theme.mid").write_bytes(midi_bytes(waltz))
    words = ["compose", "--notes", "25", "--seed", "7", "--style", "chopin", "--count", "2"]
    words += ["--prompt", str(tmp_path / "theme.mid"), "--prompt-notes", "5"]
    assert main([*words, "--server", str(server.base_url), "-o", str(tmp_path / "there")]) == 0
    said = capsys.readouterr().out
    assert main([*words, "--model", str(tiny_bundle), "-o", str(tmp_path / "here")]) == 0
    here = {path.name: path.read_bytes() for path in (tmp_path / "here").iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "there").iterdir()} == here
    assert len(here) == 2
    assert "after 5 of the prompt" in said and "with tiny in the style of Frédéric Chopin, seed 8" in said


def test_the_command_says_what_the_server_refuses(
    server: httpx.Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["compose", "--server", str(server.base_url), "-o", str(tmp_path / "a.mid")]
    assert main([*words, "--model", "nothing"]) == 2
    assert "arietta: there is no model 'nothing' here" in capsys.readouterr().err
    assert not (tmp_path / "a.mid").exists()
    assert main([*words, "--model", "tiny-lstm", "--seconds", "5"]) == 0
    assert len(read_midi(tmp_path / "a.mid")) > 0


def test_a_piece_is_stopped_and_then_finished(client: Client) -> None:
    (piece,) = client.submit(Request(notes=10_000, seed=3))
    next(iter(client.events(piece["id"])))
    stopped = client.stop(piece["id"])
    take = client.take(piece["id"])
    assert stopped["state"] == "done"
    assert take.request.stopped_at == take.note_count == stopped["request"]["stopped_at"]


def test_an_uploaded_piece_is_changed_undone_and_not_overwritten(client: Client, tmp_path: Path, waltz: Notes) -> None:
    write_midi(tmp_path / "waltz.mid", waltz)
    piece = client.upload(tmp_path / "waltz.mid")
    assert (piece["name"], piece["figures"]["notes"]) == ("waltz", len(waltz))
    assert client.upload((tmp_path / "waltz.mid").read_bytes(), name="again")["figures"]["notes"] == len(waltz)
    tree = client.revise(piece["id"], first(waltz, 3), version=0, parent=0, cause="cut")
    assert client.piece(piece["id"])["revision"]["note_count"] == 3
    with pytest.raises(RequestError, match="changed elsewhere"):
        client.revise(piece["id"], waltz, version=0, parent=0, cause="late")
    client.choose_revision(piece["id"], 0, version=tree["version"])
    assert client.revisions(piece["id"])["head"] == 0


def test_bars_are_read_corrected_set_and_taken_away(client: Client, tmp_path: Path, waltz: Notes) -> None:
    meter = Meter((TimeSignature(0.0, 3, 4),), (Tempo(0.0, 0.5),))
    write_midi(tmp_path / "waltz.mid", waltz, grid=meter)
    meter = replace(meter, is_exact=True)  # the notes lie where they are written
    key = client.upload(tmp_path / "waltz.mid")["id"]
    assert client.meter(key) == meter
    corrections = {"beats": "double", "downbeat": 1, "bar_line": (2, 1.1)}
    corrected = client.correct_meter(key, **corrections)
    assert corrected == correct_meter(waltz, meter, **corrections) == client.meter(key)
    client.set_meter(key, meter)
    assert client.meter(key) == meter
    client.set_meter(key, None)
    assert client.meter(key) is None
    taps = [0.0, 0.5, 1.0, 1.5]
    assert client.correct_meter(key, taps=np.array(taps)) == correct_meter(client.notes(key), taps=taps)


def test_all_that_a_piece_can_be_had_as_is_fetched(client: Client, tmp_path: Path) -> None:
    (tmp_path / "duet.musicxml").write_bytes(score([note("C4", 4)], [note("E4", 4)]))
    piece = client.upload(tmp_path / "duet.musicxml")
    assert piece["request"]["remarks"] == ["Parts were merged into one piano: Part 1, Part 2."]
    assert client.file(piece["id"], "musicxml").startswith(b"<?xml")
    assert client.file(piece["id"], "mid", grid=90) != client.file(piece["id"], "mid")
    assert client.report(piece["id"])["notes"] == 2
    with pytest.raises(RequestError, match="a piece is had as mid, wav"):
        client.file(piece["id"], "exe")
    if find_spec("verovio") is not None:
        assert len(client.score(piece["id"])["moments"]) == 1
        assert client.file(piece["id"], "pdf").startswith(b"%PDF")


def test_revisions_are_read_and_named(client: Client, tmp_path: Path, waltz: Notes) -> None:
    write_midi(tmp_path / "waltz.mid", waltz)
    key = client.upload(tmp_path / "waltz.mid")["id"]
    client.revise(key, first(waltz, 3), version=0, parent=0, cause="cut")
    assert client.name_revision(key, 1, "short")["revisions"][1]["name"] == "short"
    assert len(client.revision(key, 1)) == 3 and len(client.revision(key, 0)) == len(waltz)


def test_takes_that_were_asked_for_together_are_listed(client: Client) -> None:
    pieces = client.submit(Request(notes=5, seed=3), count=2, best=1)
    for piece in pieces:
        for _ in client.events(piece["id"]):
            pass
    (order,) = {client.piece(piece["id"])["request"]["order"] for piece in pieces}
    assert {piece["id"] for piece in client.pieces(order=order)} == {piece["id"] for piece in pieces}


def test_without_a_length_extend_writes_300_notes_everywhere(
    client: Client, tmp_path: Path, waltz: Notes, tiny_bundle: Path
) -> None:
    write_midi(tmp_path / "waltz.mid", waltz)
    (there,) = client.extend(tmp_path / "waltz.mid", seed=1)
    (here,) = arietta.extend(tmp_path / "waltz.mid", seed=1, model=tiny_bundle)
    words = ["extend", str(tmp_path / "waltz.mid"), "--seed", "1", "--model", str(tiny_bundle)]
    assert main([*words, "-o", str(tmp_path / "longer.mid")]) == 0
    counts = there.note_count, here.note_count, len(read_midi(tmp_path / "longer.mid")) - len(waltz)
    assert counts == (DEFAULT_NOTES, DEFAULT_NOTES, DEFAULT_NOTES) and there.notes == here.notes
    for verb in ("extend", "compose"):
        text = subprocess.run(
            [sys.executable, "-m", "arietta", verb, "--help"], capture_output=True, text=True, check=True
        ).stdout
        assert f"(default {DEFAULT_NOTES})" in " ".join(text.split())


def test_what_is_no_request_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(RequestError, match="submit takes a Request"):
        Client("http://127.0.0.1:9").submit("300 notes")  # type: ignore[arg-type]
