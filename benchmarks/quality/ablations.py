"""What each idea is worth: small models that differ in one thing, trained alike, scored on MAESTRO's test split.

    python -m benchmarks.quality.ablations --corpus corpus --runs runs/ablations | tee -a docs/figures.jsonl
    python -m benchmarks.quality.ablations --corpus corpus --runs runs/ablations --only "relative, seed 1" --steps 20000
    python -m benchmarks.quality.ablations --corpus corpus --runs runs/rates --only event --steps 200 --rates 0.01 0.02

The last line is how the learning rate was chosen, kind by kind: it scores windows of MAESTRO's validation split. Of
0.01, 0.02 and 0.04 the highest was best for each.

Magenta's protocol (Oore et al. 2018; Huang et al. 2018): pitches 21-108, 10 ms, 32 velocities, the pedal folded into
durations, transposed by up to 3 semitones and stretched by up to 5 % in training; whole pieces cut into consecutive
windows of 2,048, nothing skipped. All transformers have one shape, all runs the same updates of the same size, so a
row of any of them costs the same products. Runs that were stopped go on; finished ones are only scored again.

`event` rows are PerformanceCodec's, one token at a time. `note` rows are NoteCodec's, one step a note: on the same
notes (pedal folded, 10 ms, 32 velocities; the log of a duration value's width in steps is added, so that both name
the same 10 ms), or with the pedal kept. Prints one JSON line a case.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from arietta.cli.training_run import progress_line
from arietta.codecs.grid import DURATION_STEPS
from arietta.codecs.performance import PerformanceCodec
from arietta.corpus.store import SPANS, Store, StoreWriter, open_store, read_manifest
from arietta.evaluation.likelihood import interval_by_piece
from arietta.music.notes import trim
from arietta.train.checkpoint import BEST, RUN, load_trained
from arietta.train.config import RunSettings, load_config
from arietta.train.data.batches import pieces_of
from arietta.train.hardware import Hardware, use_hardware
from arietta.train.loop import train
from arietta.train.plan import plan_run
from arietta.train.validation import Scores, TokenWindows, cut_token_windows, score
from benchmarks.shared.report import commit

LENGTH = 2048
RATE_WINDOWS = 96  # of the validation split, by which a learning rate is chosen
ALIKE: dict[str, Any] = {
    "model.width": 128, "model.layers": 3, "model.heads": 2, "model.kv_heads": 2, "model.context": LENGTH,
    "model.dropout": 0.0, "data.length": LENGTH, "data.corpora": ["maestro"],
    "train.batch": 1, "train.optimiser": "muon", "train.weight_decay": 0.3, "train.rate": 0.04,
    "train.validation_windows": 0, "train.validate_every": 1_000_000,
}  # fmt: skip
EVENT, NOTE = {"data.codec": "performance"}, {"data.codec": "note"}


@dataclass(frozen=True)
class Case:
    """A model to train: its settings beside `ALIKE`, on the notes as they are or `is_folded`."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    seed: int = 1
    is_folded: bool = False


