"""The KV cache, or LSTM state, of the pieces in progress: arrays in which each piece has one slot.

Pieces join at the end; where one leaves, the last moves into its slot, so that B pieces always have the first B slots,
which a graph can be bound to. The arrays' capacity doubles when they are full; of keys and values only the rows in use
are copied.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .config import ModelConfig
from .inputs import StepInputs

SLOT_ARRAYS = ("last", "filled", "position", "nll", "logits")


@dataclass(frozen=True)
class BoundStep:
    """The decode graph bound to a cache's arrays and to its inputs."""

    binding: Any  # onnxruntime.IOBinding, which has no types
    inputs: StepInputs


class Cache:
    """B slots; each attribute is a view of the first B rows of a larger array.

    `last` int64 [B, F + K]: the token to go in next, and the condition ids of the one that it predicts. `filled` int64
    [B, 1, 1]: rows in use; `position` int64 [B, 1]: tokens ever taken in. `nll` float32 [B, F] of the token composed
    last, under the model before masks; `logits` float32 [B, sum V] of that token, less a constant per field. `buffers`:
    arrays by name, as `cache_shapes` has them, float32, or int8 where a transformer's `bits` are fewer. `bound` is what
    an engine has bound to these arrays; it goes when the number of slots changes.
    """

    last: NDArray[np.int64]
    filled: NDArray[np.int64]
    position: NDArray[np.int64]
    nll: NDArray[np.float32]
    logits: NDArray[np.float32]
    buffers: dict[str, NDArray[Any]]
    bound: BoundStep | None

    def __init__(self, model: ModelConfig, count: int = 0, *, bits: int = 32) -> None:
        self.model, self.bits = model, bits
        self._arrays = _arrays(model, count, bits)
        self._view(count)

    def __len__(self) -> int:
        return len(self.last)

    @property
    def capacity(self) -> int:
        """How many slots there is room for before the arrays grow."""
        return len(self._arrays["last"])

    def join(self, joining: Cache) -> None:
        """Copy the slots of another cache behind these."""
        first, count = len(self), len(self) + len(joining)
        if count > self.capacity:
            self._reserve(max(count, 2 * self.capacity))
        self._view(count)
        for slot in range(len(joining)):
            self._copy_slot(first + slot, joining, slot)

    def leave(self, slot: int) -> None:
        """Free a slot; the last one moves into it."""
        slots = range(len(self))
        if slots[slot] != slots[-1]:
            self._copy_slot(slots[slot], self, slots[-1])
        self._view(slots[-1])

    def repeat(self, count: int) -> Cache:
        """Return `count` copies of every slot, one set after the other."""
        copies = Cache(self.model, bits=self.bits)
        copies._reserve(count * len(self))
        for _ in range(count):
            copies.join(self)
        return copies

    @property
    def can_rewind(self) -> bool:
        """Whether every row that was ever taken in is still there: of an LSTM's state none is."""
        return self.model.kind != "lstm" and bool((self.filled[:, 0] == self.position).all())

    def rewind(self, count: int, last: NDArray[Any]) -> None:
        """Go back to the first `count` rows, of which `last` [F] is the token taken in last."""
        assert self.can_rewind
        self.filled[:], self.position[:] = count, count
        self.last[:, : len(last)] = last

    def _reserve(self, capacity: int) -> None:
        """Move to arrays of that many slots."""
        before = copy.copy(self)
        self._arrays = _arrays(self.model, capacity, self.bits)
        self._view(len(before))
        for slot in range(len(before)):
            self._copy_slot(slot, before, slot)

    def _view(self, count: int) -> None:
        for name in SLOT_ARRAYS:
            setattr(self, name, self._arrays[name][:count])
        self.buffers = {name: self._arrays[name][:count] for name in cache_shapes(self.model)}
        self.bound = None

    def _copy_slot(self, slot: int, source: Cache, source_slot: int) -> None:
        for name in SLOT_ARRAYS:
            getattr(self, name)[slot] = getattr(source, name)[source_slot]
        used = slice(int(source.filled[source_slot, 0, 0]))
        rows = slice(None) if self.model.kind == "lstm" else (slice(None), used)
        for name, buffer in self.buffers.items():
            buffer[slot][rows] = source.buffers[name][source_slot][rows]


def cache_shapes(model: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Shapes of the buffers of one slot, by name: keys and values [Hkv, W, D] per layer, or an LSTM's two [width]."""
    if model.kind == "lstm":
        return {f"{kind}.{layer}": (model.width,) for layer in range(model.layers) for kind in ("hidden", "cell")}
    shape = (model.kv_heads, model.context, model.head_width)
    return {f"{kind}.{layer}": shape for layer in range(model.layers) for kind in ("key", "value")}


def slot_bytes(model: ModelConfig, bits: int) -> int:
    """Bytes of the buffers of one slot, once it is full: 5.2 MB for `piano`."""
    count = sum(math.prod(shape) for shape in cache_shapes(model).values())
    return count * int(np.dtype(_cached_type(model, bits)).itemsize)


def _cached_type(model: ModelConfig, bits: int) -> type[np.int8] | type[np.float32]:
    return np.int8 if bits < 32 and model.kind == "transformer" else np.float32


def _arrays(model: ModelConfig, count: int, bits: int) -> dict[str, NDArray[Any]]:
    fields = len(model.field_sizes)
    cached = _cached_type(model, bits)
    kinds: dict[str, tuple[tuple[int, ...], Any]] = {
        "last": ((fields + len(model.conditions),), np.int64),
        "filled": ((1, 1), np.int64),
        "position": ((1,), np.int64),
        "nll": ((fields,), np.float32),
        "logits": ((sum(model.field_sizes),), np.float32),
        **{name: (shape, cached) for name, shape in cache_shapes(model).items()},
    }
    return {name: np.zeros((count, *shape), dtype=kind) for name, (shape, kind) in kinds.items()}
