"""How well beats are found: by accents, and by the network where it is installed, against beats that are known.

    python -m benchmarks.quality.beats FILE_OR_FOLDER...
    python -m benchmarks.quality.beats --first 100 asap-dataset/Schubert
    python -m benchmarks.quality.beats --maestro maestro-v3.0.0 asap-dataset
    python -m benchmarks.quality.beats --maestro maestro-v3.0.0 --listed --first 100 asap-dataset

Known beats come from a text file beside a MIDI file, FILE_annotations.txt with a time in seconds first on each line,
or from the tempo map of a sequenced file, which the finders do not see: the notes are read in seconds.

The ASAP data set (Foscarin et al. 2020, "ASAP: a dataset of aligned scores and performances for piano transcription")
lies so as it is downloaded: Schubert/Moment_musical_no_3/Tetzloff09M.mid, its beats in Tetzloff09M_annotations.txt,
and midi_score.mid, which is no performance and is passed over. With `--maestro`, its annotations and MAESTRO's files
are enough: the performances of one side of MAESTRO's split, or with `--listed` those of beats.txt on all sides, which
chose no constant of a finder, and whose works the network has not learned from.

Two lines tell of both finders over all pieces, each figure with its 95 % interval from 10,000 resamplings of the
pieces. With `--maestro` the bar lines of the metre that is found are held against the annotated downbeats in the same
way; "bars right" is the share of performances where that F is 0.7 or more. "bars given" is the share that is given
bars by itself, the finder being sure of them (`music.beats.find_sure_meter`), and "given right" that of right ones
among them.

F is the F-measure of beats within 70 ms (Davies, Degara and Plumbley 2009, "Evaluation methods for musical audio beat
tracking algorithms"). "At any level" takes the best of the known beats, twice or three times as many, or every second
or third of them: a finder may tap eighths where a score counts quarters.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arietta.music.beats.accents import find_accented_meter, find_beats
from arietta.music.beats.agreement import RIGHT, f_measure
from arietta.music.beats.bars import SURE, track_meter
from arietta.music.beats.network import installed_weights
from arietta.music.meter import LATTICE, Meter, lay_out_bars
from arietta.music.midi import read_meter, read_midi
from arietta.music.notes import Notes, crop
from arietta.train.beats.performances import read_performances
from benchmarks.shared.report import ROOT, commit, seconds

SCORE = "midi_score.mid"  # beside performances in the ASAP data set
LISTED = ROOT / "benchmarks" / "quality" / "beats.txt"
SPLITS = ("train", "validation", "test")
Times = NDArray[np.float64]
Figures = dict[str, float | str]


class Found(NamedTuple):
    """What a finder made of a performance; `is_sure` where it would be given these bars by itself."""

    beats: Times
    meter: Meter
    is_sure: bool


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--first", type=int, metavar="BEATS", help="hold only so many known beats against them")
    parser.add_argument("--maestro", type=Path, metavar="FOLDER", help="take the performances from MAESTRO")
    parser.add_argument("--split", default="test", help="a side of MAESTRO's split (default: %(default)s)")
    parser.add_argument("--listed", action="store_true", help="those of beats.txt instead, on any side")
    options = parser.parse_args()
    figures: list[Figures] = []
    for figure in _measure_all(options):
        print(json.dumps(figure), flush=True)
        figures.append(figure)
    pieces = "listed" if options.listed else options.split if options.maestro else "files"
    pieces += f", first {options.first}" if options.first else ""
    for finder in dict.fromkeys(str(figure["finder"]) for figure in figures):
        own = [figure for figure in figures if figure["finder"] == finder]
        print(json.dumps({"name": f"beats/{finder}, {pieces}", **summarise(own), "commit": commit()}))
    return 0 if figures else 1


def _measure_all(options: argparse.Namespace) -> Iterator[Figures]:
    if not options.maestro:
        for path in _files(options.paths):
            yield from measure(path, options.first)
        return
    listed = set(LISTED.read_text(encoding="utf-8").split()) if options.listed else None
    for split in SPLITS if options.listed else (options.split,):
        for name, notes, known, downbeats in annotated_performances(options.paths[0], options.maestro, split):
            if listed is None or f"{name}.mid" in listed:
                yield from compare(name, notes, known, options.first, downbeats)


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        yield from (
            sorted(file for file in path.rglob("*") if file.suffix.lower() in (".mid", ".midi") and file.name != SCORE)
            if path.is_dir()
            else [path]
        )


def finders() -> dict[str, Callable[[Notes], Found]]:
    """Return the finders that can be used here by name."""
    found = {"accents": lambda notes: Found(find_beats(notes), find_accented_meter(notes), False)}
    weights = installed_weights()
    if weights is not None:

        def listen(notes: Notes) -> Found:
            tracked = track_meter(notes, weights)
            return Found(tracked.beats, tracked.meter, tracked.sureness >= SURE)

        found["network"] = listen
    return found


def measure(path: Path, most: int | None = None) -> list[Figures]:
    """Compare one file, or what is played up to a second after its first `most` beats; nothing without known beats."""
    notes, known = read_midi(path), known_beats(path)
    return [] if known is None or len(known[:most]) < 3 else compare(path.stem, notes, known, most)


def maestro_performances(asap: Path, maestro: Path, split: str) -> Iterator[tuple[str, Notes, Times]]:
    """Give the name, notes and known beats of ASAP's performances that are files of a side of MAESTRO's split."""
    for name, notes, known, _ in annotated_performances(asap, maestro, split):
        yield name, notes, known


def annotated_performances(asap: Path, maestro: Path, split: str) -> Iterator[tuple[str, Notes, Times, Times]]:
    """Give the name, notes, known beats and known downbeats of ASAP's performances of a side of MAESTRO's split."""
    for performance in read_performances(asap, maestro, split):
        yield performance.name, performance.notes, performance.beats, performance.downbeats


def compare(
    name: str, notes: Notes, known: Times, most: int | None = None, downbeats: Times | None = None
) -> list[Figures]:
    """Hold what each finder finds in notes against the known beats, or the first `most` of them, and downbeats."""
    if most is not None:
        known = known[:most]
        notes = crop(notes, 0.0, float(known[-1]) + 1.0)
        downbeats = None if downbeats is None else downbeats[downbeats <= known[-1]]
    rows: list[Figures] = []
    for finder, find in finders().items():
        runs: list[Found] = []
        taken = seconds(lambda find=find, runs=runs: runs.append(find(notes)))  # type: ignore[misc]
        found = runs[0]
        score, loose = f_measure(found.beats, known), max(f_measure(found.beats, level) for level in levels(known))
        figures: Figures = {"F": round(score, 3), "F at any level": round(loose, 3), "seconds": round(taken, 2)}
        if downbeats is not None:
            figures |= compare_bars(found, float(notes.onset.max()), downbeats)
        paces: Figures = {"known a minute": _pace(known), "found a minute": _pace(found.beats)}
        rows.append({"name": f"beats/{finder}/{name}", "finder": finder, **figures, **paces})
    return rows


def compare_bars(found: Found, until: float, known: Times) -> Figures:
    """Hold the bar lines that are found against known downbeats; bars are right from F = 0.7 on."""
    score = f_measure(found.meter.bar_lines(until), known)
    return {
        "downbeats F": round(score, 3),
        "bars right": float(score >= RIGHT),
        "bars given": float(found.is_sure),
    }


def summarise(figures: list[Figures]) -> dict[str, float | list[float]]:
    """Average figures over the pieces, with intervals; of what is given, the share that is right too."""
    columns = {
        name: np.array([figure[name] for figure in figures], dtype=np.float64)
        for name in ("F", "F at any level", "downbeats F", "bars right", "bars given")
        if name in figures[0]
    }
    drawn = np.random.default_rng(0).integers(len(figures), size=(10_000, len(figures)))
    summary: dict[str, float | list[float]] = {"pieces": len(figures)}
    for name, values in columns.items():
        summary |= _with_interval(name, float(values.mean()), values[drawn].mean(axis=1))
    given = columns.get("bars given", np.zeros(len(figures)))
    if given.any():
        right = given * columns["bars right"]
        count = given[drawn].sum(axis=1)
        shares = right[drawn].sum(axis=1)[count > 0] / count[count > 0]
        summary |= _with_interval("given right", float(right.sum() / given.sum()), shares)
    return summary


def _with_interval(name: str, value: float, drawn: Times) -> Mapping[str, float | list[float]]:
    interval = [round(float(bound), 3) for bound in np.percentile(drawn, [2.5, 97.5])]
    return {name: round(value, 3), f"{name} interval": interval}


def known_beats(path: Path) -> Times | None:
    annotations = path.with_name(f"{path.stem}_annotations.txt")
    if annotations.is_file():
        return np.array([float(line.split()[0]) for line in annotations.read_text().splitlines() if line.strip()])
    meter = read_meter(path)
    return None if meter is None else written_beats(meter, float(read_midi(path).onset.max()))


def written_beats(meter: Meter, until: float) -> Times:
    """Times of the beats of a metre: dotted ones where beats are, a quarter each elsewhere."""
    last = int(meter.quarters(until) * LATTICE)
    positions = [
        at
        for bar in lay_out_bars(meter, last)
        for at in range(bar.start, bar.start + bar.length, bar.beat)
        if at <= last
    ]
    return meter.seconds(np.array(positions) / LATTICE)


def levels(known: Times) -> list[Times]:
    """The beats, divided and gathered by two and by three."""
    steps = np.arange(len(known))
    divided = [np.interp(np.arange(0, len(known) - 1 + 1e-9, 1 / parts), steps, known) for parts in (1, 2, 3)]
    return divided + [known[phase::size] for size in (2, 3) for phase in range(size)]


def _pace(beats: Times) -> float:
    return round(60 / float(np.median(np.diff(beats))), 1) if len(beats) > 1 else 0.0


if __name__ == "__main__":
    raise SystemExit(main())