CASES = [
    *(Case(f"event/{kind}, seed 1", EVENT | {"model.positions": kind}) for kind in ("relative", "rotary", "absolute")),
    Case("note/folded pedal, relative", NOTE, is_folded=True),
    Case("note/folded pedal, rotary", NOTE | {"model.positions": "rotary"}, is_folded=True),
    *(
        Case(f"event/{kind}, seed 2", EVENT | {"model.positions": kind}, 2)
        for kind in ("relative", "rotary", "absolute")
    ),
    Case("event/lstm", EVENT | {"model.kind": "lstm", "model.width": 208, "model.layers": 2}),
    Case("note/relative", NOTE),
    Case("note/rotary", NOTE | {"model.positions": "rotary"}),
    Case("note/relative, a table for each head", NOTE | {"model.positions": "relative_per_head"}),
    Case("note/relative, one key and value head", NOTE | {"model.kv_heads": 1}),
    Case("note/relative, composer never told", NOTE | {"data.min_composer_pieces": 100_000}),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True, help="a corpus of `arietta ingest` that holds MAESTRO")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs, made or gone on with")
    parser.add_argument("--only", action="append", default=[], help="cases whose names hold this text")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument(
        "--rates", type=float, nargs="+", help="try each case at each of these, and score the validation split"
    )
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    arguments = parser.parse_args()
    store = open_store(arguments.corpus).select(["maestro"])
    cases = [
        replace(case, settings=case.settings | {"train.steps": arguments.steps})
        for case in CASES
        if not arguments.only or any(text in case.name for text in arguments.only)
    ]
    if not arguments.rates and (
        not arguments.only or any(text in "event/unigram event/bigram" for text in arguments.only)
    ):
        count_tokens(store)
    tried = [
        replace(case, name=f"{case.name}, rate {rate:g}", settings=case.settings | {"train.rate": rate})
        for case in cases
        for rate in arguments.rates or []
    ]
    with use_hardware(arguments.device, threads=arguments.threads) as hardware:
        for case in tried or cases:
            print(f"\n{case.name}", file=sys.stderr)
            part = fold(store, arguments.runs / "folded") if case.is_folded else store
            side = ("validation", RATE_WINDOWS) if tried else ("test", None)
            figures = measure(case, part, arguments.runs, hardware, *side)
            print_figures(case.name, figures, group="ablation-rate" if tried else "ablation-muon")


def measure(
    case: Case, store: Store, runs: Path, hardware: Hardware, split: str, max_windows: int | None
) -> dict[str, Any]:
    """Train a case, or go on with it, and return how it scores a split, or so many windows of it."""
    overrides = ALIKE | case.settings | {"train.seed": case.seed}
    settings = load_config(RunSettings, None, overrides)
    folder = runs / case.name.replace("/", "-").replace(", ", "-").replace(" ", "-")
    outcome = train(plan_run(settings, store), folder, hardware, report=progress_line())
    if outcome.reason == "interrupted":
        raise SystemExit(130)
    trained = load_trained(folder / BEST)
    windows = cut_token_windows(
        trained.codec, trained.config, store, split=split, length=LENGTH, max_windows=max_windows
    )
    scores = score(trained.model, windows, hardware, batch=2)
    extra = wider_durations(windows) if case.is_folded else np.zeros(len(windows))
    parameters = json.loads((folder / RUN).read_text())["parameters"]
    effort = {"parameters": parameters, "updates": outcome.step, "rows_trained": outcome.rows}
    return summed(scores, windows, extra) | effort


def summed(scores: Scores, windows: TokenWindows, extra: NDArray[np.float64]) -> dict[str, Any]:
    """Return nats per row (that is, per token), per note and per second, with 95 % intervals by piece.

    `extra` float64 [N] is added to the nats of each window, in the figures by note and by second.
    """
    nats, seconds = scores.nll.sum(axis=1), float(windows.seconds.sum())
    pieces, piece = np.unique(windows.piece, return_inverse=True)
    nats_by, all_by, rows_by, notes_by = (
        np.bincount(piece, weights=values) for values in (nats, nats + extra, scores.rows, windows.notes)
    )
    return {
        "nats_per_row": round(float(nats.sum() / scores.rows.sum()), 4),
        "interval_95": [round(value, 4) for value in interval_by_piece(nats_by, rows_by)],
        "accuracy": round(float(scores.hits.sum() / scores.rows.sum()), 4),
        "nats_per_note": round(float(all_by.sum() / notes_by.sum()), 4),
        "note_interval_95": [round(value, 4) for value in interval_by_piece(all_by, notes_by)],
        "nats_per_second": round(float(all_by.sum() / seconds), 2),
        "rows": int(scores.rows.sum()),
        "notes": int(windows.notes.sum()),
        "pieces": len(pieces),
    }


