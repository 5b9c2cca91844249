"""Compare two sets of pieces: do their musical statistics have the same centre and the same spread?

examples:
  arietta compare takes/ corpus:test                      takes of a model against a corpus's test pieces
  arietta compare takes/ corpus:maestro/test --reference corpus:maestro/validation
                                                          beside validation against test: what real music reaches
  arietta compare takes/ more-takes/ --json compared.json

A set is a folder of MIDI files, or a part of a corpus: CORPUS:SPLIT, or CORPUS:NAME/SPLIT for one of the corpora in it.
Of each piece a window with the same number of notes is measured. The overlapped area is 1 where distances between the
sets are spread like those within the second set; the Frechet distance is 0 where the sets are alike in an embedding of
piano music. Neither means much by itself: beside both stand the same figures for real music against real music.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import RequestError
from ..names import escape_name
from .output import add_cluster, open_map, read_integer
from .progress import progress_bar
from .table import table

if TYPE_CHECKING:
    from ..evaluation.comparison import MeasuredSet, SetComparison
    from ..music.notes import Notes
    from .progress import Progress

NOTES, PIECES, LEAST_NOTES, MOST = 300, 100, 16, 100_000
WINDOWS_PER_TASK = 32


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pieces", metavar="SET_A", help="the set to judge: a folder, or CORPUS:SPLIT")
    parser.add_argument("reference", metavar="SET_B", help="the set to compare it with")
    parser.add_argument(
        "--reference",
        dest="real",
        metavar="SET",
        help="more real music, to compare with SET_B (default: SET_B's halves)",
    )
    parser.add_argument(
        "--notes",
        type=read_integer,
        default=NOTES,
        metavar="N",
        help="notes in each window (default %(default)s)",
    )
    parser.add_argument(
        "--pieces",
        dest="most",
        type=read_integer,
        default=PIECES,
        metavar="N",
        help="at most so many pieces of each set (default %(default)s)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures to this file")
    add_cluster(parser)


def run(arguments: argparse.Namespace) -> None:
    from ..evaluation.comparison import FEWEST, compare_sets
    from ..evaluation.words import distance_sentence, overlap_sentence
    from ..files import write_file

    for flag, number, least in (("notes", arguments.notes, LEAST_NOTES), ("pieces", arguments.most, 2 * FEWEST)):
        if not least <= number <= MOST:
            raise RequestError(f"--{flag} must lie in {least}-{MOST}, not {number}")
    names = [arguments.pieces, arguments.reference, *([arguments.real] if arguments.real is not None else [])]
    with open_map(arguments.cluster) as map_calls:
        pieces, reference, *more = [_measure(name, arguments, map_calls) for name in names]
    if more:
        real = compare_sets(more[0], reference)
        real_title = f"{arguments.real} against {arguments.reference}"
    else:
        real = compare_sets(reference.every_second(0), reference.every_second(1))
        real_title = f"one half of {arguments.reference} against the other"
    compared = compare_sets(pieces, reference)
    counts = len(pieces.statistics), len(reference.statistics)
    sets = f"{arguments.pieces} ({counts[0]} windows of {arguments.notes} notes) against {arguments.reference}"
    print(escape_name(sets))
    print(f"({counts[1]} windows), pieces with fewer notes left out; real: {escape_name(real_title)}\n")
    print("\n".join(_lines(compared, real)))
    print("\n" + overlap_sentence(compared, real) if compared.statistics else "")
    print(distance_sentence(compared.distance, real.distance))
    if arguments.json is not None:
        values = _to_json(compared, real) | {"windows": arguments.notes}
        write_file(arguments.json, json.dumps(values, indent=2, allow_nan=False).encode())


def _measure(name: str, arguments: argparse.Namespace, map_calls: Callable[..., Iterator[MeasuredSet]]) -> MeasuredSet:
    """Measure a window of each piece of a set; raises RequestError where too few pieces are long enough."""
    from ..corpus.windows import read_windows
    from ..evaluation.comparison import check_window_count, join_sets, measure_set
    from ..evaluation.words import unread_sentence

    unread: list[Path] = []
    with progress_bar(f"measuring {name}", "piece") as progress:
        windows = _counted(read_windows(name, arguments.notes, arguments.most, unread), progress, arguments.most)
        shares = iter(lambda: list(islice(windows, WINDOWS_PER_TASK)), [])
        measured = join_sets(map_calls(measure_set, shares))
    if unread:
        print(escape_name(unread_sentence(name, unread)), file=sys.stderr)
    check_window_count(name, len(measured.statistics), arguments.notes)
    return measured


def _counted(windows: Iterator[Notes], progress: Progress, most: int) -> Iterator[Notes]:
    """Tell the bar of each window when the next one is asked for."""
    for done, notes in enumerate(windows, 1):
        yield notes
        progress(done, most)


def _to_json(compared: SetComparison, real: SetComparison) -> dict[str, object]:
    sides = {"found": compared, "real": real}
    values: dict[str, object] = {
        side: {name: asdict(figure) for name, figure in comparison.statistics.items()}
        for side, comparison in sides.items()
    }
    distances = {side: asdict(both.distance) for side, both in sides.items() if both.distance is not None}
    overlaps = {
        side: {"overlap": both.mean_overlap, "interval": both.mean_overlap_interval} for side, both in sides.items()
    }
    return values | {"mean_overlap": overlaps, "frechet_distance": distances}


def _lines(compared: SetComparison, real: SetComparison) -> Iterator[str]:
    from ..evaluation.statistics import DEFINITIONS

    rows = []
    for name, figure in compared.statistics.items():
        reachable = real.statistics.get(name)
        rows.append(
            [
                name.replace("_", " "),
                _number(figure.mean),
                _number(figure.reference_mean),
                f"{figure.overlap:.3f}",
                "{:.2f}-{:.2f}".format(*figure.overlap_interval),
                f"{reachable.overlap:.3f}" if reachable else "",
                f"{figure.divergence:.3f}",
                f"{reachable.divergence:.3f}" if reachable else "",
            ]
        )
    yield table(["measure", "mean", "of B", "overlap", "95 %", "real", "divergence", "real"], rows)
    yield ""
    yield from (f"  {name.replace('_', ' ')}: {DEFINITIONS[name]}" for name in compared.statistics)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
