"""Ingest of a corpus, MIDI to store on two cores, against reading and encoding the same files with pretty_midi.

    python -m benchmarks.speed.ingest maestro-v3.0.0 [--repeats 3] [--sample 20]
    python -m benchmarks.speed.ingest midis --repeats 1                              GiantMIDI-Piano

Without a folder, takes maestro-v3.0.0 in $ARIETTA_CORPORA, and measures nothing where that is missing. Prints one
JSON line a case: seconds in all, time a file (wall-clock and processor) of a first run and of a second that remembers
it, the same of pretty_midi, how many times faster ingest is, and peak memory: resident, all processes together, so
that pages they share count more than once.
"""

from __future__ import annotations

import argparse
import bisect
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pretty_midi
import psutil

from benchmarks.shared.report import processor_seconds, report

ROOT = Path(__file__).parents[2]
WORKERS = 2
STEP = 0.01  # seconds: of the encoder's time shifts, of which the longest is 100 steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=_default_folder())
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sample", type=int, default=20, metavar="N", help="files to encode with pretty_midi")
    arguments = parser.parse_args()
    if arguments.folder is None or not arguments.folder.is_dir():
        sys.exit(print("bench_ingest: needs a folder of MIDI files; nothing measured", file=sys.stderr))
    paths = sorted(path for path in arguments.folder.rglob("*") if path.suffix.lower() in (".mid", ".midi"))
    runs = [_ingest_twice(arguments.folder, len(paths)) for _ in range(arguments.repeats)]
    peers = [_time(encode, path) for path in paths[:: max(1, len(paths) // arguments.sample)][: arguments.sample]]
    first, again, peak = zip(*runs, strict=True)
    case = f"ingest/{arguments.folder.name}"
    report(f"{case}/{len(paths)} files", [wall * len(paths) / 1e3 for wall, _ in first], "s", threads=WORKERS)
    for name, values in (("first", first), ("again", again), ("pretty_midi", peers)):
        threads = 1 if name == "pretty_midi" else WORKERS
        report(f"{case}/{name}/wall", [wall for wall, _ in values], "ms/file", threads=threads)
        report(f"{case}/{name}/processor", [used for _, used in values], "ms/file", threads=1)
    for column, kind in enumerate(("wall", "processor")):
        slower = np.mean([peer[column] for peer in peers])  # ingest's time a file is a mean too
        report(
            f"{case}/faster than pretty_midi/{kind}",
            [slower / times[column] for times in first],
            "times",
            threads=WORKERS,
        )
    report(f"{case}/peak memory", list(peak), "MB", threads=WORKERS)


def _default_folder() -> Path | None:
    corpora = os.environ.get("ARIETTA_CORPORA")
    return Path(corpora) / "maestro-v3.0.0" if corpora else None


def encode(path: Path) -> list[int]:
    """Encode a file as 88 note-ons, note-offs, 100 time shifts and 32 velocities, the sustain pedal folded in."""
    midi = pretty_midi.PrettyMIDI(str(path))
    events: list[tuple[float, int, int, int]] = []
    for instrument in midi.instruments:
        pedal = [(change.time, change.value >= 64) for change in instrument.control_changes if change.number == 64]
        for note in _sustained(sorted(instrument.notes, key=lambda note: note.start), pedal):
            events.append((note.start, 1, note.pitch, note.velocity))
            events.append((note.end, 0, note.pitch, 0))
    tokens: list[int] = []
    clock, velocity = 0, -1
    for seconds, is_on, pitch, loudness in sorted(events):
        step = round(seconds / STEP)
        while step > clock:
            tokens.append(176 + min(step - clock, 100) - 1)
            clock += min(step - clock, 100)
        if is_on and loudness // 4 != velocity:
            velocity = loudness // 4
            tokens.append(276 + velocity)
        tokens.append((0 if is_on else 88) + pitch - 21)
    return tokens


def _sustained(notes: Sequence[pretty_midi.Note], pedal: Sequence[tuple[float, bool]]) -> Sequence[pretty_midi.Note]:
    """Hold each note that ends under the pedal until it is lifted."""
    times = [seconds for seconds, _ in pedal]
    lifts = [seconds for seconds, is_down in pedal if not is_down]
    for note in notes:
        pedal_index = bisect.bisect_right(times, note.end) - 1
        if pedal_index >= 0 and pedal[pedal_index][1]:
            lifted = bisect.bisect_right(lifts, note.end)
            note.end = lifts[lifted] if lifted < len(lifts) else note.end
    return notes


def _ingest_twice(folder: Path, file_count: int) -> tuple[tuple[float, float], tuple[float, float], float]:
    """Ingest into an empty place, then again: (wall, processor) ms a file of both, and peak MB."""
    with tempfile.TemporaryDirectory() as scratch:
        words = [sys.executable, "-m", "arietta", "ingest", str(folder), "--out", f"{scratch}/corpus"]
        results = [_run([*words, "--workers", str(WORKERS)]) for _ in range(2)]
    (first, again) = ((wall / file_count * 1e3, used / file_count * 1e3) for wall, used, _ in results)
    return first, again, max(peak for _, _, peak in results)


def _run(words: list[str]) -> tuple[float, float, float]:
    """Run a command: seconds by the clock, seconds of processor and peak MB of all its processes."""
    before, begun = processor_seconds(), time.perf_counter()
    running = subprocess.Popen(words, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL)
    tree, peak = psutil.Process(running.pid), 0.0
    while running.poll() is None:
        peak = max(peak, _resident(tree))
        time.sleep(0.02)
    if running.returncode:
        raise SystemExit(running.returncode)
    return time.perf_counter() - begun, processor_seconds() - before, peak


def _resident(tree: psutil.Process) -> float:
    total = 0
    try:
        for process in [tree, *tree.children(recursive=True)]:
            total += process.memory_info().rss
    except psutil.Error:  # one of them has just ended
        return 0.0
    return total / 2**20


def _time(work: Callable[[Path], object], path: Path) -> tuple[float, float]:
    begun, used = time.perf_counter(), time.process_time()
    work(path)
    return (time.perf_counter() - begun) * 1e3, (time.process_time() - used) * 1e3


if __name__ == "__main__":
    main()
