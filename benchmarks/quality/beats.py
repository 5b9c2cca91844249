"""How well beats are found: those of `arietta.music.beats` against beats that are known.

    python -m benchmarks.quality.beats FILE_OR_FOLDER...
    python -m benchmarks.quality.beats --first 100 asap-dataset/Schubert
    python -m benchmarks.quality.beats --first 100 $(sed s,^,asap-dataset/, benchmarks/quality/beats.txt)
    python -m benchmarks.quality.beats --maestro maestro-v3.0.0 asap-dataset

Known beats come from a text file beside a MIDI file, FILE_annotations.txt with a time in seconds first on each line,
or from the tempo map of a sequenced file, which the finder does not see: the notes are read in seconds.

The ASAP data set (Foscarin et al. 2020, "ASAP: a dataset of aligned scores and performances for piano transcription")
lies so as it is downloaded: Schubert/Moment_musical_no_3/Tetzloff09M.mid, its beats in Tetzloff09M_annotations.txt,
and midi_score.mid, which is no performance and is passed over. beats.txt lists the performances of docs/use/files.md,
each chosen before the finder heard it; none chose a constant of the finder. All are MAESTRO's: with its files and
ASAP's annotations alone, `metadata.csv` names the file of each, and notes count from half a second before the `start`
of the row, or from the beginning of the file where there is none. So does `--maestro`, for the performances of one side
of MAESTRO's split; the mean then has its 95 % interval, from 10,000 resamplings of the pieces.

With `--maestro` the bar lines of the metre that is found are held against the annotated downbeats in the same way;
"bars right" is the share of performances where that F is 0.7 or more.

F is the F-measure of beats within 70 ms (Davies, Degara and Plumbley 2009, "Evaluation methods for musical audio beat
tracking algorithms"). "At any level" takes the best of the known beats, twice or three times as many, or every second
or third of them: a finder may tap eighths where a score counts quarters.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arietta.music.beats import find_beats, find_meter
from arietta.music.meter import LATTICE, Meter, lay_out_bars
from arietta.music.midi import read_meter, read_midi
from arietta.music.notes import Notes, crop
from benchmarks.shared.report import commit, seconds

TOLERANCE = 0.07  # seconds (Davies, Degara and Plumbley 2009)
BARS_RIGHT = 0.7  # F of downbeats from which a musician would say that the bars are right
SCORE = "midi_score.mid"  # beside performances in the ASAP data set
Times = NDArray[np.float64]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--first", type=int, metavar="BEATS", help="hold only this many known beats against the finder")
    parser.add_argument("--maestro", type=Path, metavar="FOLDER", help="take the performances from MAESTRO")
    parser.add_argument("--split", default="test", help="a side of MAESTRO's split (default: %(default)s)")
    options = parser.parse_args()
    if options.maestro:
        figures = [
            compare(name, notes, known, options.first) | compare_bars(notes, downbeats)
            for name, notes, known, downbeats in annotated_performances(
                options.paths[0], options.maestro, options.split
            )
        ]
    else:
        figures = [figure for path in _files(options.paths) if (figure := measure(path, options.first))]
    for figure in figures:
        print(json.dumps(figure), flush=True)
    if figures:
        names = ("F", "F at any level", *(("downbeats F", "bars right") if options.maestro else ()))
        means = {name: round(float(np.mean([figure[name] for figure in figures])), 3) for name in names}
        scores = np.array([figure["F"] for figure in figures], dtype=np.float64)
        drawn = np.random.default_rng(0).choice(scores, (10_000, len(scores))).mean(axis=1)
        interval = [round(float(bound), 3) for bound in np.percentile(drawn, [2.5, 97.5])]
        total = {"name": "beats/all", "pieces": len(figures), **means, "F interval": interval, "commit": commit()}
        print(json.dumps(total))
    return 0 if figures else 1


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        yield from (
            sorted(file for file in path.rglob("*") if file.suffix.lower() in (".mid", ".midi") and file.name != SCORE)
            if path.is_dir()
            else [path]
        )


def measure(path: Path, most: int | None = None) -> dict[str, float | str] | None:
    """Compare one file, or what is played up to a second after its first `most` beats; None without known beats."""
    notes = read_midi(path)
    known = known_beats(path)
    if known is None or len(known[:most]) < 3:
        return None
    return compare(path.stem, notes, known, most)


def maestro_performances(asap: Path, maestro: Path, split: str) -> Iterator[tuple[str, Notes, Times]]:
    """Give the name, notes and known beats of ASAP's performances that are files of a side of MAESTRO's split."""
    for name, notes, known, _ in annotated_performances(asap, maestro, split):
        yield name, notes, known


def annotated_performances(asap: Path, maestro: Path, split: str) -> Iterator[tuple[str, Notes, Times, Times]]:
    """Give the name, notes, known beats and known downbeats of ASAP's performances of a side of MAESTRO's split."""
    with next(maestro.glob("maestro-*.csv")).open(encoding="utf-8") as lines:
        sides = {row["midi_filename"]: row["split"] for row in csv.DictReader(lines)}
    with (asap / "metadata.csv").open(encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["maestro_midi_performance"]]
    for row in rows:
        file = row["maestro_midi_performance"].removeprefix("{maestro}/")
        if sides.get(file) != split:
            continue
        notes = read_midi(maestro / file)
        start = max(float(row["start"] or 0.5) - 0.5, 0.0)
        notes = crop(notes, start, float(row["end"]) if row["end"] else notes.seconds + 1)
        lines_of_beats = (asap / row["performance_annotations"]).read_text().splitlines()
        marks = [line.split() for line in lines_of_beats if line.strip()]
        known = np.array([float(mark[0]) for mark in marks])
        downbeats = np.array([float(mark[0]) for mark in marks if mark[-1].startswith("db")])
        yield row["midi_performance"].removesuffix(".mid"), notes, known, downbeats


def compare_bars(notes: Notes, known: Times) -> dict[str, float | str]:
    """Hold the bar lines of the metre that is found against known downbeats; bars are right from F = 0.7 on."""
    score = f_measure(find_meter(notes).bar_lines(float(notes.onset.max())), known)
    return {"downbeats F": round(score, 3), "bars right": float(score >= BARS_RIGHT)}


def compare(name: str, notes: Notes, known: Times, most: int | None = None) -> dict[str, float | str]:
    """Hold the beats found in notes against the known ones, or the first `most` of them."""
    if most is not None:
        known = known[:most]
        notes = crop(notes, 0.0, float(known[-1]) + 1.0)
    runs: list[Times] = []
    taken = seconds(lambda: runs.append(find_beats(notes)))
    tracked = runs[0]
    score, loose = f_measure(tracked, known), max(f_measure(tracked, level) for level in levels(known))
    figures = {"F": round(score, 3), "F at any level": round(loose, 3), "seconds": round(taken, 2)}
    paces = {"known a minute": _pace(known), "found a minute": _pace(tracked)}
    return {"name": f"beats/{name}", **figures, **paces}


def known_beats(path: Path) -> Times | None:
    annotations = path.with_name(f"{path.stem}_annotations.txt")
    if annotations.is_file():
        return np.array([float(line.split()[0]) for line in annotations.read_text().splitlines() if line.strip()])
    meter = read_meter(path)
    return None if meter is None else written_beats(meter, float(read_midi(path).onset.max()))


def written_beats(meter: Meter, until: float) -> Times:
    """Times of the beats of a metre: dotted ones where beats are, a quarter each elsewhere."""
    last = int(meter.quarters(until) * LATTICE)
    places = [
        at
        for bar in lay_out_bars(meter, last)
        for at in range(bar.start, bar.start + bar.length, bar.beat)
        if at <= last
    ]
    return meter.seconds(np.array(places) / LATTICE)


def f_measure(tracked: Times, known: Times) -> float:
    """Pair each tracked beat with at most one known one within TOLERANCE: twice the pairs over the beats of both."""
    pairs = next_tracked = next_known = 0
    while next_tracked < len(tracked) and next_known < len(known):
        gap = tracked[next_tracked] - known[next_known]
        pairs += abs(gap) <= TOLERANCE
        # Within the tolerance both go on; else the earlier of the two, which no later beat can match.
        next_tracked, next_known = next_tracked + (gap <= TOLERANCE), next_known + (gap >= -TOLERANCE)
    return 2 * pairs / max(len(tracked) + len(known), 1)


def levels(known: Times) -> list[Times]:
    """The beats, divided and gathered by two and by three."""
    steps = np.arange(len(known))
    divided = [np.interp(np.arange(0, len(known) - 1 + 1e-9, 1 / parts), steps, known) for parts in (1, 2, 3)]
    return divided + [known[phase::size] for size in (2, 3) for phase in range(size)]


def _pace(beats: Times) -> float:
    return round(60 / float(np.median(np.diff(beats))), 1) if len(beats) > 1 else 0.0


if __name__ == "__main__":
    raise SystemExit(main())
