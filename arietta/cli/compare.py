"""Hold two sets of pieces against each other: do their musical statistics spread alike and lie in the same place?

examples:
  arietta compare takes/ corpus:test                      takes of a model against a corpus's test pieces
  arietta compare takes/ corpus:maestro/test --reference corpus:maestro/validation
                                                          beside validation against test: what real music reaches
  arietta compare takes/ more-takes/ --json compared.json

A set is a folder of MIDI files, or a corpus with the split, or the corpus and split, that you mean. Windows of equally
many notes are measured. The overlapped area is 1 where distances between the sets are spread as those within the
second set are; the Frechet distance is 0 where the sets lie alike in an embedding of piano music. Neither means
anything alone: they are printed beside the same figures for real music against real music.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import RequestError
from .progress import bar
from .table import table

if TYPE_CHECKING:
    import numpy as np
    from numpy.random import Generator
    from numpy.typing import NDArray

    from ..evaluation.comparison import Comparison
    from ..evaluation.statistics import Statistics
    from ..music.notes import Notes

NOTES, PIECES, LEAST_NOTES = 300, 100, 16


@dataclass(frozen=True)
class Gathered:
    """What was measured of a set's windows, and their embeddings [N, D], where they have notes enough for one."""

    measured: list[Statistics]
    embeddings: NDArray[np.float64] | None

    def every_second(self, first: int) -> Gathered:
        """One half of them."""
        halved = None if self.embeddings is None else self.embeddings[first::2]
        return Gathered(self.measured[first::2], halved)


@dataclass(frozen=True)
class Distance:
    """A Frechet distance with its 95 % interval."""

    distance: float
    interval: tuple[float, float]


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
    from ..evaluation.comparison import FEWEST, compare, mean_overlap
    from ..files import write_file

    if arguments.notes < LEAST_NOTES or arguments.most < 2 * FEWEST:
        raise RequestError(f"--notes must be {LEAST_NOTES} or more, and --pieces {2 * FEWEST} or more")
    pieces, reference = (_measured(name, arguments) for name in (arguments.pieces, arguments.reference))
    if arguments.real is not None:
        real = (_measured(arguments.real, arguments), reference)
        told = f"{arguments.real} against {arguments.reference}"
    else:
        real = (reference.every_second(0), reference.every_second(1))
        told = f"one half of {arguments.reference} against the other"
    sides = {"found": (pieces, reference), "real": real}
    figures = {side: compare(one.measured, other.measured) for side, (one, other) in sides.items()}
    apart = {side: distance for side, sets in sides.items() if (distance := _distance(*sets))}
    print(
        f"{arguments.pieces} ({len(pieces.measured)} windows of {arguments.notes} notes) against {arguments.reference}"
    )
    print(f"({len(reference.measured)} windows); real: {told}\n")
    print("\n".join(_lines(figures["found"], figures["real"])))
    reached, reachable = (mean_overlap(figures[side]) for side in ("found", "real"))
    if reached is not None and reachable:
        share = f"{reached / reachable:.0%} of what real music reaches"
        print(f"\nmean overlapped area {reached:.3f}, real {reachable:.3f}: {share}")
    print(_distances_line(apart))
    if arguments.json is not None:
        write_file(arguments.json, json.dumps(_values(arguments, figures, apart), indent=2, allow_nan=False).encode())


def _values(
    arguments: argparse.Namespace, figures: Mapping[str, Mapping[str, Comparison]], apart: Mapping[str, Distance]
) -> dict[str, object]:
    """All figures as JSON values."""
    values: dict[str, object] = {
        side: {name: asdict(one) for name, one in found.items()} for side, found in figures.items()
    }
    distances = {side: asdict(one) for side, one in apart.items()}
    return values | {"frechet_distance": distances, "windows": arguments.notes}


