"""Likelihood of held-out music under a bundle, in nats a note, with a bootstrap interval by piece.

    python -m benchmarks.quality.likelihood --corpus corpus --model piano --on giantmidi
    python -m benchmarks.quality.likelihood --corpus corpus --model concert --on maestro --without-composer --pieces 60
    python -m benchmarks.quality.likelihood --corpus corpus --model concert --on maestro --context 256 --pieces 60
    python -m benchmarks.quality.likelihood --corpus mine --model piano --on own --split train      music of one's own

Whole pieces, consecutive, nothing skipped; each row is predicted from the rows that the engine's cache would hold, by
the bundle's own weights in torch, which also tells how often the key that came was the likeliest (its time given).
The engine scores the first pieces too, and the largest difference is printed. `--pieces` takes every k-th piece;
`--context` lets a model hear fewer rows than it was trained with. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from arietta.codecs.grid import KEY_COUNT
from arietta.codecs.note import NoteCodec
from arietta.corpus.labels import SPLITS
from arietta.corpus.store import Piece, Store, open_store
from arietta.errors import AriettaError
from arietta.evaluation.likelihood import add_up
from arietta.model.bundle import Bundle, load_bundle
from arietta.model.config import ConditionIds
from arietta.model.engine import load_engine
from arietta.music.notes import trim
from arietta.train.data.batches import pieces_of
from arietta.train.network import build_model
from arietta.train.network.fields import shift_right, token_nll
from arietta.train.onnx.weights import read_weights
from benchmarks.shared.report import commit

COMPARED = 3  # pieces that the engine scores too


@dataclass(frozen=True)
class Score:
    """What a model makes of a piece: `nll` float64 [F] in nats, summed; `hits` of `keys` notes."""

    nll: NDArray[np.float64]
    hits: int
    keys: int
    rows: int
    notes: int
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--on", default="maestro", help="part of the corpus: maestro, giantmidi, piano-midi.de, own")
    parser.add_argument("--split", default="test", choices=SPLITS)
    parser.add_argument("--model", default="piano")
    parser.add_argument("--pieces", type=int, default=0, help="score this many pieces, evenly spread (0: all)")
    parser.add_argument("--without-composer", action="store_true", help="do not tell the model who composed")
    parser.add_argument("--context", type=int, default=0, help="rows it may hear (0: as many as it was trained with)")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    bundle, store = load_bundle(arguments.model), open_store(arguments.corpus).select([arguments.on])
    context = arguments.context or bundle.model.context
    model = shortened(bundle, context)
    chosen = pieces_of(store, arguments.split)
    if arguments.pieces:
        chosen = chosen[:: max(len(chosen) // arguments.pieces, 1)][: arguments.pieces]
    begun = time.perf_counter()
    scores = [scored(store, piece, bundle, model, arguments.without_composer) for piece in tqdm(chosen, unit="piece")]
    taken = round(time.perf_counter() - begun, 1)
    of = f" ({len(chosen)} pieces)" if arguments.pieces else ""
    composer = ", composer not told" if arguments.without_composer else ""
    window = f", context {context}" if arguments.context else ""
    line: dict[str, object] = {
        "name": f"likelihood/{bundle.name}, {arguments.on} {arguments.split}{of}{composer}{window}"
    }
    line |= {"bundle": bundle.fingerprint, "corpus": store.fingerprint, "pieces": len(chosen)} | summed(scores)
    if context == bundle.model.context and not arguments.without_composer:
        line["engine_apart"] = apart(store, chosen[:COMPARED], bundle, scores)
    print(json.dumps(line | {"seconds_taken": taken, "commit": commit()}))


def shortened(bundle: Bundle, context: int) -> nn.Module:
    """The bundle's network in torch, hearing `context` rows: of a relative table only the nearest are used."""
    weights = read_weights(bundle)
    weights |= {name: value[:, :context] for name, value in weights.items() if name.endswith(".relative")}
    model = build_model(replace(bundle.model, context=context))
    model.load_state_dict(weights)
    return model.eval()


@torch.no_grad()
def scored(store: Store, piece: Piece, bundle: Bundle, model: nn.Module, without_composer: bool) -> Score:
    """Score a whole piece from its first row."""
    notes = trim(store.notes(piece.index))
    quantised = bundle.codec.quantise(notes)
    events = bundle.codec.encode(notes)
    rows = torch.from_numpy(events.astype(np.int64))[None]
    counted = torch.from_numpy(bundle.codec.loss_mask(events))[None]
    ids = torch.tensor([condition(bundle, piece, without_composer)])
    logits = model(shift_right(rows, bundle.model.field_sizes), rows, ids)
    nll = token_nll(logits, rows, counted)[0].double().sum(dim=0).numpy()
    hits = keys = 0
    if isinstance(bundle.codec, NoteCodec):
        is_key = rows[0, :, 1] < KEY_COUNT
        keys, hits = int(is_key.sum()), int((logits[1][0].argmax(dim=-1) == rows[0, :, 1])[is_key].sum())
    return Score(nll, hits, keys, len(events), len(quantised), quantised.seconds)


def condition(bundle: Bundle, piece: Piece, without_composer: bool) -> ConditionIds:
    return bundle.model.condition_ids(composer="any" if without_composer else piece.composer, source=piece.source)


def apart(store: Store, pieces: list[Piece], bundle: Bundle, scores: list[Score]) -> float:
    """How far the engine's nats are from torch's on a few pieces, as a share."""
    engine = load_engine(bundle)
    shares = []
    for piece, score in zip(pieces, scores, strict=False):
        events = bundle.codec.encode(trim(store.notes(piece.index)))
        nll = engine.score(events, condition(bundle, piece, without_composer=False)) * bundle.codec.loss_mask(events)
        shares.append(abs(float(nll.sum(dtype=np.float64) / score.nll.sum()) - 1))
    return float(f"{max(shares):.2g}")


def summed(scores: list[Score]) -> dict[str, object]:
    """Nats a note and a second over all pieces, by field, and the 95 % interval over resampled pieces."""
    sums = np.array([score.nll for score in scores])  # [pieces, F]
    together = add_up(sums.sum(axis=1), [score.notes for score in scores])
    assert together is not None
    keys = sum(score.keys for score in scores)
    return {
        "nats_per_note": round(together.per_note, 4),
        "interval_95": together.interval and [round(value, 4) for value in together.interval],
        "nats_per_second": round(float(sums.sum() / sum(score.seconds for score in scores)), 3),
        "next_key_accuracy": round(sum(score.hits for score in scores) / keys, 4) if keys else None,
        "nats_per_note_by_field": [round(float(value), 4) for value in sums.sum(axis=0) / together.notes],
        "notes": together.notes,
        "rows": sum(score.rows for score in scores),
    }


if __name__ == "__main__":
    try:
        main()
    except AriettaError as error:
        sys.exit(f"likelihood: {error}")
