"""The decoder-only Music Transformer (Huang et al. 2018, arXiv 1809.04281) over tokens of several fields, pre-norm.

With relative positions, attention logits are (q k + q E_d) / sqrt(D) with a learned embedding E_d for each distance d
in tokens (equation 3), computed by the skewing trick of section 3.4.1, so that the embeddings cost O(L D) memory.
Rotary positions (the default) and absolute ones are the alternatives; docs/figures.md tells what each is worth.

Beyond the window W, tokens attend as the engine's cache does: token t sees back to the start of the half-window
before its own (blocks of W / 2), so the engine and this file agree at any length.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...model.config import ROTARY_BASE, ModelConfig
from .fields import ChainedHeads, FieldEmbedding

# Queries that attend together, to the keys up to the last of them: at L = 1024 this leaves out 38 % of the products,
# which causality would hide anyway.
QUERY_BLOCK = 256
NORM_EPSILON = 1e-6


class TransformerModel(nn.Module):
    """Stacks embeddings, `layers` blocks, a last norm and chained heads."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = FieldEmbedding(config)
        if config.positions == "absolute":
            self.position = nn.Embedding(config.context, config.width)
            nn.init.normal_(self.position.weight, std=0.02)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.width, eps=NORM_EPSILON)
        self.heads = ChainedHeads(config)

    def forward(self, inputs: Tensor, targets: Tensor, conditions: Tensor) -> list[Tensor]:
        """Return the logits of each field of `targets`; see `build_model`."""
        hidden = self.embedding(inputs, conditions)
        if self.config.positions == "absolute":
            hidden = hidden + self.position(cache_positions(inputs.shape[1], self.config.context, inputs.device))
        hidden = self.dropout(hidden)
        for block in self.blocks:
            hidden = block(hidden)
        logits: list[Tensor] = self.heads(self.norm(hidden), targets)
        return logits


