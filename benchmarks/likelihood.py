"""Likelihood of held-out music under a bundle, in nats a note, with a bootstrap interval by piece.

    python benchmarks/likelihood.py --corpus corpus --split test --model concert [--pieces 40] [--without-composer]

Whole pieces, consecutive, nothing skipped; each row is predicted from the rows that the engine's cache holds. Prints
one JSON line. `--pieces` takes every k-th piece of the split, so that a figure can be had in a minute.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
from measure import interval_by_piece
from tqdm import tqdm

from arietta.bundle import load_bundle
from arietta.engine import load_engine
from arietta.judge import Likelihood, likelihood
from arietta.store import Piece, Store, open_store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--split", default="test", choices=("train", "validation", "test"))
    parser.add_argument("--model", default="concert")
    parser.add_argument("--pieces", type=int, default=0, help="score this many pieces, evenly spread (0: all)")
    parser.add_argument("--without-composer", action="store_true", help="tell the model neither composer nor source")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    engine = load_engine(load_bundle(arguments.model), threads=arguments.threads)
    store = open_store(arguments.corpus)
    chosen = [piece for piece in store.pieces if piece.split == arguments.split]
    if arguments.pieces:
        chosen = chosen[:: max(len(chosen) // arguments.pieces, 1)][: arguments.pieces]
    begun = time.perf_counter()
    scores = [_score(store, piece, engine, arguments.without_composer) for piece in tqdm(chosen, unit="piece")]
    figures = _summary(scores) | {"seconds_taken": round(time.perf_counter() - begun, 1)}
    corpora = " and ".join(sorted({piece.corpus for piece in chosen}))
    told = ", composer not told" if arguments.without_composer else ""
    name = f"likelihood/{engine.bundle.name}, {engine.bundle.bits} bit, {corpora} {arguments.split}{told}"
    labels: dict[str, object] = {
        "name": name,
        "bundle": engine.bundle.fingerprint,
        "corpus": store.fingerprint,
        "pieces": len(chosen),
    }
    print(json.dumps(labels | figures))


def _score(store: Store, piece: Piece, engine, without_composer: bool) -> Likelihood:  # type: ignore[no-untyped-def]
    known = piece.composer in engine.bundle.model.composers and not without_composer
    style, source = (piece.composer if known else "any"), (None if without_composer else piece.source)
    return likelihood(store.notes(piece.index), engine, style=style, source=source)


def _summary(scores: list[Likelihood]) -> dict[str, object]:
    """Nats a note and a second over all pieces, by field, and the 95 % interval over resampled pieces."""
    sums = np.array([score.nll.sum(axis=0) for score in scores])  # [pieces, F]
    notes = np.array([score.note_count for score in scores], dtype=np.float64)
    seconds = np.array([score.seconds for score in scores])
    rows = sum(len(score.events) for score in scores)
    per_note = sums.sum() / notes.sum()
    return {
        "nats_per_note": round(float(per_note), 4),
        "interval_95": [round(value, 4) for value in interval_by_piece(sums.sum(axis=1), notes)],
        "nats_per_second": round(float(sums.sum() / seconds.sum()), 3),
        "nats_per_note_by_field": [round(float(value), 4) for value in sums.sum(axis=0) / notes.sum()],
        "notes": int(notes.sum()),
        "rows": rows,
    }


if __name__ == "__main__":
    main()
