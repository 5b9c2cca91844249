"""Networks small enough to be looked into: sizes that differ, random weights, random tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from arietta.model.config import ModelConfig, style_conditions
from arietta.train.network.fields import shift_right
from tests.support.bundles import random_model

SIZES = (7, 5, 6, 3)
SMALL = ModelConfig(
    kind="transformer",
    field_sizes=SIZES,
    width=16,
    layers=2,
    context=16,
    heads=4,
    kv_heads=2,
    dropout=0.0,
    conditions=style_conditions(("Edvard Grieg",), ("measured", "sequenced")),
)


def learner(config: ModelConfig) -> nn.Module:
    """A network whose weights are large enough for every part of the input to matter."""
    return random_model(config, spread=0.3)


def random_tokens(length: int, batch: int = 2, sizes: Sequence[int] = SIZES) -> Tensor:
    numbers = torch.Generator().manual_seed(length)
    return torch.stack([torch.randint(size, (batch, length), generator=numbers) for size in sizes], dim=-1)


@torch.no_grad()
def run(
    model: nn.Module, tokens: Tensor, composer: int = 0, source: int = 0, sizes: Sequence[int] = SIZES
) -> list[Tensor]:
    """Logits of every token from those before it, all pieces under the same two conditions."""
    ids = torch.tensor([[composer, source]] * len(tokens))
    logits: list[Tensor] = model(shift_right(tokens, sizes), tokens, ids)
    return logits