class Block(nn.Module):
    """Adds attention(norm(x)) to x, then feed-forward(norm(x))."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.norm_1 = nn.RMSNorm(config.width, eps=NORM_EPSILON)
        self.attention = Attention(config)
        self.norm_2 = nn.RMSNorm(config.width, eps=NORM_EPSILON)
        self.up = nn.Linear(config.width, 4 * config.width, bias=False)
        self.down = nn.Linear(4 * config.width, config.width, bias=False)
        self.dropout = nn.Dropout(config.dropout)
        nn.init.zeros_(self.down.weight)  # a fresh block passes its input on, at any depth

    def forward(self, hidden: Tensor) -> Tensor:
        """Map [B, T, width] to [B, T, width]."""
        hidden = hidden + self.dropout(self.attention(self.norm_1(hidden)))
        raised = functional.gelu(self.up(self.norm_2(hidden)))
        return hidden + cast(Tensor, self.dropout(self.down(raised)))


class Attention(nn.Module):
    """Attends causally from [B, T, width] to itself; `kv_heads` keys and values serve all heads in groups."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        head_width = config.head_width
        self.qkv = nn.Linear(config.width, (config.heads + 2 * config.kv_heads) * head_width, bias=False)
        self.out = nn.Linear(config.width, config.width, bias=False)
        nn.init.zeros_(self.out.weight)
        if config.positions in ("relative", "relative_per_head"):
            tables = config.heads if config.positions == "relative_per_head" else 1
            self.relative = nn.Parameter(sinusoids(config.context, head_width).expand(tables, -1, -1).clone())

    def forward(self, hidden: Tensor) -> Tensor:
        """Map [B, T, width] to [B, T, width]."""
        config, (batch, length, _) = self.config, hidden.shape
        split = [config.heads, config.kv_heads, config.kv_heads]
        qkv = self.qkv(hidden).view(batch, length, sum(split), config.head_width).transpose(1, 2)
        query, key, value = qkv.split(split, dim=1)
        if config.positions == "rotary":
            query, key = rotate(query), rotate(key)
        if length <= config.context and not hasattr(self, "relative"):
            # Every token still sees all before it, which torch's fused kernel does; it has no argument for the skew.
            mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True)
        else:
            mixed = self.attend_by_blocks(query, key, value)
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, length, config.width))
        return out

    def attend_by_blocks(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Mix values [B, Hkv, T, D] for queries [B, H, T, D] of any length, block of queries by block."""
        query = query / math.sqrt(self.config.head_width)
        half, length = self.config.context // 2, query.shape[2]
        size = math.gcd(half, QUERY_BLOCK)  # no block crosses the edge of a half-window
        mixed = []
        for start in range(0, length, size):
            end = min(start + size, length)
            first = max(start // half - 1, 0) * half  # the key from which on these queries see
            mixed.append(self._attend(query[:, :, start:end], key[:, :, first:end], value[:, :, first:end]))
        return torch.cat(mixed, dim=2)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Mix values for queries [B, H, n, D], the last n of the m positions of keys and values [B, Hkv, m, D]."""
        batch, heads, count, width = query.shape
        kv_heads, seen = key.shape[1:3]
        # Queries that share a key are put into one matrix product, instead of repeating the key for each.
        grouped = query.reshape(batch, kv_heads, -1, width)
        logits = (grouped @ key.transpose(2, 3)).view(batch, heads, count, seen)
        if hasattr(self, "relative"):
            logits = logits + skew(query @ self.relative[:, :seen].flip(1).transpose(1, 2).to(query.dtype))
        mask = torch.full((count, seen), float("-inf"), device=query.device, dtype=logits.dtype)
        weights = (logits + mask.triu(seen - count + 1)).softmax(dim=-1, dtype=torch.float32).to(value.dtype)
        return (weights.view(batch, kv_heads, -1, seen) @ value).view(batch, heads, count, width)


def skew(by_distance: Tensor) -> Tensor:
    """Turn q E [.., n, m], whose column c is distance m - 1 - c, into [.., n, m] whose column c is key c.

    Huang et al. 2018, section 3.4.1, for n queries at the end of m keys; keys after the query hold nothing of use.
    """
    count, seen = by_distance.shape[-2:]
    padded = functional.pad(by_distance, (1, 0)).flatten(-2)
    return padded[..., count:].view(*by_distance.shape[:-2], count, seen)


def sinusoids(count: int, width: int) -> Tensor:
    """Return embeddings of distances 0 to count - 1 to begin with, [count, width]: near distances alike, far ones less.

    Vaswani et al. 2017, section 3.5. Begun at random, each distance would have to be learned by itself.
    """
    angles = position_angles(count, width)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def position_angles(count: int, width: int, device: torch.device | None = None) -> Tensor:
    """Return how far positions 0 to count - 1 turn each pair of channels, in radians, [count, width / 2]."""
    rates = ROTARY_BASE ** (-torch.arange(0, width, 2, device=device, dtype=torch.float32) / width)
    return torch.arange(count, device=device, dtype=torch.float32)[:, None] * rates


def rotate(heads: Tensor) -> Tensor:
    """Give [B, H, T, D] rotary positions from 0 on (Su et al. 2021, arXiv 2104.09864, halves paired)."""
    length, width = heads.shape[-2:]
    angles = position_angles(length, width, heads.device)
    return rotate_pairs(heads, angles.cos().to(heads.dtype), angles.sin().to(heads.dtype))


def rotate_pairs(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs of channels of [.., D] by angles whose cosines and sines are [.., D / 2]."""
    low, high = heads.chunk(2, dim=-1)
    return torch.cat([low * cos - high * sin, high * cos + low * sin], dim=-1)


def cache_positions(length: int, context: int, device: torch.device) -> Tensor:
    """Return the position in the cache at which each token enters, int64 [T]: from W / 2 again after each slide."""
    positions = torch.arange(length, device=device)
    half = context // 2
    return torch.where(positions < context, positions, half + (positions - context) % half)
