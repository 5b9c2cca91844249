"""Training of the beat network: is this frame a beat, a downbeat, how long is the beat, how many are in the bar?

    train_beats(BeatTrainer(BeatSettings(), performances), Path("runs/beats"))

The losses of beats and downbeats are binary cross-entropies of each frame, the others cross-entropies of each step. A
run that was stopped goes on from its folder.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ...errors import ConfigError
from ...files import write_file
from ...music.beats.frames import COLUMNS
from ...music.beats.network import (
    BAR_SIZES,
    CARD,
    DILATIONS,
    HEADS,
    KERNEL,
    PACKED,
    PERIOD_COUNT,
    WEIGHTS,
    Weights,
)
from ..checkpoint import UNREADABLE, read_sealed, write_checkpoint
from ..optimiser import descend
from ..schedule import cosine_rate
from .crops import Lesson, draw_lesson
from .performances import AnnotatedPerformance

LAST = "beats.pt"
SAVE_EVERY = 200  # updates
FINAL_RATE = 0.01  # of the highest
LOSSES = {"beat": 1.0, "downbeat": 1.0, "period": 0.05, "size": 0.05, "compound": 0.05}  # weights


@dataclass(frozen=True)
class BeatSettings:
    """How long and how the network learns; a batch has `stretches` of so many `steps`, 25 a second."""

    updates: int = 4800
    stretches: int = 10
    steps: int = 1000
    width: int = 48
    rate: float = 2e-3
    warm_up: int = 100
    weight_decay: float = 0.02
    dropout: float = 0.15
    seed: int = 1


class BeatNetwork(nn.Module):
    """Columns [B, T, PACKED * COLUMNS] in, outputs [B, T, HEADS] out; `music.beats.network` is the same in numpy."""

    def __init__(self, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.enter = nn.Conv1d(PACKED * COLUMNS, width, 1)
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "wide": nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2 * dilation, dilation=dilation),
                    "out": nn.Conv1d(width, width, 1),
                }
            )
            for dilation in DILATIONS
        )
        self.heads = nn.Conv1d(width, HEADS, 1)
        self.dropout = nn.Dropout(dropout)
        for block in self.blocks:
            nn.init.zeros_(block["out"].weight)  # type: ignore[index]
            nn.init.zeros_(block["out"].bias)  # type: ignore[index]
        assert self.heads.bias is not None
        with torch.no_grad():
            self.heads.bias[: 2 * PACKED] = -3.0  # about as rare as beats are

    def forward(self, columns: Tensor) -> Tensor:
        hidden = self.enter(self.dropout(columns).transpose(1, 2))
        for block in self.blocks:
            hidden = hidden + block["out"](self.dropout(functional.elu(block["wide"](hidden))))  # type: ignore[index]
        heads: Tensor = self.heads(torch.relu(hidden)).transpose(1, 2)
        return heads


class BeatTrainer:
    """The network in training and its optimiser; `step` counts updates."""

    def __init__(self, settings: BeatSettings, performances: Sequence[AnnotatedPerformance]) -> None:
        """Seeds torch's global generator."""
        torch.manual_seed(settings.seed)
        self.settings, self.performances, self.step = settings, performances, 0
        self.network = BeatNetwork(settings.width, settings.dropout)
        self._optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=settings.rate, weight_decay=settings.weight_decay
        )

    def advance(self) -> dict[str, float]:
        """Make one update; returns the losses by name."""
        settings = self.settings
        # A function of seed and step alone, so that a run that was stopped draws what an unbroken one does.
        rng = np.random.default_rng([settings.seed, self.step])
        torch.manual_seed(int(rng.integers(2**63)))
        lesson = draw_lesson(self.performances, settings.stretches, settings.steps, rng)
        self.network.train()
        losses = beat_losses(self.network(torch.from_numpy(lesson.columns)), lesson)
        total = sum((LOSSES[name] * loss for name, loss in losses.items()), torch.zeros(()))
        rate = cosine_rate(
            self.step, peak=settings.rate, warm_up=settings.warm_up, steps=settings.updates, final_share=FINAL_RATE
        )
        descend(self._optimiser, total, rate)
        self.step += 1
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def save(self, path: Path) -> None:
        """Write all that `restore` needs to go on exactly."""
        content = {"network": self.network.state_dict(), "optimiser": self._optimiser.state_dict(), "step": self.step}
        names = [performance.name for performance in self.performances]
        write_checkpoint(path, content | {"settings": asdict(self.settings), "performances": names})

    def restore(self, path: Path) -> None:
        """Go on from what `save` wrote; raises ConfigError where it is damaged, or a run that differs from this one."""
        try:
            content = read_sealed(path)
            names = [performance.name for performance in self.performances]
            if content["settings"] != asdict(self.settings) or content["performances"] != names:
                raise ConfigError(f"{path}: holds a run with other settings or performances; choose another --out")
            self.network.load_state_dict(content["network"])
            self._optimiser.load_state_dict(content["optimiser"])
            self.step = content["step"]
        except UNREADABLE as error:
            raise ConfigError(
                f"{path}: damaged, or no checkpoint of this training; remove it to begin anew, or choose another --out"
            ) from error


