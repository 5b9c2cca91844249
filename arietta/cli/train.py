"""Train a model on a corpus that `arietta ingest` made (needs the train extra).

    arietta train configs/tiny.toml --corpus corpus --out runs/tiny
    arietta train configs/piano.toml --corpus corpus --out runs/piano --steps 20000
    arietta train configs/tiny.toml --corpus corpus --out runs/slow --set train.rate=0.0005 --set model.layers=2
    arietta train configs/tiny.toml --corpus corpus --out runs/tiny --evaluate test
    arietta train configs/concert.toml --corpus corpus --out runs/concert --from runs/piano/best.pt
    torchrun --nproc-per-node 2 -m arietta train configs/piano-large.toml --corpus corpus --out runs/large \\
        --set train.accumulate=2

The same command goes on where a run was stopped or killed: checkpoints are written every few minutes and when you
press Ctrl-C. More --steps extend a run that has finished. The folder then holds best.pt (for `arietta export`),
last.pt, run.json, metrics.jsonl and curve.png. --evaluate scores best.pt on a whole split instead of training.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..corpus.store import open_store
from ..errors import ConfigError
from ..program import command, install_command
from ..train.config import load_config, parse_override

if TYPE_CHECKING:
    from ..train.loop import Outcome, Progress

QUIET_SECONDS = 30  # between lines where stderr is a file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, help="a TOML file of settings, as in configs/")
    parser.add_argument("--corpus", type=Path, required=True, help="the folder that `arietta ingest` made")
    parser.add_argument("--from", dest="start", metavar="MODEL", help="begin with the weights of a model or a best.pt")
    parser.add_argument("--evaluate", metavar="SPLIT", help="score best.pt on train, validation or test; no training")
    add_run_arguments(parser)


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """What every verb that trains can be told."""
    parser.add_argument("--out", type=Path, required=True, help="the run's folder, made or gone on with")
    parser.add_argument("--steps", type=int, help="updates in all, instead of the config's train.steps")
    parser.add_argument("--seed", type=int, help="instead of the config's train.seed")
    parser.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], help="any setting, repeatable")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (0: all)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")


def run(arguments: argparse.Namespace) -> int:
    """Train, or score a trained model; returns 130 where it was stopped before its end."""
    need_torch()
    from ..train.checkpoint import BEST, load_trained
    from ..train.hardware import Hardware, hardware
    from ..train.loop import plan_run, train
    from ..train.pretrained import read_start
    from ..train.settings import RunSettings
    from ..train.validation import evaluate

    tell_log()
    settings = load_config(RunSettings, arguments.config, overrides(arguments))
    store = open_store(arguments.corpus)
    with hardware(arguments.device, settings.train.precision, threads=arguments.threads) as place:
        if arguments.evaluate:
            trained = load_trained(arguments.out / BEST)
            figures = evaluate(
                trained, store, split=arguments.evaluate, length=settings.data.length, hardware=Hardware(place.device)
            )
            print(json.dumps(figures, indent=1))
            return 0
        start = read_start(arguments.start) if arguments.start else None
        outcome = train(plan_run(settings, store, start), arguments.out, place, report=progress_line())
        if place.is_first:
            ended(arguments.out, outcome, next_words=command("export", arguments.out))
    return 130 if outcome.reason == "interrupted" else 0


def overrides(arguments: argparse.Namespace) -> dict[str, Any]:
    """Settings that the command line gives, by dotted name; raises ConfigError where one is impossible."""
    if arguments.threads < 0:
        raise ConfigError(f"--threads must be 0 or more, not {arguments.threads}")
    found = dict(parse_override(text) for text in arguments.set)
    for name in ("steps", "seed"):
        if getattr(arguments, name) is not None:
            found[f"train.{name}"] = getattr(arguments, name)
    return found


def tell_log() -> None:
    """Let the library's log be seen."""
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("arietta").setLevel(logging.INFO)


def need_torch() -> None:
    try:
        import matplotlib as mpl  # noqa: F401
        import torch  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError(f"training needs {error.name}: {install_command('train')}") from error


def ended(folder: Path, outcome: Outcome, *, next_words: str) -> None:
    """Say how a run ended, and which command comes next."""
    if sys.stderr.isatty():
        print(file=sys.stderr)  # leave the line of progress as it stands
    print(_sentence(folder, outcome, next_words))


def _sentence(folder: Path, outcome: Outcome, next_words: str) -> str:
    said = f"{folder}: {outcome.reason} at step {outcome.step}, {_clock(outcome.seconds)} of training"
    if outcome.reason == "interrupted":
        return f"{said}; the same command goes on from here"
    best = "" if math.isnan(outcome.best) else f", best {outcome.best:.4f} nats a row at step {outcome.best_step}"
    return f"{said}{best}; next: {next_words}"


def progress_line() -> Callable[[Progress], None]:
    """Draw one line on stderr again and again; where stderr is a file, write one every half minute."""
    is_terminal = sys.stderr.isatty()
    written = -math.inf

    def draw(progress: Progress) -> None:
        nonlocal written
        is_last = progress.step == progress.steps
        if not is_terminal and not is_last and time.monotonic() - written < QUIET_SECONDS:
            return
        written = time.monotonic()
        validation = "" if math.isnan(progress.validation) else f"  validation {progress.validation:.4f}"
        line = (
            f"step {progress.step}/{progress.steps}  loss {progress.loss:.4f}{validation}  "
            f"{progress.rows_per_second:,.0f} rows/s  {_clock(progress.seconds_left)} left"
        )
        print(f"\r\x1b[K{line}" if is_terminal else line, end="" if is_terminal else "\n", file=sys.stderr, flush=True)

    return draw


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
