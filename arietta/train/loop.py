"""The training run around the updates: it begins or goes on, reports, validates, keeps the best, stops.

    plan = plan_run(settings, open_store("corpus"))
    with hardware() as place:
        outcome = train(plan, Path("runs/mine"), place)

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
from ..corpus.store import Piece, Store
from ..errors import ConfigError
from ..files import write_file
from ..model.config import ModelConfig
from .batches import pieces_of
from .checkpoint import (
    BEST,
    LAST,
    RUN,
    append_metrics,
    check_same_run,
    read_checkpoint,
    read_metrics,
    take_back_metrics,
    versions,
    write_checkpoint,
    write_json,
)
from .hardware import Hardware, describe_machine
from .log import draw_curve
from .pretrained import Start
from .settings import RunSettings
from .trainer import Plan, Trainer, rate
from .validation import Windows, cut_windows, score, summarise

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """Where a run stands: losses in nats a row; `validation` is nan before the first."""

    step: int
    steps: int
    loss: float
    validation: float
    rows_per_second: float
    seconds_left: float


@dataclass(frozen=True)
class Outcome:
    """How a run ended: `reason` is "finished", "no longer improving" or "interrupted"."""

    reason: str
    step: int
    best: float
    best_step: int
    rows: int
    seconds: float


def plan_run(settings: RunSettings, store: Store, start: Start | None = None) -> Plan:
    """Learn from the training split what the model needs to know of it; raises CorpusError where it is empty.

    A model that begins from `start` knows that model's composers and sources too.
    """
    data = settings.data
    store = store.select(data.corpora, data.only_composers)
    pieces = pieces_of(store, "train")
    codec = CODECS[settings.data.codec]()
    composers = _composers(pieces, data.min_composer_pieces, data.max_composers)
    sources = {piece.source for piece in pieces if piece.source}
    if start:
        composers, sources = composers | set(start.config.composers), sources | set(start.config.sources)
    model = ModelConfig(
        **asdict(settings.model),
        field_sizes=codec.field_sizes,
        composers=tuple(sorted(composers)),
        sources=tuple(sorted(sources)),
    )
    return Plan(settings, store, codec, model, start)


def _composers(pieces: list[Piece], least: int, most: int) -> set[str]:
    """Those with `least` pieces or more, the `most` best represented of them (0: all)."""
    counts = Counter(piece.composer for piece in pieces if piece.composer)
    known = [name for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if count >= least]
    return set(known[: most or None])


def train(plan: Plan, folder: Path, hardware: Hardware, *, report: Callable[[Progress], None] | None = None) -> Outcome:
    """Train to the plan's last step, from `folder`'s last checkpoint where it has one of the same run.

    Raises ConfigError where the folder holds another run, or the loss is no longer finite.
    """
    devices = [hardware.device] if hardware.is_cuda else []
    with torch.random.fork_rng(devices), stop_requests() as is_asked_to_stop:
        run = Run(plan, folder, hardware, report)
        run.begin()
        return run.go(is_asked_to_stop)


class Run:
    """A run in its folder; only the first of several processes writes."""

    def __init__(self, plan: Plan, folder: Path, hardware: Hardware, report: Callable[[Progress], None] | None) -> None:
        self.plan, self.folder, self.hardware, self.report = plan, folder, hardware, report
        self.settings = plan.settings.train
        self.trainer = Trainer(plan, hardware)
        self.windows: Windows | None = None
        self.validation = math.nan
        self._losses: list[torch.Tensor] = []
        self._rows, self._clock = 0, time.monotonic()
        self._saved, self._began, self._first_step = self._clock, self._clock, 0

    def begin(self) -> None:
        """Take up the folder's checkpoint, cut the validation windows, write run.json."""
        trainer, last, before = self.trainer, self.folder / LAST, self.settings.steps
        if last.exists():
            content = read_checkpoint(last)
            check_same_run(self.folder, content["identity"], self.plan.identity())
            trainer.restore(content)
            before = content["identity"]["settings"]["train"]["steps"]
        if self.settings.validation_windows:
            self.windows = cut_windows(
                self.plan.codec,
                self.plan.model,
                self.plan.store,
                split="validation",
                length=self.plan.settings.data.length,
                max_windows=self.settings.validation_windows,
            )
        self._first_step, self._rows = trainer.step, trainer.rows
        if self.hardware.is_first:
            self.folder.mkdir(parents=True, exist_ok=True)
            take_back_metrics(self.folder, trainer.step)
            self._tell_where(before)
            self._write_description(None)

    def go(self, is_asked_to_stop: Callable[[], bool]) -> Outcome:
        """Update, report, validate and save until the run is over or `is_asked_to_stop`."""
        trainer, settings = self.trainer, self.settings
        self._clock = self._began = self._saved = time.monotonic()
        is_stopped = False
        if self.plan.start and not trainer.step:
            self._validate()  # what it begins from is the first to beat
        while not self._ending() and not is_stopped:
            loss, length = trainer.advance()
            self._losses.append(loss)
            is_last = trainer.step == settings.steps
            if trainer.step % settings.log_every == 0 or is_last:
                self._log(length)
            if trainer.step % settings.validate_every == 0 or is_last:
                self._validate()
            is_stopped = bool(self.hardware.total(is_asked_to_stop())[0])
            if time.monotonic() - self._saved >= 60 * settings.checkpoint_minutes:
                self._save()
        return self._end()

    def _ending(self) -> str:
        """Why the run is over; empty where it is not."""
        if self.settings.patience and self.trainer.stale >= self.settings.patience:
            return "no longer improving"
        return "finished" if self.trainer.step >= self.settings.steps else ""

    def _log(self, length: torch.Tensor) -> None:
        """Write and report the mean loss since the last time, and the throughput of all processes together."""
        trainer = self.trainer
        loss = self.hardware.total(self._mean_loss())[0]
        passed = time.monotonic() - self._clock
        speed = (trainer.rows - self._rows) / max(passed, 1e-9)
        trainer.seconds += passed
        self._rows, self._clock, self._losses = trainer.rows, time.monotonic(), []
        line = {"kind": "training", "step": trainer.step, "loss": loss, "gradient": float(length)}
        line |= {"rate": rate(self.settings, trainer.step - 1), "rows_per_second": round(speed, 1)}
        self._write_line(line | {"seconds": round(trainer.seconds, 1)})
        if self.report and self.hardware.is_first:
            done, left = trainer.step - self._first_step, self.settings.steps - trainer.step
            seconds_left = (time.monotonic() - self._began) / done * left
            self.report(Progress(trainer.step, self.settings.steps, loss, self.validation, speed, seconds_left))

    def _mean_loss(self) -> float:
        """This process's part of the mean loss since the last report; raises ConfigError where it is not finite."""
        loss = float(torch.stack(self._losses).mean()) if self._losses else 0.0
        if not math.isfinite(loss):
            raise ConfigError(f"the loss became {loss} by step {self.trainer.step}; lower train.rate and begin anew")
        return loss

    def _validate(self) -> None:
        """Score the validation windows, keep the weights where they are the best; without windows keep the newest."""
        trainer, began = self.trainer, time.monotonic()
        line: dict[str, object] = {"kind": "validation", "step": trainer.step}
        is_best = True
        if self.windows is not None:
            scores = score(trainer.averaged, self.windows, self.hardware, batch=self.settings.batch)
            summary = summarise(scores, self.windows, self.plan.codec)
            self.validation = summary["nats_per_row"]
            is_best = self.validation < trainer.best
            trainer.stale = 0 if is_best else trainer.stale + 1
            self._write_line(line | summary | {"is_best": is_best, "seconds": round(trainer.seconds, 1)})
        if is_best:
            trainer.best, trainer.best_step = self.validation, trainer.step
        if self.hardware.is_first:
            if is_best:
                write_checkpoint(self.folder / BEST, trainer.content(with_optimiser=False))
            write_file(self.folder / "curve.png", draw_curve(read_metrics(self.folder)))
        self._clock += time.monotonic() - began

    def _save(self) -> None:
        self._mean_loss()  # weights that are no numbers replace no checkpoint
        if self.hardware.is_first:
            write_checkpoint(self.folder / LAST, self.trainer.content(with_optimiser=True))
        self._saved = time.monotonic()

    def _end(self) -> Outcome:
        trainer = self.trainer
        self._save()
        outcome = Outcome(
            reason=self._ending() or "interrupted",
            step=trainer.step,
            best=trainer.best,
            best_step=trainer.best_step,
            rows=trainer.rows,
            seconds=round(trainer.seconds, 1),
        )
        if self.hardware.is_first:
            self._write_description(outcome)
        return outcome

    def _tell_where(self, before: int) -> None:
        """Say where a run goes on, and where its cosine now ends if that was elsewhere `before`."""
        step, steps = self.trainer.step, self.settings.steps
        if step:
            LOG.info("%s: goes on after step %d", self.folder, step)
        if steps != before:
            LOG.info(
                "%s: planned anew, %d steps instead of %d: the rate follows a new cosine", self.folder, steps, before
            )
            self._write_line({"kind": "planned", "step": step, "steps": steps, "before": before})

    def _write_line(self, line: dict[str, object]) -> None:
        if self.hardware.is_first:
            append_metrics(self.folder, line)

    def _write_description(self, outcome: Outcome | None) -> None:
        description = self.plan.identity() | {
            "corpus": {"pieces": len(self.plan.store), "train_pieces": len(pieces_of(self.plan.store, "train"))},
            "model": self.plan.model.describe(),
            "parameters": sum(weight.numel() for weight in self.trainer.model.parameters()),
            "precision": "bfloat16" if self.hardware.is_bfloat16 else "float32",
            "processes": self.hardware.world,
            "machine": describe_machine(self.hardware.device),
            "versions": versions(),
        }
        if self.plan.start:
            description["begun_from"] = self.plan.start.name
        write_json(self.folder / RUN, description | ({"outcome": asdict(outcome)} if outcome else {}))


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Give a function that says whether SIGTERM or Ctrl-C came; the second Ctrl-C interrupts as ever."""
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {kind: signal.getsignal(kind) for kind in (signal.SIGTERM, signal.SIGINT)}

    def note(kind: int, _: FrameType | None) -> None:
        asked.append(kind)
        signal.signal(kind, before[signal.Signals(kind)])

    for kind in before:
        signal.signal(kind, note)
    try:
        yield lambda: bool(asked)
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
