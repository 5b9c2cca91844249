"""Requests for pieces that cannot be: each is refused with one sentence, before any work."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from arietta.music.midi import midi_bytes
from arietta.music.notes import Notes
from arietta.serve.jobs.limits import Limits
from arietta.serve.jobs.models import Models
from arietta.serve.routes.problems import PAUSE_SECONDS
from tests.support.servers import ask, composed, problem, serving
from tests.support.written import note, score

LONG = 10_000


def test_what_is_null_is_as_what_is_left_out(server: httpx.Client) -> None:
    asked = {"notes": 3, "seed": 5}
    unsaid = dict.fromkeys(("style", "model", "prompt", "name", "count", "ending", "keep_pedal", "temperature", "from"))
    assert composed(server, **asked, **unsaid)["request"] == composed(server, **asked)["request"]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"notes": 0}, "notes must lie in 1-10000, not 0"),
        ({"notes": 10_001}, "notes must lie in 1-10000, not 10001"),
        ({"notes": 5, "seconds": 5}, "either a number of notes or of seconds"),
        ({"seconds": 0.5}, "seconds must lie in 1-3600, not 0.5"),
        ({"seconds": 3_601}, "seconds must lie in 1-3600, not 3601"),
        ({"count": 9}, "count must lie in 1-8, not 9"),
        ({"count": 0}, "count must lie in 1-8, not 0"),
        ({"seed": 2**32}, "seed must lie in 0-4294967295, not 4294967296"),
        ({"seed": 2**32 - 1, "count": 2}, "seed must lie in 0-4294967295, not 4294967296"),
        ({"temperature": 9}, "temperature must lie in 0.05-3.0, not 9.0"),
        ({"top_p": 0}, "top_p must lie above 0"),
        ({"min_p": 1}, "min_p must lie at 0 or above and below 1"),
        ({"style": "chopn"}, "tiny does not know the style 'chopn'; nearest: Frédéric Chopin"),
        ({"model": "../tiny"}, "there is no model '../tiny' here"),
        ({"tempo": 90}, "there is no parameter 'tempo'"),
        ({"meter": "3/4"}, "there is no parameter 'meter' (did you mean metre?)"),
        ({"bars": 16}, "give a prompt that has a metre, or say bpm and metre"),
        ({"continues": "0" * 16, "bars": 8, "at": "bar 20"}, "say a verb that takes it, and `given`: extend"),
        ({"notes": "many"}, "notes must be a whole number, not 'many'"),
        ({"notes": True}, "notes must not be true or false"),
        ({"from": True, "verb": "vary"}, "from must not be true or false"),
        ({"notes": 1.5}, "notes must be a whole number, not 1.5"),
        ({"name": "x" * 201}, "name must be a text of at most 200 characters"),
        ({"prompt": {"notes": []}}, "the prompt has 0 notes"),
        ({"prompt": {"notes": [[0, 1, 60]]}}, "prompt.notes[0] must be [onset, duration, pitch, velocity], not "),
        ({"prompt": {"notes": [[0, 1, 128, 64]]}}, "pitch must lie in 0-127"),
        ({"prompt": {"notes": [[0, 1, 60, 0]]}}, "velocity must lie in 1-127"),
        ({"prompt": {"notes": [[-1, 1, 60, 64]]}}, "no onset or pedal may lie before it"),
        ({"prompt": {"notes": [[0, 0, 60, 64]]}}, "a duration must be above 0"),
        ({"prompt": {"notes": [[0, 1, 10**30, 64]]}}, "pitch must lie in 0-127"),
        ({"prompt": {"notes": [[1e9, 1, 60, 64]]}}, "the prompt lasts 1e+09 s; 3600 at most are taken"),
        ({"prompt": {"notes": [[0, 1e300, 60, 64]]}}, "3600 at most are taken"),
        ({"prompt": {"notes": [[0, 1, 60, 64]], "pedal": [[1, 0]]}}, "pedal intervals must end after they begin"),
        ({"prompt": {"notes": [[0.1 * n, 0.1, 60, 64] for n in range(4_001)]}}, "has more than 4000 notes"),
        ({"prompt_notes": 4}, "prompt_notes says how much to take of a prompt"),
        ({"prompt": {"notes": [[0, 1, 60, 64]]}, "prompt_notes": 0}, "prompt_notes must be 1 or more, not 0"),
        ({"prompt": {"notes": [[0, 1, 60, 64]]}, "continues": "0" * 16}, "not both"),
        ({"continues": "\udfff"}, "a text may not hold lone surrogates"),
        ({"name": "\ud800"}, "a text may not hold lone surrogates"),
        ([], "the body must be an object, not []"),
        ("x", "the body must be an object, not 'x'"),
    ],
)
def test_an_impossible_request_is_refused_with_a_sentence(server: httpx.Client, asked: Any, sentence: str) -> None:
    body = json.dumps(asked)  # with escapes: httpx would write lone surrogates as UTF-8, which is impossible
    answer = server.post("/v1/pieces", content=body, headers={"Content-Type": "application/json"})
    assert sentence in problem(answer, 422)


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000, b'{"temperature": NaN}', b'{"seconds": Infinity}'])
def test_a_body_that_is_no_json_or_no_numbers_is_refused(server: httpx.Client, body: bytes) -> None:
    problem(server.post("/v1/pieces", content=body, headers={"Content-Type": "application/json"}), 422)


def test_a_body_of_another_kind_is_refused(server: httpx.Client) -> None:
    answer = server.post("/v1/pieces", content=b"notes=3", headers={"Content-Type": "text/plain"})
    assert "send application/json, or multipart/form-data with a MIDI file, not text/plain" in problem(answer, 415)


def test_going_on_from_what_is_not_there_or_not_done_is_refused(server: httpx.Client) -> None:
    problem(server.post("/v1/pieces", json={"continues": "0" * 16}), 404)
    (piece,) = ask(server, notes=LONG)
    sentence = problem(server.post("/v1/pieces", json={"continues": piece["id"]}), 409)
    assert "its files are there when it is done" in sentence
    server.delete(piece["links"]["self"])


def test_nothing_is_kept_of_what_is_refused(models: Models, tmp_path: Path) -> None:
    with serving(models, tmp_path) as client:
        assert "wait must lie in 0-120, not 999" in problem(client.post("/v1/pieces?wait=999", json={}), 422)
        problem(client.post("/v1/pieces", json={"style": "nobody"}), 422)
        assert client.get("/v1/pieces").json()["pieces"] == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"not a MIDI file", "the file: not a MIDI file"),
        (b"", "the file: the file is empty"),
        (b"MThd\0\0\0\6\0\1\0\1\0\x60MTrk\0\0\0\4\0\xff\x2f\0", "the prompt has 0 notes"),
    ],
)
def test_a_file_that_is_no_music_is_refused(server: httpx.Client, content: bytes, sentence: str) -> None:
    answer = server.post("/v1/pieces", data={"notes": "5"}, files={"prompt": ("a.mid", content)})
    assert sentence in problem(answer, 422)


def test_a_score_in_a_form_is_gone_on_from_or_given_to_a_verb(server: httpx.Client) -> None:
    file = ("minuet.musicxml", score([note("C4", 3) + note("D4", 3)], beats=3))
    for name, asked in (("prompt", {"notes": "5"}), ("given", {"notes": "5", "verb": "extend"})):
        answer = server.post("/v1/pieces?wait=60", data={**asked, "seed": "1"}, files={name: file})
        (piece,) = answer.json()["pieces"]
        music = server.get(piece["links"]["json"]).json()
        assert [row[2] for row in music["notes"][:2]] == [60, 62] and len(music["notes"]) == 7
        assert music["meter"]["signatures"] == [[0.0, 3, 4]]
    bars = {"verb": "extend", "bars": "2", "seed": "1"}
    assert server.post("/v1/pieces?wait=60", data=bars, files={"given": file}).status_code == 202
    uploaded = server.post("/v1/uploads", content=file[1]).json()["id"]
    by_id = {**bars, "given": uploaded}
    fields = {name: (None, text) for name, text in by_id.items()}
    assert server.post("/v1/pieces?wait=60", files=fields).status_code == 202
    for name, asked in (("given", {"notes": "5"}), ("prompt", bars)):
        answer = server.post("/v1/pieces", data=asked, files={name: file})
        assert f"takes no file in {name}: leave it out" in problem(answer, 422)


def test_what_was_merged_of_a_score_in_a_form_is_told_of_its_pieces(server: httpx.Client) -> None:
    duet = score([note("C4", 3)], [note("E4", 3)], beats=3)
    for name, asked in (("prompt", {"notes": "5"}), ("given", {"notes": "5", "verb": "extend"})):
        files = {name: ("duet.musicxml", duet)}
        answer = server.post("/v1/pieces", data={**asked, "count": "2"}, files=files, params={"wait": 60})
        for piece in answer.json()["pieces"]:
            assert piece["state"] == "done"
            assert piece["request"]["remarks"] == ["Parts were merged into one piano: Part 1, Part 2."]
    assert "remarks" not in composed(server, notes=5)["request"]


def test_a_form_without_its_file_or_with_a_field_twice_is_refused(server: httpx.Client) -> None:
    as_text = server.post("/v1/pieces", files={"prompt": (None, b"/etc/passwd")})
    assert "prompt must be a MIDI file in a form" in problem(as_text, 422)
    twice = server.post("/v1/pieces", files=[("notes", (None, b"5")), ("notes", (None, b"6"))])
    assert "notes must be given once" in problem(twice, 422)
    many = [(f"field{number}", (None, b"")) for number in range(40)]
    problem(server.post("/v1/pieces", files=many), 400)


def test_a_file_that_takes_too_much_to_read_is_refused(
    models: Models, tmp_path: Path, waltz: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    import arietta.serve.jobs.upload

    monkeypatch.setattr(arietta.serve.jobs.upload, "MOST_SECONDS", 0.01)
    with serving(models, tmp_path) as client:
        answer = client.post("/v1/pieces", data={"notes": "5"}, files={"prompt": ("a.mid", midi_bytes(waltz))})
        assert "takes longer than" in problem(answer, 422)


@pytest.mark.parametrize("path", ["/v1/pieces", "/v1/uploads"])
def test_who_has_files_enough_to_read_is_refused_unread_and_not_at_once(
    models: Models, tmp_path: Path, path: str
) -> None:
    with serving(models, tmp_path, Limits(work_per_client=1)) as client:
        form = {"content": b"no form", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}
        assert client.post(path, **form).status_code in (400, 415, 422)
        with client.app.state.queues.uploads.admitted("127.0.0.1"):  # type: ignore[attr-defined]
            answer = client.post(path, **form)
        assert "you have 1 uploads under way" in problem(answer, 429)
        assert answer.elapsed.total_seconds() >= PAUSE_SECONDS


def test_what_a_client_sends_as_a_name_is_never_a_path(server: httpx.Client, tmp_path: Path) -> None:
    piece = composed(server, notes=2, name="../../" + "x" * 20 + "\n/etc")
    disposition = server.get(piece["links"]["mid"]).headers["content-disposition"]
    assert "/" not in disposition.replace("UTF-8''", "") and "\n" not in disposition
    assert json.loads(server.get(piece["links"]["json"]).content)["prompt_notes"] == 0


def test_a_prompt_without_a_piano_key_is_taken_as_silence_before_the_piece(server: httpx.Client) -> None:
    piece = composed(server, notes=5, seed=1, prompt={"notes": [[0, 1, 5, 64], [0.5, 1, 120, 64]]})
    written = server.get(piece["links"]["json"]).json()
    assert written["notes"][:2] == [[0, 1, 5, 64], [0.5, 1, 120, 64]]
    assert len(written["notes"]) == 7


def test_limits_of_a_server_are_its_own(models: Models, tmp_path: Path) -> None:
    limits = Limits(most_notes=5, most_seconds=4.0, most_prompt_notes=2, most_prompt_seconds=1.0)
    with serving(models, tmp_path, limits) as client:

        def refusal(**asked: Any) -> str:
            return problem(client.post("/v1/pieces", json=asked), 422)

        assert refusal(notes=6) == "notes must lie in 1-5, not 6"
        assert refusal(seconds=5) == "seconds must lie in 1-4, not 5.0"
        three = [[0.1 * place, 0.1, 60, 64] for place in range(3)]
        assert "the prompt has more than 2 notes; 1 to 2 are taken" in refusal(notes=1, prompt={"notes": three})
        assert "the prompt lasts 1.5 s; 1 at most" in refusal(notes=1, prompt={"notes": [[0.5, 1.0, 60, 64]]})
        assert composed(client, notes=1, prompt={"notes": three}, prompt_notes=2)["request"]["prompt_notes"] == 2
        document = client.get("/openapi.json").json()
        asked = document["components"]["schemas"]["PieceRequest"]["properties"]
        assert (asked["notes"]["maximum"], asked["seconds"]["maximum"]) == (5, 4.0)


HOSTILE = {
    "rows without values": (b'{"prompt":{"notes":[', b"[],", b"[]]}}"),
    "rows that are numbers": (b'{"prompt":{"notes":[', b"0,", b"0]}}"),
    "rows of texts": (b'{"prompt":{"notes":[', b'["","","",""],', b"[]]}}"),
    "presses without values": (b'{"prompt":{"notes":[[0,1,60,60]],"pedal":[', b"[],", b"[]]}}"),
    "nested objects": (b'{"prompt":', b'{"prompt":', b"1"),
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.timed
def test_two_megabytes_that_are_wrong_everywhere_are_refused_in_a_moment(server: httpx.Client, kind: str) -> None:
    start, row, end = HOSTILE[kind]
    body = start + row * ((2 * 2**20 - len(start) - len(end)) // len(row)) + end
    begun = time.monotonic()
    problem(server.post("/v1/pieces", content=body, headers={"Content-Type": "application/json"}), 422)
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("around", ["{%s}", '{"prompt": {%s}}'])
@pytest.mark.timed
def test_very_many_unknown_parameters_are_refused_in_a_moment(server: httpx.Client, around: str) -> None:
    body = around % ",".join(f'"{number:x}":0' for number in range(180_000))
    begun = time.monotonic()
    answer = server.post("/v1/pieces", content=body, headers={"Content-Type": "application/json"})
    assert "an object has at most 40 parameters" in problem(answer, 422)
    assert time.monotonic() - begun < 2
