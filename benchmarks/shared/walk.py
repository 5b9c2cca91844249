"""How far one has to walk through the code to follow a command: functions, modules, and steps between modules.

    python benchmarks/shared/walk.py judge piece.mid --report piece.html
    python benchmarks/shared/walk.py --ask '/midi/60?seed=9' serve --port 0 --data served
    PYTHONPATH=OTHER_CHECKOUT python benchmarks/shared/walk.py ...        the same in another checkout

Runs the command in this process with a profiler on every thread and counts, each once however often it happens: the
functions of `arietta` that run, the modules that they stand in, and the *crossings*, which are pairs of a function and
one that it calls in another module; and all *calls* of its functions. Work at import is left out. With --ask the paths
are asked of the server one after the other, and then it is stopped; with --prompt FILE a piece that goes on from a file
is asked for, and downloaded. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from types import FrameType
from typing import Any

import arietta
from arietta.cli import main as run_command

BOUNDARY = "5f2e9a"
PACKAGE = str(Path(arietta.__file__).parent) + os.sep


class Walk:
    """What a profiler saw of the package."""

    def __init__(self) -> None:
        self.functions: set[tuple[str, str]] = set()
        self.crossings: set[tuple[tuple[str, str], tuple[str, str]]] = set()
        self.calls = 0

    def profile(self, frame: FrameType, event: str, _: Any) -> None:
        """Note a call, and from which function of the package it came, however far out that stands."""
        if event != "call" or not frame.f_code.co_filename.startswith(PACKAGE) or frame.f_code.co_name == "<module>":
            return
        self.calls += 1
        function = _name(frame)
        self.functions.add(function)
        caller = frame.f_back
        while caller is not None and not caller.f_code.co_filename.startswith(PACKAGE):
            caller = caller.f_back
        if caller is not None and _name(caller)[0] != function[0] and caller.f_code.co_name != "<module>":
            self.crossings.add((_name(caller), function))

    def figures(self) -> dict[str, int]:
        modules = {module for module, _ in self.functions}
        return {
            "functions": len(self.functions),
            "modules": len(modules),
            "crossings": len(self.crossings),
            "calls": self.calls,
        }


def commit(checkout: Path) -> str:
    """Return the commit of the checkout whose package runs, "" outside of one."""
    words = ["git", "-C", str(checkout), "describe", "--always", "--dirty=+", "--exclude=*"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()


def _name(frame: FrameType) -> tuple[str, str]:
    code = frame.f_code
    return code.co_filename.removeprefix(PACKAGE), code.co_qualname


def form(prompt: Path) -> bytes:
    """Fill in the form that asks for a piece after a MIDI file, as a browser sends it (RFC 7578)."""
    fields = [(f'name="{name}"', b"20") for name in ("notes", "seed", "prompt_notes")]
    fields.append(('name="prompt"; filename="prompt.mid"', prompt.read_bytes()))
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; "
    parts = [f"{head}{about}\r\n\r\n".encode() + content + b"\r\n" for about, content in fields]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def ask(printed: io.StringIO, paths: list[str], prompt: Path | None) -> None:
    """Wait for the server's address, ask it, and stop it, whatever it answered."""
    try:
        _ask(printed, paths, prompt)
    finally:
        os.kill(os.getpid(), signal.SIGINT)


def _ask(printed: io.StringIO, paths: list[str], prompt: Path | None) -> None:
    while not (address := re.search(r"http://[\d.]+:\d+", printed.getvalue())):
        time.sleep(0.05)
    if prompt is not None:
        request = urllib.request.Request(f"{address[0]}/v1/pieces?wait=60", data=form(prompt))
        request.add_header("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
        with urllib.request.urlopen(request) as answer:
            piece = json.load(answer)["pieces"][0]
        paths = [f"/v1/pieces/{piece['id']}.mid", *paths]
    for path in paths:
        with urllib.request.urlopen(address[0] + path) as answer:
            answer.read()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", default="", help="what the line is called (the command's first words)")
    parser.add_argument("--ask", action="append", default=[], metavar="PATH")
    parser.add_argument("--prompt", type=Path, metavar="FILE")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    walk, printed = Walk(), io.StringIO()
    threading.setprofile(walk.profile)
    if arguments.ask or arguments.prompt:
        threading.Thread(target=ask, args=(printed, arguments.ask, arguments.prompt), daemon=True).start()
    with contextlib.redirect_stdout(printed):
        sys.setprofile(walk.profile)
        try:
            run_command(arguments.command)
        finally:
            sys.setprofile(None)
    name = arguments.name or " ".join(arguments.command[:2])
    print(json.dumps({"name": f"walk/{name}", "commit": commit(Path(arietta.__file__).parents[1])} | walk.figures()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
