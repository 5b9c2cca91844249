"""Hold two sets of pieces against each other: do their musical statistics spread alike and lie in the same place?

examples:
  arietta compare takes/ corpus:test                      takes of a model against a corpus's test pieces
  arietta compare takes/ corpus:maestro/test --reference corpus:maestro/validation
                                                          beside validation against test: what real music reaches
  arietta compare takes/ more-takes/ --json compared.json

A set is a folder of MIDI files, or a corpus with the split, or the corpus and split, that you mean. Windows of equally
many notes are measured. The overlapped area is 1 where distances between the sets are spread as those within the
second set are. It means nothing alone: it is printed beside the same figure for real music against real music.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import RequestError
from .bar import bar
from .table import table

if TYPE_CHECKING:
    from numpy.random import Generator

    from ..comparing import Comparison
    from ..measures import Measured
    from ..notes import Notes

NOTES, PIECES, LEAST_NOTES = 300, 100, 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pieces", metavar="SET_A", help="the set to judge: a folder, or CORPUS:SPLIT")
    parser.add_argument("reference", metavar="SET_B", help="the set to hold it against")
    parser.add_argument(
        "--reference",
        dest="real",
        metavar="SET",
        help="more real music, to hold against SET_B (default: SET_B's halves)",
    )
    parser.add_argument("--notes", type=int, default=NOTES, metavar="N", help="notes of each window (%(default)s)")
    parser.add_argument("--pieces", dest="most", type=int, default=PIECES, metavar="N", help="of a set (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")


def run(arguments: argparse.Namespace) -> None:
    from ..comparing import FEWEST, compare, mean_overlap
    from ..files import write_file

    if arguments.notes < LEAST_NOTES or arguments.most < 2 * FEWEST:
        raise RequestError(f"--notes must be {LEAST_NOTES} or more, and --pieces {2 * FEWEST} or more")
    pieces, reference = (_measured(name, arguments) for name in (arguments.pieces, arguments.reference))
    found = compare(pieces, reference)
    if arguments.real is not None:
        beside = compare(_measured(arguments.real, arguments), reference)
        told = f"{arguments.real} against {arguments.reference}"
    else:
        beside = compare(reference[::2], reference[1::2])
        told = f"one half of {arguments.reference} against the other"
    print(f"{arguments.pieces} ({len(pieces)} windows of {arguments.notes} notes) against {arguments.reference}")
    print(f"({len(reference)} windows); real: {told}\n")
    print("\n".join(_lines(found, beside)))
    reached, real = mean_overlap(found), mean_overlap(beside)
    if reached is not None and real:
        print(f"\nmean overlapped area {reached:.3f}, real {real:.3f}: {reached / real:.0%} of what real music reaches")
    if arguments.json is not None:
        sides = {"found": found, "real": beside}
        values = {side: {name: asdict(one) for name, one in figures.items()} for side, figures in sides.items()}
        write_file(
            arguments.json, json.dumps(values | {"windows": arguments.notes}, indent=2, allow_nan=False).encode()
        )


def _measured(name: str, arguments: argparse.Namespace) -> list[Measured]:
    """Measure a window of each piece of a set; raises RequestError where too few pieces are long enough."""
    from ..comparing import FEWEST
    from ..measures import measure

    with bar(f"measuring {name}", "piece") as progress:
        windows = []
        for notes in _windows(name, arguments.notes, arguments.most):
            windows.append(measure(notes))
            progress(len(windows), arguments.most)
    if len(windows) < 2 * FEWEST:
        long = f"{len(windows)} pieces of {arguments.notes} notes or more"
        raise RequestError(f"{name}: has {long}, and {2 * FEWEST} are needed; --notes takes shorter windows")
    return windows


def _windows(name: str, note_count: int, most: int) -> Iterator[Notes]:
    """Give a window from somewhere in each piece that is long enough, always the same ones."""
    from itertools import islice

    import numpy as np

    rng = np.random.default_rng(0)
    for notes in islice(_pieces(name, note_count, rng), most):
        start = int(rng.integers(0, len(notes) - note_count + 1))
        yield _window(notes, start, start + note_count)


def _window(notes: Notes, start: int, stop: int) -> Notes:
    """Keep notes [start, stop) and the pedal under them, moved to begin at 0."""
    import numpy as np

    from ..notes import take, trim

    end = notes.onset[stop] if stop < len(notes) else notes.seconds
    pedal = np.clip(notes.pedal, notes.onset[start], end)
    return trim(take(notes, np.arange(start, stop), pedal[pedal[:, 1] > pedal[:, 0]]))


def _pieces(name: str, note_count: int, rng: Generator) -> Iterator[Notes]:
    """Give the pieces of a set that have so many notes, in a drawn order."""
    from ..store import MANIFEST, open_store

    folder, _, part = name.partition(":")
    if (Path(folder) / MANIFEST).is_file():
        store = open_store(folder)
        corpus, _, split = part.rpartition("/")
        chosen = [one for one in store.pieces if corpus in ("", one.corpus) and split in ("", one.split)]
        if not chosen:
            known = ", ".join(sorted({f"{one.corpus}/{one.split}" for one in store.pieces}))
            raise RequestError(f"{name}: no such pieces in that corpus; it has {known}")
        for place in rng.permutation(len(chosen)).tolist():
            if chosen[place].notes >= note_count:
                yield store.notes(chosen[place].index)
    else:
        yield from _files(Path(name), note_count, rng)


def _files(folder: Path, note_count: int, rng: Generator) -> Iterator[Notes]:
    from ..errors import MidiError
    from ..intake import find
    from ..midi import read_midi

    paths = [found.path for found in find([folder])]
    if not paths:
        raise RequestError(f"{folder}: has no MIDI files")
    for place in rng.permutation(len(paths)).tolist():
        try:
            notes = read_midi(paths[place])
        except MidiError:
            continue  # `arietta ingest` tells which files of a folder cannot be read, and why
        if len(notes) >= note_count:
            yield notes


def _lines(found: Mapping[str, Comparison], beside: Mapping[str, Comparison]) -> Iterator[str]:
    from ..measures import MEASURES

    rows = []
    for name, one in found.items():
        real = beside.get(name)
        rows.append(
            [
                name.replace("_", " "),
                _number(one.mean),
                _number(one.reference_mean),
                f"{one.overlap:.3f}",
                "{:.2f}-{:.2f}".format(*one.overlap_interval),
                f"{real.overlap:.3f}" if real else "",
                f"{one.divergence:.3f}",
                f"{real.divergence:.3f}" if real else "",
            ]
        )
    yield table(["measure", "mean", "of B", "overlap", "95 %", "real", "divergence", "real"], rows)
    yield ""
    yield from (f"  {name.replace('_', ' ')}: {MEASURES[name]}" for name in found)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
