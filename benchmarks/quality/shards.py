"""Does an index of passages in shards answer as one index does? Over a real corpus, with queries from both its sides.

    python -m benchmarks.quality.shards CORPUS [--pieces 3000] [--queries 200] [--shards 4]

Builds the index of so many training pieces twice, whole and in shards, and looks up windows of 100 notes: one in two of
a piece that is in the index, the others of held-out pieces. Prints a JSON line with how many queries have the same
passages, to the note, from both; the cut by frequency is counted over all shards, so it should be every one.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from arietta.corpus.store import Store, open_store
from arietta.music.notes import Notes
from arietta.originality import build
from arietta.originality.index import IndexedPiece, PassageIndex
from arietta.originality.search import find_passages
from benchmarks.shared.report import report

WINDOW = 100
AT_MOST = 4_000_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--pieces", type=int, default=3_000, help="in the index (default %(default)s)")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--shards", type=int, default=4)
    arguments = parser.parse_args()
    store = open_store(arguments.corpus)
    queries = _queries(store, arguments.pieces, arguments.queries)
    notes = sum(piece.notes for piece in _pieces(store, arguments.pieces))
    with tempfile.TemporaryDirectory() as folder:
        whole = _index(store, arguments.pieces, Path(folder, "whole"))
        build.MOST_NOTES = -(-notes // arguments.shards) + 100_000  # the last piece of a shard seldom fills it
        parts = _index(store, arguments.pieces, Path(folder, "parts"))
        count = len(parts.description["shards"])
        answers = [(find_passages(query, whole), find_passages(query, parts)) for query in queries]
    same = sum(
        one.passages == other.passages and np.array_equal(one.is_covered, other.is_covered) for one, other in answers
    )
    name = f"shards/{arguments.corpus.name}, {len(_pieces(store, arguments.pieces))} pieces, {count} shards"
    report(f"{name}/queries answered as by one index", [float(same)], f"of {len(queries)}", threads=1)
    with_passages = sum(bool(one.passages) for one, _ in answers)
    report(f"{name}/queries with passages", [float(with_passages)], f"of {len(queries)}", threads=1)
    report(f"{name}/notes in the index", [float(notes)], "notes", threads=1)


def _pieces(store: Store, count: int) -> list[IndexedPiece]:
    names = ("index", "file", "corpus", "composer", "title", "work")
    return [
        IndexedPiece(**{name: getattr(piece, name) for name in names}, start=0, notes=piece.notes, first=0.0, last=0.0)
        for piece in store.pieces
        if piece.split == "train"
    ][:count]


def _index(store: Store, count: int, folder: Path) -> PassageIndex:
    pieces = _pieces(store, count)
    return build.build_index(
        folder, pieces, lambda number: store.notes(pieces[number].index), corpus=store.fingerprint, at_most=AT_MOST
    )


def _queries(store: Store, pieces: int, count: int) -> list[Notes]:
    """Draw windows, by turns of indexed and of held-out pieces."""
    rng = np.random.default_rng(0)
    sides = ([piece.index for piece in _pieces(store, pieces)], [p.index for p in store.pieces if p.split != "train"])
    queries = []
    while len(queries) < count:
        notes = store.notes(int(rng.choice(sides[len(queries) % 2])))
        if len(notes) > WINDOW:
            start = int(rng.integers(len(notes) - WINDOW))
            rows = np.arange(start, start + WINDOW)
            queries.append(Notes.of(notes.onset[rows], notes.duration[rows], notes.pitch[rows], notes.velocity[rows]))
    return queries


if __name__ == "__main__":
    main()
