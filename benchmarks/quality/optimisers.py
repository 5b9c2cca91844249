"""Muon against AdamW: one network of 3.6 million parameters, 1.3 million tokens of MAESTRO, three rates each.

    python -m benchmarks.quality.optimisers --corpus corpus --runs runs/optimisers | tee -a docs/figures.jsonl
    python -m benchmarks.quality.optimisers --corpus corpus --runs runs/small --width 96 --layers 4 --steps 320

All runs see the same crops in the same order, with the same warm-up and the same course of the rate; each optimiser
decays weights as it usually does. Scores are of windows of 512 tokens spread over MAESTRO's validation split, whole
windows, nothing skipped. `--width`, `--layers` and `--steps` make the comparison smaller. Runs that were stopped go on;
finished ones are only scored again. One JSON line a case.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from arietta.cli.training_run import progress_line
from arietta.corpus.store import Store, open_store
from arietta.train.checkpoint import LAST, load_trained
from arietta.train.config import RunSettings, load_config
from arietta.train.hardware import Hardware, use_hardware
from arietta.train.loop import train
from arietta.train.plan import plan_run
from arietta.train.validation import cut_token_windows, score
from benchmarks.quality.ablations import print_figures, summed

LENGTH = 512
ALIKE: dict[str, Any] = {
    "model.width": 192, "model.layers": 8, "model.heads": 8, "model.kv_heads": 2, "model.context": LENGTH,
    "model.dropout": 0.0, "data.length": LENGTH, "data.corpora": ["maestro"], "train.batch": 4,
    "train.validation_windows": 0, "train.validate_every": 1_000_000,
}  # fmt: skip
DECAY = {"muon": 0.3, "adamw": 0.1}
RATES = {"muon": (0.025, 0.0125, 0.05), "adamw": (0.003, 0.0015, 0.006)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True, help="a corpus of `arietta ingest` that holds MAESTRO")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs, made or gone on with")
    parser.add_argument("--steps", type=int, default=640)
    parser.add_argument("--width", type=int, default=ALIKE["model.width"], help="of the network (%(default)s)")
    parser.add_argument("--layers", type=int, default=ALIKE["model.layers"], help="of the network (%(default)s)")
    parser.add_argument("--windows", type=int, default=256)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="cpu")
    arguments = parser.parse_args()
    store = open_store(arguments.corpus).select(["maestro"])
    size = {"model.width": arguments.width, "model.layers": arguments.layers}
    with use_hardware(arguments.device, threads=arguments.threads) as hardware:
        for optimiser, rate in [(name, RATES[name][k]) for k in range(3) for name in RATES]:
            print(f"\n{optimiser} at {rate}", file=sys.stderr)
            settings = load_config(RunSettings, None, ALIKE | size | settings_of(optimiser, rate, arguments.steps))
            measure(settings, store, arguments.runs / f"{optimiser}-{rate}", arguments.windows, hardware)


def settings_of(optimiser: str, rate: float, steps: int) -> dict[str, Any]:
    names = {"optimiser": optimiser, "rate": rate, "weight_decay": DECAY[optimiser], "steps": steps}
    return {f"train.{name}": value for name, value in names.items()}


def measure(settings: RunSettings, store: Store, folder: Path, max_windows: int, hardware: Hardware) -> None:
    """Train a case, or go on with it, and print how it scores the validation windows."""
    outcome = train(plan_run(settings, store), folder, hardware, report=progress_line())
    if outcome.reason == "interrupted":
        raise SystemExit(130)
    trained = load_trained(folder / LAST)
    windows = cut_token_windows(
        trained.codec, trained.config, store, split="validation", length=LENGTH, max_windows=max_windows
    )
    figures = summed(score(trained.model, windows, hardware, batch=4), windows, np.zeros(len(windows)))
    parameters = sum(weight.numel() for weight in trained.model.parameters())
    effort = {"parameters": parameters, "updates": outcome.step, "rows_trained": outcome.rows}
    name = f"{settings.train.optimiser} at {settings.train.rate:g}"
    print_figures(name, figures | effort, group="optimiser")


if __name__ == "__main__":
    main()
