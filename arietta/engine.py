"""The engine: a bundle's graphs on ONNX Runtime, and the state of the pieces it is composing.

A `State` holds B pieces side by side: the cache (keys and values of the last rows, at most W) or the LSTM's state,
bound once to the graph, which updates it in place; a step allocates nothing here. When a piece's cache is full its
older half leaves by one memmove, and the kept keys keep what they saw (design: the rule of train/transformer.py).

Prompts are fed alone, in chunks of a fixed size counted from the piece's first row, what remains row by row: the
size of a product can change its last bits, so one history has one way through the graphs.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .bundle import Bundle
from .codec import Events, Masks
from .errors import BundleError
from .model_config import ModelConfig
from .sampling import Sampling

Rows = NDArray[np.int64]
Floats = NDArray[np.float32]


class Engine(Protocol):
    """What composing asks of a model, whatever runs it."""

    @property
    def bundle(self) -> Bundle: ...

    def start(self, conditions: list[tuple[int, int]]) -> Any:
        """Begin B empty pieces, each with its (composer, source) ids."""
        ...

    def feed(self, events: Events, state: Any) -> Floats:
        """Take in rows [T, F] that are given, not composed (B = 1); return their nll float32 [T, F]."""
        ...

    def next(self, state: Any, noise: Floats, masks: list[Masks], sampling: list[Sampling]) -> Rows:
        """Compose one row for each piece, int64 [B, F], with noise float32 [B, sum V]."""
        ...

    def amend(self, state: Any, piece: int, row: list[int]) -> None:
        """Put `row` in place of the one composed last for that piece."""
        ...

    def score(self, events: Events, condition: tuple[int, int] = (0, 0)) -> Floats:
        """Likelihood of a whole piece [T, F] from its first row: nll in nats, float32 [T, F]."""
        ...

    def fork(self, state: Any, count: int) -> Any:
        """Continue one piece `count` ways."""
        ...


@dataclass
class State:
    """B pieces in progress; `last` int64 [B, F + 2] is the row to go in next, with the condition ids."""

    last: Rows
    filled: Rows  # [B, 1, 1] rows in the cache
    position: Rows  # [B, 1] rows ever taken in
    cache: dict[str, Floats]
    nll: Floats  # [B, F] of the row composed last, under the model before masks
    logits: Floats  # [B, sum V] of that row
    bound: Any = None
    inputs: dict[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.last)


class OnnxEngine:
    """Engine on ONNX Runtime: one graph a step."""

    def __init__(self, bundle: Bundle, *, threads: int = 1) -> None:
        self.bundle = bundle
        self._step = _session(bundle, "step.onnx", threads)
        self._threads = threads

    @functools.cached_property
    def _feed(self) -> Any:
        return _session(self.bundle, "feed.onnx", self._threads)

    def start(self, conditions: list[tuple[int, int]]) -> State:
        model, batch = self.bundle.model, len(conditions)
        none_row = np.tile(np.array(model.field_sizes, dtype=np.int64), (batch, 1))
        return State(
            last=np.concatenate([none_row, np.array(conditions, dtype=np.int64).reshape(batch, 2)], axis=1),
            filled=np.zeros((batch, 1, 1), dtype=np.int64),
            position=np.zeros((batch, 1), dtype=np.int64),
            cache={name: np.zeros((batch, *shape), dtype=np.float32) for name, shape in cache_shapes(model).items()},
            nll=np.zeros((batch, len(model.field_sizes)), dtype=np.float32),
            logits=np.zeros((batch, sum(model.field_sizes)), dtype=np.float32),
        )

    def fork(self, state: State, count: int) -> State:
        names = ("last", "filled", "position", "nll", "logits")
        copies: dict[str, Any] = {name: np.repeat(getattr(state, name), count, axis=0) for name in names}
        return State(cache={name: np.repeat(value, count, axis=0) for name, value in state.cache.items()}, **copies)

    def next(self, state: State, noise: Floats, masks: list[Masks], sampling: list[Sampling]) -> Rows:
        if state.bound is None:
            self._bind(state)
        inputs = state.inputs
        self._make_room(state)
        inputs["noise"][:] = noise
        inputs["inputs"][:, 0] = state.last
        for piece, (mask, draw) in enumerate(zip(masks, sampling, strict=True)):
            inputs["allowed"][piece] = mask.allowed
            if "earliest" in inputs:
                inputs["earliest"][piece] = mask.earliest
            diced = self.bundle.codec.diced
            inputs["temperature"][piece, diced] = draw.temperature
            inputs["top_p"][piece, diced] = draw.top_p
            inputs["min_p"][piece, diced] = draw.min_p
        if "last_key" in inputs:
            inputs["last_key"][:] = state.filled[:, 0, 0]
            inputs["key_count"][...] = state.filled.max() + 1
        self._step.run_with_iobinding(state.bound)
        rows = inputs["rows"].copy()
        self._advance(state, rows, 1)
        return rows

    def feed(self, events: Events, state: State) -> Floats:
        if len(state) != 1:
            raise ValueError("prompts are fed alone: start one piece, feed it, then fork it")
        size, nll, place = self.bundle.feed_rows, [], 0
        while place < len(events):
            is_aligned = int(state.position[0, 0]) % size == 0 and len(events) - place >= size
            count = size if is_aligned else 1
            nll.append(self._feed_rows(events[place : place + count], state))
            place += count
        return np.concatenate(nll) if nll else np.zeros((0, len(self.bundle.model.field_sizes)), dtype=np.float32)

    def amend(self, state: State, piece: int, row: list[int]) -> None:
        state.last[piece, : len(row)] = row

    def score(self, events: Events, condition: tuple[int, int] = (0, 0)) -> Floats:
        return self.feed(events, self.start([condition]))

    def _feed_rows(self, events: Events, state: State) -> Floats:
        """One call of the feed graph for rows [S, F]; the state moves on by S."""
        self._make_room(state)
        rows = np.ascontiguousarray(events, dtype=np.int64)[None]
        inputs = np.concatenate([state.last[:, None, : rows.shape[2]], rows[:, :-1]], axis=1)
        conditions = np.broadcast_to(state.last[:, None, rows.shape[2] :], (1, len(events), 2))
        # The graph reads raw memory, and concatenate may lay out one field's rows by column.
        values = {"inputs": np.ascontiguousarray(np.concatenate([inputs, conditions], axis=2)), "targets": rows}
        bound = self._feed.io_binding()
        values |= self._place_values(state, len(events))
        for name, value in values.items():
            _bind_input(bound, name, value)
        for name, value in state.cache.items():
            _bind_input(bound, f"past_{name}", value)
            _bind_output(bound, name, value)
        nll = np.empty((1, *events.shape), dtype=np.float32)
        _bind_output(bound, "nll", nll)
        self._feed.run_with_iobinding(bound)
        self._advance(state, rows[:, -1], len(events))
        only: Floats = nll[0]
        return only

    def _place_values(self, state: State, count: int) -> dict[str, NDArray[Any]]:
        """Inputs that say where `count` rows stand."""
        model = self.bundle.model
        if model.kind == "lstm":
            return {}
        last_key = (state.filled[:, 0, 0] + count - 1).astype(np.int32)
        values: dict[str, NDArray[Any]] = {"filled": state.filled, "last_key": last_key}
        values["key_count"] = np.array(last_key.max() + 1, dtype=np.int32)
        if model.positions == "rotary":
            values["position"] = state.position
        return values

    def _bind(self, state: State) -> None:
        """Give the step graph the buffers it reads and writes, once for the life of the state."""
        batch, sizes = len(state), self.bundle.model.field_sizes
        inputs: dict[str, NDArray[Any]] = {
            "inputs": np.zeros((batch, 1, len(sizes) + 2), dtype=np.int64),
            "allowed": np.zeros((batch, sum(sizes)), dtype=np.bool_),
            "noise": np.zeros((batch, sum(sizes)), dtype=np.float32),
            **{name: np.ones((batch, len(sizes)), dtype=np.float32) for name in ("temperature", "top_p")},
            "min_p": np.zeros((batch, len(sizes)), dtype=np.float32),
            **self._place_values(state, 1),
        }
        if len(sizes) > 1:
            inputs["earliest"] = np.zeros((batch, sizes[1]), dtype=np.int64)
        bound = self._step.io_binding()
        for name, value in inputs.items():
            _bind_input(bound, name, value)
        for name, value in state.cache.items():
            _bind_input(bound, f"past_{name}", value)
            _bind_output(bound, name, value)
        inputs["rows"] = np.zeros((batch, len(sizes)), dtype=np.int64)
        for name, value in (("rows", inputs["rows"]), ("nll", state.nll), ("logits", state.logits)):
            _bind_output(bound, name, value)
        state.bound, state.inputs = bound, inputs

    def _advance(self, state: State, rows: Rows, count: int) -> None:
        state.last[:, : rows.shape[1]] = rows
        state.filled += count
        state.position += count

    def _make_room(self, state: State) -> None:
        """Let the older half of each full cache leave."""
        if self.bundle.model.kind == "lstm":
            return
        context = self.bundle.model.context
        for piece in np.flatnonzero(state.filled[:, 0, 0] == context):
            for buffer in state.cache.values():
                buffer[piece, :, : context // 2] = buffer[piece, :, context // 2 :]
            state.filled[piece] = context // 2


def load_engine(bundle: Bundle, *, threads: int = 1) -> OnnxEngine:
    """Make an engine for `bundle`; raises BundleError where its graphs cannot be loaded."""
    return OnnxEngine(bundle, threads=threads)


def cache_shapes(model: ModelConfig) -> dict[str, tuple[int, ...]]:
    """The buffers of one piece's state, by name: keys and values [Hkv, W, D] a layer, or an LSTM's two [width]."""
    if model.kind == "lstm":
        return {f"{kind}.{layer}": (model.width,) for layer in range(model.layers) for kind in ("hidden", "cell")}
    shape = (model.kv_heads, model.context, model.head_width)
    return {f"{kind}.{layer}": shape for layer in range(model.layers) for kind in ("key", "value")}


def _session(bundle: Bundle, name: str, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(os.fspath(bundle.path / name), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises its own unrelated classes for a graph that it cannot load
        raise BundleError(f"{bundle.path / name}: ONNX Runtime cannot load it ({error})") from error


def _bind_input(bound: Any, name: str, value: NDArray[Any]) -> None:
    bound.bind_input(name, "cpu", 0, value.dtype.type, value.shape, value.ctypes.data)


def _bind_output(bound: Any, name: str, value: NDArray[Any]) -> None:
    bound.bind_output(name, "cpu", 0, value.dtype.type, value.shape, value.ctypes.data)
