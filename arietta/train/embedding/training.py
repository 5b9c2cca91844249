"""Training of the embedding's network: who composed a window, which two are of one piece, which are contiguous?

    library = read_library(store, pieces, composers)
    train_embedding(EmbeddingTrainer(EmbeddingSettings(), library), Path("runs/embedding"))

The loss of a batch is the cross-entropy of the composers, where they are known, that of each window's partner among all
windows of the batch (InfoNCE, van den Oord et al. 2018, eq. 4), and that of being contiguous or shuffled: without it
the embedding does not depend on the order of the parts. A run that was stopped goes on from its folder.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ...errors import ConfigError
from ...evaluation.embedding import FEATURES, LAYERS, Layer, features
from ..checkpoint import UNREADABLE, read_sealed, write_checkpoint
from ..optimiser import descend
from ..schedule import cosine_rate
from .data import Library, draw_pairs

LAST = "embedding.pt"
SAVE_EVERY = 200  # steps
EPSILON = 1e-5  # of the norms
WIDTH = 128  # of an embedding in training; those that ship have fewer dimensions, see `export.whiten`
FINAL_RATE = 0.01  # of the highest


@dataclass(frozen=True)
class EmbeddingSettings:
    """How long and how the network learns; a batch has two windows of each of `pieces`."""

    steps: int = 3000
    pieces: int = 64
    rate: float = 2e-3
    warm_up: int = 100
    weight_decay: float = 0.05
    dropout: float = 0.2
    smoothing: float = 0.1  # of the composers' labels, since some are wrong
    temperature: float = 0.1
    contrast: float = 0.5  # weight of the partner's loss, against 1 of the composer's
    order: float = 1.0  # and of the loss of contiguity
    seed: int = 1


@dataclass(frozen=True)
class EmbeddingProgress:
    """Means since the last report: the loss, and how often composer, partner and contiguity were predicted right."""

    step: int
    steps: int
    loss: float
    composer_accuracy: float
    partner_accuracy: float
    contiguity_accuracy: float


class EmbeddingNetwork(nn.Module):
    """Embeds features [B, T, FEATURES] as [B, WIDTH]; `evaluation/embedding.forward` is the same in numpy."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        width, parts = FEATURES, {}
        for layer in LAYERS:
            parts[layer.name] = _convolution(layer, width)
            if layer.adds:
                parts[f"{layer.name}_again"] = _convolution(layer, layer.width)
            width = layer.width
        self.parts = nn.ModuleDict(parts)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(2 * width, WIDTH)

    def forward(self, inputs: Tensor) -> Tensor:
        """Convolve over the notes, then pool by mean and maximum, so that windows of any length are embedded."""
        hidden = inputs.transpose(1, 2)
        for layer in LAYERS:
            out = self.parts[layer.name](hidden)
            if layer.adds:
                out = hidden + self.parts[f"{layer.name}_again"](torch.relu(out))
            hidden = torch.relu(out)
        pooled = torch.cat([hidden.mean(dim=2), hidden.amax(dim=2)], dim=1).float()
        embedded: Tensor = self.out(self.dropout(pooled))
        return embedded


def _convolution(layer: Layer, width: int) -> nn.Sequential:
    padding = layer.dilation * (layer.kernel - 1) // 2
    convolution = nn.Conv1d(width, layer.width, layer.kernel, layer.stride, padding, layer.dilation, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm1d(layer.width, eps=EPSILON))


