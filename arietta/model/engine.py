"""The engine: a bundle's graphs on ONNX Runtime, which prefill prompts and decode the next tokens.

A `Cache` holds B pieces side by side, bound to the graph, which updates it in place, until pieces join or leave: a step
allocates none of the graph's arrays. When a piece's cache is full its older half leaves by one memmove, and the
remaining keys keep what they saw (the rule of train/network/transformer.py).

Prompts are prefilled alone, in chunks of fixed sizes counted from the piece's first token, what remains token by token:
the size of a product can change its last bits, so one history has one way through the graphs.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..codecs.codec import Masks, Tokens
from ..errors import BundleError, require
from .bundle import DEFAULT_MODEL, Bundle, load_bundle
from .cache import BoundStep, Cache
from .config import ConditionIds
from .inputs import StepInputs, position_inputs
from .prompts import Prefilled, PrefilledPrompts
from .sampling import Guide, Sampling

Rows = NDArray[np.int64]
Floats = NDArray[np.float32]
PLAIN_ATTENTION = "ORT_GQA_DISABLE_FLASH_ATTENTION"
SHORT_CHUNK = 16  # tokens, where too few are left for a whole chunk: 127 one by one took as long as 300 in chunks
# Up to 1.24 ONNX Runtime refuses a cache of 8 bits in GroupQueryAttention; 1.25 and 1.26 fail at the first step.
OLDEST_RUNTIME = "1.27"

_CREATING = threading.Lock()


class Engine(Protocol):
    """What composing asks of a model, whatever runs it."""

    @property
    def bundle(self) -> Bundle: ...

    def start(self, conditions: Sequence[ConditionIds]) -> Cache:
        """Begin B empty pieces, each with its condition ids."""
        ...

    def condition(self, cache: Cache, slot: int, ids: ConditionIds) -> None:
        """Set the condition ids under which the next tokens of a slot are composed."""
        ...

    def prefill(self, tokens: Tokens, cache: Cache, conditions: Rows | None = None) -> Floats:
        """Take in tokens [T, F] that are given, not composed (B = 1); return their nll float32 [T, F].

        `conditions` int64 [T, K] go with the tokens, and are those of the cache where None; the cache keeps its own.
        """
        ...

    def decode(
        self,
        cache: Cache,
        noise: Floats,
        masks: list[Masks],
        sampling: list[Sampling],
        guides: Sequence[Guide] = (),
    ) -> Rows:
        """Compose one token for each piece, int64 [B, F], with noise float32 [B, sum V].

        `guides` name for each slot the one with the same music under other conditions, or the slot itself; they are
        empty where none is guided. Partners have the same noise, masks and sampling, and get the same token.
        """
        ...

    def replace_last(self, cache: Cache, slot: int, token: list[int]) -> None:
        """Put `token` in place of the one composed last in that slot."""
        ...

    def score(self, tokens: Tokens, condition: ConditionIds | None = None) -> Floats:
        """Score a piece [T, F] from its first token, under any condition where None: nll in nats, float32 [T, F]."""
        ...

    def start_after(self, condition: ConditionIds, prompt: Tokens, conditions: Rows | None = None) -> Cache:
        """Begin one piece after `prompt` [T, F]; a prompt that was prefilled lately costs a copy.

        What follows is composed under `condition`, the prompt was written under `conditions` [T, K] (None: the same).
        """
        ...

    def fork(self, cache: Cache, count: int) -> Cache:
        """Continue one piece `count` ways."""
        ...

    def join(self, cache: Cache, joining: Cache) -> None:
        """Put the pieces of `joining` behind those of `cache`, which go on unchanged, bit for bit."""
        ...

    def leave(self, cache: Cache, slot: int) -> None:
        """Drop the piece in a slot; the last one moves there."""
        ...


class OnnxEngine:
    """Engine on ONNX Runtime: one graph a step, in the session `step`, which benchmarks replace by one that counts."""

    def __init__(self, bundle: Bundle, *, threads: int = 1) -> None:
        self.bundle = bundle
        with _plain_attention():
            self.step = _session(bundle, "step.onnx", threads)
        self._threads = threads
        self._prompts = PrefilledPrompts(bundle.prefill_chunk)

    @functools.cached_property
    def _feed(self) -> Any:
        with _CREATING:
            session = _session(self.bundle, "feed.onnx", self._threads)
        _return_free_memory()
        return session

    def start(self, conditions: Sequence[ConditionIds]) -> Cache:
        bundle, fields = self.bundle, len(self.bundle.model.field_sizes)
        cache = Cache(bundle.model, len(conditions), bits=bundle.bits)
        cache.last[:, :fields] = bundle.model.field_sizes  # "no token yet" is each field's size
        for slot, ids in enumerate(conditions):
            cache.last[slot, fields:] = ids
        return cache

    def condition(self, cache: Cache, slot: int, ids: ConditionIds) -> None:
        cache.last[slot, len(self.bundle.model.field_sizes) :] = ids

    def start_after(self, condition: ConditionIds, prompt: Tokens, conditions: Rows | None = None) -> Cache:
        if not len(prompt):
            return self.start([condition])
        cache = self._prefilled(prompt, self._rows_of(condition, prompt) if conditions is None else conditions).cache
        self.condition(cache, 0, condition)
        return cache

    def fork(self, cache: Cache, count: int) -> Cache:
        return cache.repeat(count)

    def join(self, cache: Cache, joining: Cache) -> None:
        cache.join(joining)

    def leave(self, cache: Cache, slot: int) -> None:
        cache.leave(slot)

    def decode(
        self,
        cache: Cache,
        noise: Floats,
        masks: list[Masks],
        sampling: list[Sampling],
        guides: Sequence[Guide] = (),
    ) -> Rows:
        self._make_room(cache)
        bound = cache.bound or self._bind_step(cache)
        bound.inputs.write(cache.last, noise, masks)
        bound.inputs.write_sampling(sampling, list(guides) or [Guide(slot) for slot in range(len(cache))])
        bound.inputs.positions.write(cache.filled, cache.position)
        with self._refusing():
            self.step.run_with_iobinding(bound.binding)
        tokens: Rows = bound.inputs.tokens.copy()
        self._advance(cache, tokens, 1)
        return tokens

    def prefill(self, tokens: Tokens, cache: Cache, conditions: Rows | None = None) -> Floats:
        if len(cache) != 1:
            raise ValueError("a prompt is prefilled alone: start one piece, prefill it, then fork it")
        sizes = [size for size in (self.bundle.prefill_chunk, SHORT_CHUNK, 1) if size <= self.bundle.prefill_chunk]
        if conditions is None:
            fields = len(self.bundle.model.field_sizes)
            conditions = np.broadcast_to(cache.last[:, fields:], (len(tokens), len(self.bundle.model.conditions)))
        nll, begin = [], 0
        while begin < len(tokens):
            position, left = int(cache.position[0, 0]), len(tokens) - begin
            # A chunk begins at a multiple of its size, so that a prompt prefilled in parts goes the same way.
            size = next(size for size in sizes if position % size == 0 and size <= left)
            chunk = slice(begin, begin + size)
            nll.append(self._prefill_chunk(tokens[chunk], conditions[chunk], cache))
            begin += size
        return np.concatenate(nll) if nll else np.zeros((0, len(self.bundle.model.field_sizes)), dtype=np.float32)

    def replace_last(self, cache: Cache, slot: int, token: list[int]) -> None:
        cache.last[slot, : len(token)] = token

    def score(self, tokens: Tokens, condition: ConditionIds | None = None) -> Floats:
        ids = condition or self.bundle.model.condition_ids()
        if not 0 < len(tokens) <= self.bundle.model.context:  # what is longer is hardly scored again
            return self.prefill(tokens, self.start([ids]))
        return self._prefilled(tokens, self._rows_of(ids, tokens)).nll.copy()

    def _rows_of(self, condition: ConditionIds, tokens: Tokens) -> Rows:
        """The condition ids of tokens that are all under the same ones, int64 [T, K]."""
        return np.broadcast_to(np.array(condition, dtype=np.int64), (len(tokens), len(condition)))

    def _prefilled(self, tokens: Tokens, conditions: Rows) -> Prefilled:
        """Prefill a prompt as far as no earlier one began like it; its cache is the caller's own."""
        begun = self._prompts.begin(tokens, conditions)
        if begun is None:
            none = np.zeros((0, tokens.shape[1]), dtype=np.float32)
            begun = Prefilled(tokens[:0], conditions[:0], self.start([tuple(conditions[0].tolist())]), none)
        done = len(begun.tokens)
        if done == len(tokens):
            return begun
        nll = np.concatenate([begun.nll, self.prefill(tokens[done:], begun.cache, conditions[done:])])
        self._prompts.add(Prefilled(tokens.copy(), conditions, begun.cache, nll))
        return Prefilled(tokens, conditions, begun.cache.repeat(1), nll)

    def _prefill_chunk(self, tokens: Tokens, conditions: Rows, cache: Cache) -> Floats:
        """Run the prefill graph once, for tokens [S, F] under conditions [S, K]; the cache moves on by S."""
        self._make_room(cache)
        targets = np.ascontiguousarray(tokens, dtype=np.int64)[None]
        fields = targets.shape[2]
        inputs = np.concatenate([cache.last[:, None, :fields], targets[:, :-1]], axis=1)
        positions = position_inputs(self.bundle.model, 1, len(tokens))
        positions.write(cache.filled, cache.position)
        # The graph reads raw memory, and concatenate may lay out the rows of one field by column.
        arrays = {
            "inputs": np.ascontiguousarray(np.concatenate([inputs, conditions[None]], axis=2)),
            "targets": targets,
        }
        nll = np.empty((1, *tokens.shape), dtype=np.float32)
        binding = self._feed.io_binding()
        with self._refusing():
            _bind(binding, cache, arrays | positions.arrays, {"nll": nll})
            self._feed.run_with_iobinding(binding)
        self._advance(cache, targets[:, -1], len(tokens))
        piece_nll: Floats = nll[0]
        return piece_nll

    def _bind_step(self, cache: Cache) -> BoundStep:
        """Bind the decode graph to a cache's arrays, until the number of slots changes."""
        inputs = StepInputs(self.bundle.model, len(cache), self.bundle.sampled_fields)
        binding = self.step.io_binding()
        outputs: dict[str, NDArray[Any]] = {"rows": inputs.tokens, "nll": cache.nll, "logits": cache.logits[:, None]}
        with self._refusing():
            _bind(binding, cache, inputs.arrays, outputs)
        cache.bound = BoundStep(binding, inputs)
        return cache.bound

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        """Say in a sentence that a graph does not take what is bound to it, or fails on it."""
        try:
            yield
        except Exception as error:  # ONNX Runtime raises its own unrelated classes here too
            reason, remedy = " ".join(str(error).split())[:200], "fetch or export the model again, or free some memory"
            raise BundleError(f"{self.bundle.path}: ONNX Runtime cannot run it ({reason}); {remedy}") from error

    def _advance(self, cache: Cache, tokens: Rows, count: int) -> None:
        cache.last[:, : tokens.shape[1]] = tokens
        cache.filled += count
        cache.position += count

    def _make_room(self, cache: Cache) -> None:
        """Let the older half of each full cache leave."""
        context = self.bundle.model.context
        if self.bundle.model.kind == "lstm" or int(cache.filled.max()) < context:
            return
        for slot in np.flatnonzero(cache.filled[:, 0, 0] == context):
            for buffer in cache.buffers.values():
                buffer[slot, :, : context // 2] = buffer[slot, :, context // 2 :]
            cache.filled[slot] = context // 2


@functools.lru_cache(maxsize=4)
def shared_engine(model: str | None) -> OnnxEngine:
    """Return the engine of a model by name or folder, of the default one where None; it stays loaded."""
    return load_engine(load_bundle(model or DEFAULT_MODEL))


def load_engine(bundle: Bundle, *, threads: int = 1) -> OnnxEngine:
    """Make an engine for `bundle`; raises BundleError where its graphs cannot be loaded."""
    require(bundle, Bundle, "an engine is loaded from a bundle, as load_bundle returns it", BundleError)
    require(threads, int, "threads are a whole number", BundleError)
    if threads < 1:  # which ONNX Runtime takes for as many as there are cores
        raise BundleError(f"threads are 1 or more, not {threads}")
    return OnnxEngine(bundle, threads=threads)


def _session(bundle: Bundle, name: str, threads: int) -> Any:
    import onnxruntime

    if _release(onnxruntime.__version__) < _release(OLDEST_RUNTIME):
        raise BundleError(
            f"onnxruntime {onnxruntime.__version__} is too old for the graphs of {bundle.path.name}, which need "
            f"{OLDEST_RUNTIME} or newer (for Macs with an Intel processor there is none): pip install -U onnxruntime"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what fails is raised, and printed once
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(os.fspath(bundle.path / name), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises its own unrelated classes for a graph that it cannot load
        raise BundleError(
            f"{bundle.path / name}: ONNX Runtime cannot load it ({error}); fetch or export the model again"
        ) from error


def _return_free_memory() -> None:
    """Give the system back what loading the graph of prompts left free: 16 of its 67 MB, and again a millisecond."""
    with suppress(OSError, TypeError, AttributeError):  # glibc alone has it
        ctypes.CDLL(None).malloc_trim(0)


def _release(version: str) -> tuple[int, int]:
    """Read the first two numbers of a version, which order releases: "1.27.0" -> (1, 27)."""
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Give the sessions created inside ONNX Runtime's plain attention, unless its user has chosen.

    It is an eighth quicker for one token than attention in tiles, and a fifth slower for a prompt's many.
    """
    with _CREATING:  # ONNX Runtime reads the setting when a session is created, from the environment of the process
        is_ours = PLAIN_ATTENTION not in os.environ
        if is_ours:
            os.environ[PLAIN_ATTENTION] = "1"
        try:
            yield
        finally:
            if is_ours:
                del os.environ[PLAIN_ATTENTION]


def _bind(binding: Any, cache: Cache, inputs: dict[str, NDArray[Any]], outputs: dict[str, NDArray[Any]]) -> None:
    """Bind a graph to arrays by address; each buffer of the cache is read and written in place."""
    inputs = inputs | {f"past_{name}": buffer for name, buffer in cache.buffers.items()}
    for bind, arrays in ((binding.bind_input, inputs), (binding.bind_output, outputs | cache.buffers)):
        for name, array in arrays.items():
            bind(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
