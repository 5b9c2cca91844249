"""Train a model on a corpus that `arietta ingest` made (needs the train extra).

examples:
  arietta train configs/tiny.toml --corpus corpus --out runs/tiny
  arietta train configs/small.toml --corpus corpus --out runs/small --steps 20000
  arietta train configs/piano.toml --corpus corpus --out runs/piano --minutes 9      (on a GPU)
  arietta train configs/tiny.toml --corpus corpus --out runs/slow --set train.rate=0.005 --set model.layers=2
  arietta train configs/tiny.toml --corpus corpus --out runs/tiny --evaluate test
  arietta train configs/concert.toml --corpus corpus --out runs/concert --from runs/piano/best.pt
  torchrun --nproc-per-node 2 -m arietta train configs/piano.toml --corpus corpus --out runs/piano \\
      --set train.accumulate=2
  arietta train configs/piano.toml --corpus corpus --out runs/piano --cluster auto --workers 4 --set train.accumulate=12

The same command goes on where a run was stopped or killed: checkpoints are written every few minutes and when you
press Ctrl-C. More --steps extend a run that has finished. With --minutes the clock ends it, the learning rate run down
by then; what a stopped run has spent counts. The folder then holds best.pt (for `arietta export`), last.pt, run.json,
metrics.jsonl and curve.png. --evaluate scores best.pt on a whole split instead of training.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..corpus.labels import SPLITS
from ..corpus.store import open_store
from ..errors import RequestError
from ..program import command
from ..train.config import RunSettings, load_config
from .output import read_integer
from .training_run import add_run_arguments, print_outcome, progress_line, read_overrides, require_train_extra, show_log

if TYPE_CHECKING:
    from ..train.loop import TrainingOutcome


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, help="a TOML file of settings, as in configs/")
    parser.add_argument("--corpus", type=Path, required=True, help="the folder that `arietta ingest` made")
    parser.add_argument(
        "--from", dest="pretrained", metavar="MODEL", help="begin with the weights of a model or a best.pt"
    )
    parser.add_argument(
        "--evaluate",
        metavar="SPLIT",
        choices=SPLITS,
        help="score best.pt on train, validation or test; no training",
    )
    parser.add_argument(
        "--cluster", default="", metavar="ADDRESS", help="train on a Ray cluster: auto, HOST:PORT or local"
    )
    parser.add_argument("--workers", type=read_integer, metavar="N", help="processes there (default 1)")
    add_run_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Train, or score a trained model; returns 130 where it was stopped before its end."""
    if arguments.workers is not None and (arguments.evaluate or not arguments.cluster):
        raise RequestError(
            "--workers are the processes of a training run on a Ray cluster, which --cluster names; on one machine "
            "torchrun starts several"
        )
    require_train_extra()
    from ..train.checkpoint import BEST, load_trained
    from ..train.hardware import Hardware, use_hardware
    from ..train.loop import train
    from ..train.plan import plan_run
    from ..train.pretrained import read_pretrained
    from ..train.validation import evaluate

    show_log()
    settings = load_config(RunSettings, arguments.config, read_overrides(arguments))
    if arguments.cluster and not arguments.evaluate:
        outcome = _train_on_cluster(arguments, settings)
        print_outcome(arguments.out, outcome, next_command=command("export", arguments.out))
        return 130 if outcome.reason == "interrupted" else 0
    store = open_store(arguments.corpus)
    with use_hardware(arguments.device, settings.train.precision, threads=arguments.threads) as hardware:
        if arguments.evaluate:
            trained = load_trained(arguments.out / BEST)
            exact = Hardware(hardware.device)  # float32, so that figures do not depend on the processor
            length = settings.data.length
            figures = evaluate(trained, store, split=arguments.evaluate, length=length, hardware=exact)
            print(json.dumps(figures, indent=1))
            told = f"{figures['nats_per_note']:.2f} nats per note, of which fewer are better; a row is a token"
            pieces = f"{figures['pieces']} piece{'' if figures['pieces'] == 1 else 's'}"
            print(f"{arguments.evaluate}, {pieces}: {told}", file=sys.stderr)
            return 0
        pretrained = read_pretrained(arguments.pretrained) if arguments.pretrained else None
        outcome = train(plan_run(settings, store, pretrained), arguments.out, hardware, report=progress_line())
        if hardware.is_first:
            print_outcome(arguments.out, outcome, next_command=command("export", arguments.out))
    return 130 if outcome.reason == "interrupted" else 0


def _train_on_cluster(arguments: argparse.Namespace, settings: RunSettings) -> TrainingOutcome:
    from ..cluster.training import ClusterRun, train_on_cluster

    run = ClusterRun(
        settings, arguments.corpus, arguments.out, arguments.pretrained, arguments.device, arguments.threads
    )
    return train_on_cluster(
        run, arguments.cluster, workers=1 if arguments.workers is None else arguments.workers, report=progress_line()
    )
