"""What an index of passages finds of planted copies, how fast it answers, and what takes of a model share.

    python -m benchmarks.quality.originality --index INDEX --corpus CORPUS [--copies 60] [--repeats 100]
    python -m benchmarks.quality.originality --index INDEX --takes 200 [--model piano] [--corpus CORPUS]

With the corpus that was indexed: recall and precision of each kind and length of copy (`planting`), the time of a query
of 1,000 notes of works that are not in the index, and the share of those that lie within the human interval. With
takes: the share of them (300 notes each, seeds from 1, default settings) that does, by the index named and by the one
that the model came with, and what that one finds of planted copies. One JSON line a case.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from arietta.corpus.store import Store, open_store
from arietta.generation.request import Request
from arietta.model.bundle import DEFAULT_MODEL, load_bundle
from arietta.model.engine import load_engine
from arietta.music.notes import Notes
from arietta.music.windows import draw_excerpt
from arietta.originality.baseline import measure_percentiles
from arietta.originality.index import PassageIndex, find_index, open_index
from arietta.originality.recall import measure_recall
from arietta.originality.search import find_passages
from benchmarks.shared.report import commit, report, seconds, wilson
from benchmarks.shared.samples import compose_all

QUERY, TAKE = 1000, 300  # notes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", type=Path, required=True)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--copies", type=int, default=60, metavar="N")
    parser.add_argument("--repeats", type=int, default=100, metavar="N")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="(%(default)s)")
    parser.add_argument("--takes", type=int, default=0, metavar="N", help="compose so many with the model")
    arguments = parser.parse_args()
    index = open_index(arguments.index)
    if arguments.corpus is not None:
        measure_index(open_store(arguments.corpus), index, arguments.copies, arguments.repeats)
    if arguments.takes:
        measure_takes(arguments.model, index, arguments.takes)


def measure_index(store: Store, index: PassageIndex, copies: int, repeats: int) -> None:
    """Print what the index finds of planted copies and of held-out works, and how long that takes."""
    measured = measure_recall(
        index, lambda number: store.notes(index.pieces[number].index), copies=copies, seed=1
    )  # not the copies that were planted when it was built
    for kind, row in measured.items():
        for length, detection in row.items():
            figures = {
                "recall": round(detection.recall, 3),
                "precision": round(detection.precision, 3),
                "copies": copies,
            }
            _print(f"{kind} copy of {length} notes", figures)
    queries = _held_out(store, index, repeats)
    times = [1000 * seconds(lambda notes=notes: find_passages(notes, index)) for notes in queries]
    report(f"originality/query of {QUERY} notes", times, "ms", threads=1)
    _print("people's works", _inside(queries, index))


def measure_takes(model: str, index: PassageIndex, count: int) -> None:
    """Print how many takes lie within the human interval, by two indexes, and what the model's own finds."""
    bundle = load_bundle(model)
    requests = [Request(notes=TAKE, seed=seed) for seed in range(1, count + 1)]
    pieces = [take.notes for take in compose_all(requests, load_engine(bundle))]
    about = {"notes": TAKE, "model": bundle.name, "bundle": bundle.fingerprint}
    _print(f"takes of {bundle.name}", _inside(pieces, index) | about)
    own = find_index(bundle.index_folder)
    if own is None:
        return
    _print(f"takes of {bundle.name}, by its own index", _inside(pieces, own) | about)
    for kind, row in own.description["recall"].items():
        for length, detection in row.items():
            figures = {"recall": round(detection["found"], 3), "precision": round(detection["right"], 3)}
            _print(f"index of {bundle.name}, {kind} copy of {length} notes", figures | {"pieces": len(own.pieces)})


def _held_out(store: Store, index: PassageIndex, count: int) -> list[Notes]:
    indexed = {piece.work for piece in index.pieces}
    pieces = [piece.index for piece in store.pieces if piece.work not in indexed and piece.notes >= QUERY]
    rng = np.random.default_rng(2)
    drawn = [draw_excerpt(lambda i: store.notes(pieces[i]), len(pieces), QUERY, rng)[1] for _ in range(count)]
    return [notes for notes in drawn if notes is not None]


def _inside(pieces: list[Notes], index: PassageIndex) -> dict[str, Any]:
    likenesses = [find_passages(notes, index) for notes in pieces]
    percentiles = [measure_percentiles(likeness, index) for likeness in likenesses]
    inside = sum(percentile is None or percentile.is_inside for percentile in percentiles)
    longest = [likeness.longest for likeness in likenesses]
    return {
        "inside_human_interval": round(inside / len(pieces), 4),
        "interval_95": [round(end, 4) for end in wilson(inside, len(pieces))],
        "inside": inside,
        "pieces": len(pieces),
        "longest_median": float(np.median(longest)),
        "longest_most": max(longest),
        "share_mean": round(float(np.mean([likeness.share for likeness in likenesses])), 4),
    }


def _print(name: str, figures: Mapping[str, Any]) -> None:
    print(json.dumps({"name": f"originality/{name}"} | dict(figures) | {"commit": commit()}), flush=True)


if __name__ == "__main__":
    main()
