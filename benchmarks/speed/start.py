"""How long one waits for a command that begins from nothing: a new process each time, its files read before.

    python -m benchmarks.speed.start [--repeats 7]

Prints one JSON line a case: `arietta --help`, a piece of 100 notes, and a report on it without a model. The
processor's seconds are told beside those of the clock, which a busy machine lengthens. The first note of a server
that is warm is timed by serve.py.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from benchmarks.shared.report import ROOT, processor_seconds, report

CASES = {
    "arietta --help": ["--help"],
    "arietta compose --notes 100": ["compose", "--notes", "100", "--seed", "1", "-o", "piece.mid"],
    "arietta judge --model none": ["judge", "piece.mid", "--model", "none"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, words in CASES.items():
            seconds(words, Path(folder))  # reads the files, and leaves the piece that is judged
            taken, used = zip(*(seconds(words, Path(folder)) for _ in range(arguments.repeats)), strict=True)
            report(f"start/{name}", taken, "s", threads=1)
            report(f"start/{name}, processor", used, "s", threads=1)


def seconds(words: list[str], folder: Path) -> tuple[float, float]:
    """Seconds by the clock and of the processor that a command takes in `folder`."""
    before, begun = processor_seconds(), perf_counter()
    command, where = [sys.executable, "-m", "arietta", *words], os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=folder, env=where, check=True, capture_output=True)
    return perf_counter() - begun, processor_seconds() - before


if __name__ == "__main__":
    main()
