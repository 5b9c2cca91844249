"""What a server loses when it is killed under load, and when its disk takes nothing more from some write on.

`kills` starts a server, lets three clients ask for pieces, kills it (SIGKILL) at a moment that differs each time, and
so on until the time is over. `full_disk` lets the log of a running server's history grow by n pages and no further
(RLIMIT_FSIZE, Linux only), asks for pieces, gives the room back, and goes on with another n; `small_disk` does so by
filling a small file system (by root only, so it is not run by default). All then look at every piece that the server
took on: one that does not become done is lost, and one whose file is not what the library composes of its seed has
other bytes.
"""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil

from arietta import Client, Request
from arietta.errors import AriettaError
from arietta.generation.loop import generate
from arietta.model.bundle import load_bundle
from arietta.model.engine import load_engine
from arietta.music.midi import midi_bytes

LENGTHS = (3, 12, 40, 90)  # notes of the pieces asked for
PAGE = 4_096  # bytes of a page of SQLite
COMPOSED_ANEW = 60  # pieces at most that are compared with what the library composes
PATIENCE = 120.0  # seconds in which all that is left must become done
Full = Callable[[psutil.Process, Path, int], AbstractContextManager[None]]


@contextmanager
def _server(data: Path, model: str) -> Iterator[tuple[Client, subprocess.Popen[str]]]:
    call = [sys.executable, "-m", "arietta", "serve", "--port", "0", "--data", str(data), "--model", model]
    call += ["--threads", "1", "--most-per-client", "1000"]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            address = re.search(r"http://127\.0\.0\.1:\d+", line)
            if address is None:
                raise SystemExit(line + process.stdout.read())
            # Its log goes through a pipe, which no limit of files concerns, and somebody has to read it.
            threading.Thread(target=process.stdout.read, daemon=True).start()
            yield Client(address[0]), process
        finally:
            process.kill()


class _Asked:
    """The pieces that a server took on: how many notes, and from which seed, by their ids."""

    def __init__(self) -> None:
        self.pieces: dict[str, Request] = {}
        self.refused = 0
        self._seeds = itertools.count(1)

    def ask(self, client: Client) -> None:
        """Ask for a piece; raises AriettaError where it is refused."""
        seed = next(self._seeds)
        request = Request(notes=LENGTHS[seed % len(LENGTHS)], seed=seed)
        try:
            (piece,) = client.submit(request)
        except AriettaError:
            self.refused += 1
            raise
        self.pieces[piece["id"]] = request

    def try_to_ask(self, client: Client, times: int = 1) -> None:
        """Ask so many times, whether it is refused or not."""
        for _ in range(times):
            with suppress(AriettaError):
                self.ask(client)

    def check(self, client: Client, model: str) -> dict[str, object]:
        """Count, when all are over, those that are not done, and those with other bytes than the library composes."""
        lost, deadline = 0, time.monotonic() + PATIENCE
        for key in self.pieces:
            while (state := _state(client, key)) in ("waiting", "composing") and time.monotonic() < deadline:
                time.sleep(0.05)
            lost += state != "done"
        engine, others = load_engine(load_bundle(model)), 0
        sample = list(self.pieces.items())[:: -(-len(self.pieces) // COMPOSED_ANEW) or 1]
        for key, request in sample:
            with suppress(AriettaError):
                take = client.take(key)
                # The server chose a style, or none, and says so in the piece's request.
                composed = generate(take.request, engine)
                file = midi_bytes(composed.notes, title=composed.title, texts=composed.texts())
                others += take.file != file or (take.request.notes, take.request.seed) != (request.notes, request.seed)
        return {"pieces": len(self.pieces), "lost": lost, "compared": len(sample), "other_bytes": others}


def _state(client: Client, key: str) -> str:
    try:
        return str(client.piece(key)["state"])
    except AriettaError:
        return "gone"


def kills(model: str, seconds: float) -> dict[str, object]:
    """Kill a server under load again and again; return how often, and what was lost."""
    asked, rng, count = _Asked(), np.random.default_rng(0), 0
    deadline = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < deadline:
            with _server(Path(folder), model) as (client, process), ThreadPoolExecutor(3) as callers:
                for _ in range(3):
                    callers.submit(_ask_on, asked, client, process)
                time.sleep(float(rng.uniform(0.05, 1.5)))
                process.kill()
            count += 1
        with _server(Path(folder), model) as (client, process):
            return {"name": "losses/kills", "tried": count, **asked.check(client, model)}


def _ask_on(asked: _Asked, client: Client, process: subprocess.Popen[str]) -> None:
    """Ask for pieces until the server is gone."""
    while process.poll() is None:
        asked.try_to_ask(client)
        time.sleep(0.1)


@contextmanager
def _limit_log(server: psutil.Process, data: Path, pages: int) -> Iterator[None]:
    """Let the log of a server's history grow by so many pages and no further."""
    size = (data / "history.sqlite-wal").stat().st_size + pages * PAGE
    server.rlimit(psutil.RLIMIT_FSIZE, (size, psutil.RLIM_INFINITY))
    yield
    server.rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))


@contextmanager
def _fill_disk(server: psutil.Process, data: Path, pages: int) -> Iterator[None]:
    """Fill the file system of a server's data but for so many pages."""
    filler = data / "filler"
    with filler.open("wb", buffering=0) as file:
        with suppress(OSError):
            while file.write(bytes(PAGE)):
                pass
        file.truncate(max(file.tell() - pages * PAGE, 0))
    yield
    filler.unlink()


def _fill_again(model: str, seconds: float, data: Path, full: Full) -> dict[str, object]:
    """Let a server write n pages and no more, for n from 0 to 24; return how often and what was lost."""
    asked, count = _Asked(), 0
    with _server(data, model) as (client, process):
        server = psutil.Process(process.pid)
        asked.ask(client)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with full(server, data, count % 25):
                asked.try_to_ask(client, times=3)
                time.sleep(0.5)
            asked.try_to_ask(client)
            count += 1
        found = asked.check(client, model)
        memory = round(server.memory_info().rss / 2**20)
        return {"tried": count, "refused": asked.refused, **found, "MB": memory}


def full_disk(model: str, seconds: float) -> dict[str, object]:
    """Limit what the log of the history may grow to, again and again; return what was lost."""
    with tempfile.TemporaryDirectory() as folder:
        return {"name": "losses/full disk", **_fill_again(model, seconds, Path(folder), _limit_log)}


def small_disk(model: str, seconds: float) -> dict[str, object]:
    """Fill a file system of 16 MB in memory again and again; return what was lost. For root on Linux alone."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], check=True)
        try:
            return {"name": "losses/small disk", **_fill_again(model, seconds, Path(folder), _fill_disk)}
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


LOSSES: dict[str, Callable[[str, float], dict[str, object]]] = {
    "kills": kills,
    "full disk": full_disk,
    "small disk": small_disk,
}
