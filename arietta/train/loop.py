"""The training run around the updates: begin or go on, report, validate, save the best weights, stop.

    plan = plan_run(settings, open_store("corpus"))
    with use_hardware() as hardware:
        outcome = train(plan, Path("runs/mine"), hardware)

A killed run goes on from its last checkpoint and ends with the weights of one that was never killed. SIGTERM and
Ctrl-C finish the update at hand, save, and return.
"""

from __future__ import annotations

import logging
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from ..errors import ConfigError
from ..files import write_file
from .checkpoint import (
    BEST,
    LAST,
    RUN,
    UNREADABLE,
    check_same_run,
    read_checkpoint,
    versions,
    write_checkpoint,
    write_json,
)
from .config import describe_config
from .data.batches import pieces_of
from .hardware import Hardware, describe_machine
from .log import CURVE, append_metrics, cut_metrics, draw_curve, read_metrics
from .plan import Plan, describe_data
from .trainer import Trainer
from .validation import TokenWindows, cut_token_windows, score, summarise_scores

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingProgress:
    """How far a run is: losses in nats per token; `validation` is nan before the first.

    `steps` is 0 where the clock ends the run.
    """

    step: int
    steps: int
    loss: float
    validation: float
    tokens_per_second: float
    seconds_left: float


@dataclass(frozen=True)
class TrainingOutcome:
    """How a run ended: `reason` is "finished", "no longer improving" or "interrupted"; run.json holds these names."""

    reason: str
    step: int
    best: float
    best_step: int
    rows: int  # tokens learned from
    seconds: float


