"""The state of pieces in progress: one array a kind, in which the pieces stand side by side.

A piece is one place in every array. Pieces join at the end; where one leaves, the last takes its place, so the B
pieces are always the first B places, which a graph can be bound to. The arrays' capacity doubles when they are full;
of a cache only the rows in use are copied.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .config import ModelConfig

WHOLE = ("last", "filled", "position", "nll", "logits")


class Cache:
    """B pieces in progress; each attribute is a view of the first B places.

    `last` int64 [B, F + 2]: the row to go in next, with the condition ids. `filled` int64 [B, 1, 1]: rows in the
    cache; `position` int64 [B, 1]: rows ever taken in. `nll` float32 [B, F] of the row composed last, under the
    model before masks; `logits` float32 [B, sum V] of that row, less a constant a field. `cache`: arrays by name,
    `cache_shapes` each, float32, or int8 where a transformer's `bits` are 8.
    `bound` is what an engine keeps for these places; it goes when their number changes.
    """

    last: NDArray[np.int64]
    filled: NDArray[np.int64]
    position: NDArray[np.int64]
    nll: NDArray[np.float32]
    logits: NDArray[np.float32]
    cache: dict[str, NDArray[Any]]
    bound: Any

    def __init__(self, model: ModelConfig, count: int = 0, *, bits: int = 32) -> None:
        self.model, self.bits = model, bits
        self._arrays = _arrays(model, count, bits)
        self._view(count)

    def __len__(self) -> int:
        return len(self.last)

    @property
    def capacity(self) -> int:
        """How many pieces there is room for before the arrays grow."""
        return len(self._arrays["last"])

    def join(self, other: Cache) -> None:
        """Put copies of the other's pieces behind these."""
        place, count = len(self), len(self) + len(other)
        if count > self.capacity:
            self._reserve(max(count, 2 * self.capacity))
        self._view(count)
        for piece in range(len(other)):
            self._put(place + piece, other, piece)

    def leave(self, piece: int) -> None:
        """Drop a piece; the last one takes its place."""
        places = range(len(self))
        if places[piece] != places[-1]:
            self._put(places[piece], self, places[-1])
        self._view(places[-1])

    def repeat(self, count: int) -> Cache:
        """Return `count` copies of every piece, one set after the other."""
        copies = Cache(self.model, bits=self.bits)
        copies._reserve(count * len(self))
        for _ in range(count):
            copies.join(self)
        return copies

    def _reserve(self, capacity: int) -> None:
        """Move to arrays of that many places."""
        before = copy.copy(self)
        self._arrays = _arrays(self.model, capacity, self.bits)
        self._view(len(before))
        for piece in range(len(before)):
            self._put(piece, before, piece)

    def _view(self, count: int) -> None:
        for name in WHOLE:
            setattr(self, name, self._arrays[name][:count])
        self.buffers = {name: self._arrays[name][:count] for name in cache_shapes(self.model)}
        self.bound = None

    def _put(self, place: int, other: Cache, piece: int) -> None:
        for name in WHOLE:
            getattr(self, name)[place] = getattr(other, name)[piece]
        rows = slice(None) if self.model.kind == "lstm" else (slice(None), slice(int(other.filled[piece, 0, 0])))
        for name, value in self.buffers.items():
            value[place][rows] = other.buffers[name][piece][rows]


def cache_shapes(model: ModelConfig) -> dict[str, tuple[int, ...]]:
    """The buffers of one piece's state, by name: keys and values [Hkv, W, D] a layer, or an LSTM's two [width]."""
    if model.kind == "lstm":
        return {f"{kind}.{layer}": (model.width,) for layer in range(model.layers) for kind in ("hidden", "cell")}
    shape = (model.kv_heads, model.context, model.head_width)
    return {f"{kind}.{layer}": shape for layer in range(model.layers) for kind in ("key", "value")}


def _arrays(model: ModelConfig, count: int, bits: int) -> dict[str, NDArray[Any]]:
    fields = len(model.field_sizes)
    cached = np.int8 if bits == 8 and model.kind == "transformer" else np.float32
    kinds: dict[str, tuple[tuple[int, ...], Any]] = {
        "last": ((fields + 2,), np.int64),
        "filled": ((1, 1), np.int64),
        "position": ((1,), np.int64),
        "nll": ((fields,), np.float32),
        "logits": ((sum(model.field_sizes),), np.float32),
        **{name: (shape, cached) for name, shape in cache_shapes(model).items()},
    }
    return {name: np.zeros((count, *shape), dtype=kind) for name, (shape, kind) in kinds.items()}
