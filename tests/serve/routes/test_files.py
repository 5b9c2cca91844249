"""A finished piece as files, over real HTTP."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import numpy as np
import pytest

from arietta.music.midi import read_midi, read_texts
from arietta.serve.jobs.limits import Limits
from arietta.serve.jobs.models import Models
from arietta.serve.routes.files import disposition
from tests.support.endless import never_ending
from tests.support.servers import composed, problem, serving, until

STARTS = {
    "mid": b"MThd",
    "wav": b"RIFF",
    "ogg": b"OggS",
    "musicxml": b"<?xml",
    "pdf": b"%PDF-1.4",
    "svg": b"<svg",
    "json": b'{"notes":',
}
TYPES = {
    "mid": "audio/midi",
    "wav": "audio/wav",
    "ogg": "audio/ogg",
    "musicxml": "application/vnd.recordare.musicxml+xml",
    "pdf": "application/pdf",
    "svg": "image/svg+xml",
    "json": "application/json",
}
HOMES = {"wav": "soundfile", "ogg": "soundfile", "pdf": "verovio"}  # packages without which there are no such files


@pytest.fixture(scope="module")
def piece(server: httpx.Client) -> dict[str, Any]:
    return composed(server, notes=25, seed=8, name="Étude")


@pytest.mark.parametrize("kind", STARTS)
def test_every_kind_of_file_is_what_it_says(server: httpx.Client, piece: dict[str, Any], kind: str) -> None:
    answer = server.get(piece["links"][kind])
    if kind in HOMES and find_spec(HOMES[kind]) is None:
        problem(answer, 501)
        return
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == TYPES[kind]
    assert answer.content.startswith(STARTS[kind])
    assert f"filename*=UTF-8''%C3%89tude.{kind}" in answer.headers["content-disposition"]


def test_the_midi_file_has_the_notes_of_the_json_and_its_request(server: httpx.Client, piece: dict[str, Any]) -> None:
    file, kept = server.get(piece["links"]["mid"]).content, server.get(piece["links"]["json"]).json()
    notes = read_midi(file)
    assert len(notes) == 25 == len(kept["notes"])
    assert np.allclose(notes.onset, [onset for onset, *_ in kept["notes"]], atol=0.001)
    assert '"seed": 8' in read_texts(file)[0]
    score = ET.fromstring(server.get(piece["links"]["musicxml"]).content)
    assert score.findtext("identification/miscellaneous/miscellaneous-field") == read_texts(file)[0]


def test_a_midi_file_lies_under_the_tempo_that_is_asked_for(server: httpx.Client, piece: dict[str, Any]) -> None:
    plain, laid = (server.get(piece["links"]["mid"], params=asked).content for asked in ({}, {"grid": 90}))
    assert (666_667).to_bytes(3, "big") in laid
    assert np.abs(read_midi(laid).onset - read_midi(plain).onset).max() <= 0.001
    assert read_texts(laid) == read_texts(plain)
    problem(server.get(piece["links"]["mid"], params={"grid": 10_000}), 422)


def test_a_picture_is_shown_but_may_not_do_anything(server: httpx.Client, piece: dict[str, Any]) -> None:
    answer = server.get(piece["links"]["svg"])
    ET.fromstring(answer.content)
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["content-disposition"].startswith("inline")
    assert "Étude" in answer.text


def test_a_score_to_print_is_in_the_bars_of_the_piece_and_a_server_without_verovio_says_so(
    server: httpx.Client, piece: dict[str, Any], models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("verovio")
    meter = {"signatures": [[0.0, 3, 4]], "tempos": [[0.0, 0.5]]}
    files = [server.get(piece["links"]["pdf"]).content]
    server.put(f"{piece['links']['self']}/meter", json=meter).raise_for_status()
    files.append(server.get(piece["links"]["pdf"]).content)
    assert files[0] != files[1] and all(file.rstrip().endswith(b"%%EOF") for file in files)
    monkeypatch.setattr("arietta.serve.routes.files.find_spec", lambda _: None)
    with serving(models, tmp_path) as client:
        lacking = composed(client, notes=5, seed=1)
        sentence = problem(client.get(lacking["links"]["pdf"]), 501)
        assert sentence == "this server cannot make .pdf files: the package verovio is not installed"


def test_a_name_with_markup_stays_text(server: httpx.Client) -> None:
    piece = composed(server, notes=3, name="<script>alert(1)</script>&")
    assert b"<script" not in server.get(piece["links"]["svg"]).content


@pytest.mark.parametrize("kind", STARTS)
def test_what_is_not_there_has_no_files(server: httpx.Client, kind: str) -> None:
    assert "there is no piece '0000000000000000'" in problem(server.get(f"/v1/pieces/{'0' * 16}.{kind}"), 404)


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "%00", "x" * 3_000, "a.b.c"])
def test_an_id_is_never_a_path(server: httpx.Client, name: str) -> None:
    for path in (f"/v1/pieces/{name}.mid", f"/v1/pieces/{name}", f"/v1/pieces/{name}/events"):
        problem(server.get(path), 404)


def test_a_kind_that_there_is_not_is_not_found(server: httpx.Client, piece: dict[str, Any]) -> None:
    problem(server.get(f"/v1/pieces/{piece['id']}.mp3"), 404)


def test_sound_of_a_piece_that_is_too_long_is_refused(models: Models, tmp_path: Path) -> None:
    with serving(models, tmp_path, Limits(most_audio_seconds=1.0)) as client:
        piece = composed(client, seconds=5)
        assert "sound is made of 1 s at most" in problem(client.get(piece["links"]["wav"]), 422)


FIRST_PASS = 120.0  # seconds, at most, until how loud it is has been measured and the first of it is sent
LONG_SOUND = {"notes": 3, "seed": 1, "prompt": {"notes": [[0, 1, 60, 60], [900, 1, 60, 60]]}}
DEAR = {"notes": 3, "prompt": {"notes": [[0.8 * n, 400, 21 + n % 88, 60] for n in range(3_900)]}}


def test_sound_of_very_many_long_notes_is_refused_to_get_and_head(server: httpx.Client) -> None:
    piece = composed(server, **DEAR)
    sentence = problem(server.get(piece["links"]["ogg"]), 422)
    assert re.fullmatch(r"its notes sound for \d+ s; sound is made of 50000 s at most", sentence)
    assert server.head(piece["links"]["wav"]).status_code == 422


def test_a_long_sound_comes_as_it_is_rendered_and_is_not_rendered_ahead(models: Models, tmp_path: Path) -> None:
    with serving(models, tmp_path) as client:
        piece = composed(client, **LONG_SOUND)
        rendered: list[int] = []
        sounds = client.app.state.queues.sounds
        turn = sounds.turn
        sounds.turn = lambda *about: rendered.append(1) or turn(*about)
        with client.stream("GET", piece["links"]["wav"], timeout=FIRST_PASS) as answer:
            parts = answer.iter_bytes(1_000)  # which ends the answer when it is let go
            assert next(parts).startswith(b"RIFF")
            until(lambda: len({len(rendered) for _ in range(3) if not time.sleep(0.2)}) == 1)
            assert 0 < len(rendered) < 400 and sounds.count == 1  # of 1,000 blocks: what buffers of the system hold
            # Another's picture and sound do not wait for it.
            little = composed(client, notes=3)
            assert client.get(little["links"]["svg"]).status_code == 200
            assert client.get(little["links"]["wav"]).status_code == 200
        until(lambda: sounds.count == 0)


def test_sounds_and_files_under_way_are_counted_for_each_client(models: Models, tmp_path: Path) -> None:
    with serving(models, tmp_path, Limits(work_per_client=1)) as client:
        piece = composed(client, **LONG_SOUND)
        with client.stream("GET", piece["links"]["wav"], timeout=FIRST_PASS) as answer:
            parts = answer.iter_bytes(1_000)
            assert next(parts)
            refusal = client.get(piece["links"]["ogg"])
            assert "you have 1 sounds under way" in problem(refusal, 429)
            assert refusal.headers["retry-after"]


def test_a_file_that_never_ends_is_ended_at_its_deadline_and_the_next_one_is_made(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(models, tmp_path, Limits(file_seconds=2.0)) as client, ThreadPoolExecutor(1) as others:
        links = composed(client, notes=5)["links"]
        assert client.get(links["musicxml"]).status_code == 200  # which starts a process
        with monkeypatch.context() as patch:
            patch.setattr("arietta.serve.routes.files.score_file", never_ending)
            endless = others.submit(client.get, links["musicxml"])
            until(lambda: client.app.state.queues.pictures.count)
            assert client.get("/healthz").status_code == 200 and not endless.done()
            refusal = endless.result()
        assert "takes longer than 2 seconds to make" in problem(refusal, 503) and refusal.headers["retry-after"]
        assert client.get(links["musicxml"]).content.startswith(b"<?xml")


def test_beside_a_clients_file_that_never_ends_anothers_is_made(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arietta.serve.routes.files.score_file", never_ending)
    with serving(models, tmp_path, proxies=("127.0.0.1",)) as client, ThreadPoolExecutor(3) as others:
        links = composed(client, notes=5)["links"]
        endless = [others.submit(client.get, links["musicxml"]) for _ in range(3)]
        until(lambda: client.app.state.queues.pictures.count == 3)
        assert client.get(links["svg"], headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 200
        assert not any(answer.done() for answer in endless)
        client.app.state.workshop.close()
        assert all("is stopping" in problem(answer.result(), 503) for answer in endless)


def test_a_sound_that_takes_too_long_is_refused_before_it_begins(models: Models, tmp_path: Path) -> None:
    with serving(models, tmp_path, Limits(sound_seconds=0.0)) as client:
        piece = composed(client, notes=25)
        assert "takes longer than 0 seconds to make" in problem(client.get(piece["links"]["wav"]), 503)
        until(lambda: client.app.state.queues.sounds.count == 0)


def test_names_of_files_are_plain_and_exact() -> None:
    assert disposition("a-1.mid") == 'attachment; filename="a-1.mid"'
    assert disposition("Été/x.mid") == "attachment; filename=\"-t-x.mid\"; filename*=UTF-8''%C3%89t%C3%A9-x.mid"
    assert disposition('a".mid', "inline") == "inline; filename=\"a-.mid\"; filename*=UTF-8''a%22.mid"


@pytest.mark.parametrize(
    "name", ["a\r\nSet-Cookie: b", "../../etc/x", "..\\\\x", "🎹" * 100, "é" * 300, "\x00\x1b", "\ud800", "-rf"]
)
def test_no_name_breaks_a_header_or_leads_out_of_a_folder(name: str) -> None:
    header = disposition(f"{name}.mid")
    assert header.isascii() and header.isprintable()
    plain = re.search(r'filename="([^"]*)"', header)
    exact = re.search(r"filename\*=UTF-8''(.*)$", header)
    assert plain is not None
    for file in (plain[1], unquote(exact[1]) if exact else plain[1]):
        assert file.endswith(".mid") and len(file.encode()) <= 255
        assert not set(file) & set("/\\\r\n\0\x1b")


@pytest.mark.parametrize("kind", [*STARTS, "html", "report"])
def test_head_has_the_headers_of_get_and_makes_no_file(
    kind: str, models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(*_: object, **__: object) -> bytes:
        raise AssertionError("something was made")

    with serving(models, tmp_path) as client:
        links = composed(client, notes=5, name="Étude")["links"]
        path = f"{links['self']}/report" if kind == "report" else f"{links['self']}.{kind}"
        expected = client.get(path).raise_for_status().headers
        monkeypatch.setattr("arietta.serve.routes.files.midi_bytes", make)
        monkeypatch.setattr("arietta.serve.work_queue.WorkQueue.turn", make)
        monkeypatch.setattr("arietta.serve.workshop.Workshop.make", make)
        answer = client.head(path)
        assert (answer.status_code, answer.content) == (200, b"")
        for name in ("content-type", "content-disposition", "cache-control", "content-security-policy"):
            assert answer.headers.get(name) == expected.get(name)
        assert client.head(path.replace(links["self"], "/v1/pieces/absent")).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        *(f"/v1/pieces/ID{ending}" for ending in (".mid", ".wav", ".ogg", ".musicxml", ".svg", ".json", ".html")),
        *("/v1/pieces/ID", "/v1/pieces/ID/events", "/v1/pieces/ID/report", "/v1/pieces/ID/meter", "/v1/pieces"),
        *("/v1/models", "/midi/5", "/midi/5/"),
    ],
)
def test_no_address_takes_a_parameter_that_it_does_not_have(
    server: httpx.Client, piece: dict[str, Any], path: str
) -> None:
    address = path.replace("ID", piece["id"])
    assert "there is no parameter 'metre2'" in problem(server.get(address, params={"metre2": "3/4"}), 422)
    assert server.head(address, params={"metre2": "3/4"}).status_code == 422


def test_of_a_sound_no_part_is_promised(server: httpx.Client, piece: dict[str, Any]) -> None:
    answer = server.head(piece["links"]["wav"], headers={"Range": "bytes=0-99"})
    assert (answer.status_code, answer.headers["accept-ranges"]) == (200, "none")


def test_a_parameter_comes_once_and_pages_and_probes_take_any(server: httpx.Client) -> None:
    assert problem(server.get("/midi/5?seed=1&seed=2"), 422) == "seed must be given once"
    for address in ("/?utm_source=mail", "/healthz?now=1", "/readyz?now=1", "/docs?q=notes"):
        assert server.get(address).status_code == 200


def test_what_an_address_cannot_say_of_a_file_is_refused(server: httpx.Client, piece: dict[str, Any]) -> None:
    file, path = piece["links"]["mid"], piece["links"]["self"]
    assert problem(server.get(file, params={"grid": 90, "metre": "3/4"}), 422).startswith(
        "there is no parameter 'metre'"
    )
    assert "a server takes a number of beats a minute" in problem(server.get(file, params={"grid": "found"}), 422)
    sentence = problem(server.get(f"{path}.png"), 404)
    assert "svg" in sentence and "not as 'png'" in sentence
