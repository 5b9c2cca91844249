"""How long one waits for a command that begins from nothing: a new process each time, its files read before.

    python -m benchmarks.speed.start [--repeats 7]

Python's bytecode is there, as in an installed package. Prints one JSON line a case: `arietta --help`, a piece of 100
notes, a report on it without a model, and the parts of the piece's. The processor's seconds are told beside those of
the clock, which a busy machine lengthens. The first note of a server that is warm is timed by serve.py.
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
# Prints the processor's seconds of each of these parts of a command; Python's own beginning is in the rest.
PARTS = ("importing the runtime", "opening the graphs", "steps", "the rest")
PARTED = """
import sys, time
begun, spent = time.process_time(), {"_session": 0.0, "decode": 0.0}
import numpy, onnxruntime
imported = time.process_time()
from arietta import cli
from arietta.model import engine
def time_calls(owner, name):
    call = getattr(owner, name)
    def timed(*arguments):
        begun = time.process_time()
        result = call(*arguments)
        spent[name] += time.process_time() - begun
        return result
    setattr(owner, name, timed)
time_calls(engine, "_session")
time_calls(engine.OnnxEngine, "decode")
cli.main(sys.argv[1:])
parts = imported - begun, *spent.values()
print(*parts, time.process_time() - sum(parts), file=sys.stderr)
"""


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
        words, parted = CASES["arietta compose --notes 100"], []
        for _ in range(arguments.repeats):
            parted.append([float(part) for part in run(["-c", PARTED, *words], Path(folder)).split()[-len(PARTS) :]])
        for part, used in zip(PARTS, zip(*parted, strict=True), strict=True):
            report(f"start/arietta compose --notes 100, processor: {part}", used, "s", threads=1)


def seconds(words: list[str], folder: Path) -> tuple[float, float]:
    """Seconds by the clock and of the processor that a command takes in `folder`."""
    before, begun = processor_seconds(), perf_counter()
    run(["-m", "arietta", *words], folder)
    return perf_counter() - begun, processor_seconds() - before


def run(words: list[str], folder: Path) -> str:
    """Run Python in `folder`; return what it writes to stderr."""
    where = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(folder), "PYTHONDONTWRITEBYTECODE": ""}
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=where, check=True, capture_output=True, text=True
    ).stderr


if __name__ == "__main__":
    main()
