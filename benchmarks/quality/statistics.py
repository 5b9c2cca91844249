"""Hold our musical statistics against MusPy's, where both have the same formula, on real files.

    python -m benchmarks.quality.statistics FOLDER              the first 20 MIDI files of a folder
    python -m benchmarks.quality.statistics FOLDER --files 100

Both are given the same notes, on a grid of milliseconds, so that formulas are compared and not readers of MIDI. One
JSON line a statistic with the largest difference over all files; ends with an error where one is larger than
the rounding of sums explains. MusPy's groove consistency compares each bar with the next, ours all bars with all (Wu
and Yang 2020), so it is not among them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import muspy
import numpy as np

from arietta.corpus.reader import find_files
from arietta.evaluation.report import pitch_class_entropy
from arietta.evaluation.statistics import measure
from arietta.music.midi import read_midi
from arietta.music.notes import Notes
from benchmarks.shared.report import commit

GRID = 1000  # a second
MOST_SECONDS = 600.0  # MusPy's piano roll of a longer file fills the memory

# Name -> (ours, MusPy's, the largest difference that rounding of sums may make).
PAIRS: dict[str, tuple[Callable[[Notes], float], Callable[[muspy.Music], float], float]] = {
    "pitch range": (lambda notes: measure(notes)["pitch_range"][0], muspy.pitch_range, 0.0),
    "pitch count": (lambda notes: measure(notes)["pitch_count"][0], muspy.n_pitches_used, 0.0),
    "pitch classes used": (
        lambda notes: float(np.count_nonzero(measure(notes)["pitch_classes"])),
        muspy.n_pitch_classes_used,
        0.0,
    ),
    "pitch class entropy": (lambda notes: pitch_class_entropy(notes) or 0.0, muspy.pitch_class_entropy, 1e-9),
    "scale consistency": (lambda notes: measure(notes)["scale_consistency"][0], muspy.scale_consistency, 1e-9),
    "polyphony": (lambda notes: measure(notes)["polyphony"][0], muspy.polyphony, 1e-9),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=20, help="how many (%(default)s)")
    arguments = parser.parse_args()
    pieces = [on_grid(notes) for notes in map(read_midi, sorted(file.path for file in find_files([arguments.folder])))]
    pieces = [notes for notes in pieces if len(notes) and notes.seconds <= MOST_SECONDS][: arguments.files]
    tracks = [music(notes) for notes in pieces]
    is_apart = False
    for name, (ours, theirs, most) in PAIRS.items():
        apart = max(abs(ours(notes) - theirs(track)) for notes, track in zip(pieces, tracks, strict=True))
        is_apart |= apart > most
        line = {"name": f"measures/{name}", "files": len(pieces), "largest_difference": float(f"{apart:.3g}")}
        print(json.dumps(line | {"allowed": most, "muspy": muspy.__version__, "commit": commit()}), flush=True)
    return int(is_apart)


def on_grid(notes: Notes) -> Notes:
    """The same notes with times in whole milliseconds."""
    onset = np.rint(notes.onset * GRID)
    duration = np.maximum(np.rint(notes.release * GRID) - onset, 1)
    return Notes.of(onset / GRID, duration / GRID, notes.pitch, notes.velocity)


def music(notes: Notes) -> muspy.Music:
    """Tell the notes to MusPy, a quarter note a second."""
    columns = np.rint(notes.onset * GRID), notes.pitch, np.rint(notes.duration * GRID), notes.velocity
    rows = zip(*(column.astype(int).tolist() for column in columns), strict=True)
    return muspy.Music(resolution=GRID, tracks=[muspy.Track(notes=[muspy.Note(*row) for row in rows])])


if __name__ == "__main__":
    sys.exit(main())
