"""Train the network that hears beats, from ASAP's performances on MAESTRO's training side, and write its files.

    python -m release.train_beats --maestro maestro-v3.0.0 --asap asap-dataset --out runs/beats
    cp runs/beats/weights.npz runs/beats/card.json models/concert/beats/

About half an hour of one core, a minute with `--updates 100` to try it. How sure it is of bars that are right is told
by `python -m benchmarks.quality.beats --split validation`, by which `SURE` of `arietta/music/beats/bars.py` is
chosen. The works of benchmarks/quality/beats.txt are left out of both, so that they measure what was learned. ASAP
and MAESTRO are licensed CC BY-NC-SA 4.0, and so are the weights. The same seed gives the same weights on one machine;
a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from arietta.errors import AriettaError
from arietta.music.beats.network import WEIGHTS
from arietta.train.beats.performances import AnnotatedPerformance, read_performances
from arietta.train.beats.training import BeatSettings, BeatTrainer, export_weights, train_beats, write_network
from benchmarks.shared.report import ROOT

CARD_TEXT = ROOT / "configs" / "cards" / "beats.toml"
HELD_OUT = ROOT / "benchmarks" / "quality" / "beats.txt"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maestro", type=Path, required=True)
    parser.add_argument("--asap", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--updates", type=int, default=BeatSettings.updates)
    parser.add_argument("--seed", type=int, default=BeatSettings.seed)
    parser.add_argument("--threads", type=int, default=1)
    try:
        run(parser.parse_args())
    except AriettaError as error:
        sys.exit(f"train_beats: {error}")


def run(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    performances = read_split(arguments, "train")
    held_back = [performance for performance in read_split(arguments, "validation") if performance.is_aligned]
    trainer = BeatTrainer(BeatSettings(updates=arguments.updates, seed=arguments.seed), performances)
    with tqdm(total=arguments.updates, unit="update", initial=trainer.step) as bar:

        def show(step: int, losses: dict[str, float]) -> None:
            bar.set_postfix_str(", ".join(f"{name} {loss:.3f}" for name, loss in losses.items()))
            bar.update(step - bar.n)

        train_beats(trainer, arguments.out, report=show)
    write_network(arguments.out, export_weights(trainer.network.eval()), card(performances, held_back, arguments))
    print(f"{arguments.out}: {len(performances)} performances, {(arguments.out / WEIGHTS).stat().st_size / 1e6:.2f} MB")


def read_split(arguments: argparse.Namespace, split: str) -> list[AnnotatedPerformance]:
    """Read a side of MAESTRO's split, without the works that only measure."""
    left_out = {line.rpartition("/")[0] for line in HELD_OUT.read_text(encoding="utf-8").splitlines()}
    reading = tqdm(read_performances(arguments.asap, arguments.maestro, split), desc=split, unit="performance")
    return [performance for performance in reading if performance.work not in left_out]


def card(
    learned: list[AnnotatedPerformance], held_back: list[AnnotatedPerformance], arguments: argparse.Namespace
) -> dict[str, Any]:
    """Complete the text of the card with how much was learned from, and how long."""
    text = tomllib.loads(CARD_TEXT.read_text(encoding="utf-8"))
    sides = {"train": learned, "validation": held_back}
    counts = {
        side: {
            "performances": len(performances),
            "works": len({performance.work for performance in performances}),
            "hours": round(sum(performance.notes.seconds for performance in performances) / 3600, 1),
            "beats": sum(len(performance.beats) for performance in performances),
        }
        for side, performances in sides.items()
    }
    cores = "one core" if arguments.threads == 1 else f"{arguments.threads} cores"
    training = {"updates": arguments.updates, "processor": f"{cores} of a processor", "note": ""}
    return {**text, "counts": counts, "training": training}


if __name__ == "__main__":
    main()
