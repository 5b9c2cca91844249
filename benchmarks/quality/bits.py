"""What few bits cost: held-out music under a model as it ships and under the same weights in 32 bits.

    python -m release.import_weights WEIGHTS --name piano --out float --bits 32
    python -m benchmarks.quality.bits --corpus corpus --on giantmidi --model piano --float float/piano

The engine scores the beginnings of pieces, evenly spread over a split, with both. `ratio` is how many nats the few bits
need for a nat of the float weights, with a bootstrap interval by piece. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json

import numpy as np

from arietta.codecs.grid import KEY_COUNT
from arietta.corpus.store import open_store
from arietta.evaluation.likelihood import interval_by_piece
from arietta.model.bundle import load_bundle
from arietta.model.engine import load_engine
from arietta.music.notes import trim
from benchmarks.shared.report import commit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--on", default="giantmidi", help="part of the corpus: maestro, giantmidi, piano-midi.de")
    parser.add_argument("--split", default="test", choices=("validation", "test"))
    parser.add_argument("--model", default="piano")
    parser.add_argument("--float", required=True, help="a model of the same weights in 32 bits")
    parser.add_argument("--pieces", type=int, default=40, help="at most, evenly spread")
    parser.add_argument("--tokens", type=int, default=640, help="of each piece, from its first")
    arguments = parser.parse_args()
    bundles = load_bundle(arguments.model), load_bundle(arguments.float)
    if bundles[0].model != bundles[1].model or bundles[1].bits != 32:
        parser.error(f"{arguments.float} is no model of the same network in 32 bits")
    store = open_store(arguments.corpus).select([arguments.on])
    pieces = [piece for piece in store.pieces if piece.split == arguments.split]
    pieces = pieces[:: max(len(pieces) // arguments.pieces, 1)][: arguments.pieces]
    codec, engines = bundles[0].codec, [load_engine(bundle) for bundle in bundles]
    nats, notes = np.zeros((len(pieces), 2)), 0
    for row, piece in zip(nats, pieces, strict=True):
        tokens = codec.encode(trim(store.notes(piece.index)))[: arguments.tokens]
        ids = bundles[0].model.condition_ids(composer=piece.composer, source=piece.source)
        row[:] = [(engine.score(tokens, ids) * codec.loss_mask(tokens)).sum(dtype=np.float64) for engine in engines]
        notes += int((tokens[:, min(1, tokens.shape[1] - 1)] < KEY_COUNT).sum())
    few, exact = nats.T
    line: dict[str, object] = {"name": f"bits/{bundles[0].name}, {arguments.on} {arguments.split}"}
    line |= {"bundle": bundles[0].fingerprint, "bits": bundles[0].precision, "pieces": len(pieces), "notes": notes}
    line |= {"ratio": round(few.sum() / exact.sum(), 5)}
    line |= {"interval_95": [round(edge, 5) for edge in interval_by_piece(few, exact)]}
    line |= {"nats_per_note": round(few.sum() / notes, 4), "float_nats_per_note": round(exact.sum() / notes, 4)}
    print(
        json.dumps(
            line
            | {"megabytes": round((bundles[0].path / "weights.bin").stat().st_size / 1e6, 2)}
            | {"commit": commit()}
        )
    )


if __name__ == "__main__":
    main()
