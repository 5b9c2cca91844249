"""How fast sound files and scores are made, on one core, with the memory that an hour of music takes.

    python -m benchmarks.speed.render           a made piece, pedalled, about nine notes a second
    python -m benchmarks.speed.render FILE...   pieces of yours

Speeds are the piece's own length over processor time: at 100 times, five minutes of music take three seconds. Only
processor time counts, so that a busy machine tells the same.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil

from arietta.music.midi import read_midi
from arietta.music.notes import Notes
from arietta.render.audio import write_audio
from arietta.render.score import score_musicxml
from benchmarks.shared.report import report

REPEATS = 3
HOUR = 3600.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    pieces = [(path.stem, read_midi(path)) for path in parser.parse_args().files]
    for name, notes in pieces or [("five minutes", random_piece(300.0))]:
        measure(name, notes)
    with tempfile.TemporaryDirectory() as folder:
        hour, before = random_piece(HOUR), memory()
        peaks = [before]

        def watch(done: float, total: float) -> None:
            peaks.append(memory())

        speed = HOUR / processor_seconds(lambda: write_audio(Path(folder) / "hour.wav", hour, progress=watch))
        report("render/an hour, wav, faster than it plays", [speed], "times", threads=1)
        report("render/an hour, wav, memory taken", [max(peaks) - before], "MB", threads=1)
    return 0


def measure(name: str, notes: Notes) -> None:
    """Print how many times faster than it plays a piece is rendered, in each form."""
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("wav", "ogg"):
            path = Path(folder) / f"piece.{kind}"
            write_audio(path, notes)  # the samples are decoded once
            speeds = [
                notes.seconds / processor_seconds(lambda path=path: write_audio(path, notes)) for _ in range(REPEATS)
            ]
            report(f"render/{name}, {kind}, faster than it plays", speeds, "times", threads=1)
    times = [1000 * processor_seconds(lambda: score_musicxml(notes)) for _ in range(REPEATS)]
    report(f"render/{name}, musicxml", times, "ms", threads=1)


def random_piece(length: float) -> Notes:
    """Make a piece of so many seconds: nine notes a second in two hands, the pedal changed every other second."""
    rng = np.random.default_rng(0)
    onset = np.sort(rng.uniform(0, length - 2, int(9 * length)))
    duration = rng.gamma(2.0, 0.12, len(onset)) + 0.03
    pitch = np.clip(rng.normal(62, 13, len(onset)), 21, 108).astype(int)
    pedal = [(down, down + 1.8) for down in np.arange(0, length - 2, 2.0)]
    return Notes.of(onset, duration, pitch, rng.integers(30, 100, len(onset)), pedal)


def processor_seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def memory() -> float:
    return psutil.Process().memory_info().rss / 2**20


if __name__ == "__main__":
    raise SystemExit(main())
