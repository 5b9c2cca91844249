"""/v1/pieces/{id}/revisions: changed versions, undo and redo, and a change by somebody else."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from arietta.music.midi import read_midi
from tests.support.servers import ask, composed, look, problem

ROWS = [[0.0, 0.5, 60, 70], [0.25, 0.5, 64, 60]]


def revise(client: httpx.Client, path: str, version: int = 0, **changed: Any) -> httpx.Response:
    body = {"notes": ROWS, "pedal": [[0.0, 0.9]], "parent": 0, "cause": "edit"} | changed
    return client.post(path, json=body, headers={"If-Match": f'"{version}"'})


def test_a_revision_is_stored_served_as_the_piece_undone_and_redone(server: httpx.Client) -> None:
    piece = composed(server, notes=20, seed=3, continues=composed(server, notes=4)["id"])
    path, before = f"{piece['links']['self']}/revisions", server.get(piece["links"]["mid"]).content
    listed = server.get(path)
    assert listed.headers["ETag"] == '"0"'
    (root,) = listed.json()["revisions"]
    assert (root["number"], root["parent"], root["cause"], root["note_count"]) == (0, None, "compose", 24)
    answer = revise(server, path, locks=[1], composed=[0], name="short")
    tree = answer.json()
    assert (answer.status_code, answer.headers["ETag"], tree["head"], tree["version"]) == (201, '"1"', 1, 1)
    music = server.get(piece["links"]["json"]).json()
    assert music == {"notes": ROWS, "pedal": [[0.0, 0.9]], "prompt_notes": 0, "composed": [0], "locks": [1]}
    assert len(read_midi(server.get(piece["links"]["mid"]).content)) == 2
    assert look(server, piece)["revision"] == tree["revisions"][1]
    assert composed(server, notes=3, continues=piece["id"])["request"]["prompt_notes"] == 2
    undone = server.patch(path, json={"head": 0}, headers={"If-Match": '"1"'}).json()
    assert undone["head"] == 0 and server.get(piece["links"]["mid"]).content == before
    redone = server.patch(path, json={"head": 1}, headers={"If-Match": '"2"'}).json()
    assert redone["revisions"][1]["visited"] == 3
    assert len(server.get(f"{path}/0").json()["notes"]) == 24
    assert server.patch(f"{path}/1", json={"name": "best"}).json()["revisions"][1]["name"] == "best"


def test_a_change_of_what_somebody_else_changed_is_refused_and_nothing_is_changed(server: httpx.Client) -> None:
    piece = composed(server, notes=5)
    path = f"{piece['links']['self']}/revisions"
    revise(server, path)
    assert problem(revise(server, path), 409).startswith("the piece was changed elsewhere")
    assert "changed elsewhere" in problem(server.patch(path, json={"head": 0}, headers={"If-Match": '"0"'}), 409)
    assert server.get(path).json()["version"] == 1
    assert "say with If-Match" in problem(server.post(path, json={"notes": ROWS, "parent": 0, "cause": "x"}), 422)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"notes": [[0, -1, 60, 70]]}, "notes: "),
        ({"notes": [[0, 1, 60, 0]]}, "notes: "),
        ({"notes": [[0, 1, 60, 64]] * 14_001}, "a revision has at most 14000 notes, not 14001"),
        ({"notes": [[1e6, 1, 60, 64]]}, "a revision lasts at most 7200 s"),
        ({"locks": [2]}, "locks must be indices of the 2 notes"),
        ({"parent": 9}, "has no revision 9"),
        ({"parent": 10**300}, "has no revision 1000"),  # more than SQLite counts
        ({"cause": 5}, "cause must be a text"),
        ({"pedal": [[2, 1]]}, "notes: "),
    ],
)
def test_impossible_revisions_are_refused_with_a_sentence(
    server: httpx.Client, changed: dict[str, Any], sentence: str
) -> None:
    piece = composed(server, notes=2)
    path = f"{piece['links']['self']}/revisions"
    assert sentence in problem(revise(server, path, **changed), 422)
    assert server.get(path).json()["revisions"][1:] == []


@pytest.mark.parametrize("number", [2**63, 10**300, -1])
def test_a_revision_of_an_absurd_number_is_as_unknown_as_any(server: httpx.Client, number: int) -> None:
    path = f"{composed(server, notes=5)['links']['self']}/revisions"
    head = server.patch(path, json={"head": number}, headers={"If-Match": '"0"'})
    named = server.patch(f"{path}/{number}", json={"name": "best"})
    assert "has no revision" in problem(head, 422)
    for answer in (named, server.get(f"{path}/{number}")):
        assert "has no revision" in problem(answer, 404)


def test_an_unfinished_piece_has_no_revisions_and_an_unknown_none_at_all(server: httpx.Client) -> None:
    (piece,) = ask(server, notes=10_000)
    path = f"{piece['links']['self']}/revisions"
    assert f"the piece {piece['id']} is " in problem(revise(server, path), 409)
    server.delete(piece["links"]["self"])
    assert "is cancelled, so it has no files" in problem(server.get(path), 409)
    assert "there is no piece" in problem(server.get("/v1/pieces/0123456789abcdef/revisions"), 404)


def test_a_piece_without_notes_left_still_has_its_files(server: httpx.Client) -> None:
    piece = composed(server, notes=5)
    assert revise(server, f"{piece['links']['self']}/revisions", notes=[], pedal=[]).status_code == 201
    for kind in ("mid", "json", "svg", "wav", "musicxml"):
        assert server.get(piece["links"][kind]).status_code == 200, kind
