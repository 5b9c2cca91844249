"""POST /v1/uploads: a MIDI file becomes a piece without anything being composed."""

from __future__ import annotations

import httpx
import pytest

from arietta.music.midi import midi_bytes, read_midi
from arietta.music.notes import Notes
from tests.support.servers import composed, events, look, problem


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