def _measured(name: str, arguments: argparse.Namespace) -> Gathered:
    """Measure a window of each piece of a set; raises RequestError where too few pieces are long enough."""
    import numpy as np

    from ..evaluation.embedding import embed
    from ..evaluation.statistics import measure

    unread: list[Path] = []
    with bar(f"measuring {name}", "piece") as progress:
        measured, embeddings = [], []
        for notes in read_windows(name, arguments.notes, arguments.most, unread):
            measured.append(measure(notes))
            embeddings.append(embed(notes))
            progress(len(measured), arguments.most)
    check_set(name, len(measured), arguments.notes, unread)
    known = [one for one in embeddings if one is not None]
    return Gathered(measured, np.array(known) if len(known) == len(measured) else None)


def check_set(name: str, count: int, note_count: int, unread: list[Path]) -> None:
    """Tell which files of a set could not be read; raises RequestError where too few windows were found."""
    from ..evaluation.comparison import FEWEST

    if unread:
        more = f" and {len(unread) - 1} more" if len(unread) > 1 else ""
        print(f"{name}: left out what cannot be read: {unread[0].name}{more}", file=sys.stderr)
    if count < 2 * FEWEST:
        long = f"{count} pieces of {note_count} notes or more"
        raise RequestError(f"{name}: has {long}, and {2 * FEWEST} are needed; --notes takes shorter windows")


def _distance(one: Gathered, other: Gathered) -> Distance | None:
    """Measure how far apart two sets lie in the embedding; None where that cannot be told."""
    from ..evaluation.frechet import ENOUGH, frechet_distance, frechet_interval

    if one.embeddings is None or other.embeddings is None or min(len(one.measured), len(other.measured)) < ENOUGH:
        return None
    sets = one.embeddings, other.embeddings
    return Distance(frechet_distance(*sets), frechet_interval(*sets))


def _distances_line(apart: Mapping[str, Distance]) -> str:
    """Say the distance found beside real music's."""
    from ..evaluation.embedding import WINDOW
    from ..evaluation.frechet import ENOUGH

    needed = f"it needs {ENOUGH} windows of {WINDOW} notes or more of each set"
    if "found" not in apart:
        return f"no Frechet distance: {needed}"
    said = {side: "{:.2f} ({:.2f} to {:.2f})".format(one.distance, *one.interval) for side, one in apart.items()}
    return f"Frechet distance {said['found']}, real {said.get('real', f'unknown: {needed}')}"


def read_windows(name: str, note_count: int, most: int, unread: list[Path]) -> Iterator[Notes]:
    """Give a window from somewhere in each piece that is long enough, always the same ones.

    Files that cannot be read are added to `unread`.
    """
    from itertools import islice

    import numpy as np

    from ..music.notes import window

    rng = np.random.default_rng(0)
    for notes in islice(_pieces(name, note_count, rng, unread), most):
        start = int(rng.integers(0, len(notes) - note_count + 1))
        yield window(notes, start, start + note_count)


def _pieces(name: str, note_count: int, rng: Generator, unread: list[Path]) -> Iterator[Notes]:
    """Give the pieces of a set that have so many notes, in a drawn order."""
    from ..corpus.store import MANIFEST, open_store

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
        yield from _files(Path(name), note_count, rng, unread)


def _files(folder: Path, note_count: int, rng: Generator, unread: list[Path]) -> Iterator[Notes]:
    from ..corpus.reader import find_files
    from ..errors import MidiError
    from ..music.midi import read_midi

    paths = [found.path for found in find_files([folder])]
    if not paths:
        raise RequestError(f"{folder}: has no MIDI files")
    for place in rng.permutation(len(paths)).tolist():
        try:
            notes = read_midi(paths[place])
        except MidiError:
            unread.append(Path(paths[place]))
            continue
        if len(notes) >= note_count:
            yield notes


def _lines(found: Mapping[str, Comparison], beside: Mapping[str, Comparison]) -> Iterator[str]:
    from ..evaluation.statistics import DEFINITIONS

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
    yield from (f"  {name.replace('_', ' ')}: {DEFINITIONS[name]}" for name in found)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
