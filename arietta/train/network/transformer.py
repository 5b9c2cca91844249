"""The decoder-only Music Transformer (Huang et al. 2018, arXiv 1809.04281) over rows of fields, pre-norm.

Attention logits are (q k + q E_d) / sqrt(D) with a learned embedding E_d for each distance d in rows (equation 3),
found by the skewing trick of section 3.4.1, so that the embeddings cost O(L D) memory. Rotary positions (the default)
and absolute ones stand beside it; docs/figures.md tells what each is worth.

Beyond the window W, rows attend as the engine's cache does: row t sees back to the start of the half-window
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

QUERY_BLOCK = 256  # queries taken together: at L = 1024 leaves out 38 % of the keys that causality hides
NORM_EPSILON = 1e-6


class TransformerModel(nn.Module):
    """Embeddings, `layers` blocks, a last norm, chained heads."""

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

    def forward(self, rows: Tensor, targets: Tensor, composer: Tensor, source: Tensor) -> list[Tensor]:
        hidden = self.embedding(rows, composer, source)
        if self.config.positions == "absolute":
            hidden = hidden + self.position(cache_places(rows.shape[1], self.config.context, rows.device))
        hidden = self.dropout(hidden)
        for block in self.blocks:
            hidden = block(hidden)
        logits: list[Tensor] = self.heads(self.norm(hidden), targets)
        return logits


class Block(nn.Module):
    """x + attention(norm(x)), then x + feed-forward(norm(x))."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.norm_1 = nn.RMSNorm(config.width, eps=NORM_EPSILON)
        self.attention = Attention(config)
        self.norm_2 = nn.RMSNorm(config.width, eps=NORM_EPSILON)
        self.up = nn.Linear(config.width, 4 * config.width, bias=False)
        self.down = nn.Linear(4 * config.width, config.width, bias=False)
        self.dropout = nn.Dropout(config.dropout)
        nn.init.normal_(self.down.weight, std=0.02 / math.sqrt(2 * config.layers))

    def forward(self, hidden: Tensor) -> Tensor:
        hidden = hidden + self.dropout(self.attention(self.norm_1(hidden)))
        raised = functional.gelu(self.up(self.norm_2(hidden)))
        return hidden + cast(Tensor, self.dropout(self.down(raised)))


class Attention(nn.Module):
    """Causal self-attention, [B, T, width] -> [B, T, width]; `kv_heads` keys and values serve all heads."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        head_width = config.head_width
        self.qkv = nn.Linear(config.width, (config.heads + 2 * config.kv_heads) * head_width, bias=False)
        self.out = nn.Linear(config.width, config.width, bias=False)
        nn.init.normal_(self.out.weight, std=0.02 / math.sqrt(2 * config.layers))
        if config.positions in ("relative", "relative_per_head"):
            tables = config.heads if config.positions == "relative_per_head" else 1
            self.relative = nn.Parameter(sinusoids(config.context, head_width).expand(tables, -1, -1).clone())

    def forward(self, hidden: Tensor) -> Tensor:
        config, (batch, length, _) = self.config, hidden.shape
        split = [config.heads, config.kv_heads, config.kv_heads]
        qkv = self.qkv(hidden).view(batch, length, sum(split), config.head_width).transpose(1, 2)
        query, key, value = qkv.split(split, dim=1)
        if config.positions == "rotary":
            query, key = rotate(query), rotate(key)
        query = query / math.sqrt(config.head_width)
        half = config.context // 2
        size = math.gcd(half, QUERY_BLOCK)
        mixed = []
        for start in range(0, length, size):
            end = min(start + size, length)
            seen = max(start // half - 1, 0) * half
            mixed.append(self._attend(query[:, :, start:end], key[:, :, seen:end], value[:, :, seen:end]))
        together = torch.cat(mixed, dim=2).transpose(1, 2).reshape(batch, length, config.width)
        out: Tensor = self.out(together)
        return out

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Queries [B, H, n, D], the last n of the m positions of keys and values [B, Hkv, m, D] -> [B, H, n, D]."""
        batch, heads, count, width = query.shape
        kv_heads, seen = key.shape[1:3]
        grouped = query.reshape(batch, kv_heads, -1, width)
        logits = (grouped @ key.transpose(2, 3)).view(batch, heads, count, seen)
        if hasattr(self, "relative"):
            logits = logits + skew(query @ self.relative[:, :seen].flip(1).transpose(1, 2).to(query.dtype))
        later = torch.full((count, seen), float("-inf"), device=query.device, dtype=logits.dtype).triu(seen - count + 1)
        weights = (logits + later).softmax(dim=-1, dtype=torch.float32).to(value.dtype)
        return (weights.view(batch, kv_heads, -1, seen) @ value).view(batch, heads, count, width)


def skew(by_distance: Tensor) -> Tensor:
    """Turn q E [.., n, m], whose column c is distance m - 1 - c, into [.., n, m] whose column is the key's place.

    Huang et al. 2018, section 3.4.1, for n queries at the end of m keys; places after the query hold nothing of use.
    """
    count, seen = by_distance.shape[-2:]
    padded = functional.pad(by_distance, (1, 0)).flatten(-2)
    return padded[..., count:].view(*by_distance.shape[:-2], count, seen)


def sinusoids(count: int, width: int) -> Tensor:
    """What the embeddings of distances 0 to count - 1 begin as, [count, width]: near distances alike, far ones less.

    Vaswani et al. 2017, section 3.5. Begun at random, each distance would have to be learned by itself.
    """
    turned = position_angles(count, width)
    return torch.cat([turned.sin(), turned.cos()], dim=-1)


def position_angles(count: int, width: int, device: torch.device | None = None) -> Tensor:
    """How far places 0 to count - 1 turn each pair of channels, in radians, [count, width / 2]."""
    rates = ROTARY_BASE ** (-torch.arange(0, width, 2, device=device, dtype=torch.float32) / width)
    return torch.arange(count, device=device, dtype=torch.float32)[:, None] * rates


def rotate(heads: Tensor) -> Tensor:
    """Rotary positions (Su et al. 2021, arXiv 2104.09864, halves paired) for [B, H, T, D] beginning at 0."""
    length, width = heads.shape[-2:]
    turned = position_angles(length, width, heads.device)
    return rotate_pairs(heads, turned.cos().to(heads.dtype), turned.sin().to(heads.dtype))


def rotate_pairs(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs of channels of [.., D] by angles whose cosines and sines are [.., D / 2]."""
    low, high = heads.chunk(2, dim=-1)
    return torch.cat([low * cos - high * sin, high * cos + low * sin], dim=-1)


def cache_places(length: int, context: int, device: torch.device) -> Tensor:
    """Place of each row in the cache when it is taken in, int64 [T]: counting on from W / 2 after each slide."""
    places = torch.arange(length, device=device)
    half = context // 2
    return torch.where(places < context, places, half + (places - context) % half)
