"""POST /v1/uploads: a file, MIDI or MusicXML, becomes a piece without anything being composed."""

from __future__ import annotations

import time

import httpx
import pytest

from arietta.music.midi import midi_bytes, read_midi
from arietta.music.notes import Notes
from tests.support.servers import PATIENCE, composed, events, look, problem
from tests.support.written import note, packed_score, score


def upload(client: httpx.Client, data: bytes, name: str = "waltz") -> httpx.Response:
    return client.post("/v1/uploads", content=data, params={"name": name}, headers={"Content-Type": "audio/midi"})


def test_an_upload_is_a_finished_piece_to_listen_to_and_to_go_on_from(server: httpx.Client, waltz: Notes) -> None:
    answer = upload(server, midi_bytes(waltz))
    piece = answer.json()
    assert (answer.status_code, answer.headers["Location"]) == (201, piece["links"]["self"])
    assert (piece["state"], piece["name"]) == ("done", "waltz")
    assert piece["request"] == {"verb": "upload", "notes": len(waltz), "prompt_notes": len(waltz)}
    assert look(server, piece) == piece
    music = server.get(piece["links"]["json"]).json()
    assert music["prompt_notes"] == len(music["notes"]) == len(waltz)
    assert len(read_midi(server.get(piece["links"]["mid"]).content)) == len(waltz)
    assert sum(kind == "note" for _, kind, _ in events(server.get(piece["links"]["events"]).text)) == len(waltz)
    assert server.get(piece["links"]["report"]).json()["model"] is None
    going_on = composed(server, notes=5, continues=piece["id"], prompt_notes=3)
    assert going_on["request"]["prompt_notes"] == 3
    assert piece["id"] in [stored["id"] for stored in server.get("/v1/pieces").json()["pieces"]]


@pytest.mark.parametrize(
    ("data", "sentence"), [(b"Dear Clara", "the file"), (midi_bytes(Notes.of()), "waltz has 0 notes; 1 to 4000")]
)
def test_what_is_no_music_is_refused_and_not_stored(server: httpx.Client, data: bytes, sentence: str) -> None:
    before = server.get("/v1/pieces").json()["pieces"]
    assert sentence in problem(upload(server, data), 422)
    assert server.get("/v1/pieces").json()["pieces"] == before


def test_a_form_is_refused_with_what_would_be_right(server: httpx.Client) -> None:
    answer = server.post("/v1/uploads", files={"file": ("theme.mid", midi_bytes(Notes.of([0.0], [1.0], [60], [64])))})
    assert "curl --data-binary @theme.mid" in problem(answer, 415)


def test_a_score_is_uploaded_with_its_metre_and_performed(server: httpx.Client) -> None:
    piece = upload(server, score([note("C4", 3)], [note("E4", 3)], beats=3), "minuet").json()
    assert piece["request"]["remarks"] == ["Parts were merged into one piano: Part 1, Part 2."]
    music = server.get(piece["links"]["json"]).json()
    assert [row[2] for row in music["notes"]] == [60, 64]
    assert music["meter"]["signatures"] == [[0.0, 3, 4]] and music["meter"]["is_exact"]
    assert look(server, piece)["request"] == piece["request"]


ENTITIES = b"""<!DOCTYPE score-partwise [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<score-partwise><part-list/></score-partwise>"""
OUTSIDE = b"""<!DOCTYPE score-partwise [<!ENTITY a SYSTEM "file:///etc/passwd">]><score-partwise>&a;</score-partwise>"""
PARAMETER = b"""<!DOCTYPE score-partwise [<!ENTITY % a SYSTEM "http://127.0.0.1:9/a.dtd"> %a;]><score-partwise/>"""


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (ENTITIES, "the file: it declares entities, which MusicXML has none of"),
        (OUTSIDE, "the file: it declares entities, which MusicXML has none of"),
        (PARAMETER, "the file: it declares entities, which MusicXML has none of"),
        (b"<score-timewise/>", "the file: a score by measures (score-timewise); export it by parts"),
        (b"<opus/>", "the file: not MusicXML: its root is <opus>"),
        (b"<score-partwise>", "the file: not MusicXML"),
        (b"<a>" * 100_000, "elements 65 deep within each other"),
        (b"PK\x03\x04 and no more", "the file: a broken archive"),
        (packed_score(64), "unpacks to more than 33554432 bytes"),
        (score(["<note><unpitched/><duration>1</duration></note>"]), "Percussion was left out: 1 notes"),
    ],
)
def test_scores_that_are_none_or_mean_harm_are_refused(server: httpx.Client, data: bytes, sentence: str) -> None:
    begun = time.monotonic()
    assert sentence in problem(upload(server, data), 422)
    assert time.monotonic() - begun < PATIENCE


def test_a_hundred_megabytes_are_refused_as_they_come(server: httpx.Client) -> None:
    problem(upload(server, b"<!--" + b"x" * 100 * 2**20), 413)
