"""What every trunk shares: fields of tokens in, chained heads out, and the loss over the fields that count.

The input at position t is token t - 1; before the first token stands one of "none" values, V_f for field f.
A token's embedding is the sum of its fields' embeddings and those of its conditions, which go with the position that
predicts a token, not with the one that takes it in.
Heads are chained in the codec's order: field i is predicted from the hidden state and the token's earlier fields.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...model.config import ModelConfig


def shift_right(tokens: Tensor, field_sizes: Sequence[int]) -> Tensor:
    """Return the inputs for `tokens` int64 [B, T, F]: none, then tokens 0 to T - 2."""
    none = tokens.new_tensor(field_sizes).expand(len(tokens), 1, -1)
    return torch.cat([none, tokens[:, :-1]], dim=1)


def token_nll(logits: Sequence[Tensor], targets: Tensor, counted: Tensor) -> Tensor:
    """Return the negative log-likelihood in nats, float32 [B, T, F]: 0 where `counted` bool [B, T, F] is False."""
    # In float32 whatever the logits are: bfloat16 has 8 bits of precision, too few for a sum over a vocabulary.
    parts = [
        functional.cross_entropy(logit.float().flatten(0, 1), targets[..., field].flatten(), reduction="none")
        for field, logit in enumerate(logits)
    ]
    return torch.stack(parts, dim=-1).view(targets.shape) * counted


def rows_of(table: nn.Module, ids: Tensor) -> Tensor:
    """Return rows [.., width] of a small table by ids int64 [..]; on a GPU as `one_hot_product`."""
    weight = cast(nn.Embedding, table).weight
    rows: Tensor = one_hot_product(weight, ids) if weight.is_cuda else table(ids)
    return rows


def one_hot_product(weight: Tensor, ids: Tensor) -> Tensor:
    """Return rows of `weight` [V, width] as a product with one-hot vectors.

    Its gradient is a product too; that of an embedding is a sort of all ids, which takes a GPU longer than a block.
    """
    one_hot = ids[..., None] == torch.arange(len(weight), device=ids.device)
    return one_hot.to(weight.dtype) @ weight


class FieldEmbedding(nn.Module):
    """Embeds inputs int64 [B, T, F] and condition ids int64 [B, T, K] or [B, K] as float32 [B, T, width]."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        tables = [nn.Embedding(size + 1, config.width) for size in config.field_sizes]
        conditions = {condition.name: nn.Embedding(condition.size, config.width) for condition in config.conditions}
        for table in tables:
            nn.init.normal_(table.weight, std=1 / math.sqrt(len(tables)))  # so that their sum begins at size 1
        for table in conditions.values():
            nn.init.normal_(table.weight, std=0.02)
        self.tables, self.conditions = nn.ModuleList(tables), nn.ModuleDict(conditions)

    def forward(self, inputs: Tensor, conditions: Tensor) -> Tensor:
        """Add up the embeddings of all fields and conditions at each position."""
        if conditions.ndim == 2:
            conditions = conditions[:, None]
        parts = [rows_of(table, conditions[..., index]) for index, table in enumerate(self.conditions.values())]
        parts += [rows_of(table, inputs[..., field]) for field, table in enumerate(self.tables)]
        summed = parts[0]
        for part in parts[1:]:
            summed = summed + part
        return summed


class ChainedHeads(nn.Module):
    """Turns hidden states [B, T, width] and target tokens [B, T, F] into logits, one [B, T, V_f] for each field.

    Field 0 reads the hidden state alone. Field i > 0 reads gelu(A_i h + sum over j < i of C_ij[target_j]).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        sizes, width = config.field_sizes, config.width
        self.mix = nn.ModuleList(nn.Linear(width, width) for _ in sizes[1:])
        self.chain = nn.ModuleList(
            nn.ModuleList(nn.Embedding(size, width) for size in sizes[: field + 1]) for field in range(len(sizes) - 1)
        )
        out = [nn.Linear(width, size) for size in sizes]
        for embedding in self.chain.modules():
            if isinstance(embedding, nn.Embedding):
                nn.init.normal_(embedding.weight, std=0.2)
        for linear in out:
            # All values begin equally likely: the first updates then go to the trunk, not to unlearning a guess.
            nn.init.zeros_(linear.weight)
            nn.init.zeros_(linear.bias)
        self.out = nn.ModuleList(out)

    def forward(self, hidden: Tensor, targets: Tensor) -> list[Tensor]:
        """Predict every field of every target from the fields before it."""
        logits = [self.out[0](hidden)]
        for field, (mix, chain) in enumerate(zip(self.mix, self.chain, strict=True), start=1):
            mixed = mix(hidden)
            for earlier, embedding in enumerate(cast(nn.ModuleList, chain)):
                mixed = mixed + rows_of(embedding, targets[..., earlier])
            logits.append(self.out[field](functional.gelu(mixed)))
        return logits
