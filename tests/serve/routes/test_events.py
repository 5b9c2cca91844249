"""Server-sent events: each note as it comes, numbered, so that nobody who was cut off misses or hears one twice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from arietta.music.notes import Note, Notes, Pedal, first
from arietta.serve.jobs.event_log import to_notes
from arietta.serve.jobs.limits import Limits
from arietta.serve.jobs.models import Models
from tests.serve.routes.test_pieces import as_json
from tests.support.servers import ask, composed, events, problem, serving, until

LONG = 10_000


def listen(client: httpx.Client, piece: dict[str, Any], after: int | None = None) -> list[tuple[int | None, str, Any]]:
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    answer = client.get(piece["links"]["events"], headers=headers)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    return events(answer.text)


def music(stream: list[tuple[int | None, str, Any]]) -> list[tuple[int | None, str, Any]]:
    return [event for event in stream if event[1] in ("note", "pedal")]


def piece_of(stream: list[tuple[int | None, str, Any]]) -> dict[str, Any]:
    """The piece that the events tell, in the form of its .json."""
    events_made = [Note(*data) if kind == "note" else Pedal(*data) for _, kind, data in music(stream)]
    return as_json(to_notes(events_made))


def blocks(answer: httpx.Response) -> Iterator[tuple[int | None, str, Any]]:
    text = ""
    for chunk in answer.iter_text():
        text += chunk
        complete, _, text = text.rpartition("\n\n")
        yield from events(complete)


def test_a_live_piece_is_heard_note_by_note_and_then_it_ends(server: httpx.Client) -> None:
    (piece,) = ask(server, notes=2000, seed=9)
    state_at_first_note = ""
    with server.stream("GET", piece["links"]["events"]) as answer:
        stream = []
        for event in blocks(answer):
            stream.append(event)
            if event[1] == "note" and not state_at_first_note:
                state_at_first_note = server.get(piece["links"]["self"]).json()["state"]
    kinds = [kind for _, kind, _ in stream]
    assert kinds.count("note") == 2000 and kinds[-1] == "end" and kinds.count("end") == 1
    assert state_at_first_note == "composing", "notes come before the piece is done"
    assert stream[-1][2]["state"] == "done" and stream[-1][2]["id"] == piece["id"]
    assert [number for number, _, _ in music(stream)] == list(range(1, len(music(stream)) + 1))
    steps = [data["done"] for _, kind, data in stream if kind == "progress"]
    assert steps == sorted(steps) and steps[-1] == 2000
    kept = server.get(piece["links"]["json"]).json()
    assert piece_of(stream) == {name: kept[name] for name in ("notes", "pedal")}


def test_a_finished_piece_is_told_again_exactly_as_it_was_live(server: httpx.Client) -> None:
    (piece,) = ask(server, notes=120, seed=4)
    live = listen(server, piece)
    later = listen(server, piece)
    assert music(later) == music(live)
    assert [kind for _, kind, _ in later if kind not in ("note", "pedal")] == ["end"]


def test_who_was_cut_off_goes_on_where_it_was_live_or_later(server: httpx.Client) -> None:
    (piece,) = ask(server, notes=400, seed=2)
    with server.stream("GET", piece["links"]["events"]) as answer:
        begun = []
        for event in blocks(answer):
            begun.append(event)
            if event[0] == 60:
                break
    rest = listen(server, piece, after=60)
    complete = music(listen(server, piece))
    assert [event for event in music(begun) if event[0] <= 60] + music(rest) == complete
    for after in (0, 1, len(complete) - 1, len(complete), len(complete) + 10):
        assert music(listen(server, piece, after=after)) == complete[after:]


def test_a_prompt_is_heard_before_what_is_composed(server: httpx.Client, waltz: Notes) -> None:
    (piece,) = ask(server, notes=20, seed=3, prompt=as_json(first(waltz, 7)))
    stream = listen(server, piece)
    notes = [data for _, kind, data in stream if kind == "note"]
    assert notes[:7] == [list(waltz[index]) for index in range(7)]
    kept = server.get(piece["links"]["json"]).json()
    assert piece_of(stream) == {name: kept[name] for name in ("notes", "pedal")}


def test_a_cancelled_piece_ends_its_streams_and_says_so(server: httpx.Client) -> None:
    (piece,) = ask(server, notes=LONG)
    with server.stream("GET", piece["links"]["events"]) as answer:
        stream = []
        for event in blocks(answer):
            if not stream:
                server.delete(piece["links"]["self"])
            stream.append(event)
    assert stream[-1][1] == "end" and stream[-1][2]["state"] == "cancelled"
    assert [(kind, data["state"]) for _, kind, data in listen(server, piece)] == [("end", "cancelled")]


def test_a_listener_that_leaves_leaves_the_piece_alone(server: httpx.Client) -> None:
    (piece,) = ask(server, notes=200)
    with server.stream("GET", piece["links"]["events"]) as answer:
        next(blocks(answer))
    until(lambda: server.get(piece["links"]["self"]).json()["state"] == "done")


@pytest.mark.timed
def test_the_first_note_comes_within_a_second_among_sixteen(server: httpx.Client) -> None:
    crowd = ask(server, notes=2_000, count=8) + ask(server, notes=2_000, count=7)
    begun = time.monotonic()
    (piece,) = ask(server, notes=20)
    with server.stream("GET", piece["links"]["events"]) as answer:
        next(event for event in blocks(answer) if event[1] == "note")
    assert time.monotonic() - begun < 3  # a second on two idle cores
    for each in crowd:
        server.delete(each["links"]["self"])


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "9" * 400, "٣"])
def test_a_number_that_is_none_is_refused(server: httpx.Client, last: str) -> None:
    piece = composed(server, notes=1)
    answer = server.get(piece["links"]["events"], headers={"Last-Event-ID": last.encode()})
    assert "Last-Event-ID must be a whole number" in problem(answer, 422)


def test_nobody_hears_a_piece_that_is_not_there(server: httpx.Client) -> None:
    problem(server.get("/v1/pieces/0000000000000000/events"), 404)


def test_listeners_are_counted_and_too_many_are_refused(models: Models, tmp_path: Path) -> None:
    with serving(models, tmp_path, Limits(listeners=3, listeners_per_client=2)) as client:
        (piece,) = ask(client, notes=LONG)
        address, listeners = piece["links"]["events"], client.app.state.queues.listeners  # type: ignore[attr-defined]
        with client.stream("GET", address) as one, client.stream("GET", address) as two:
            streams = [blocks(one), blocks(two)]
            assert all(next(stream) for stream in streams)
            assert "you have 2 streams under way" in problem(client.get(address), 429)
        until(lambda: listeners.count == 0)
        client.delete(piece["links"]["self"])
        assert listen(client, piece)[-1][1] == "end"


def test_a_listener_is_sent_to_ten_times_a_second_at_most(models: Models, tmp_path: Path) -> None:
    with serving(models, tmp_path) as client:
        (piece,) = ask(client, notes=LONG)
        begun, packets = time.monotonic(), 0
        with client.stream("GET", piece["links"]["events"]) as answer:
            for _ in answer.iter_raw():
                packets += 1
                if time.monotonic() - begun > 1:
                    break
        assert 2 <= packets <= 15
        client.delete(piece["links"]["self"])
