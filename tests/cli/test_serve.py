"""`arietta serve`, in a process of its own: what it says, what it refuses, how it stops."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import httpx
import pytest

from arietta.cli import main, serve
from arietta.cluster import serving
from arietta.cluster.serving import ReplicaPlan
from arietta.generation.loop import generate
from arietta.generation.request import Request
from arietta.music.midi import midi_bytes, read_midi
from arietta.program import install_command
from arietta.serve.jobs.models import Models
from tests.support.bundles import engine_of
from tests.support.servers import PATIENCE, ask, busy, composed, events, look, served, until


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["serve", *words]) == 2
    complaint = capsys.readouterr().err
    assert "Traceback" not in complaint
    return complaint


@pytest.mark.posix
def test_it_prints_its_address_and_two_calls_that_work_and_ctrl_c_stops_it(
    tiny_bundle: Path, tiny_lstm: Path, tmp_path: Path
) -> None:
    with served(tmp_path, "--model", str(tiny_bundle), str(tiny_lstm)) as server:
        assert "with tiny, tiny-lstm. Ctrl-C stops it" in server.printed[0]
        calls = [re.fullmatch(r"  curl -OJ '(\S+)'\n", line) for line in server.printed[1:3]]
        lengths = [len(read_midi(httpx.get(call[1], timeout=PATIENCE).content)) for call in calls if call]
        assert lengths == [300, 100]
        assert "style=chopin&seed=7" in server.printed[2]
        code, out, complaints = server.stop(signal.SIGINT)
    assert code == 0
    assert out.endswith("Stopped.\n")
    assert complaints == ""


def test_its_log_has_a_json_line_for_each_request_with_the_number_that_the_answer_carries(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    with served(tmp_path, "--model", str(tiny_bundle)) as server:
        number = httpx.get(f"{server.address}/healthz").headers["x-request-id"]
        httpx.get(f"{server.address}/nowhere", headers={"X-Request-ID": "mine-1"})
        httpx.get(f"{server.address}/nowhere", headers={"X-Request-ID": "not mine\t{}"})
        _, out, _ = server.stop()
    lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    told = [(line["path"], line["status"], line["method"], line["level"]) for line in lines]
    assert told == [("/healthz", 200, "GET", "info"), *[("/nowhere", 404, "GET", "info")] * 2]
    assert [line["request_id"] for line in lines[:2]] == [number, "mine-1"]
    assert re.fullmatch("[0-9a-f]{32}", lines[2]["request_id"])
    assert all(line["seconds"] >= 0 and line["client"] == "127.0.0.1" for line in lines)


def test_only_a_proxy_that_is_trusted_says_who_its_clients_are(tiny_lstm: Path, tmp_path: Path) -> None:
    clients = []
    for options in ((), ("--trusted-proxy", "127.0.0.1")):
        with served(tmp_path, "--model", str(tiny_lstm), *options) as server:
            httpx.get(f"{server.address}/healthz", headers={"X-Forwarded-For": "192.0.2.7"})
            _, out, _ = server.stop()
            clients += [json.loads(line)["client"] for line in out.splitlines() if line.startswith("{")]
    assert clients == ["127.0.0.1", "192.0.2.7"]


@pytest.mark.parametrize("has_key", [False, True])
def test_on_all_addresses_it_says_who_may_call_and_an_address_that_leads_here(
    models: Models, capsys: pytest.CaptureFixture[str], *, has_key: bool
) -> None:
    with socket.create_server(("0.0.0.0", 0)) as listener:
        serve._greet(listener, models, has_key=has_key)
        port = listener.getsockname()[1]
    said = capsys.readouterr().out
    assert f"Arietta listens on http://127.0.0.1:{port}, with tiny" in said
    assert f"Other machines call it by the name or address of this one, at port {port}." in said
    assert ("Whoever reaches that port may compose, read and delete here" in said) is not has_key
    assert ('curl -OJ -H "X-API-Key: $ARIETTA_API_KEY" ' in said) is has_key


@pytest.mark.posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.timed
def test_a_stopped_server_does_not_wait_for_a_long_piece(tiny_bundle: Path, tmp_path: Path, number: int) -> None:
    words = ("--model", str(tiny_bundle), "--most-notes", "100000")
    with served(tmp_path, *words) as server, ThreadPoolExecutor(1) as callers:
        asked = callers.submit(httpx.get, f"{server.address}/midi/100000", timeout=PATIENCE)
        while not asked.done() and httpx.get(f"{server.address}/healthz").json()["pieces"] == 0:
            time.sleep(0.01)
        begun = time.monotonic()
        _, _, complaints = server.stop(number)
        assert time.monotonic() - begun < 15  # the piece takes minutes
        assert asked.result().status_code == 503
    assert complaints == ""


@pytest.mark.timed
def test_a_stopped_server_closes_its_streams_and_goes_on_with_its_pieces_when_it_starts_again(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    words = ("--model", str(tiny_bundle))
    with served(tmp_path, *words) as server, httpx.Client(base_url=server.address, timeout=PATIENCE) as client:
        (piece,) = ask(client, notes=800, seed=5)
        with ThreadPoolExecutor(1) as callers:
            heard = callers.submit(lambda: client.get(piece["links"]["events"]).text)
            until(lambda: look(client, piece)["progress"]["done"] > 50)
            begun = time.monotonic()
            server.stop()
            assert time.monotonic() - begun < 8
        assert "event: note" in heard.result() and "event: end" not in heard.result()
    with served(tmp_path, *words) as server, httpx.Client(base_url=server.address, timeout=PATIENCE) as client:
        until(lambda: look(client, piece)["state"] == "done")
        resumed = client.get(piece["links"]["mid"]).content
        assert resumed == client.get(composed(client, notes=800, seed=5)["links"]["mid"]).content


def test_a_key_from_the_environment_is_asked_for(
    tiny_lstm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARIETTA_API_KEY", "open sesame")
    with served(tmp_path, "--model", str(tiny_lstm)) as server:
        assert httpx.get(f"{server.address}/v1/pieces").status_code == 401
        assert httpx.get(f"{server.address}/v1/pieces", headers={"X-API-Key": "open sesame"}).status_code == 200


def test_longer_pieces_than_the_limit_are_refused(tiny_lstm: Path, tmp_path: Path) -> None:
    with served(tmp_path, "--model", str(tiny_lstm), "--most-notes", "50") as server:
        assert httpx.get(f"{server.address}/midi/50", timeout=PATIENCE).status_code == 200
        answer = httpx.get(f"{server.address}/midi/51")
        assert answer.status_code == 422
        assert answer.json()["detail"] == "notes must lie in 1-50, not 51"


def test_one_folder_has_one_server_at_a_time(
    tiny_lstm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(tmp_path, "--model", str(tiny_lstm)):
        complaint = refusal(capsys, "--port", "0", "--model", str(tiny_lstm), "--data", str(tmp_path))
    assert complaint == (f"arietta: {tmp_path}: another server keeps its pieces there; --data takes another folder\n")


def test_a_port_in_use_is_a_sentence_and_code_2(tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        complaint = refusal(capsys, "--port", str(port), "--model", str(tiny_bundle))
    assert complaint == (
        f"arietta: cannot listen on 127.0.0.1:{port}: another program listens there; "
        f"choose another port, as --port {port + 1}\n"
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--port", "70000"], "--port must lie in 0-65535, not 70000"),
        (["--port", "-1"], "--port must lie in 0-65535, not -1"),
        (["--most-notes", "0"], "--most-notes must lie in 1-100000, not 0"),
        (["--most-notes", "1000000"], "--most-notes must lie in 1-100000, not 1000000"),
        (["--most-prompt-notes", "10001"], "--most-prompt-notes must lie in 1-10000, not 10001"),
        (["--seats", "0"], "--seats must lie in 1-256, not 0"),
        (["--keep-pieces", "0"], "--keep-pieces must lie in 1-1000000000, not 0"),
        (["--keep-megabytes", "0"], "--keep-megabytes must lie in 1-1000000000, not 0"),
        (["--workers", "257"], "--workers must lie in 0-256, not 257"),
        (["--history", "postgresql://host/name", "--data", "here"], "--history and --data are two places for the same"),
        (["--history", "here"], "--history takes the address of a PostgreSQL database, as postgresql://user@host/name"),
        (["--cluster", "auto"], "replicas share one history: name its database, --history postgresql://user@host/name"),
        (["--cluster", "auto", "--history", "postgresql://h/n", "--workers", "2"], "on a cluster take --replicas"),
        (
            ["--cluster", "auto", "--history", "postgresql://h/n", "--replicas", "x"],
            "--replicas takes a number, or a range",
        ),
        (["--replicas", "2"], "--replicas are servers of a cluster: name it too, as --cluster auto"),
        (["--threads", "0"], "--threads must lie in 1-64, not 0"),
        (["--allow-origin", "music.example.org"], "--allow-origin takes addresses without a path"),
        (["--allow-origin", "https://music.example.org/"], "--allow-origin takes addresses without a path"),
        (["--port", "0", "--host", "192.0.2.1"], "this machine has no such address"),
        (["--port", "0", "--host", "no.such.host.invalid"], "--host takes an address of this machine"),
        (["--port", "0", "--model", "no-such-model"], "no-such-model: no model of that name and no such folder"),
    ],
)
def test_what_cannot_be_served_is_refused(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert sentence in refusal(capsys, *words)


def test_replicas_get_the_whole_paths_of_models_and_the_trusted_proxies(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = []

    @contextmanager
    def interrupted(plan: ReplicaPlan, *_: object) -> Iterator[None]:
        plans.append(plan)
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(serving, "serve_on_cluster", interrupted)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr("arietta.serve.app.share_interpreter", lambda: None)
    monkeypatch.setenv("PYTHONSAFEPATH", "1")  # as the command itself sets it
    monkeypatch.chdir(tiny_bundle.parent)
    words = ("--cluster", "auto", "--history", "postgresql://h/n", "--trusted-proxy", "10.0.0.1")
    main(["serve", *words, "--model", tiny_bundle.name, "concert"])
    (plan,) = plans
    assert (plan.models, plan.proxies) == ((str(tiny_bundle), "concert"), ("10.0.0.1",))


def test_a_damaged_model_is_refused(tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damaged = shutil.copytree(tiny_bundle, tmp_path / "damaged")
    (damaged / "step.onnx").unlink()
    complaint = refusal(capsys, "--port", "0", "--model", str(tiny_bundle), str(damaged))
    assert "step.onnx: missing" in complaint


def test_without_the_extra_it_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fastapi", None)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    sentence = f"arietta: serving needs fastapi, prometheus-client too: {install_command('serve')}\n"
    assert refusal(capsys) == sentence


def test_a_number_that_is_none_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["serve", "--port", "http"])
    assert left.value.code == 2
    assert "--port" in capsys.readouterr().err


@pytest.mark.posix
def test_two_servers_share_a_history_and_nothing_is_lost_where_one_is_killed(tiny_bundle: Path, database: str) -> None:
    """Every piece that was taken on is there in the end, with the bytes of the library, and listeners hear it whole."""
    requests = [Request(notes=1_200, seed=seed) for seed in range(4)]
    with (
        served(database, "--model", str(tiny_bundle)) as first,
        served(database, "--model", str(tiny_bundle)) as second,
        httpx.Client(base_url=first.address, timeout=PATIENCE) as to_first,
        httpx.Client(base_url=second.address, timeout=PATIENCE) as to_second,
    ):
        finished = composed(to_first, notes=5, seed=9)
        pieces = [ask(client, notes=1_200, seed=seed)[0] for seed, client in enumerate([to_first, to_second] * 2)]
        link = pieces[0]["links"]["events"]  # of the server that is killed
        with to_second.stream("GET", link) as stream:
            lines = stream.iter_lines()
            begun = list(islice(lines, 60))
            first.kill()
            heard = events("\n".join([*begun, *lines]))
        assert len([kind for _, kind, _ in heard if kind == "note"]) == 1_200
        assert [number for number, _, _ in heard if number] == list(range(1, max(n or 0 for n, _, _ in heard) + 1))
        assert events(to_second.get(link, headers={"Last-Event-ID": "100"}).text)[0][0] == 101
        until(lambda: all(look(to_second, piece)["state"] == "done" for piece in pieces))
        assert look(to_second, finished)["state"] == "done"
        engine = engine_of(tiny_bundle)
        for piece, request in zip(pieces, requests, strict=True):
            take = generate(request, engine)
            expected = midi_bytes(take.notes, title=take.title, texts=take.texts())
            assert to_second.get(piece["links"]["mid"]).content == expected
            assert "machines" not in look(to_second, piece)["figures"]
        assert busy(to_second) == 0
