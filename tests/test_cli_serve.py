from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from arietta.cli import main
from arietta.midi import read_midi

PATIENCE = 60.0  # seconds; starting takes two on an idle machine


@dataclass(frozen=True)
class Server:
    """`arietta serve` in its own process, and what it said when it was ready."""

    process: subprocess.Popen[str]
    said: list[str]
    address: str

    def stop(self, number: int) -> tuple[int, str, str]:
        """Send a signal: (exit code, what else it said, what it complained of)."""
        self.process.send_signal(number)
        out, complaints = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, complaints


@contextmanager
def served(*words: str) -> Iterator[Server]:
    call = [sys.executable, "-m", "arietta", "serve", "--port", "0", *words]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = [process.stdout.readline() for _ in range(4)]
            found = re.search(r"http://127\.0\.0\.1:\d+", said[0])
            assert found, process.communicate(timeout=PATIENCE)
            yield Server(process, said, found[0])
        finally:
            process.kill()


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["serve", *words]) == 2
    complaint = capsys.readouterr().err
    assert "Traceback" not in complaint
    return complaint


def test_it_prints_its_address_and_two_calls_that_work_and_ctrl_c_stops_it(tiny_bundle: Path, tiny_lstm: Path) -> None:
    with served("--model", str(tiny_bundle), str(tiny_lstm)) as server:
        assert "with tiny, tiny-lstm. Ctrl-C stops it" in server.said[0]
        calls = [re.fullmatch(r"  curl -OJ '(\S+)'\n", line) for line in server.said[1:3]]
        lengths = [len(read_midi(httpx.get(call[1], timeout=PATIENCE).content)) for call in calls if call]
        assert lengths == [300, 100]
        assert "style=chopin&seed=7" in server.said[2]
        code, out, complaints = server.stop(signal.SIGINT)
    assert code == 0
    assert out.endswith("Stopped.\n")
    assert '"GET /midi/300 HTTP/1.1" 200' in out
    assert complaints == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_server_does_not_wait_for_a_long_piece(tiny_bundle: Path, number: int) -> None:
    with served("--model", str(tiny_bundle), "--most-notes", "100000") as server, ThreadPoolExecutor(1) as callers:
        asked = callers.submit(httpx.get, f"{server.address}/midi/100000", timeout=PATIENCE)
        while not asked.done() and httpx.get(f"{server.address}/healthz").json()["pieces"] == 0:
            time.sleep(0.01)
        begun = time.monotonic()
        _, _, complaints = server.stop(number)
        assert time.monotonic() - begun < 15  # the piece takes minutes
        assert asked.result().status_code == 503
    assert complaints == ""


def test_longer_pieces_than_the_limit_are_refused(tiny_lstm: Path) -> None:
    with served("--model", str(tiny_lstm), "--most-notes", "50") as server:
        assert httpx.get(f"{server.address}/midi/50", timeout=PATIENCE).status_code == 200
        answer = httpx.get(f"{server.address}/midi/51")
        assert answer.status_code == 422
        assert answer.json()["detail"] == "notes must lie in 1-50, not 51"


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
        (["--port", "0", "--host", "192.0.2.1"], "this machine has no such address"),
        (["--port", "0", "--host", "no.such.host.invalid"], "--host takes an address of this machine"),
        (["--port", "0", "--model", "no-such-model"], "no-such-model: no model of that name and no such folder"),
    ],
)
def test_what_cannot_be_served_is_refused(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert sentence in refusal(capsys, *words)


def test_a_damaged_model_is_refused(tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damaged = shutil.copytree(tiny_bundle, tmp_path / "damaged")
    (damaged / "step.onnx").unlink()
    complaint = refusal(capsys, "--port", "0", "--model", str(tiny_bundle), str(damaged))
    assert "step.onnx: missing" in complaint


def test_without_the_extra_it_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert refusal(capsys) == "arietta: serving needs fastapi too: pip install 'arietta[serve]'\n"


def test_a_number_that_is_none_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["serve", "--port", "http"])
    assert left.value.code == 2
    assert "--port" in capsys.readouterr().err
