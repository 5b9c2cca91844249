"""How gradients become updates: Muon for the matrices inside the network with AdamW for the rest, or AdamW for all.

Muon (Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks") makes every matrix of momentum
nearly orthogonal, so that all directions move alike. Its rows are then brought to one size by a running mean of their
squares (NorMuon: Li et al. 2025, arXiv 2510.05491, algorithm 1), and weights decay only where the update goes towards
0 anyway (Chen et al. 2025, "Cautious weight decay", arXiv 2510.12402). Tables, the last layer of each head, gains and
biases are AdamW's (Loshchilov and Hutter 2019, arXiv 1711.05101). benchmarks/quality/optimisers.py compares the two.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .config import TrainSettings
from .network.fields import ChainedHeads
from .network.transformer import Attention

# Of Newton-Schulz: a quintic whose five rounds bring singular values of 0.001 to 1 into 0.7 to 1.2 (Jordan et al.).
QUINTIC, ROUNDS = (3.4445, -4.7750, 2.0315), 5
MOMENTUM_FIRST, MOMENTUM, MOMENTUM_UPDATES = 0.85, 0.95, 300  # it rises evenly over so many updates
ROW_MEMORY = 0.9  # of the running mean of each row's squares
# Rates of AdamW beside Muon's, as shares of it, and what they decay by: those that `piano` was trained with.
TABLE_RATE, HEAD_RATE, GAIN_RATE = 2 / 3, 1 / 5, 1 / 3
TABLE_DECAY, HEAD_DECAY = 0.005, 0.01
BETAS_BESIDE_MUON, EPSILON_BESIDE_MUON = (0.8, 0.95), 1e-10
BETAS, EPSILON = (0.9, 0.95), 1e-8  # of AdamW alone; language models use 0.95 instead of 0.999
LONGEST_GRADIENT = {"muon": 5.0, "adamw": 1.0}


class Matrix(NamedTuple):
    """Rows [first, last) of a weight that are one matrix: a projection, or one of several that share a weight."""

    weight: Tensor
    first: int
    last: int

    @property
    def gradient(self) -> Tensor:
        assert self.weight.grad is not None
        return self.weight.grad[self.first : self.last]


class Optimiser:
    """Updates a model's weights by their gradients; `settings` name the optimiser, its rate and its decay.

    Newton-Schulz multiplies in `precision`, and matrices of one shape are stacked, so that a layer more costs no call.
    """

    def __init__(self, model: nn.Module, settings: TrainSettings, precision: torch.dtype = torch.float32) -> None:
        self.settings, self.updates = settings, 0
        self._precision, self._weights = precision, list(model.parameters())
        self._stacks: dict[tuple[int, int], list[Matrix]] = defaultdict(list)
        if settings.optimiser == "muon":
            for matrix in hidden_matrices(model):
                self._stacks[matrix.last - matrix.first, matrix.weight.shape[1]].append(matrix)
        device = self._weights[0].device
        self._momentum = {key: torch.zeros(len(stack), *key, device=device) for key, stack in self._stacks.items()}
        self._rows = {key: torch.zeros(len(stack), key[0], 1, device=device) for key, stack in self._stacks.items()}
        betas, epsilon = (BETAS_BESIDE_MUON, EPSILON_BESIDE_MUON) if self._stacks else (BETAS, EPSILON)
        self._adamw = torch.optim.AdamW(_weight_groups(model, settings), betas=betas, eps=epsilon, fused=True)
        self._peaks = [group["lr"] for group in self._adamw.param_groups]

    def step(self, share: float) -> Tensor:
        """Update every weight at `share` of the highest rate and forget the gradients; returns their length before."""
        length = nn.utils.clip_grad_norm_(self._weights, LONGEST_GRADIENT[self.settings.optimiser])
        momentum = MOMENTUM_FIRST + (MOMENTUM - MOMENTUM_FIRST) * min(self.updates / MOMENTUM_UPDATES, 1.0)
        for key, stack in self._stacks.items():
            self._step_stack(key, stack, self.settings.rate * share, momentum)
        for group, peak in zip(self._adamw.param_groups, self._peaks, strict=True):
            group["lr"] = peak * share
        self._adamw.step()
        self.forget_gradients()
        self.updates += 1
        return length

    def forget_gradients(self) -> None:
        """Drop the gradients of all weights."""
        for weight in self._weights:
            weight.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Return what the next update depends on beside weights and gradients; the tensors are not copied."""
        stacks = {
            f"{rows}x{columns}": {"momentum": momentum, "rows": self._rows[rows, columns]}
            for (rows, columns), momentum in self._momentum.items()
        }
        adamw = self._adamw.state_dict()
        return {"kind": self.settings.optimiser, "updates": self.updates, "stacks": stacks, "adamw": adamw}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave of an optimiser of the same network."""
        self.updates = state["updates"]
        for rows, columns in self._stacks:
            stored = state["stacks"][f"{rows}x{columns}"]
            self._momentum[rows, columns].copy_(stored["momentum"])
            self._rows[rows, columns].copy_(stored["rows"])
        self._adamw.load_state_dict(copy.deepcopy(state["adamw"]))  # torch would share its tensors

    @torch.no_grad()
    def _step_stack(self, key: tuple[int, int], stack: list[Matrix], rate: float, momentum: float) -> None:
        """Update the matrices of one shape."""
        gradient = torch.stack([matrix.gradient for matrix in stack])
        mean, rows = self._momentum[key], self._rows[key]
        mean.lerp_(gradient, 1 - momentum)
        update = orthogonalise(gradient.lerp(mean, momentum).to(self._precision)).float()  # Nesterov's look ahead
        size = update.norm(dim=(-2, -1), keepdim=True)
        rows.lerp_(update.square().mean(dim=-1, keepdim=True), 1 - ROW_MEMORY)
        update = update / (rows.sqrt() + 1e-8)
        update *= size / (update.norm(dim=(-2, -1), keepdim=True) + 1e-8)
        # A tall matrix gets more, so that its outputs change as much as those of a square one (Jordan et al.).
        factor = rate * max(1.0, key[0] / key[1]) ** 0.5
        for matrix, change in zip(stack, update, strict=True):
            weights = matrix.weight[matrix.first : matrix.last]
            weights.mul_(1 - rate * self.settings.weight_decay * (change * weights > 0).to(weights.dtype))
            weights.add_(change, alpha=-factor)


def hidden_matrices(model: nn.Module) -> Iterator[Matrix]:
    """Give the matrices that Muon updates: all linear maps but the last of each head, parts of one weight apart.

    Queries, keys and values are three, and the four gates of an LSTM four each for inputs and for states.
    """
    last = {id(head) for heads in model.modules() if isinstance(heads, ChainedHeads) for head in heads.out}
    joined: dict[int, list[int]] = {}
    for module in model.modules():
        if isinstance(module, Attention):
            config = module.config
            joined[id(module.qkv)] = [config.width, *(2 * [config.kv_heads * config.head_width])]
    for module in model.modules():
        if isinstance(module, nn.Linear) and id(module) not in last:
            yield from _split(module.weight, joined.get(id(module), [len(module.weight)]))
        if isinstance(module, nn.LSTM):
            for weight in module.parameters():
                if weight.ndim == 2:
                    yield from _split(weight, 4 * [module.hidden_size])


@torch.no_grad()
def orthogonalise(matrices: Tensor) -> Tensor:
    """Bring the singular values of [.., rows, columns] near 1, and keep their vectors; in the given precision."""
    is_tall = matrices.shape[-2] > matrices.shape[-1]
    result: Tensor = matrices.mT if is_tall else matrices  # the products are of the shorter side
    result = result / (result.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    first, third, fifth = QUINTIC
    for _ in range(ROUNDS):
        square = result @ result.mT
        result = first * result + (third * square + fifth * square @ square) @ result
    return result.mT if is_tall else result


def _split(weight: Tensor, sizes: list[int]) -> Iterator[Matrix]:
    """Give blocks of so many rows each, which make up the weight."""
    first = 0
    for size in sizes:
        yield Matrix(weight, first, first + size)
        first += size


def _weight_groups(model: nn.Module, settings: TrainSettings) -> list[dict[str, Any]]:
    """Sort the weights that are AdamW's, each group with its rate and its decay."""
    weights, rate = list(model.parameters()), settings.rate
    if settings.optimiser == "adamw":
        # Decay pulls matrices and tables towards 0, but not biases and the scales of norms.
        decayed, free = [w for w in weights if w.ndim >= 2], [w for w in weights if w.ndim < 2]
        return [
            {"params": decayed, "lr": rate, "weight_decay": settings.weight_decay},
            {"params": free, "lr": rate, "weight_decay": 0.0},
        ]
    taken = {id(matrix.weight) for matrix in hidden_matrices(model)}
    heads = {id(linear.weight) for linear in model.modules() if isinstance(linear, nn.Linear)} - taken
    tables = [w for w in weights if w.ndim >= 2 and id(w) not in taken | heads]
    return [
        {"params": tables, "lr": rate * TABLE_RATE, "weight_decay": TABLE_DECAY},
        {"params": [w for w in weights if id(w) in heads], "lr": rate * HEAD_RATE, "weight_decay": HEAD_DECAY},
        {"params": [w for w in weights if w.ndim < 2], "lr": rate * GAIN_RATE, "weight_decay": 0.0},
    ]


def descend(optimiser: torch.optim.Optimizer, loss: Tensor, rate: float) -> None:
    """Make one update at a learning rate, down the gradient of `loss`, whose norm is clipped to 1."""
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_([weight for group in optimiser.param_groups for weight in group["params"]], 1.0)
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.step()
