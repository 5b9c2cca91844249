"""One update after another: a network, its optimiser, and the state that makes the next update.

The update of step s is a function of the state, the seed and s alone: crops are drawn by (seed, batch number), and
dropout's generator is seeded anew for each step. So nothing else needs saving for a run to go on exactly.
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from ..errors import ConfigError
from .checkpoint import Content
from .data.batches import Crops, TokenBatch
from .data.workers import BatchNumbers, BatchStream, worker_count
from .hardware import Hardware
from .network import build_model
from .network.fields import shift_right, token_nll
from .optimiser import Optimiser
from .plan import Plan
from .pretrained import Pretrained, carry_over
from .schedule import rate_share

LOG = logging.getLogger(__name__)
# What a checkpoint holds of the trainer's own state, under these names.
COUNTERS = ("step", "rows", "seconds", "best", "best_step", "stale")


class Trainer:
    """A network that learns; `step` counts updates, `rows` the tokens it has learned from, `seconds` the time.

    `best` is the lowest validation score so far (nats per token), reached at `best_step`, `stale` scores ago. `rate` is
    the learning rate of the last update. The loop counts the seconds and keeps the score.
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
        if plan.pretrained:
            carry_over(plan.pretrained, self.model, plan.model)
        self.model.to(hardware.device)
        self.averaged = copy.deepcopy(self.model) if self.settings.average else self.model
        self._token_nll: Callable[..., Tensor] = token_nll
        if self.settings.compile and hardware.is_cuda:
            # Part by part: the blocks are alike, so one is compiled for all, and checkpoints keep their plain names.
            for part in (self.model.embedding, *getattr(self.model, "blocks", ()), self.model.heads):
                part.compile(dynamic=False)
            self._token_nll = torch.compile(token_nll, dynamic=False)
        self.network: Any = DistributedDataParallel(self.model) if hardware.world > 1 else self.model
        precision = torch.bfloat16 if hardware.is_bfloat16 else torch.float32
        self.optimiser = Optimiser(self.model, self.settings, precision)
        if plan.pretrained and plan.pretrained.optimiser:
            self._carry_over_optimiser(plan.pretrained)
        self.crops = Crops(plan.store, plan.codec, plan.model, plan.settings.data, seed=self.settings.seed)
        self.step, self.rows, self.seconds, self.rate = 0, 0, 0.0, 0.0
        self.best, self.best_step, self.stale = math.inf, 0, 0
        self._stream: BatchStream | None = None  # begun with the first update, which says where

    @property
    def progress(self) -> float:
        """How much of the run's course lies behind, by the clock or by updates: 1 at its end."""
        settings = self.settings
        done = self.seconds / (60 * settings.minutes) if settings.minutes else self.step / settings.steps
        return settings.begin + (1 - settings.begin) * done

    def advance(self) -> tuple[Tensor, Tensor]:
        """Make one update; returns this process's part of the loss (nats per token) and the gradient's length."""
        settings = self.settings
        # Dropout depends on the step, not on what was drawn before: a resumed run draws what an unbroken one does.
        sequence = np.random.SeedSequence([settings.seed, self.step, self.hardware.rank])
        torch.manual_seed(int(sequence.generate_state(1, np.uint64)[0] >> 1))  # >> 1: torch wants 63 bits
        self.network.train()
        if self._stream is None:
            self._stream = self._open_stream()
        batches = self._take_batches(self._stream)
        token_count = self.hardware.sum_number(sum(batch.token_count for batch in batches))
        loss = self._backpropagate(batches, token_count)
        share = rate_share(self.progress, self.step, warm_up=settings.warm_up, hold=settings.hold)
        self.rate = settings.rate * share
        length = self.optimiser.step(share)
        self.step, self.rows = self.step + 1, self.rows + int(token_count)
        if self.averaged is not self.model:
            self._update_average()
        return loss, length

    def close(self) -> None:
        """End the processes that draw batches; the next update would begin new ones."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def content(self, *, with_optimiser: bool) -> Content:
        """Return a checkpoint: with the optimiser and the raw weights to go on from, without it the weights to use."""
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
            **{name: getattr(self, name) for name in COUNTERS},
        }

    def restore(self, content: Content) -> None:
        """Go back to the state that `content(with_optimiser=True)` gave."""
        self.close()
        self.model.load_state_dict(content["model"])
        if self.averaged is not self.model:
            self.averaged.load_state_dict(content["average"])
        self.optimiser.load_state_dict(content["optimiser"])
        for name in COUNTERS:
            setattr(self, name, content[name])

    def prepare(self) -> None:
        """Let the compiler see an update's shapes, which takes a minute, without updating anything."""
        batches = self._take_batches(self._open_stream(workers=0))
        self._backpropagate(batches, sum(batch.token_count for batch in batches))
        self.optimiser.forget_gradients()

    def _carry_over_optimiser(self, pretrained: Pretrained) -> None:
        """Go on with the momentum of a run that this one branches off from, where both have the same weights."""
        before, now = ({**config.describe(), "dropout": 0} for config in (pretrained.config, self.plan.model))
        if before != now or pretrained.optimiser["kind"] != self.settings.optimiser:
            LOG.info("%s: its optimiser's state is of other weights or another kind, and is left", pretrained.name)
            return
        self.optimiser.load_state_dict(pretrained.optimiser)

    def _backpropagate(self, batches: list[TokenBatch], token_count: float) -> Tensor:
        """Add up the gradient of the mean over all tokens of the step; returns this process's part of the loss."""
        loss = torch.zeros((), device=self.hardware.device)
        for index, batch in enumerate(batches):
            is_last = index == len(batches) - 1
            # Processes exchange their gradients once a step, after the last batch.
            is_local = isinstance(self.network, DistributedDataParallel) and not is_last
            with self.network.no_sync() if is_local else nullcontext():
                part = self._nll(batch) / token_count
                (part * self.hardware.world).backward()  # type: ignore[no-untyped-call]  # DistributedDataParallel divides by the processes
            loss += part.detach()
        return loss

    def _nll(self, batch: TokenBatch) -> Tensor:
        """Sum the negative log-likelihood over what counts in a batch, in nats."""
        tokens, counted, conditions = self.hardware.tensors(batch)
        with self.hardware.autocast():
            logits = self.network(shift_right(tokens, self.plan.codec.field_sizes), tokens, conditions)
        return self._token_nll(logits, tokens, counted).sum()

    def _open_stream(self, workers: int = -1) -> BatchStream:
        """Begin to draw this process's batches from the next step on."""
        settings, hardware = self.settings, self.hardware
        numbers = BatchNumbers(self.step, settings.accumulate, hardware.rank, hardware.world)
        if workers < 0:
            workers = worker_count(settings.workers, is_cuda=hardware.is_cuda, world=hardware.world)
        return BatchStream(self.crops, numbers, size=settings.batch, workers=workers)

    def _take_batches(self, stream: BatchStream) -> list[TokenBatch]:
        """Take a step's batches, of which each process has its part."""
        return [next(stream) for _ in range(self.settings.accumulate // self.hardware.world)]

    @torch.no_grad()
    def _update_average(self) -> None:
        """Move the running mean towards the weights; it forgets faster in the first steps, which are far off."""
        factor = min(self.settings.average, (1 + self.step) / (10 + self.step))
        for mean, weight in zip(self.averaged.parameters(), self.model.parameters(), strict=True):
            mean.lerp_(weight, 1 - factor)
