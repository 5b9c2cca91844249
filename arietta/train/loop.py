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
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

import torch

from ..codecs import CODECS
from ..corpus.store import Store
from ..errors import ConfigError
from ..files import write_file
from ..model.config import ModelConfig, style_conditions
from .checkpoint import BEST, LAST, RUN, check_same_run, read_checkpoint, versions, write_checkpoint, write_json
from .config import RunSettings
from .data.batches import pieces_of
from .hardware import Hardware, describe_machine
from .log import append_metrics, cut_metrics, draw_curve, read_metrics
from .pretrained import Pretrained
from .trainer import Plan, Trainer
from .validation import TokenWindows, cut_token_windows, score, summarise_scores

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingProgress:
    """How far a run is: losses in nats per token; `validation` is nan before the first."""

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


def plan_run(settings: RunSettings, store: Store, pretrained: Pretrained | None = None) -> Plan:
    """Choose codec and conditions by the training split; raises CorpusError where it is empty.

    A model that begins from a pretrained one knows that model's composers and sources too.
    """
    data = settings.data
    store = store.select(data.corpora, data.only_composers)
    pieces = pieces_of(store, "train")
    # A pretrained model goes on with its own codec, whose version may be older than that of new models.
    is_same = pretrained is not None and pretrained.codec.name == data.codec
    codec = pretrained.codec if pretrained and is_same else CODECS[data.codec]()
    counts = Counter(piece.composer for piece in pieces if piece.composer)
    by_count = sorted(counts, key=lambda name: (-counts[name], name))
    frequent = [name for name in by_count if counts[name] >= data.min_composer_pieces]
    composers = set(frequent[: data.max_composers or None])
    sources = {piece.source for piece in pieces if piece.source}
    if pretrained:
        composers |= set(pretrained.config.composers)
        sources |= set(pretrained.config.sources)
    styles = style_conditions(sorted(composers), sorted(sources))
    known = pretrained.config.conditions if pretrained else ()
    others = [condition for condition in known if condition.name not in {style.name for style in styles}]
    model = ModelConfig(
        **asdict(settings.model),
        field_sizes=codec.field_sizes,
        conditions=(*styles, *others),
    )
    return Plan(settings, store, codec, model, pretrained)


def train(
    plan: Plan, folder: Path, hardware: Hardware, *, report: Callable[[TrainingProgress], None] | None = None
) -> TrainingOutcome:
    """Train to the plan's last step, from `folder`'s last checkpoint where it has one of the same run.

    Raises ConfigError where the folder holds another run, or the loss is no longer finite.
    """
    # Whoever calls this keeps his own random numbers: the trainer seeds torch's global generator.
    devices = [hardware.device] if hardware.is_cuda else []
    with torch.random.fork_rng(devices), stop_requests() as is_asked_to_stop:
        run = Run(plan, folder, hardware, report)
        run.begin()
        return run.loop(is_asked_to_stop)


