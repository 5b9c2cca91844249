"""A server while one client does its worst, is killed or has a full disk: what others wait, what is lost, its memory.

    python -m benchmarks.reliability.hostile [--model piano] [--seconds 20] [--only silent listeners ...] [--code DIR]

Starts `arietta serve` for each scenario, and once without any ("idle"). The bad client comes from 127.0.0.1; the
other, from 127.0.0.2, asks for 20 notes and for /healthz again and again. A JSON line for each: how often the bad
client tried, how many of the other's requests failed, the other's waits (median, 99th percentile, longest), and the
most memory that the server took. `kills` and `full disk` say instead how many pieces were lost (losses.py), `cost of
listeners` how fast a piece is composed, in notes per second, alone and with a thousand who listen. With --code the
server is that of another checkout, to compare with, and the names of the lines begin with `before/`.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import numpy as np
import psutil

from arietta.model.bundle import DEFAULT_MODEL
from arietta.music.midi import midi_bytes
from arietta.music.notes import Notes
from arietta.serve.jobs.limits import Limits
from benchmarks.reliability.losses import LOSSES
from benchmarks.shared.report import commit
from benchmarks.speed.serve import serving

OTHER = "127.0.0.2"  # where the other client comes from
JSON = {"Content-Type": "application/json"}
FOR_ROOT = "small disk"  # measured only where it is asked for
PAUSE = 0.05  # between two requests of the other client


@dataclass
class Scene:
    """A server under attack: its address, whether the time is over, and how often the bad client tried."""

    host: str
    port: int
    is_over: threading.Event = field(default_factory=threading.Event)
    tried: int = 0

    def ask(
        self, method: str, path: str, body: bytes = b"", source: str = "127.0.0.1", seconds: float = 60.0
    ) -> tuple[int, bytes]:
        """Send a request and return the answer's status and body; status 0 where there is none."""
        connection = http.client.HTTPConnection(self.host, self.port, seconds, (source, 0))
        try:
            connection.request(method, path, body or None, JSON if body else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def compose(self, asked: dict[str, object], wait: float = 30.0) -> str:
        """Compose a piece and return its address."""
        _, answer = self.ask("POST", f"/v1/pieces?wait={wait:g}", json.dumps(asked).encode())
        return str(json.loads(answer)["pieces"][0]["links"]["self"])

    def open(self) -> socket.socket:
        """Open a connection of the bad client's."""
        self.tried += 1
        return socket.create_connection((self.host, self.port), 10)

    def repeat(self, method: str, path: str, body: bytes, clients: int) -> None:
        """Send a request again and again, from several threads, until the time is over."""

        def send() -> None:
            while not self.is_over.is_set():
                self.tried += 1
                self.ask(method, path, body)

        threads = [threading.Thread(target=send) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def idle(scene: Scene) -> None:
    scene.is_over.wait()


def wrong_bodies(scene: Scene) -> None:
    """Bodies of 2 MB that are wrong in every row."""
    body = b'{"prompt":{"notes":[' + b"0," * 1_000_000 + b"0]}}"
    scene.repeat("POST", "/v1/pieces", body, 4)


def uploads(scene: Scene) -> None:
    """Forty files of prompts at once, of half a megabyte each."""
    count = 60_000
    notes = Notes.of(np.arange(count) / 50, np.full(count, 0.01), np.arange(count) % 88 + 21, np.full(count, 64))
    parts = b'--x\r\nContent-Disposition: form-data; name="prompt"; filename="a.mid"\r\n\r\n' + midi_bytes(notes)
    body = parts + b'\r\n--x\r\nContent-Disposition: form-data; name="notes"\r\n\r\n1\r\n--x--\r\n'

    def send() -> None:
        while not scene.is_over.is_set():
            scene.tried += 1
            connection = http.client.HTTPConnection(scene.host, scene.port, 60)
            with suppress(OSError, http.client.HTTPException):
                connection.request("POST", "/v1/pieces", body, {"Content-Type": "multipart/form-data; boundary=x"})
                connection.getresponse().read()
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def silent(scene: Scene) -> None:
    """Connections that say nothing, as many as there may be, opened again when they are closed."""
    with ExitStack() as opened:
        while not scene.is_over.wait(0.002):
            with suppress(OSError):
                opened.enter_context(scene.open())


def slow_sounds(scene: Scene) -> None:
    """Readers who take a thousand bytes of an hour's sound and no more."""
    address = scene.compose({"notes": 3, "seed": 1, "prompt": {"notes": [[0, 1, 60, 60], [3000, 1, 60, 60]]}})
    with ExitStack() as opened:
        while not scene.is_over.wait(0.2):
            with suppress(OSError):
                reader = opened.enter_context(scene.open())
                reader.sendall(f"GET {address}.wav HTTP/1.1\r\nHost: {scene.host}\r\n\r\n".encode())
                reader.recv(1_000)


def many_pieces(scene: Scene) -> None:
    """As many pieces of 1,000 notes as one client may have."""
    body = json.dumps({"notes": 1_000, "count": 8}).encode()
    while not scene.is_over.wait(0.05):
        scene.tried += 1
        scene.ask("POST", "/v1/pieces", body)


def load(scene: Scene) -> None:
    """No harm meant: 64 clients, each from an address of its own, ask for 300 notes again and again."""

    def send(number: int) -> None:
        while not scene.is_over.is_set():
            scene.tried += 1
            scene.ask("GET", "/midi/300", source=f"127.0.2.{1 + number}", seconds=600.0)

    with ThreadPoolExecutor(64) as clients:
        list(clients.map(send, range(64)))


def listeners(scene: Scene) -> None:
    """A thousand listeners to one long piece."""
    with listening(scene, scene.compose({"notes": 10_000}, wait=0)):
        scene.is_over.wait()


@contextmanager
def listening(scene: Scene, address: str, count: int = 1_000) -> Iterator[None]:
    """Let so many listen to a piece, from eight addresses, and read what they are sent."""
    with ExitStack() as opened:
        streams, has_left = opened.enter_context(selectors.DefaultSelector()), threading.Event()
        for number in range(count):
            scene.tried += 1
            with suppress(OSError):
                source = f"127.0.1.{1 + number % 8}", 0
                stream = opened.enter_context(socket.create_connection((scene.host, scene.port), 10, source))
                stream.sendall(f"GET {address}/events HTTP/1.1\r\nHost: {scene.host}\r\n\r\n".encode())
                streams.register(stream, selectors.EVENT_READ)
        reader = threading.Thread(target=_read_all, args=(streams, has_left))
        reader.start()
        yield
        has_left.set()
        reader.join()


def _read_all(streams: selectors.BaseSelector, has_left: threading.Event) -> None:
    while streams.get_map() and not has_left.is_set():
        for key, _ in streams.select(0.1):
            stream = cast(socket.socket, key.fileobj)
            data = b""
            with suppress(OSError):
                data = stream.recv(2**16)
            if not data:
                streams.unregister(stream)


SCENARIOS: dict[str, Callable[[Scene], None]] = {
    "idle": idle,
    "wrong bodies": wrong_bodies,
    "uploads": uploads,
    "silent connections": silent,
    "slow readers of sound": slow_sounds,
    "many pieces": many_pieces,
    "listeners": listeners,
    "load": load,
}


def measure(name: str, attack: Callable[[Scene], None], model: str, seconds: float) -> dict[str, object]:
    """Let a bad client do its worst for so many seconds; return what another felt of it."""
    with serving(model, 1, most_per_client=Limits.most_per_client) as (address, pid):
        parts, process = urlsplit(address), psutil.Process(pid)
        scene = Scene(parts.hostname or "", parts.port or 0)
        scene.compose({"notes": 20})  # the first piece lays out the graph's memory
        attacker = threading.Thread(target=attack, args=(scene,))
        attacker.start()
        waits: dict[str, list[float]] = {"/midi/20": [], "/healthz": []}
        failed, memory, deadline = 0, 0.0, time.monotonic() + seconds
        while time.monotonic() < deadline:
            for path, found in waits.items():
                begun = time.perf_counter()
                status, _ = scene.ask("GET", path, source=OTHER)
                found.append(time.perf_counter() - begun)
                failed += status != 200
            memory = max(memory, process.memory_info().rss / 2**20)
            time.sleep(PAUSE)
        scene.is_over.set()
        attacker.join()
    figures = {f"{path} {label}": value for path, found in waits.items() for label, value in _sum_up(found)}
    return {"name": f"hostile/{name}", "tried": scene.tried, "failed": failed, **figures, "MB": round(memory)}


def cost_of_listeners(model: str, seconds: float, count: int = 1_000) -> dict[str, object]:
    """Compose a long piece alone and with listeners; return its notes per second of both, each the median of three."""
    with serving(model, 1, most_per_client=Limits.most_per_client) as (address, _):
        parts = urlsplit(address)
        scene = Scene(parts.hostname or "", parts.port or 0)
        speeds: dict[str, list[float]] = {"alone": [], "listened_to": []}
        for _ in range(3):
            piece = scene.compose({"notes": 10_000}, wait=0)
            for name, found in speeds.items():
                with listening(scene, piece, count) if name == "listened_to" else nullcontext():
                    time.sleep(seconds / 12)  # first each is sent what there is already
                    begun, before = time.monotonic(), _done(scene, piece)
                    time.sleep(seconds / 12)
                    found.append((_done(scene, piece) - before) / (time.monotonic() - begun))
            scene.ask("DELETE", piece)
    medians = {name: round(float(np.median(found)), 1) for name, found in speeds.items()}
    return {"name": "hostile/cost of listeners", "tried": scene.tried, **medians}


def _done(scene: Scene, piece: str) -> float:
    return float(json.loads(scene.ask("GET", piece, source=OTHER)[1])["progress"]["done"])


def _sum_up(waits: list[float]) -> Iterator[tuple[str, float]]:
    for label, share in (("p50", 0.5), ("p99", 0.99), ("longest", 1.0)):
        yield label, float(f"{np.quantile(waits, share):.3g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    others = {**LOSSES, "cost of listeners": cost_of_listeners}
    names = [*SCENARIOS, *others]
    parser.add_argument("--seconds", type=float, default=20.0, help="of each scenario (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME")
    parser.add_argument("--code", type=Path, metavar="DIR", help="serve the code of that checkout")
    arguments = parser.parse_args()
    if arguments.code:  # servers load the code of the folder that they are started in; this process has its own
        os.chdir(arguments.code)
    for name in arguments.only or [name for name in names if name != FOR_ROOT]:
        if name in others:
            line = others[name](arguments.model, arguments.seconds)
        else:
            line = measure(name, SCENARIOS[name], arguments.model, arguments.seconds)
        about = {"name": f"before/{line['name']}"} if arguments.code else {"commit": commit()}
        print(json.dumps(line | about), flush=True)


if __name__ == "__main__":
    main()
