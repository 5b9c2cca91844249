"""POST /v1/pieces/{id}/stop: what was composed is a piece."""

from __future__ import annotations

import httpx

from tests.support.servers import ask, composed, events, look, problem, until


def test_a_stopped_piece_is_done_has_files_is_gone_on_from_and_is_the_same_again(server: httpx.Client) -> None:
    (piece,) = ask(server, notes=10_000, seed=5)
    until(lambda: look(server, piece)["progress"]["done"] > 3)
    stopped = server.post(f"{piece['links']['self']}/stop").raise_for_status().json()
    count = stopped["request"]["stopped_at"]
    assert stopped["state"] == "done" and stopped["request"] == piece["request"] | {"stopped_at": count}
    assert stopped["progress"] == {"done": count, "whole": 10_000, "unit": "notes"}
    assert stopped == server.post(f"{piece['links']['self']}/stop").json() == look(server, piece)
    music = server.get(piece["links"]["json"]).json()
    assert len(music["notes"]) == count
    told = events(server.get(piece["links"]["events"]).text)
    assert told[-1][2]["state"] == "done" and sum(kind == "note" for _, kind, _ in told) == count
    again = composed(server, notes=10_000, seed=5, stopped_at=count)
    assert server.get(again["links"]["mid"]).content == server.get(piece["links"]["mid"]).content
    assert composed(server, notes=5, continues=piece["id"])["request"]["prompt_notes"] == count
    assert server.delete(piece["links"]["self"]).status_code == 204
    assert "no piece" in problem(server.post(f"{piece['links']['self']}/stop"), 404)


def test_an_impossible_stop_is_refused(server: httpx.Client) -> None:
    answer = server.post("/v1/pieces", json={"notes": 10, "stopped_at": 11})
    assert problem(answer, 422) == "stopped_at must lie in 1-10, not 11"
