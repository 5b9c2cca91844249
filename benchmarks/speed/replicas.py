"""Servers that share a history: uvicorn alone, one and two replicas behind Ray Serve, and a replica killed under load.

    python -m benchmarks.speed.replicas postgresql://user@host/name [--notes 100] [--clients 1 64] [--replicas 1 2]

First, pieces are asked for by turns of a server and of a replica behind Ray Serve, so that both have the same load.
Then it starts `arietta serve --history` and the same with `--cluster local` one after the other, each with a fresh Ray,
and has clients ask for pieces and listen to them, as `benchmarks.speed.serve` does. At last clients ask two replicas
for pieces, and one of them is killed: how many of those taken on are done in the end, and after how many seconds.
Clients, database, proxy and replicas share this machine's cores: on two cores, two replicas gain little.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil

from arietta import AriettaError, Client, Request
from arietta.model.bundle import DEFAULT_MODEL
from benchmarks.shared.report import report
from benchmarks.speed.serve import listen, measure

START_SECONDS, END_SECONDS = 300.0, 300.0
REPLICA = "ray::ServeReplica"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("history", help="the address of an empty database")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--notes", type=int, default=100)
    parser.add_argument("--clients", type=int, nargs="*", default=[1, 64], help="none: what Ray Serve adds, alone")
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--pairs", type=int, default=30, help="of pieces, for what Ray Serve adds (default %(default)s)"
    )
    arguments = parser.parse_args()
    measure_overhead(arguments.history, arguments.model, arguments.notes, arguments.pairs)
    if not arguments.clients:
        return
    figures = (arguments.notes, arguments.clients, arguments.repeats, 1)
    with serving(arguments.history, arguments.model) as address:
        measure(address, *figures, "replicas/uvicorn alone")
    for count in arguments.replicas:
        with serving(arguments.history, arguments.model, "--cluster", "local", "--replicas", str(count)) as address:
            measure(address, *figures, f"replicas/{count} behind Ray Serve")
            if count > 1:
                measure_kill(address, arguments.notes)


@contextmanager
def serving(history: str, model: str, *words: str) -> Iterator[str]:
    """Start a server, or replicas, at a free port; its address, when it answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    options = (
        "--port",
        str(port),
        "--history",
        history,
        "--model",
        model,
        "--threads",
        "1",
        "--most-per-client",
        "1000",
    )
    call = [sys.executable, "-m", "arietta", "serve", *options, *words]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with tempfile.TemporaryFile() as log, subprocess.Popen(call, stdout=log, stderr=log, env=environment) as process:
        try:
            deadline = time.monotonic() + START_SECONDS
            while not _answers(address):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise SystemExit(log.read().decode())
                time.sleep(0.1)
            yield address
        finally:
            process.terminate()


def _answers(address: str) -> bool:
    try:
        Client(address).models()
    except AriettaError:
        return False
    return True


def measure_overhead(history: str, model: str, notes: int, pairs: int) -> None:
    """Print seconds of a piece from uvicorn alone and behind Ray Serve, by turns, so that both have the same load."""
    words = ("--cluster", "local", "--replicas", "1")
    with serving(history, model) as plain, serving(history, model, *words) as behind:
        clients, spent = (Client(plain), Client(behind)), (list[float](), list[float]())
        for client in clients:
            listen(client, notes, 0)  # the first piece lays out the graph's memory
        for seed in range(1, pairs + 1):
            for client, times in zip(clients, spent, strict=True):
                times.append(listen(client, notes, seed).last)
    report("replicas/a piece, uvicorn alone", spent[0], "s", threads=1)
    report("replicas/a piece, behind Ray Serve", spent[1], "s", threads=1)
    ratios = [behind / plain for plain, behind in zip(*spent, strict=True)]
    report("replicas/behind Ray Serve over uvicorn alone", ratios, "times", threads=1)


def measure_kill(address: str, notes: int, count: int = 64) -> None:
    """Ask for pieces, kill a replica while they are composed, and print how many are done in the end."""
    client, begun = Client(address), time.perf_counter()

    def submit(seed: int) -> list[str]:
        try:
            return [piece["id"] for piece in client.submit(Request(notes=3 * notes, seed=seed))]
        except AriettaError:  # of the replica that was killed: nothing was taken on
            return []

    with ThreadPoolExecutor(count) as callers:
        asked = [callers.submit(submit, seed) for seed in range(count)]
        time.sleep(1.0)
        replicas = [process for process in psutil.process_iter(["cmdline"]) if REPLICA in " ".join(process.cmdline())]
        replicas[0].kill()
        accepted = [key for future in asked for key in future.result()]
    waiting, deadline = set(accepted), time.monotonic() + END_SECONDS
    while waiting and time.monotonic() < deadline:
        for key in list(waiting):
            try:
                if client.piece(key)["state"] == "done":
                    waiting.discard(key)
            except AriettaError:  # until Ray sees that the replica is gone
                time.sleep(0.1)
        time.sleep(0.1)
    report("replicas/pieces taken on, one of two replicas killed", [float(len(accepted))], "pieces", threads=1)
    report("replicas/of these not done in the end", [float(len(waiting))], "pieces", threads=1)
    report("replicas/seconds until all are done", [time.perf_counter() - begun], "s", threads=1)


if __name__ == "__main__":
    main()