class EmbeddingTrainer:
    """The network with its heads for training and its optimiser; `step` counts updates."""

    def __init__(self, settings: EmbeddingSettings, library: Library, *, bfloat16: bool = False) -> None:
        """Seeds torch's global generator."""
        torch.manual_seed(settings.seed)
        self.settings, self.library, self.step = settings, library, 0
        self.network = EmbeddingNetwork(settings.dropout)
        self.head = nn.Linear(WIDTH, len(library.composers))
        self.contiguity = nn.Linear(WIDTH, 1)
        self._autocast = torch.autocast("cpu", torch.bfloat16, enabled=bfloat16)
        self._parts = nn.ModuleList([self.network, self.head, self.contiguity])
        self._optimiser = torch.optim.AdamW(
            self._parts.parameters(), lr=settings.rate, weight_decay=settings.weight_decay
        )

    def advance(self) -> tuple[float, ...]:
        """Make one update; returns its loss, and the accuracies that `EmbeddingProgress` has."""
        settings = self.settings
        # A function of seed and step alone, so that a run that was stopped draws what an unbroken one does.
        rng = np.random.default_rng([settings.seed, self.step])
        torch.manual_seed(int(rng.integers(2**63)))
        pairs = draw_pairs(self.library, settings.pieces, rng)
        self.network.train()
        with self._autocast:
            embedded = self.network(torch.from_numpy(features(pairs.windows)))
        composer, is_contiguous = torch.from_numpy(pairs.composer), torch.from_numpy(pairs.is_contiguous)
        loss, *accuracies = self._loss(embedded.float(), composer, is_contiguous)
        rate = cosine_rate(
            self.step, peak=settings.rate, warm_up=settings.warm_up, steps=settings.steps, final_share=FINAL_RATE
        )
        descend(self._optimiser, loss, rate)
        self.step += 1
        return float(loss.detach()), *accuracies

    def _loss(self, embedded: Tensor, composer: Tensor, is_contiguous: Tensor) -> tuple[Tensor, float, float, float]:
        """Return the loss and three accuracies of embeddings [B, WIDTH], window i's partner at i + B / 2.

        `composer` int64 [B] is -1 where not known, `is_contiguous` bool [B].
        """
        logits, is_known = self.head(embedded), composer >= 0
        loss = functional.cross_entropy(logits[is_known], composer[is_known], label_smoothing=self.settings.smoothing)
        unit = functional.normalize(embedded, dim=1)
        similarity = (unit @ unit.T / self.settings.temperature).fill_diagonal_(-math.inf)  # not with itself
        partner = torch.arange(len(unit)).roll(len(unit) // 2)
        contiguity = self.contiguity(embedded)[:, 0]
        loss = loss + self.settings.contrast * functional.cross_entropy(similarity, partner)
        order = functional.binary_cross_entropy_with_logits(contiguity, is_contiguous.float())
        loss = loss + self.settings.order * order
        return (
            loss,
            float((logits[is_known].argmax(dim=1) == composer[is_known]).float().mean()),
            float((similarity.argmax(dim=1) == partner).float().mean()),
            float(((contiguity > 0) == is_contiguous).float().mean()),
        )

    def save(self, path: Path) -> None:
        """Write all that `restore` needs to go on exactly."""
        content = {"parts": self._parts.state_dict(), "optimiser": self._optimiser.state_dict(), "step": self.step}
        write_checkpoint(path, content | {"settings": asdict(self.settings), "composers": list(self.library.composers)})

    def restore(self, path: Path) -> None:
        """Go on from what `save` wrote; raises ConfigError where it is damaged, or a run that differs from this one."""
        try:
            content = read_sealed(path)
            if content["settings"] != asdict(self.settings) or content["composers"] != list(self.library.composers):
                raise ConfigError(f"{path}: holds a run with other settings or composers; choose another --out")
            self._parts.load_state_dict(content["parts"])
            self._optimiser.load_state_dict(content["optimiser"])
            self.step = content["step"]
        except UNREADABLE as error:
            raise ConfigError(
                f"{path}: damaged, or no checkpoint of this training; remove it to begin anew, or choose another --out"
            ) from error


def train_embedding(
    trainer: EmbeddingTrainer,
    folder: Path,
    *,
    report: Callable[[EmbeddingProgress], None] | None = None,
    every: int = 50,
) -> None:
    """Train to the last step, from `folder`'s checkpoint where it has one of the same run."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / LAST).exists():
        trainer.restore(folder / LAST)
    steps, figures = trainer.settings.steps, list[tuple[float, ...]]()
    while trainer.step < steps:
        figures.append(trainer.advance())
        is_last = trainer.step == steps
        if report and (trainer.step % every == 0 or is_last):
            # The accuracy of composers is nan for a batch that has no known one.
            report(EmbeddingProgress(trainer.step, steps, *np.nanmean(np.array(figures), axis=0).tolist()))
            figures = []
        if trainer.step % SAVE_EVERY == 0 or is_last:
            trainer.save(folder / LAST)


def fold_norms(network: EmbeddingNetwork) -> dict[str, NDArray[np.float32]]:
    """Return the weights as `evaluation/embedding.forward` takes them: norms folded into the convolutions before."""
    state = network.state_dict()
    weights = {"out.weight": state["out.weight"].T, "out.bias": state["out.bias"]}
    for name in network.parts:
        convolution, norm = f"parts.{name}.0", f"parts.{name}.1"
        scale = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + EPSILON)
        kernel = (state[f"{convolution}.weight"] * scale[:, None, None]).permute(2, 1, 0)  # [K, C, O]
        weights[f"{name}.weight"] = kernel.reshape(-1, kernel.shape[2])
        weights[f"{name}.bias"] = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale
    return {name: weight.float().contiguous().numpy() for name, weight in weights.items()}
