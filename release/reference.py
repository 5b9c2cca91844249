"""Write arietta/evaluation/reference.json: percentiles of every figure over windows of real music, numbers only.

    python -m release.reference --corpus corpus            all of it: minutes a corpus, then the models
    python -m release.reference --corpus corpus --models   only how likely models find the same windows

A window of 300 and one of 1,000 notes from somewhere in every piece of the validation and test sides of MAESTRO and
GiantMIDI-Piano that is long enough. Likelihoods are of the first 60 windows of each set under every shipped model, the
composer not told; those of bundles that are known by their fingerprint are kept, those that ship no longer dropped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from arietta.corpus.store import Store, open_store
from arietta.corpus.windows import reader
from arietta.evaluation.likelihood import score_piece
from arietta.evaluation.reference import FILE, PERCENTILES, TITLES, WINDOWS, set_name
from arietta.evaluation.report import report_on
from arietta.files import write_file
from arietta.model.bundle import DEFAULT_MODEL, SHIPPED, Bundle, load_bundle
from arietta.model.engine import load_engine
from arietta.music.notes import Notes
from arietta.music.windows import draw_windows
from benchmarks.shared.report import ROOT

SIDES = ("validation", "test")
SCORED_WINDOWS = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--models", action="store_true", help="keep what is known of the music, and score anew")
    parser.add_argument("--out", type=Path, default=FILE)
    arguments = parser.parse_args()
    store = open_store(arguments.corpus)
    before = json.loads(arguments.out.read_text(encoding="utf-8")) if arguments.out.is_file() else {}
    if arguments.models:
        sets = before["sets"]
    else:
        sets = [measured(store, corpus, size) for corpus in TITLES for size in WINDOWS]
    known = before["models"] if before.get("store") == store.fingerprint else {}
    bundles = [load_bundle(folder) for folder in (SHIPPED / DEFAULT_MODEL, *sorted((ROOT / "models").iterdir()))]
    models = {one.fingerprint: known[one.fingerprint] for one in bundles if one.fingerprint in known}
    described = {"percentiles": PERCENTILES, "store": store.fingerprint, "sets": sets, "models": models}
    write(arguments.out, described)
    for bundle in bundles:
        if bundle.fingerprint not in models:
            models[bundle.fingerprint] = scored(store, bundle)
            write(arguments.out, described)


def write(path: Path, described: dict[str, Any]) -> None:
    write_file(path, (json.dumps(described, indent=0, allow_nan=False) + "\n").encode())


def windows(store: Store, corpus: str, size: int) -> Iterator[Notes]:
    """Give a window of `size` notes of every held-out piece of a corpus that has so many, always the same ones."""
    pieces = [piece for piece in store.pieces if piece.corpus == corpus and piece.split in SIDES]
    return draw_windows(reader(store, pieces, size), len(pieces), size, np.random.default_rng(0))


def measured(store: Store, corpus: str, size: int) -> dict[str, Any]:
    """Percentiles of all figures of a set of windows, of those that have them; half must.

    Coming back after 8 or 30 s is told of windows that last four times as long alone.
    """
    told = [report_on(notes) for notes in tqdm(windows(store, corpus, size), desc=set_name(corpus, size))]
    found = [report.figures for report in told]
    names = [
        name
        for name in dict.fromkeys(name for one in found for name in one)
        if sum(name in one for one in found) >= 0.5 * len(found)
    ]
    return {
        "corpus": corpus,
        "notes": size,
        "windows": len(told),
        "loops": rounded(np.mean([len(report.loops) for report in told])),
        "figures": {name: band([one[name] for one in found if name in one]) for name in names},
    }


def scored(store: Store, bundle: Bundle) -> dict[str, Any]:
    """Percentiles of how likely a model finds the same windows, the first of each set."""
    engine = load_engine(bundle, threads=1)
    bands = {}
    for corpus in TITLES:
        for size in WINDOWS:
            chosen = [notes for notes, _ in zip(windows(store, corpus, size), range(SCORED_WINDOWS), strict=False)]
            told = tqdm(chosen, desc=f"{bundle.name}, {set_name(corpus, size)}")
            bands[set_name(corpus, size)] = band([score_piece(notes, engine).per_note for notes in told])
    return {"name": bundle.name, "windows": SCORED_WINDOWS, "bands": bands}


def band(values: list[float]) -> list[float]:
    return [rounded(value) for value in np.percentile(values, PERCENTILES).tolist()]


def rounded(value: float) -> float:
    """Four digits that count."""
    return float(f"{value:.4g}")


if __name__ == "__main__":
    main()
