"""One update after another: a network, its optimiser, and the state that makes the next update.

The update of step s is a function of the state, the seed and s alone: crops are drawn by (seed, batch number), and
dropout's generator is seeded anew for each step. So nothing else needs saving for a run to go on exactly.
"""

from __future__ import annotations

import copy
import math
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..codecs.codec import Codec
from ..codecs.codec import fingerprint as codec_fingerprint
from ..corpus.store import Store
from ..errors import ConfigError
from ..model.config import ModelConfig
from .batches import Batch, Crops
from .checkpoint import Content
from .config import describe_config
from .hardware import Hardware
from .network import build_model
from .network.fields import shift_right, token_nll
from .pretrained import Start, carry_over
from .settings import RunSettings, TrainSettings

BETAS = (0.9, 0.95)
LONGEST_GRADIENT = 1.0
LAST_RATE = 0.1  # of the highest


@dataclass(frozen=True)
class Plan:
    """All that a run is made of before its first step."""

    settings: RunSettings
    store: Store
    codec: Codec
    model: ModelConfig
    start: Start | None = None  # the model whose weights it begins from; None for fresh ones

    def identity(self) -> Content:
        """What two runs must share to be the same run."""
        return {
            "settings": describe_config(self.settings),
            "store": self.store.fingerprint,
            "codec": codec_fingerprint(self.codec),
        } | ({"start": self.start.fingerprint} if self.start else {})


class Trainer:
    """A network that learns; `step` counts updates, `rows` what it has seen.

    `best` is the lowest validation score so far (nats a row), reached at `best_step`, `stale` scores ago.
    """

    def __init__(self, plan: Plan, hardware: Hardware) -> None:
        """Raises ConfigError where the processes cannot share a step evenly. Seeds torch's global generator."""
        self.plan, self.hardware = plan, hardware
        self.settings = plan.settings.train
        if self.settings.accumulate % hardware.world:
            raise ConfigError(
                f"train.accumulate ({self.settings.accumulate}) batches cannot be shared evenly by "
                f"{hardware.world} processes; make it a multiple"
            )
        torch.manual_seed(self.settings.seed)
        self.model = build_model(plan.model)
        if plan.start:
            carry_over(plan.start, self.model, plan.model)
        self.model.to(hardware.device)
        self.averaged = copy.deepcopy(self.model) if self.settings.average else self.model
        self.network = _network(self.model, self.settings, hardware)
        self.optimiser = _optimiser(self.model, self.settings)
        self.crops = Crops(plan.store, plan.codec, plan.model, plan.settings.data, seed=self.settings.seed)
        self.step, self.rows, self.seconds = 0, 0, 0.0
        self.best, self.best_step, self.stale = math.inf, 0, 0
        self._pool = ThreadPoolExecutor(1) if hardware.is_cuda else None
        self._ahead: Future[list[Batch]] | None = None

    def advance(self) -> tuple[Tensor, Tensor]:
        """Make one update; returns this process's part of the loss (nats a row) and the gradient's length."""
        torch.manual_seed(_step_seed(self.settings.seed, self.step, self.hardware.rank))
        self.network.train()
        batches = self._take_batches()
        rows = self.hardware.total(sum(batch.rows for batch in batches))[0]
        loss = self._descend(batches, rows)
        length = nn.utils.clip_grad_norm_(self.model.parameters(), LONGEST_GRADIENT)
        for group in self.optimiser.param_groups:
            group["lr"] = rate(self.settings, self.step)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step, self.rows = self.step + 1, self.rows + int(rows)
        if self.averaged is not self.model:
            self._average()
        return loss, length

    def content(self, *, with_optimiser: bool) -> Content:
        """The checkpoint: with the optimiser and the raw weights to go on from, without it the best to use."""
        weights = self.model if with_optimiser else self.averaged
        return {
            "model": weights.state_dict(),
            "average": self.averaged.state_dict() if with_optimiser and self.averaged is not self.model else {},
            "optimiser": self.optimiser.state_dict() if with_optimiser else {},
            "config": self.plan.model.describe(),
            "codec": self.plan.codec.describe(),
            "store": self.plan.store.fingerprint,
            "identity": self.plan.identity(),
            "rng": {"seed": self.settings.seed},
            **{name: getattr(self, name) for name in _COUNTERS},
        }

    def restore(self, content: Content) -> None:
        """Go back to the state that `content(with_optimiser=True)` gave."""
        self.model.load_state_dict(content["model"])
        if self.averaged is not self.model:
            self.averaged.load_state_dict(content["average"])
        self.optimiser.load_state_dict(content["optimiser"])
        for name in _COUNTERS:
            setattr(self, name, content[name])

    def _descend(self, batches: list[Batch], rows: float) -> Tensor:
        """Gather the gradient of the mean over all `rows` of the step; returns this process's part of the loss."""
        loss = torch.zeros((), device=self.hardware.device)
        for place, batch in enumerate(batches):
            is_last = place == len(batches) - 1
            waits = isinstance(self.network, DistributedDataParallel) and not is_last
            with self.network.no_sync() if waits else nullcontext():
                part = self._nll(batch) / rows
                (part * self.hardware.world).backward()  # type: ignore[no-untyped-call]  # DistributedDataParallel divides by the processes
            loss += part.detach()
        return loss

    def _nll(self, batch: Batch) -> Tensor:
        events, counted, composer, source = self.hardware.tensors(batch)
        with self.hardware.autocast():
            logits = self.network(shift_right(events, self.plan.codec.field_sizes), events, composer, source)
        return token_nll(logits, events, counted).sum()

    def _take_batches(self) -> list[Batch]:
        """This step's batches; on a GPU the next step's are drawn meanwhile (a crop takes 1 ms of a CPU)."""
        if self._pool is None:
            return self._draw(self.step)
        batches = self._ahead.result() if self._ahead else self._draw(self.step)
        self._ahead = self._pool.submit(self._draw, self.step + 1)
        return batches

    def _draw(self, step: int) -> list[Batch]:
        first = step * self.settings.accumulate
        mine = range(self.hardware.rank, self.settings.accumulate, self.hardware.world)
        return [self.crops.batch(first + place, self.settings.batch) for place in mine]

    @torch.no_grad()
    def _average(self) -> None:
        """Move the running mean towards the weights; it forgets faster in the first steps, which are far off."""
        kept = min(self.settings.average, (1 + self.step) / (10 + self.step))
        for mean, weight in zip(self.averaged.parameters(), self.model.parameters(), strict=True):
            mean.lerp_(weight, 1 - kept)


_COUNTERS = ("step", "rows", "seconds", "best", "best_step", "stale")


def rate(settings: TrainSettings, step: int) -> float:
    """Learning rate of update `step` (0 is the first): linear warm-up, then a cosine to LAST_RATE."""
    if step < settings.warm_up:
        return settings.rate * (step + 1) / settings.warm_up
    passed = (step - settings.warm_up) / max(settings.steps - settings.warm_up, 1)
    return settings.rate * (LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * min(passed, 1.0))) / 2)


def _network(model: nn.Module, settings: TrainSettings, hardware: Hardware) -> Any:
    network: Any = torch.compile(model) if settings.compile and hardware.is_cuda else model
    return DistributedDataParallel(network) if hardware.world > 1 else network


def _optimiser(model: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """AdamW that pulls matrices and tables towards 0, but not biases and the scales of norms."""
    weights = list(model.parameters())
    groups = [
        {"params": [weight for weight in weights if weight.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [weight for weight in weights if weight.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.rate, betas=BETAS, fused=True)


def _step_seed(seed: int, step: int, rank: int) -> int:
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)[0] >> 1)
