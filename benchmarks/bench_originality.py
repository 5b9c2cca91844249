"""What an index of passages finds of planted copies, how fast it answers, and what takes of a model share.

    python benchmarks/bench_originality.py CORPUS INDEX [--copies 60] [--repeats 100] [--model concert --takes 40]

Recall and precision of each kind and length of copy (`planting`), the time of a query of 1,000 notes of works that
are not in the index, the share of people's works, and with --model that of takes, that lie within the human interval.
One JSON line a case.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from measure import commit, report, seconds

from arietta.human_baseline import standing
from arietta.notes import Notes, excerpt
from arietta.originality import find_passages
from arietta.passage_index import PassageIndex, open_index
from arietta.planting import measure_recall
from arietta.store import Store, open_store

QUERY = 1000  # notes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("index", type=Path)
    parser.add_argument("--copies", type=int, default=60, metavar="N")
    parser.add_argument("--repeats", type=int, default=100, metavar="N")
    parser.add_argument("--model", help="compose takes with this model and look them up too")
    parser.add_argument("--takes", type=int, default=40, metavar="N")
    arguments = parser.parse_args()
    store, index = open_store(arguments.corpus), open_index(arguments.index)
    _print_recall(store, index, arguments.copies)
    queries = _held_out(store, index, arguments.repeats)
    times = [1000 * seconds(lambda notes=notes: find_passages(notes, index)) for notes in queries]
    report(f"originality/query of {QUERY} notes", times, "ms", threads=1)
    _print_inside("people's works", queries, index)
    if arguments.model:
        _print_inside(f"takes of {arguments.model}", _takes(arguments.model, arguments.takes), index)


def _print_recall(store: Store, index: PassageIndex, copies: int) -> None:
    measured = measure_recall(
        index, lambda place: store.notes(index.pieces[place].index), copies=copies, seed=1
    )  # not the copies that were planted when it was built
    for kind, row in measured.items():
        for length, harvest in row.items():
            figures = {"recall": round(harvest.found, 3), "precision": round(harvest.right, 3)}
            name = f"originality/{kind} copy of {length} notes"
            print(json.dumps({"name": name} | figures | {"copies": copies, "commit": commit()}), flush=True)


def _held_out(store: Store, index: PassageIndex, count: int) -> list[Notes]:
    indexed = {piece.work for piece in index.pieces}
    others = [piece for piece in store.pieces if piece.work not in indexed and piece.notes >= QUERY]
    rng = np.random.default_rng(2)
    queries = []
    for _ in range(count):
        piece = others[int(rng.integers(len(others)))]
        start = int(rng.integers(0, piece.notes - QUERY + 1))
        queries.append(excerpt(store.notes(piece.index), start, start + QUERY))
    return queries


def _takes(model: str, count: int) -> list[Notes]:
    from arietta.bundle import load_bundle
    from arietta.composing import Request, compose
    from arietta.engine import load_engine

    engine = load_engine(load_bundle(model))
    return [compose(Request(notes=QUERY, seed=seed), engine).notes for seed in range(count)]


def _print_inside(name: str, pieces: list[Notes], index: PassageIndex) -> None:
    likenesses = [find_passages(notes, index) for notes in pieces]
    placed = [standing(likeness, index) for likeness in likenesses]
    longest = [likeness.longest for likeness in likenesses]
    figures = {
        "inside_human_interval": round(float(np.mean([one is None or one.is_inside for one in placed])), 3),
        "longest_median": float(np.median(longest)),
        "longest_most": int(max(longest)),
        "share_mean": round(float(np.mean([likeness.share for likeness in likenesses])), 4),
    }
    print(
        json.dumps({"name": f"originality/{name}"} | figures | {"pieces": len(pieces), "commit": commit()}), flush=True
    )


if __name__ == "__main__":
    main()