def wider_durations(windows: TokenWindows) -> NDArray[np.float64]:
    """Sum of log(width in 10 ms steps) of the duration values of each window's notes, float64 [N].

    A value stands for the steps nearer to it than to its neighbours: a model that names it has not said which.
    """
    edges = (DURATION_STEPS[1:] + DURATION_STEPS[:-1]) / 2
    widths = np.diff(np.concatenate([[DURATION_STEPS[0] - 0.5], edges, [DURATION_STEPS[-1] + 0.5]]))
    counted = windows.batch.counted[..., 3]  # a velocity counts in the rows of notes alone
    return (np.log(widths)[windows.batch.tokens[..., 2]] * counted).sum(axis=1)


def fold(store: Store, folder: Path) -> Store:
    """Write MAESTRO once more with its notes as PerformanceCodec says them; opened where that is done."""
    if (folder / SPANS).exists():
        return open_store(folder)
    folder.mkdir(parents=True, exist_ok=True)
    codec, lines, spans = PerformanceCodec(), [], []
    by_index = {line["index"]: line for line in read_manifest(store.path) if line["state"] == "kept"}
    with StoreWriter(folder) as writer:
        for piece in tqdm(store.pieces, unit="piece", desc="folding the pedal", file=sys.stderr):
            notes = codec.quantise(trim(store.notes(piece.index)))
            lines.append(by_index[piece.index] | {"index": len(spans), "notes": len(notes)})
            spans.append(writer.append(notes))
        writer.finish(lines, spans)
    return open_store(folder)


def count_tokens(store: Store) -> None:
    """Print how well counts of single tokens, and of pairs, predict the test split; each count begins at 1."""
    codec, (size,) = PerformanceCodec(), PerformanceCodec.field_sizes
    single, pairs = np.ones(size), np.ones((size, size))
    for piece in tqdm(pieces_of(store, "train"), unit="piece", desc="counting", file=sys.stderr):
        tokens = codec.encode(trim(store.notes(piece.index)))[:, 0].astype(np.int64)
        single += np.bincount(tokens, minlength=size)
        np.add.at(pairs, (tokens[:-1], tokens[1:]), 1)
    alone = -np.log(single / single.sum())
    after = -np.log(pairs / pairs.sum(axis=1, keepdims=True))
    encoded = [
        codec.encode(trim(store.notes(piece.index)))[:, 0].astype(np.int64) for piece in pieces_of(store, "test")
    ]
    notes = np.array([len(codec.quantise(trim(store.notes(piece.index)))) for piece in pieces_of(store, "test")])
    rows = np.array([len(tokens) for tokens in encoded])
    best_alone, best_after = alone.argmin(), after.argmin(axis=1)
    unigram = (np.array([alone[t].sum() for t in encoded]), sum(int((t == best_alone).sum()) for t in encoded))
    bigram = (
        np.array([alone[t[0]] + after[t[:-1], t[1:]].sum() for t in encoded]),
        sum(int((t[1:] == best_after[t[:-1]]).sum()) for t in encoded),
    )
    for name, (nats, hits) in {"unigram": unigram, "bigram": bigram}.items():
        figures = {
            "nats_per_row": round(float(nats.sum() / rows.sum()), 4),
            "interval_95": [round(value, 4) for value in interval_by_piece(nats, rows)],
            "accuracy": round(hits / int(rows.sum()), 4),
            "nats_per_note": round(float(nats.sum() / notes.sum()), 4),
            "rows": int(rows.sum()),
            "notes": int(notes.sum()),
            "pieces": len(rows),
        }
        print_figures(f"event/{name}", figures)


def print_figures(name: str, figures: dict[str, Any], *, group: str = "ablation") -> None:
    assert all(math.isfinite(value) for value in figures.values() if isinstance(value, float)), (name, figures)
    print(json.dumps({"name": f"{group}/{name}"} | figures | {"commit": commit()}), flush=True)


if __name__ == "__main__":
    main()