class Run:
    """A run in its folder; only the first of several processes writes."""

    def __init__(
        self, plan: Plan, folder: Path, hardware: Hardware, report: Callable[[TrainingProgress], None] | None
    ) -> None:
        self.plan, self.folder, self.hardware, self.report = plan, folder, hardware, report
        self.settings = plan.settings.train
        self.trainer = Trainer(plan, hardware)
        self.windows: TokenWindows | None = None
        self.validation = math.nan
        self._losses: list[torch.Tensor] = []  # since the last report; tensors, so that a GPU is not waited for
        self._logged_rows, self._logged_at = 0, time.monotonic()
        self._saved_at, self._began_at, self._first_step = self._logged_at, self._logged_at, 0

    def begin(self) -> None:
        """Restore the folder's checkpoint, cut the validation windows, write run.json."""
        trainer, last, planned_steps = self.trainer, self.folder / LAST, self.settings.steps
        if last.exists():
            content = read_checkpoint(last)
            if "conditions" not in content["config"]:
                raise ConfigError(
                    f"{self.folder}: this run was begun by an older version, which alone can go on with it; "
                    "`arietta export` still makes a model of it, and a new run needs another --out"
                )
            check_same_run(self.folder, content["identity"], self.plan.identity())
            trainer.restore(content)
            planned_steps = content["identity"]["settings"]["train"]["steps"]
        if self.settings.validation_windows:
            self.windows = cut_token_windows(
                self.plan.codec,
                self.plan.model,
                self.plan.store,
                split="validation",
                length=self.plan.settings.data.length,
                max_windows=self.settings.validation_windows,
            )
        self._first_step, self._logged_rows = trainer.step, trainer.rows
        if self.hardware.is_first:
            self.folder.mkdir(parents=True, exist_ok=True)
            cut_metrics(self.folder, trainer.step)
            if trainer.step:
                LOG.info("%s: goes on after step %d", self.folder, trainer.step)
            steps = self.settings.steps
            if steps != planned_steps:
                message = "%s: planned anew, %d steps instead of %d: the rate follows a new cosine"
                LOG.info(message, self.folder, steps, planned_steps)
                self._append_line({"kind": "planned", "step": trainer.step, "steps": steps, "before": planned_steps})
            self._write_description(None)

    def loop(self, is_asked_to_stop: Callable[[], bool]) -> TrainingOutcome:
        """Update, report, validate and save until the run is over or `is_asked_to_stop`."""
        trainer, settings = self.trainer, self.settings
        self._logged_at = self._began_at = self._saved_at = time.monotonic()
        is_stopped = False
        if self.plan.pretrained and not trainer.step:
            self._validate()  # the weights it begins from are the first to beat
        while not self._end_reason() and not is_stopped:
            loss, length = trainer.advance()
            self._losses.append(loss)
            is_last = trainer.step == settings.steps
            if trainer.step % settings.log_every == 0 or is_last:
                self._log(length)
            if trainer.step % settings.validate_every == 0 or is_last:
                self._validate()
            # Summed, so that all processes stop after the same step when one of them is asked to.
            is_stopped = bool(self.hardware.sum_number(is_asked_to_stop()))
            if time.monotonic() - self._saved_at >= 60 * settings.checkpoint_minutes:
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
        return "finished" if self.trainer.step >= self.settings.steps else ""

    def _log(self, length: torch.Tensor) -> None:
        """Log and report the mean loss since the last time, and the throughput of all processes together."""
        trainer = self.trainer
        loss = self.hardware.sum_number(self._mean_loss())
        passed = time.monotonic() - self._logged_at
        speed = (trainer.rows - self._logged_rows) / max(passed, 1e-9)
        trainer.seconds += passed
        self._logged_rows, self._logged_at, self._losses = trainer.rows, time.monotonic(), []
        line = {"kind": "training", "step": trainer.step, "loss": loss, "gradient": float(length)}
        line |= {"rate": trainer.rate, "rows_per_second": round(speed, 1)}
        self._append_line(line | {"seconds": round(trainer.seconds, 1)})
        if self.report and self.hardware.is_first:
            done, left = trainer.step - self._first_step, self.settings.steps - trainer.step
            seconds_left = (time.monotonic() - self._began_at) / done * left
            self.report(TrainingProgress(trainer.step, self.settings.steps, loss, self.validation, speed, seconds_left))

    def _mean_loss(self) -> float:
        """Return this process's part of the mean loss since the last report; raises ConfigError where not finite."""
        loss = float(torch.stack(self._losses).mean()) if self._losses else 0.0
        if not math.isfinite(loss):
            raise ConfigError(f"the loss became {loss} by step {self.trainer.step}; lower train.rate and begin anew")
        return loss

    def _validate(self) -> None:
        """Score the validation windows and save the weights if they are the best; without windows save the newest."""
        trainer, began_at = self.trainer, time.monotonic()
        line: dict[str, object] = {"kind": "validation", "step": trainer.step}
        is_best = True
        if self.windows is not None:
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
            write_file(self.folder / "curve.png", draw_curve(read_metrics(self.folder)))
        self._logged_at += time.monotonic() - began_at  # validation is no training time

    def _save(self) -> None:
        self._mean_loss()  # raises, so that weights that are no numbers never replace a checkpoint
        if self.hardware.is_first:
            write_checkpoint(self.folder / LAST, self.trainer.content(with_optimiser=True))
        self._saved_at = time.monotonic()

    def _append_line(self, line: dict[str, object]) -> None:
        if self.hardware.is_first:
            append_metrics(self.folder, line)

    def _write_description(self, outcome: TrainingOutcome | None) -> None:
        """Write run.json, at the end with the outcome."""
        description = self.plan.identity() | {
            "corpus": {"pieces": len(self.plan.store), "train_pieces": len(pieces_of(self.plan.store, "train"))},
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
