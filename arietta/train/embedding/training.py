"""Training of the embedding's network: who composed a window, which windows are of one work, and which are whole?

    library = gather(store, pieces, composers)
    train(Learner(EmbeddingSettings(), library), Path("runs/embedding"))

The loss of a batch is the cross-entropy of the composers, where they are known, that of each window's fellow among all
windows of the batch (InfoNCE, van den Oord et al. 2018, eq. 4), and that of being whole or put together from parts of
the piece: without it the order of the parts is not heard. A run that was stopped goes on from its folder.
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
from ..checkpoint import UNREADABLE, write_checkpoint
from .data import Library, draw

LAST = "embedding.pt"
SAVE_EVERY = 200  # steps
EPSILON = 1e-5  # of the norms
WIDTH = 128  # of an embedding in training; those that ship have the dimensions that matter


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
    contrast: float = 0.5  # the work's share of the loss, against 1 of the composer
    order: float = 1.0  # and that of being whole
    seed: int = 1


@dataclass(frozen=True)
class Progress:
    """Means since the last report: the loss, and how often composer, fellow and wholeness were told right."""

    step: int
    steps: int
    loss: float
    named: float
    found: float
    whole: float


class Network(nn.Module):
    """Features [B, T, FEATURES] -> embeddings [B, WIDTH]; `embedding.forward` is the same in numpy."""

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

    def forward(self, heard: Tensor) -> Tensor:
        heard = heard.transpose(1, 2)
        for layer in LAYERS:
            out = self.parts[layer.name](heard)
            if layer.adds:
                out = heard + self.parts[f"{layer.name}_again"](torch.relu(out))
            heard = torch.relu(out)
        pooled = torch.cat([heard.mean(dim=2), heard.amax(dim=2)], dim=1).float()
        embedded: Tensor = self.out(self.dropout(pooled))
        return embedded


def _convolution(layer: Layer, width: int) -> nn.Sequential:
    around = layer.dilation * (layer.kernel - 1) // 2
    convolution = nn.Conv1d(width, layer.width, layer.kernel, layer.stride, around, layer.dilation, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm1d(layer.width, eps=EPSILON))


class Learner:
    """The network with its composers' head and its optimiser; `step` counts updates."""

    def __init__(self, settings: EmbeddingSettings, library: Library, *, bfloat16: bool = False) -> None:
        """Seeds torch's global generator."""
        torch.manual_seed(settings.seed)
        self.settings, self.library, self.step = settings, library, 0
        self.network = Network(settings.dropout)
        self.head = nn.Linear(WIDTH, len(library.composers))
        self.wholeness = nn.Linear(WIDTH, 1)
        self._autocast = torch.autocast("cpu", torch.bfloat16, enabled=bfloat16)
        self._parts = nn.ModuleList([self.network, self.head, self.wholeness])
        self._optimiser = torch.optim.AdamW(
            self._parts.parameters(), lr=settings.rate, weight_decay=settings.weight_decay
        )

    def advance(self) -> tuple[float, ...]:
        """Make one update; returns its loss, and the shares that `Progress` has."""
        settings = self.settings
        rng = np.random.default_rng([settings.seed, self.step])
        torch.manual_seed(int(rng.integers(2**63)))
        drawn = draw(self.library, settings.pieces, rng)
        self.network.train()
        with self._autocast:
            embedded = self.network(torch.from_numpy(features(drawn.windows)))
        loss, *shares = self._loss(embedded.float(), torch.from_numpy(drawn.composer), torch.from_numpy(drawn.is_whole))
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._parts.parameters(), 1.0)
        for group in self._optimiser.param_groups:
            group["lr"] = rate(settings, self.step)
        self._optimiser.step()
        self.step += 1
        return float(loss.detach()), *shares

    def _loss(self, embedded: Tensor, composer: Tensor, is_whole: Tensor) -> tuple[Tensor, float, float, float]:
        """Embeddings [B, WIDTH], window i's fellow at i + B / 2; composers int64 [B], -1 where not known; bool [B]."""
        logits, is_known = self.head(embedded), composer >= 0
        cross = functional.cross_entropy(logits[is_known], composer[is_known], label_smoothing=self.settings.smoothing)
        told = functional.normalize(embedded, dim=1)
        alike = (told @ told.T / self.settings.temperature).fill_diagonal_(-math.inf)
        fellow = torch.arange(len(told)).roll(len(told) // 2)
        whole = self.wholeness(embedded)[:, 0]
        loss = cross + self.settings.contrast * functional.cross_entropy(alike, fellow)
        loss = loss + self.settings.order * functional.binary_cross_entropy_with_logits(whole, is_whole.float())
        right = (
            logits[is_known].argmax(dim=1) == composer[is_known],
            alike.argmax(dim=1) == fellow,
            (whole > 0) == is_whole,
        )
        named, found, order = (float(one.float().mean()) for one in right)
        return loss, named, found, order

    def save(self, path: Path) -> None:
        content = {"parts": self._parts.state_dict(), "optimiser": self._optimiser.state_dict(), "step": self.step}
        write_checkpoint(path, content | {"settings": asdict(self.settings), "composers": list(self.library.composers)})

    def restore(self, path: Path) -> None:
        """Go on from what `save` wrote; raises ConfigError where it is damaged, or a run that differs from this one."""
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            if content["settings"] != asdict(self.settings) or content["composers"] != list(self.library.composers):
                raise ConfigError(f"{path}: holds a run with other settings or composers; choose another --out")
            self._parts.load_state_dict(content["parts"])
            self._optimiser.load_state_dict(content["optimiser"])
            self.step = content["step"]
        except UNREADABLE as error:
            raise ConfigError(
                f"{path}: damaged, or no checkpoint of this training; remove it to begin anew, or choose another --out"
            ) from error


def rate(settings: EmbeddingSettings, step: int) -> float:
    """Learning rate of update `step`: linear warm-up, then a cosine to a hundredth."""
    if step < settings.warm_up:
        return settings.rate * (step + 1) / settings.warm_up
    passed = (step - settings.warm_up) / max(settings.steps - settings.warm_up, 1)
    return settings.rate * (0.01 + 0.99 * (1 + math.cos(math.pi * min(passed, 1.0))) / 2)


def train(learner: Learner, folder: Path, *, report: Callable[[Progress], None] | None = None, every: int = 50) -> None:
    """Train to the last step, from `folder`'s checkpoint where it has one of the same run."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / LAST).exists():
        learner.restore(folder / LAST)
    steps, seen = learner.settings.steps, list[tuple[float, ...]]()
    while learner.step < steps:
        seen.append(learner.advance())
        is_last = learner.step == steps
        if report and (learner.step % every == 0 or is_last):
            report(Progress(learner.step, steps, *np.nanmean(np.array(seen), axis=0).tolist()))
            seen = []
        if learner.step % SAVE_EVERY == 0 or is_last:
            learner.save(folder / LAST)


def folded(network: Network) -> dict[str, NDArray[np.float32]]:
    """The network's weights as `embedding.forward` takes them: norms folded into the convolutions before them."""
    state = network.state_dict()
    weights = {"out.weight": state["out.weight"].T, "out.bias": state["out.bias"]}
    for name in network.parts:
        convolution, norm = f"parts.{name}.0", f"parts.{name}.1"
        scale = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + EPSILON)
        kernel = (state[f"{convolution}.weight"] * scale[:, None, None]).permute(2, 1, 0)  # [K, C, O]
        weights[f"{name}.weight"] = kernel.reshape(-1, kernel.shape[2])
        weights[f"{name}.bias"] = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale
    return {name: value.float().contiguous().numpy() for name, value in weights.items()}
