"""How often the key signature that a score is given is the one that an editor wrote.

    python -m benchmarks.quality.keys --asap asap-dataset --maestro maestro-v3.0.0
    python -m benchmarks.quality.keys --asap asap-dataset --maestro maestro-v3.0.0 --split train --change 30 45 60 80

ASAP annotates the signatures of its scores and of performances of them. `scores` are its MIDI scores that carry their
metre, of works of which one side of MAESTRO's split has a performance (works of none count as its training side);
`performances` those of that side, with the bars that are found in them. Each case is the mean over files of the share
of notes under the written signature, C sharp and D flat major being one: for one signature from beginning to end, the
one whose profile correlates best (Krumhansl 1990) and the likeliest, and for signatures by section, with how many
changes a file has, beside those that are written. `--change` tries other prices of a change.

One JSON line a case.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arietta.music.beats.accents import find_accented_meter
from arietta.music.keys import find_key
from arietta.music.meter import LATTICE, Meter, lay_out_bars
from arietta.music.midi import read_meter, read_midi
from arietta.music.notes import Notes, crop
from arietta.render.score.spelling import CHANGE, find_signatures
from benchmarks.shared.samples import tell

SCORE, ANNOTATIONS = "midi_score.mid", "midi_score_annotations.txt"
SIDES = ("test", "validation", "train")  # a work of several belongs to the first of them
Signatures = NDArray[np.int64]


class Piece(NamedTuple):
    """Notes in bars: columns [N], lengths in quarter notes, and the sharps that are written there."""

    pitch: NDArray[np.uint8]
    length: NDArray[np.float64]
    bar: NDArray[np.int64]
    written: Signatures

    @classmethod
    def of(cls, notes: Notes, meter: Meter, keys: Sequence[tuple[float, int]]) -> Piece:
        """Lay notes into the bars of a metre; keys as seconds and sharps."""
        onset = meter.quarters(notes.onset)
        starts = [bar.start for bar in lay_out_bars(meter, int(onset.max() * LATTICE) + 1)]
        bar = np.maximum(np.searchsorted(starts, onset * LATTICE + 0.5, side="right") - 1, 0)
        place = np.searchsorted([second for second, _ in keys], notes.onset + 0.001, side="right") - 1
        written = np.array([sharps for _, sharps in keys])[np.maximum(place, 0)]
        return cls(notes.pitch, meter.quarters(notes.release) - onset, bar, written)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--asap", required=True, type=Path, metavar="FOLDER")
    parser.add_argument("--maestro", required=True, type=Path, metavar="FOLDER")
    parser.add_argument("--split", default="test", help="a side of MAESTRO's split (default: %(default)s)")
    parser.add_argument("--change", nargs="+", type=float, default=[CHANGE], metavar="PRICE")
    options = parser.parse_args()
    rows = read_rows(options.asap, options.maestro)
    cases = {
        "scores": list(scores(options.asap, rows, options.split)),
        "performances": list(performances(options.asap, options.maestro, rows, options.split)),
    }
    for name, pieces in cases.items():
        told = f"keys/{name}, {options.split}"
        compare(f"{told}, one by profile", pieces, one_by_profile)
        compare(f"{told}, one, the likeliest", pieces, lambda piece: by_section(piece, np.inf))
        for price in options.change:
            compare(f"{told}, by section at {price:g}", pieces, lambda piece, price=price: by_section(piece, price))


def read_rows(asap: Path, maestro: Path) -> list[tuple[str, dict[str, str]]]:
    """Read ASAP's list of performances, each with its side of MAESTRO's split, "" for none."""
    with next(maestro.glob("maestro-*.csv")).open(encoding="utf-8") as lines:
        sides = {row["midi_filename"]: row["split"] for row in csv.DictReader(lines)}
    with (asap / "metadata.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    return [(sides.get(row["maestro_midi_performance"].removeprefix("{maestro}/"), ""), row) for row in rows]


def scores(asap: Path, rows: list[tuple[str, dict[str, str]]], split: str) -> Iterator[Piece]:
    """Give the scores of a side, in their own metre."""
    played = defaultdict(set)
    for side, row in rows:
        played[row["folder"]].add(side)
    for folder, sides in sorted(played.items()):
        meter = read_meter(asap / folder / SCORE)
        if meter is not None and split == next((side for side in SIDES if side in sides), "train"):
            yield Piece.of(read_midi(asap / folder / SCORE), meter, annotated_keys(asap / folder / ANNOTATIONS))


def performances(asap: Path, maestro: Path, rows: list[tuple[str, dict[str, str]]], split: str) -> Iterator[Piece]:
    """Give the performances of a side, in the metre that is found in them."""
    for side, row in rows:
        if side == split:
            notes = read_midi(maestro / row["maestro_midi_performance"].removeprefix("{maestro}/"))
            start = max(float(row["start"] or 0.5) - 0.5, 0.0)
            notes = crop(notes, start, float(row["end"]) if row["end"] else notes.seconds + 1)
            yield Piece.of(notes, find_accented_meter(notes), annotated_keys(asap / row["performance_annotations"]))


def annotated_keys(path: Path) -> list[tuple[float, int]]:
    """Read the signatures of an annotation: lines of a time, and beat, time signature and sharps between commas."""
    keys = []
    for line in path.read_text(encoding="utf-8").splitlines():
        second, *_, label = line.split()
        parts = label.split(",")
        if len(parts) > 2 and parts[2]:
            keys.append((float(second), int(parts[2])))
    return keys


def one_by_profile(piece: Piece) -> Signatures:
    """Return the signature of the key whose profile correlates best with all notes."""
    key = find_key(piece.pitch, piece.length)
    sharps = 0 if key is None else (key.tonic * 7 + 5 - 3 * key.is_minor) % 12 - 5
    return np.full(len(piece.bar), sharps)


def by_section(piece: Piece, price: float) -> Signatures:
    """Return the signatures of the notes' bars, where a change of them has this price."""
    found = find_signatures(piece.pitch, piece.length, piece.bar, int(piece.bar.max()) + 1, price=price)
    return np.array([sharps for sharps, _ in found])[piece.bar]


def compare(name: str, pieces: Sequence[Piece], find: Callable[[Piece], Signatures]) -> None:
    """Tell the share of notes under the written signature, and the changes of a piece, found and written."""
    found = [find(piece) for piece in pieces]
    right = np.array([np.mean((a - piece.written) % 12 == 0) for a, piece in zip(found, pieces, strict=True)])
    drawn = np.random.default_rng(0).choice(right, (10_000, len(right))).mean(axis=1)
    tell(
        name,
        files=len(pieces),
        right=float(right.mean()),
        right_95=np.percentile(drawn, [2.5, 97.5]).tolist(),
        changes=float(np.mean([np.count_nonzero(np.diff(row)) for row in found])),
        written_changes=float(np.mean([np.count_nonzero(np.diff(piece.written)) for piece in pieces])),
    )


if __name__ == "__main__":
    main()
