"""The engine: a bundle's graphs on ONNX Runtime, and the steps of the pieces it is composing.

A `Cache` holds B pieces side by side: the cache (keys and values of the last rows, at most W) or the LSTM's state,
bound to the graph, which updates it in place, until pieces join or leave; a step allocates none of the graph's arrays.
When a piece's cache is full its older half leaves by one memmove, and the kept keys keep what they saw (design: the
rule of train/transformer.py).

Prompts are fed alone, in chunks of fixed sizes counted from the piece's first row, what remains row by row: the size
of a product can change its last bits, so one history has one way through the graphs.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..codecs.codec import Masks, Tokens
from ..errors import BundleError
from .bundle import Bundle
from .cache import Cache
from .config import ROTARY_BASE
from .sampling import Sampling

Rows = NDArray[np.int64]
Floats = NDArray[np.float32]
PROMPTS_KEPT = 16  # a prompt in a style takes two: in the style, and in none
PLAIN_ATTENTION = "ORT_GQA_DISABLE_FLASH_ATTENTION"
DICE = ("temperature", "top_p", "min_p", "own", "other")  # what the step graph is told of drawing, each [B, 1, 1]
SHORT_FEED = 16  # rows, where too few are left for a whole chunk: 127 one by one took as long as 300 in chunks
# Up to 1.24 ONNX Runtime refuses a cache of 8 bits in GroupQueryAttention; 1.25 and 1.26 fail at the first step.
OLDEST_RUNTIME = "1.27"

_MAKING = threading.Lock()


class Engine(Protocol):
    """What composing asks of a model, whatever runs it."""

    @property
    def bundle(self) -> Bundle: ...

    def start(self, conditions: list[tuple[int, int]]) -> Cache:
        """Begin B empty pieces, each with its (composer, source) ids."""
        ...

    def prefill(self, events: Tokens, cache: Cache) -> Floats:
        """Take in rows [T, F] that are given, not composed (B = 1); return their nll float32 [T, F]."""
        ...

    def decode(
        self,
        cache: Cache,
        noise: Floats,
        masks: list[Masks],
        sampling: list[Sampling],
        partners: Sequence[int] = (),
    ) -> Rows:
        """Compose one row for each piece, int64 [B, F], with noise float32 [B, sum V].

        `partners` names the place of the same music in a style, or in none, for guidance, or the place itself; nothing
        where none is guided. Twins have the same noise, masks and sampling, and get the same row.
        """
        ...

    def replace_last(self, cache: Cache, piece: int, row: list[int]) -> None:
        """Put `row` in place of the one composed last for that piece."""
        ...

    def score(self, events: Tokens, condition: tuple[int, int] = (0, 0)) -> Floats:
        """Likelihood of a whole piece [T, F] from its first row: nll in nats, float32 [T, F]."""
        ...

    def start_after(self, condition: tuple[int, int], prompt: Tokens) -> Cache:
        """Begin one piece that has heard `prompt` [T, F]; a prompt heard lately costs a copy."""
        ...

    def fork(self, cache: Cache, count: int) -> Cache:
        """Continue one piece `count` ways."""
        ...

    def join(self, cache: Cache, other: Cache) -> None:
        """Put the pieces of `other` behind those of `cache`, which go on unchanged, bit for bit."""
        ...

    def leave(self, cache: Cache, piece: int) -> None:
        """Drop a piece; the last one takes its place."""
        ...


@dataclass(frozen=True)
class Bound:
    """What the step graph reads and writes for the pieces of one cache: its binding, the arrays behind it, and the
    sampling and the partners that stand in them."""

    binding: Any
    arrays: dict[str, NDArray[Any]]
    sampling: list[Sampling]
    partners: list[int]


class OnnxEngine:
    """Engine on ONNX Runtime: one graph a step, in the session `step`, which benchmarks replace by one that counts."""

    def __init__(self, bundle: Bundle, *, threads: int = 1) -> None:
        self.bundle = bundle
        with _attention_of_one_row():
            self.step = _session(bundle, "step.onnx", threads)
        self._threads = threads
        width = bundle.model.head_width
        self._rates = ROTARY_BASE ** (-np.arange(0, width, 2) / width)  # radians a row, of each pair of channels
        self._heard: dict[Any, Cache] = {}  # pieces that took in a prompt and nothing else, the latest used last
        self._lock = threading.Lock()

    @functools.cached_property
    def _feed(self) -> Any:
        with _MAKING:
            return _session(self.bundle, "feed.onnx", self._threads)

    def start(self, conditions: list[tuple[int, int]]) -> Cache:
        bundle, fields = self.bundle, len(self.bundle.model.field_sizes)
        cache = Cache(bundle.model, len(conditions), bits=bundle.bits)
        cache.last[:, :fields] = bundle.model.field_sizes  # "no row yet" is each field's size
        cache.last[:, fields:] = np.array(conditions, dtype=np.int64).reshape(-1, 2)
        return cache

    def start_after(self, condition: tuple[int, int], prompt: Tokens) -> Cache:
        if not len(prompt):
            return self.start([condition])
        key = (condition, prompt.shape, prompt.tobytes())
        with self._lock:
            kept = self._heard.pop(key, None)
        if kept is None:
            kept = self.start([condition])
            self.prefill(prompt, kept)
        with self._lock:
            self._heard[key] = kept
            if len(self._heard) > PROMPTS_KEPT:
                del self._heard[next(iter(self._heard))]
        return self.fork(kept, 1)

    def fork(self, cache: Cache, count: int) -> Cache:
        return cache.repeat(count)

    def join(self, cache: Cache, other: Cache) -> None:
        cache.join(other)

    def leave(self, cache: Cache, piece: int) -> None:
        cache.leave(piece)

    def decode(
        self,
        cache: Cache,
        noise: Floats,
        masks: list[Masks],
        sampling: list[Sampling],
        partners: Sequence[int] = (),
    ) -> Rows:
        last_place = self._make_room(cache)
        bound = cache.bound or self._bind(cache)
        arrays = bound.arrays
        arrays["noise"][:, 0] = noise
        arrays["inputs"][:, 0] = cache.last
        for piece, mask in enumerate(masks):
            arrays["allowed"][piece, 0] = mask.allowed
            if "earliest" in arrays:
                arrays["earliest"][piece, 0] = mask.earliest
        if sampling != bound.sampling or list(partners) != bound.partners:
            self._set_drawing(cache, bound, sampling, partners)
        if "last_key" in arrays:
            arrays["last_key"][:] = cache.filled[:, 0, 0]
            arrays["key_count"][()] = last_place + 1
        if "cos" in arrays:
            self._turn(cache.position, arrays)
        self.step.run_with_iobinding(bound.binding)
        rows: Rows = arrays["rows"].copy()
        self._advance(cache, rows, 1)
        return rows

    def _set_drawing(self, cache: Cache, bound: Bound, sampling: list[Sampling], partners: Sequence[int]) -> None:
        """Tell the graph how each place draws, and from which other place it is guided."""
        arrays, places = bound.arrays, np.arange(len(cache))
        for name in DICE[:3]:
            arrays[name][:, 0, 0] = [getattr(draw, name) for draw in sampling]
        arrays["twin"][:] = partners if len(partners) else places
        has_style = cache.last[:, -2] != 0
        guidance = np.array([draw.guidance for draw in sampling])
        own = np.where(arrays["twin"] == places, 1.0, np.where(has_style, guidance, 1 - guidance))
        arrays["own"][:, 0, 0], arrays["other"][:, 0, 0] = own, 1 - own
        bound.sampling[:], bound.partners[:] = sampling, partners

    def prefill(self, events: Tokens, cache: Cache) -> Floats:
        if len(cache) != 1:
            raise ValueError("prompts are fed alone: start one piece, feed it, then fork it")
        sizes = [size for size in (self.bundle.prefill_chunk, SHORT_FEED, 1) if size <= self.bundle.prefill_chunk]
        nll, place = [], 0
        while place < len(events):
            position, left = int(cache.position[0, 0]), len(events) - place
            count = next(size for size in sizes if position % size == 0 and size <= left)
            nll.append(self._prefill_chunk(events[place : place + count], cache))
            place += count
        return np.concatenate(nll) if nll else np.zeros((0, len(self.bundle.model.field_sizes)), dtype=np.float32)

    def replace_last(self, cache: Cache, piece: int, row: list[int]) -> None:
        cache.last[piece, : len(row)] = row

    def score(self, events: Tokens, condition: tuple[int, int] = (0, 0)) -> Floats:
        return self.prefill(events, self.start([condition]))

    def _prefill_chunk(self, events: Tokens, cache: Cache) -> Floats:
        """One call of the feed graph for rows [S, F]; the cache moves on by S."""
        self._make_room(cache)
        rows = np.ascontiguousarray(events, dtype=np.int64)[None]
        inputs = np.concatenate([cache.last[:, None, : rows.shape[2]], rows[:, :-1]], axis=1)
        conditions = np.broadcast_to(cache.last[:, None, rows.shape[2] :], (1, len(events), 2))
        # The graph reads raw memory, and concatenate may lay out one field's rows by column.
        values = {"inputs": np.ascontiguousarray(np.concatenate([inputs, conditions], axis=2)), "targets": rows}
        bound = self._feed.io_binding()
        values |= self._place_values(cache, len(events))
        for name, value in values.items():
            _bind_input(bound, name, value)
        for name, value in cache.buffers.items():
            _bind_input(bound, f"past_{name}", value)
            _bind_output(bound, name, value)
        nll = np.empty((1, *events.shape), dtype=np.float32)
        _bind_output(bound, "nll", nll)
        self._feed.run_with_iobinding(bound)
        self._advance(cache, rows[:, -1], len(events))
        only: Floats = nll[0]
        return only

    def _place_values(self, cache: Cache, count: int) -> dict[str, NDArray[Any]]:
        """Inputs that say where `count` rows stand; for one row they share its memory, which every step writes."""
        model, batch = self.bundle.model, len(cache)
        if model.kind == "lstm":
            return {}
        places = (cache.filled[:, 0] + np.arange(count)).astype(np.int32)  # [B, S]
        last_key = np.ascontiguousarray(places[:, -1])
        values: dict[str, NDArray[Any]] = {"last_key": last_key, "key_count": np.array(last_key.max() + 1, np.int32)}
        own = last_key if count == 1 else places
        if model.positions == "rotary":
            values["angle"] = np.arange(batch * count).reshape(batch, count)
            shape = (max(batch * count, model.context), model.head_width // 2)
            values |= {name: np.zeros(shape, dtype=np.float32) for name in ("cos", "sin")}
            self._turn(cache.position + np.arange(count), values)
        elif model.positions == "absolute":
            values["places"] = own.reshape(batch, count)
        else:
            values["places"] = own.reshape(batch, 1, count, 1)
        return values

    def _turn(self, position: Rows, arrays: dict[str, NDArray[Any]]) -> None:
        """Write the rotary angles of rows [B, S], counted from their piece's first, to the arrays of the graph."""
        angles = position.reshape(-1, 1) * self._rates
        np.cos(angles, out=arrays["cos"][: len(angles)], casting="same_kind")
        np.sin(angles, out=arrays["sin"][: len(angles)], casting="same_kind")

    def _bind(self, cache: Cache) -> Bound:
        """Give the step graph the arrays it reads and writes, until the number of pieces changes."""
        batch, sizes = len(cache), self.bundle.model.field_sizes
        inputs: dict[str, NDArray[Any]] = {
            "inputs": np.zeros((batch, 1, len(sizes) + 2), dtype=np.int64),
            "allowed": np.zeros((batch, 1, sum(sizes)), dtype=np.bool_),
            "noise": np.zeros((batch, 1, sum(sizes)), dtype=np.float32),
            "twin": np.zeros(batch, dtype=np.int64),
            **{name: np.zeros((batch, 1, 1), dtype=np.float32) for name in DICE},
            **self._place_values(cache, 1),
        }
        if len(sizes) > 1:
            inputs["earliest"] = np.zeros((batch, 1, sizes[1]), dtype=np.int64)
        bound = self.step.io_binding()
        for name, value in inputs.items():
            _bind_input(bound, name, value)
        for name, value in cache.buffers.items():
            _bind_input(bound, f"past_{name}", value)
            _bind_output(bound, name, value)
        inputs["rows"] = np.zeros((batch, len(sizes)), dtype=np.int64)
        for name, value in (("rows", inputs["rows"]), ("nll", cache.nll), ("logits", cache.logits[:, None])):
            _bind_output(bound, name, value)
        cache.bound = made = Bound(bound, inputs, [], [])
        return made

    def _advance(self, cache: Cache, rows: Rows, count: int) -> None:
        cache.last[:, : rows.shape[1]] = rows
        cache.filled += count
        cache.position += count

    def _make_room(self, cache: Cache) -> int:
        """Let the older half of each full cache leave; return the highest place that a next row will take."""
        highest = int(cache.filled.max())
        if self.bundle.model.kind == "lstm" or highest < self.bundle.model.context:
            return highest
        context = self.bundle.model.context
        for piece in np.flatnonzero(cache.filled[:, 0, 0] == context):
            for buffer in cache.buffers.values():
                buffer[piece, :, : context // 2] = buffer[piece, :, context // 2 :]
            cache.filled[piece] = context // 2
        return int(cache.filled.max())


def load_engine(bundle: Bundle, *, threads: int = 1) -> OnnxEngine:
    """Make an engine for `bundle`; raises BundleError where its graphs cannot be loaded."""
    return OnnxEngine(bundle, threads=threads)


def _session(bundle: Bundle, name: str, threads: int) -> Any:
    import onnxruntime

    if _release(onnxruntime.__version__) < _release(OLDEST_RUNTIME):
        raise BundleError(
            f"onnxruntime {onnxruntime.__version__} is too old for the graphs of {bundle.path.name}, which need "
            f"{OLDEST_RUNTIME} or newer (for Macs with an Intel processor there is none)"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(os.fspath(bundle.path / name), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises its own unrelated classes for a graph that it cannot load
        raise BundleError(f"{bundle.path / name}: ONNX Runtime cannot load it ({error})") from error


def _release(version: str) -> tuple[int, int]:
    """Read the first two numbers of a version, which order releases: "1.27.0" -> (1, 27)."""
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


@contextmanager
def _attention_of_one_row() -> Iterator[None]:
    """ONNX Runtime's plain attention for the sessions made inside, unless its user chose: an eighth quicker for one row
    than that in tiles, and a fifth slower for a prompt's many. It reads the setting when a session is made."""
    with _MAKING:
        is_ours = PLAIN_ATTENTION not in os.environ
        if is_ours:
            os.environ[PLAIN_ATTENTION] = "1"
        try:
            yield
        finally:
            if is_ours:
                del os.environ[PLAIN_ATTENTION]


def _bind_input(bound: Any, name: str, value: NDArray[Any]) -> None:
    bound.bind_input(name, "cpu", 0, value.dtype.type, value.shape, value.ctypes.data)


def _bind_output(bound: Any, name: str, value: NDArray[Any]) -> None:
    bound.bind_output(name, "cpu", 0, value.dtype.type, value.shape, value.ctypes.data)
