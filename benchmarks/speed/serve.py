"""A server under load: seconds to the first note and to the last, notes per second, and whether its memory is flat.

    python -m benchmarks.speed.serve [--model concert] [--notes 300] [--clients 1 4 16 64] [--repeats 3] [--minutes 1]
    python -m benchmarks.speed.serve --workers 2        its names begin with serve/2 workers, 300 notes

Starts `arietta serve` in a process of its own on a free port, with a data folder that goes afterwards. Each client
asks for a piece and listens to its events over HTTP; all of a round ask at once, and a round is over when the last
has its last note. Clients are threads of this process, so on few cores they take from what they measure. In the end,
sixteen clients ask without a pause for so many minutes while the server's memory is read.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from arietta import Client, Note, Request
from arietta.model.bundle import DEFAULT_MODEL
from benchmarks.shared.report import report

STEADY_CLIENTS = 16
WARM_UP = 0.25  # of the minutes, in which memory may still grow to what the pieces take
SAMPLE_SECONDS = 0.5


@dataclass(frozen=True)
class Waits:
    """What one client waited: seconds from asking to the first note and to the last."""

    first: float
    last: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--notes", type=int, default=300)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--workers", type=int, default=0, help="processes that compose (%(default)s: the server itself)"
    )
    parser.add_argument("--minutes", type=float, default=1.0, help="of steady load for the memory (%(default)s)")
    arguments = parser.parse_args()
    with serving(arguments.model, arguments.threads, workers=arguments.workers) as (address, pid):
        kind = f"serve/{arguments.workers} workers, {arguments.notes} notes"
        measure(address, arguments.notes, arguments.clients, arguments.repeats, arguments.threads, kind)
        if arguments.minutes:
            measure_memory(address, pid, arguments.notes, arguments.minutes, arguments.threads)


@contextmanager
def serving(model: str, threads: int, *, most_per_client: int = 1_000, workers: int = 0) -> Iterator[tuple[str, int]]:
    """Start a server: its address and its process id; clients of a benchmark often have one address."""
    with tempfile.TemporaryDirectory() as data, open(Path(data) / "log", "w") as log:
        options = ("--port", "0", "--data", data, "--model", model, "--threads", str(threads))
        limits = ("--most-per-client", str(most_per_client), "--workers", str(workers))
        call = [sys.executable, "-m", "arietta", "serve", *options, *limits]
        with subprocess.Popen(call, stdout=log, stderr=subprocess.STDOUT) as process:
            try:
                yield _address(Path(data) / "log", process), process.pid
            finally:
                process.terminate()


def _address(log: Path, process: subprocess.Popen[bytes]) -> str:
    while process.poll() is None:
        address = re.search(r"http://127\.0\.0\.1:\d+(?=.*\n)", log.read_text())
        if address:
            return address[0]
        time.sleep(0.05)
    raise SystemExit(log.read_text())


def measure(address: str, notes: int, clients: Sequence[int], repeats: int, threads: int, kind: str = "serve") -> None:
    """Print the figures of each number of clients, and the gain over one client after the other."""
    client, rates = Client(address), {}
    listen(client, notes, 0)  # the first piece lays out the graph's memory
    for count in clients:
        rounds = [_round(client, notes, count, seed) for seed in range(repeats)]
        waits = [wait for each_round in rounds for wait in each_round]
        rates[count] = notes * count / np.array([max(wait.last for wait in each_round) for each_round in rounds])
        first, last = [wait.first for wait in waits], [wait.last for wait in waits]
        report(f"{kind}/{count} clients, first note", first, "s", threads=threads)
        report(f"{kind}/{count} clients, first note, p99", [float(np.quantile(first, 0.99))], "s", threads=threads)
        report(f"{kind}/{count} clients, last of {notes} notes", last, "s", threads=threads)
        report(f"{kind}/{count} clients, last note, p99", [float(np.quantile(last, 0.99))], "s", threads=threads)
        report(f"{kind}/{count} clients", rates[count], "notes/s", threads=threads)
    if clients[0] == 1:
        for count in clients[1:]:
            name = f"{kind}/{count} clients at once against one after the other"
            report(name, rates[count] / rates[1], "times", threads=threads)


def _round(client: Client, notes: int, count: int, seed: int) -> list[Waits]:
    """Let so many clients ask at once, each with a seed of its own."""
    with ThreadPoolExecutor(count) as callers:
        return list(callers.map(lambda index: listen(client, notes, 1000 * seed + index), range(count)))


def listen(client: Client, notes: int, seed: int) -> Waits:
    """Ask for a piece and hear it to its end."""
    begun, first = time.perf_counter(), 0.0
    (piece,) = client.submit(Request(notes=notes, seed=seed))
    for event in client.events(piece["id"]):
        if not first and isinstance(event, Note):
            first = time.perf_counter() - begun
    return Waits(first, time.perf_counter() - begun)


def measure_memory(address: str, pid: int, notes: int, minutes: float, threads: int) -> None:
    """Print the server's memory under steady load, and what it grew by from the second quarter of it to the last."""
    client, stop, server = Client(address), threading.Event(), psutil.Process(pid)

    def ask(first_seed: int) -> None:
        seed = first_seed
        while not stop.is_set():
            seed += STEADY_CLIENTS
            listen(client, notes, seed)

    samples, deadline = [], time.monotonic() + 60 * minutes
    with ThreadPoolExecutor(STEADY_CLIENTS) as callers:
        asking = [callers.submit(ask, index) for index in range(STEADY_CLIENTS)]
        while time.monotonic() < deadline and not any(caller.done() for caller in asking):
            samples.append(server.memory_info().rss / 2**20)
            time.sleep(SAMPLE_SECONDS)
        stop.set()
        for caller in asking:
            caller.result()  # raises what ended it
    report_memory(samples, minutes, threads)


def report_memory(samples: Sequence[float], minutes: float, threads: int) -> None:
    """Print megabytes in use, and by how many the median of the last quarter lies above that of the second."""
    quarter = max(round(len(samples) * WARM_UP), 1)
    report(f"serve/memory, {minutes:g} minutes of {STEADY_CLIENTS} clients", samples, "MB", threads=threads)
    grown = float(np.median(samples[-quarter:]) - np.median(samples[quarter : 2 * quarter] or samples[:1]))
    report(f"serve/memory grown in {minutes:g} minutes", [grown], "MB", threads=threads)


if __name__ == "__main__":
    main()
