"""What the verbs that train share: flags, the line of progress, and the closing sentence."""

from __future__ import annotations

import argparse
import logging
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from ..names import escape_name
from ..program import install_command
from ..train.config import parse_override
from ..train.log import CURVE
from .output import read_integer, read_number

if TYPE_CHECKING:
    from ..train.loop import TrainingOutcome, TrainingProgress

MOST_THREADS = 1024
QUIET_SECONDS = 30  # between lines where stderr is a file


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that every verb that trains has."""
    parser.add_argument(
        "--out", type=Path, required=True, help="the run's folder; a run that is there already is continued"
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--steps", type=read_integer, help="updates in all (default: train.steps of the settings)")
    length.add_argument("--minutes", type=read_number, help="end by the clock instead, the rate run down by then")
    parser.add_argument(
        "--seed", type=read_integer, help="the seed of everything drawn (default: train.seed of the settings)"
    )
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="any setting, as train.rate=0.001; may be repeated",
    )
    parser.add_argument("--threads", type=read_integer, default=0, help="threads on the CPU (default 0: all)")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to train (default auto)"
    )


def read_overrides(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that the command line gives, by dotted name; raises ConfigError where one is impossible."""
    if not 0 <= arguments.threads <= MOST_THREADS:
        raise ConfigError(f"--threads must lie in 0-{MOST_THREADS}, not {arguments.threads}")
    overrides = dict(parse_override(text) for text in arguments.set)
    for name in ("steps", "minutes", "seed"):
        if getattr(arguments, name) is not None:
            overrides[f"train.{name}"] = getattr(arguments, name)
    if arguments.steps is not None:
        overrides["train.minutes"] = 0.0
    return overrides


def require_train_extra() -> None:
    """Raise ConfigError, which says what to install, where the packages of training are absent."""
    try:
        import matplotlib as mpl  # noqa: F401
        import torch  # noqa: F401 - named first where both are missing
    except ModuleNotFoundError as error:
        raise ConfigError(f"training needs {error.name}: {install_command('train')}") from error


def show_log() -> None:
    """Write the library's log to stderr; names of files and composers in it cannot steer the terminal."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_escape_message)
    logging.basicConfig(format="%(message)s", handlers=[handler])
    logging.getLogger("arietta").setLevel(logging.INFO)


def _escape_message(record: logging.LogRecord) -> bool:
    record.msg, record.args = escape_name(record.getMessage()), ()
    return True


def progress_line() -> Callable[[TrainingProgress], None]:
    """Return a report that draws one line on stderr again and again; in a file it writes one every half minute."""
    is_terminal = sys.stderr.isatty()
    written_at = -math.inf

    def draw(progress: TrainingProgress) -> None:
        nonlocal written_at
        is_last = progress.seconds_left <= 0
        if not is_terminal and not is_last and time.monotonic() - written_at < QUIET_SECONDS:
            return
        written_at = time.monotonic()
        validation = "" if math.isnan(progress.validation) else f"  validation {progress.validation:.4f}"
        of_all = f"/{progress.steps}" if progress.steps else ""
        line = (
            f"step {progress.step}{of_all}  loss {progress.loss:.4f}{validation}  "
            f"{progress.tokens_per_second:,.0f} tokens/s  {_clock(progress.seconds_left)} left"
        )
        # \r goes back to the line's beginning and \x1b[K erases what a longer line left.
        print(f"\r\x1b[K{line}" if is_terminal else line, end="" if is_terminal else "\n", file=sys.stderr, flush=True)

    return draw


def print_outcome(folder: Path, outcome: TrainingOutcome, *, next_command: str) -> None:
    """Say how a run ended, and which command comes next."""
    if sys.stderr.isatty():
        print(file=sys.stderr)  # leaves the line of progress where it is
    ending = f"{escape_name(folder)}: {outcome.reason} at step {outcome.step}, {_clock(outcome.seconds)} of training"
    best = "" if math.isnan(outcome.best) else f", best {outcome.best:.4f} nats per token at step {outcome.best_step}"
    curve = f" (surprise of held-out music, fewer are better; {escape_name(folder / CURVE)} draws it)" if best else ""
    if outcome.reason == "interrupted":
        print(f"{ending}; the same command goes on from here")
    else:
        print(f"{ending}{best}{curve}; next: {next_command}")


def _clock(seconds: float) -> str:
    """Format seconds as 1:02:05, or 2:05 below an hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