def beat_losses(outputs: Tensor, lesson: Lesson) -> dict[str, Tensor]:
    """Return the losses by name of outputs [B, T, HEADS], means over the frames and steps that are known."""
    batch, steps, _ = outputs.shape
    is_known = torch.from_numpy(lesson.is_known)
    step_known = is_known.reshape(batch, steps, PACKED).amin(dim=2)
    heads = [PACKED, PACKED, PERIOD_COUNT, len(BAR_SIZES) + 1, 1]
    beat, downbeat, period, size, compound = torch.split(outputs, heads, dim=2)

    def mean(losses: Tensor, known: Tensor) -> Tensor:
        return (losses * known).sum() / known.sum().clamp(min=1)

    def binary(logits: Tensor, target: NDArray[np.float32], known: Tensor) -> Tensor:
        flat = logits.reshape(batch, -1)
        losses = functional.binary_cross_entropy_with_logits(flat, torch.from_numpy(target), reduction="none")
        return mean(losses, known)

    shares = functional.log_softmax(period, dim=2)
    sizes = functional.cross_entropy(size.transpose(1, 2), torch.from_numpy(lesson.size), reduction="none")
    return {
        "beat": binary(beat, lesson.beat, is_known),
        "downbeat": binary(downbeat, lesson.downbeat, is_known),
        "period": mean(-(torch.from_numpy(lesson.period) * shares).sum(dim=2), step_known),
        "size": mean(sizes, step_known),
        "compound": binary(compound, lesson.compound, step_known),
    }


def train_beats(
    trainer: BeatTrainer,
    folder: Path,
    *,
    report: Callable[[int, dict[str, float]], None] | None = None,
    every: int = 50,
) -> None:
    """Train to the last update, from `folder`'s checkpoint where it has one of the same run; `report` gets means."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / LAST).exists():
        trainer.restore(folder / LAST)
    updates, losses = trainer.settings.updates, list[dict[str, float]]()
    while trainer.step < updates:
        losses.append(trainer.advance())
        is_last = trainer.step == updates
        if report and (trainer.step % every == 0 or is_last):
            report(trainer.step, {name: float(np.mean([loss[name] for loss in losses])) for name in LOSSES})
            losses = []
        if trainer.step % SAVE_EVERY == 0 or is_last:
            trainer.save(folder / LAST)


def export_weights(network: BeatNetwork) -> dict[str, NDArray[np.float32]]:
    """Return the weights as `music.beats.network` takes them: rows are inputs, and a kernel's first axis its taps."""
    state = network.state_dict()
    weights = {
        "in.weight": state["enter.weight"][:, :, 0].T,
        "in.bias": state["enter.bias"],
        "heads.weight": state["heads.weight"][:, :, 0].T,
        "heads.bias": state["heads.bias"],
    }
    for number in range(len(network.blocks)):
        wide, out = (f"blocks.{number}.{name}" for name in ("wide", "out"))
        weights |= {
            f"{number}.weight": state[f"{wide}.weight"].permute(2, 1, 0),
            f"{number}.bias": state[f"{wide}.bias"],
        }
        weights |= {
            f"{number}.out.weight": state[f"{out}.weight"][:, :, 0].T,
            f"{number}.out.bias": state[f"{out}.bias"],
        }
    return {name: array.float().contiguous().numpy() for name, array in weights.items()}


def write_network(folder: Path, weights: Weights, card: Mapping[str, Any]) -> None:
    """Write the files that `music.beats.network` reads: weights in 16 bits, and a card that knows their SHA-256."""
    content = io.BytesIO()
    arrays = {name: array.astype(np.float16) for name, array in sorted(weights.items())}
    np.savez_compressed(content, allow_pickle=False, **arrays)  # without pickle, which is never loaded
    digest = hashlib.sha256(content.getvalue()).hexdigest()
    write_file(folder / WEIGHTS, content.getvalue())
    text = json.dumps({**card, "sha256": digest}, indent=1, ensure_ascii=False) + "\n"
    write_file(folder / CARD, text.encode())