def train(
    plan: Plan,
    folder: Path,
    hardware: Hardware,
    *,
    report: Callable[[TrainingProgress], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
    is_asked_to_stop: Callable[[], bool] | None = None,
) -> TrainingOutcome:
    """Train to the plan's end, from `folder`'s last checkpoint where it has one of the same run.

    `clock` gives seconds; all that pass from the first update on count, validation too. `is_asked_to_stop` stands in
    for SIGTERM and Ctrl-C, of which only a main thread hears. Raises ConfigError where the
    folder holds another run, or the loss is no longer finite.
    """
    # Whoever calls this keeps his own random numbers: the trainer seeds torch's global generator.
    devices = [hardware.device] if hardware.is_cuda else []
    with torch.random.fork_rng(devices), stop_requests() as has_signal:
        run = Run(plan, folder, hardware, report, clock)
        try:
            run.begin()
            return run.loop(is_asked_to_stop or has_signal)
        finally:
            run.trainer.close()


class Run:
    """A run in its folder; only the first of several processes writes."""

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        hardware: Hardware,
        report: Callable[[TrainingProgress], None] | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.clock = clock
        self.plan, self.folder, self.hardware, self.report = plan, folder, hardware, report
        self.settings = plan.settings.train
        self.trainer = Trainer(plan, hardware)
        self.windows: TokenWindows | None = None
        self.validation = math.nan
        self._losses: list[torch.Tensor] = []  # since the last report; tensors, so that a GPU is not waited for
        self._logged_rows, self._logged_seconds, self._first_step, self._first_seconds = 0, 0.0, 0, 0.0
        self._counted_at = self._saved_at = clock()
        self._snapshots_until = 0.0

    def begin(self) -> None:
        """Restore the folder's checkpoint, cut the validation windows, write run.json."""
        trainer, last, planned = self.trainer, self.folder / LAST, _length_of(describe_config(self.settings))
        length = planned
        if last.exists():
            content = read_checkpoint(last)
            if "conditions" not in content["config"]:
                raise ConfigError(
                    f"{self.folder}: this run was begun by an older version, which alone can go on with it; "
                    "`arietta export` still makes a model of it, and a new run needs another --out"
                )
            try:
                check_same_run(self.folder, content["identity"], self.plan.identity())
                trainer.restore(content)
                planned = _length_of(content["identity"]["settings"]["train"])
            except UNREADABLE as error:
                raise ConfigError(
                    f"{last}: lacks what a run needs to go on, or has it in another shape; choose another --out"
                ) from error
        if self.settings.validation_windows:
            self.windows = cut_token_windows(
                self.plan.codec,
                self.plan.model,
                self.plan.store,
                split="validation",
                length=self.plan.settings.data.length,
                max_windows=self.settings.validation_windows,
            )
        if self.hardware.sum_number(trainer.step) != self.hardware.world * trainer.step:
            raise ConfigError(f"{self.folder}: not every process sees the checkpoint; put it where all machines do")
        self._first_step, self._first_seconds, self._snapshots_until = trainer.step, trainer.seconds, trainer.progress
        self._logged_rows, self._logged_seconds = trainer.rows, trainer.seconds
        if self.hardware.is_first:
            self.folder.mkdir(parents=True, exist_ok=True)
            cut_metrics(self.folder, trainer.step)
            if trainer.step:
                LOG.info("%s: goes on after step %d", self.folder, trainer.step)
            if length != planned:
                message = "%s: planned anew, %s instead of %s: the rate follows the new course from here"
                LOG.info(message, self.folder, length, planned)
                self._append_line({"kind": "planned", "step": trainer.step, "length": length, "before": planned})
            self._write_description(None)

    def loop(self, is_asked_to_stop: Callable[[], bool]) -> TrainingOutcome:
        """Update, report, validate and save until the run is over or `is_asked_to_stop`."""
        trainer, settings = self.trainer, self.settings
        is_stopped = False
        if settings.compile and self.hardware.is_cuda and not self._end_reason():
            trainer.prepare()
        self._counted_at = self._saved_at = self.clock()
        if self.plan.pretrained and not trainer.step:
            self._validate()  # the weights it begins from are the first to beat
        while not self._end_reason() and not is_stopped:
            loss, length = trainer.advance()
            self._losses.append(loss)
            self._count_seconds()
            is_logged = trainer.step % settings.log_every == 0 or bool(self._end_reason())
            loss_and_speed = self._log(length) if is_logged else None
            if trainer.step % settings.validate_every == 0 or self._end_reason():
                self._validate()
            if loss_and_speed:  # now, so that what is reported of a step is what its weights scored
                self._report(*loss_and_speed)
            # Summed, so that all processes stop after the same step when one of them is asked to.
            is_stopped = bool(self.hardware.sum_number(is_asked_to_stop()))
            self._save_snapshots()
            if self.clock() - self._saved_at >= 60 * settings.checkpoint_minutes:
                self._save()
        self._save()
        outcome = TrainingOutcome(
            reason=self._end_reason() or "interrupted",
            step=trainer.step,
            best=trainer.best,
            best_step=trainer.best_step,
            rows=trainer.rows,
            seconds=round(trainer.seconds, 1),
        )
        if self.hardware.is_first:
            self._write_description(outcome)
        return outcome

    def _end_reason(self) -> str:
        """Say why the run is over; empty where it is not."""
        if self.settings.patience and self.trainer.stale >= self.settings.patience:
            return "no longer improving"
        return "finished" if self.trainer.progress >= 1 else ""

    def _count_seconds(self) -> None:
        """Add what passed since the last time to the trainer's seconds, by the first process's clock for all."""
        now = self.clock()
        self.trainer.seconds += self.hardware.sum_number(now - self._counted_at if self.hardware.is_first else 0.0)
        self._counted_at = now

    def _log(self, length: torch.Tensor) -> tuple[float, float]:
        """Log the mean loss since the last time and the tokens per second of all processes together; return both."""
        trainer = self.trainer
        loss = self.hardware.sum_number(self._mean_loss())
        speed = (trainer.rows - self._logged_rows) / max(trainer.seconds - self._logged_seconds, 1e-9)
        self._logged_rows, self._logged_seconds, self._losses = trainer.rows, trainer.seconds, []
        line = {"kind": "training", "step": trainer.step, "loss": loss, "gradient": float(length)}
        line |= {"rate": trainer.rate, "rows_per_second": round(speed, 1)}
        self._append_line(line | {"seconds": round(trainer.seconds, 1)})
        return loss, speed

    def _report(self, loss: float, speed: float) -> None:
        """Tell whoever asked for it how far the run is."""
        trainer, settings = self.trainer, self.settings
        if not (self.report and self.hardware.is_first):
            return
        if settings.minutes:
            seconds_left, steps = max(60 * settings.minutes - trainer.seconds, 0.0), 0
        else:
            pace = (trainer.seconds - self._first_seconds) / (trainer.step - self._first_step)
            seconds_left, steps = pace * (settings.steps - trainer.step), settings.steps
        self.report(TrainingProgress(trainer.step, steps, loss, self.validation, speed, seconds_left))

    def _save_snapshots(self) -> None:
        """Write a checkpoint for each of the settings' snapshots that the run has passed since the last time."""
        before, self._snapshots_until = self._snapshots_until, self.trainer.progress
        for share in self.settings.snapshots:
            if self.hardware.is_first and before < share <= self._snapshots_until:
                content = self.trainer.content(with_optimiser=True)
                write_checkpoint(self.folder / f"snapshot-{100 * share:g}.pt", content)

    def _mean_loss(self) -> float:
        """Return this process's part of the mean loss since the last report; raises ConfigError where not finite."""
        loss = float(torch.stack(self._losses).mean()) if self._losses else 0.0
        if not math.isfinite(loss):
            raise ConfigError(f"the loss became {loss} by step {self.trainer.step}; lower train.rate and begin anew")
        return loss

    def _validate(self) -> None:
        """Score the validation windows and save the weights if they are the best; without windows save the newest."""
        trainer, began_at = self.trainer, self.trainer.seconds
        line: dict[str, object] = {"kind": "validation", "step": trainer.step}
        is_best = True
        if self.windows is not None:
            # What other shapes without gradients would cost in compiling is more than it saves.
            is_compiled = self.settings.compile and self.hardware.is_cuda
            with torch.compiler.set_stance("force_eager") if is_compiled else nullcontext():
                scores = score(trainer.averaged, self.windows, self.hardware, batch=self.settings.batch)
            summary = summarise_scores(scores, self.windows, self.plan.codec)
            self.validation = summary["nats_per_row"]
            is_best = self.validation < trainer.best
            trainer.stale = 0 if is_best else trainer.stale + 1
            self._append_line(line | summary | {"is_best": is_best, "seconds": round(trainer.seconds, 1)})
        if is_best:
            trainer.best, trainer.best_step = self.validation, trainer.step
        if self.hardware.is_first:
            if is_best:
                write_checkpoint(self.folder / BEST, trainer.content(with_optimiser=False))
            write_file(self.folder / CURVE, draw_curve(read_metrics(self.folder)))
        self._count_seconds()
        self._logged_seconds += trainer.seconds - began_at  # tokens per second are told of updates alone

    def _save(self) -> None:
        self._mean_loss()  # raises, so that weights that are no numbers never replace a checkpoint
        if self.hardware.is_first:
            write_checkpoint(self.folder / LAST, self.trainer.content(with_optimiser=True))
        self._saved_at = self.clock()

    def _append_line(self, line: dict[str, object]) -> None:
        if self.hardware.is_first:
            append_metrics(self.folder, line)

    def _write_description(self, outcome: TrainingOutcome | None) -> None:
        """Write run.json, at the end with the outcome."""
        description = self.plan.identity() | {
            "corpus": {
                "pieces": len(self.plan.store),
                "train_pieces": len(pieces_of(self.plan.store, "train")),
                "data": describe_data(self.plan.store),
            },
            "model": self.plan.model.describe(),
            "parameters": sum(weight.numel() for weight in self.trainer.model.parameters()),
            "precision": "bfloat16" if self.hardware.is_bfloat16 else "float32",
            "processes": self.hardware.world,
            "machine": describe_machine(self.hardware.device),
            "versions": versions(),
        }
        if self.plan.pretrained:
            description["begun_from"] = self.plan.pretrained.name
        write_json(self.folder / RUN, description | ({"outcome": asdict(outcome)} if outcome else {}))


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Give a function that says whether SIGTERM or Ctrl-C came; the second Ctrl-C interrupts as always."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False  # Python lets the main thread alone set handlers
        return
    old_handlers = {kind: signal.getsignal(kind) for kind in (signal.SIGTERM, signal.SIGINT)}

    def receive(kind: int, _: FrameType | None) -> None:
        received.append(kind)
        signal.signal(kind, old_handlers[signal.Signals(kind)])

    for kind in old_handlers:
        signal.signal(kind, receive)
    try:
        yield lambda: bool(received)
    finally:
        for kind, handler in old_handlers.items():
            signal.signal(kind, handler)


def _length_of(settings: Mapping[str, Any]) -> str:
    """Say how long a run is that [train] describes."""
    return f"{settings['minutes']:g} minutes" if settings.get("minutes") else f"{settings['steps']} steps"
