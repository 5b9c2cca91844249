"""What a server keeps, whatever happens to it: killed twenty times under load, it loses nothing and ends everything."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from arietta.generation.loop import generate
from arietta.generation.request import Request
from arietta.model.bundle import load_bundle
from arietta.model.engine import load_engine
from arietta.music.midi import midi_bytes
from arietta.music.notes import Notes, first
from arietta.serve.jobs.models import Models
from tests.serve.routes.test_pieces import as_json
from tests.support.servers import PATIENCE, Server, ask, composed, events, look, problem, served, serving, until

KILLS = 20
LENGTHS = (3, 12, 40, 90, 400)


class Load:
    """Clients who ask for pieces without end, and what they were told."""

    def __init__(self, prompt: Notes) -> None:
        self.asked: dict[str, dict[str, Any]] = {}  # what the server took on, by id
        self.done: dict[str, bytes] = {}  # what it said was done, and gave as a file
        self._prompt = as_json(prompt)
        self._seed = 0
        self._lock = threading.Lock()

    def run(self, address: str, stop: threading.Event) -> None:
        """Ask, wait and download, until the server dies."""
        with httpx.Client(base_url=address, timeout=5) as client:
            while not stop.is_set():
                try:
                    self._order(client)
                except httpx.HTTPError:
                    return

    def _order(self, client: httpx.Client) -> None:
        with self._lock:
            self._seed += 1
            seed = self._seed
        prompt = {"prompt": self._prompt} if seed % 4 == 0 else {}
        asked = {"notes": LENGTHS[seed % len(LENGTHS)], "seed": seed, **prompt}
        answer = client.post("/v1/pieces", json=asked)
        if answer.status_code == 429:  # the pieces of the servers before are many: it says to try again
            time.sleep(0.1)
            return
        assert answer.status_code == 202, answer.text
        (piece,) = answer.json()["pieces"]
        self.asked[piece["id"]] = piece
        answer = client.get(piece["links"]["self"])
        if answer.json()["state"] == "done":
            self.done[piece["id"]] = client.get(piece["links"]["mid"]).raise_for_status().content


def kill_under_load(data: Path, bundle: Path, load: Load, number: int) -> None:
    """Start a server, let it work, kill it at a moment that differs each time."""
    stop, before = threading.Event(), len(load.asked)
    with served(data, "--model", str(bundle)) as server, ThreadPoolExecutor(3) as callers:
        for _ in range(3):
            callers.submit(load.run, server.address, stop)
        until(lambda: len(load.asked) > before)
        time.sleep(0.025 * number)
        server.kill()
        stop.set()


@pytest.mark.posix
def test_a_server_killed_twenty_times_under_load_loses_nothing_and_ends_every_piece(
    tiny_bundle: Path, tmp_path: Path, waltz: Notes
) -> None:
    load = Load(first(waltz, 6))
    for number in range(KILLS):
        kill_under_load(tmp_path, tiny_bundle, load, number)
    assert len(load.asked) > KILLS
    engine = load_engine(load_bundle(tiny_bundle))
    with (
        served(tmp_path, "--model", str(tiny_bundle)) as server,
        httpx.Client(base_url=server.address, timeout=PATIENCE) as client,
    ):
        for key, piece in load.asked.items():
            assert '"state":"done"' in client.get(piece["links"]["events"]).text.rpartition("event: end")[2]
            file = client.get(piece["links"]["mid"]).content
            assert file == load.done.get(key, file)
        for piece in list(load.asked.values())[:: len(load.asked) // 8]:
            asked = piece["request"]
            prompt = first(waltz, 6) if "prompt_notes" in asked else None
            take = generate(Request(notes=asked["notes"], seed=asked["seed"], prompt=prompt), engine)
            assert client.get(piece["links"]["mid"]).content == midi_bytes(
                take.notes, title=take.title, texts=take.texts()
            )
        server.kill()
    with sqlite3.connect(tmp_path / "history.sqlite") as base:
        assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert base.execute("SELECT count(*) FROM pieces WHERE state != 'done'").fetchone() == (0,)
    base.close()


@pytest.mark.posix
def test_a_listener_goes_on_after_a_kill_where_it_was(tiny_bundle: Path, tmp_path: Path) -> None:
    words = ("--model", str(tiny_bundle))
    with served(tmp_path, *words) as server, httpx.Client(base_url=server.address, timeout=PATIENCE) as client:
        (piece,) = ask(client, notes=500, seed=6)
        text = ""
        with client.stream("GET", piece["links"]["events"]) as answer:
            for chunk in answer.iter_text():
                text += chunk
                if text.count("event: note") > 40:
                    break
        server.kill()
    before = [event for event in events(text.rpartition("\n\n")[0]) if event[0] is not None]
    with served(tmp_path, *words) as server, httpx.Client(base_url=server.address, timeout=PATIENCE) as client:
        headers = {"Last-Event-ID": str(before[-1][0])}
        after = events(client.get(piece["links"]["events"], headers=headers).text)
        whole = events(client.get(piece["links"]["events"]).text)
        server.kill()
    music = [event for event in whole if event[0] is not None]
    assert before + [event for event in after if event[0] is not None] == music
    assert after[-1][1] == "end" and after[-1][2]["state"] == "done"


def test_names_favourites_and_ends_survive(models: Models, tmp_path: Path) -> None:
    with serving(models, tmp_path) as client:
        loved = composed(client, notes=3, seed=1)
        loved = client.patch(loved["links"]["self"], json={"name": "Loved", "is_favourite": True}).json()
        (given_up,) = ask(client, notes=10_000)
        client.delete(given_up["links"]["self"])
        views = [look(client, piece) for piece in (loved, given_up)]
        files = client.get(loved["links"]["mid"]).content
    with serving(models, tmp_path) as client:
        assert [look(client, piece) for piece in (loved, given_up)] == views
        assert client.get(loved["links"]["mid"]).content == files


@pytest.mark.parametrize("change", ["other weights", "gone"])
def test_what_cannot_be_gone_on_with_is_marked_as_interrupted_and_says_why(
    tiny_bundle: Path, tiny_bundle_32: Path, tmp_path: Path, change: str
) -> None:
    mine = shutil.copytree(tiny_bundle, tmp_path / "mine")
    with serving(Models([mine]), tmp_path / "data") as client:
        (piece,) = ask(client, notes=10_000)
        until(lambda: look(client, piece)["state"] == "composing")
    shutil.rmtree(mine)
    other = shutil.copytree(tiny_bundle_32, mine) if change == "other weights" else tiny_bundle
    with serving(Models([other]), tmp_path / "data") as client:
        view = look(client, piece)
        assert view["state"] == "interrupted"
        reason = {"other weights": "mine has other weights now", "gone": "there is no model 'mine' here"}[change]
        assert reason in view["problem"]["detail"] and view["problem"]["status"] == 409
        assert [(kind, data["state"]) for _, kind, data in events(client.get(piece["links"]["events"]).text)] == [
            ("end", "interrupted")
        ]


def test_a_damaged_row_costs_itself_and_not_the_list(models: Models, tmp_path: Path) -> None:
    with serving(models, tmp_path) as client:
        sound, damaged = composed(client, notes=2), composed(client, notes=2)
        base = client.service.history.database._base  # type: ignore[attr-defined]
        for column, value in (("asked", '{"model": 5}'), ("outcome", '{"figures": {"notes": []}}'), ("asked", "{")):
            with base:
                base.execute(f"UPDATE pieces SET {column} = ? WHERE id = ?", (value, damaged["id"]))
            pieces = client.get("/v1/pieces").raise_for_status().json()["pieces"]
            assert [piece["id"] for piece in pieces] == [sound["id"]]
            problem(client.get(damaged["links"]["self"]), 404)
        assert client.get("/readyz").status_code == 200


@pytest.mark.posix
def test_a_worker_killed_under_load_loses_nothing_and_its_streams_go_on(tiny_bundle: Path, tmp_path: Path) -> None:
    words = ("--model", str(tiny_bundle), "--workers", "2")
    with (
        served(tmp_path, *words) as server,
        httpx.Client(base_url=server.address, timeout=PATIENCE) as client,
        ThreadPoolExecutor(6) as callers,
    ):
        pieces = [ask(client, notes=500, seed=seed)[0] for seed in range(6)]
        streams = [callers.submit(lambda link=piece["links"]["events"]: client.get(link).text) for piece in pieces]
        until(lambda: all(look(client, piece)["progress"]["done"] > 20 for piece in pieces))
        workers = workers_of(server)
        workers[0].kill()
        listened = [music_of(stream.result(PATIENCE)) for stream in streams]
        engine = load_engine(load_bundle(tiny_bundle))
        for piece, music in zip(pieces, listened, strict=True):
            assert music == music_of(client.get(piece["links"]["events"]).text)
            take = generate(Request(notes=500, seed=piece["request"]["seed"]), engine)
            file = midi_bytes(take.notes, title=take.title, texts=take.texts())
            assert client.get(piece["links"]["mid"]).content == file
        workers += workers_of(server)
        server.kill()
        until(lambda: not any(worker.is_running() for worker in workers))


def music_of(text: str) -> list[Any]:
    """The numbered events of a stream: a live one has others between, which say how far the piece is."""
    return [event for event in events(text) if event[0] is not None]


def workers_of(server: Server) -> list[psutil.Process]:
    """The processes that compose for a server: multiprocessing has a helper of its own beside them."""
    children = psutil.Process(server.process.pid).children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]
