"""What a step costs at several lengths, what it must cost at least on this machine, and where the rest goes.

    python -m benchmarks.speed.step [--models concert grieg-lstm] [--repeats 15] [--threads 1]

The floor of a step: its bytes over the bandwidth at which so many bytes are read here, and its operations over the
rate of a matrix product here, both on one core and in the same run. Its bytes are every weight of the layers and the
heads, 4 bits for feed-forward layers where the bundle has them so and else 8, and the tokens in the cache (keys,
values, distances) at 8 bits. A step is
timed as `arietta compose` makes it: noise, masks, the engine's step, decoding. Beyond the window the cache holds
between half of it and all of it; there a step is the mean over that.

Two lines help to decide. "a kernel of our own gains at most": a step over the floor and what Python adds, as if one
kernel of ours ran the whole graph at its floor. "on 2 threads": how many times as fast a row is there as on one; below
1, more threads only cost.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read when numpy is first imported

import numpy as np
import onnxruntime

from arietta.generation.loop import Generation
from arietta.generation.request import Request
from arietta.model.bundle import Bundle, list_bundles, load_bundle
from arietta.model.config import ModelConfig
from arietta.model.engine import OnnxEngine, load_engine
from benchmarks.shared.report import report

ROWS = (64, 256, 512, 1024, 2048)
STEPS, WARM_STEPS = 24, 4  # in a burst: one repeat is the median row of a burst
SHOWN = 512  # rows at which the parts of a row are told
PARTS = ("noise and masks", "arrays", "graph", "decoding")
SAMPLING = {"TopK", "CumSum", "Less", "Where", "ReduceMin", "ArgMax", "Softmax", "And", "GreaterOrEqual", "Div"}
TRUNK_ENDS = ("SkipSimplifiedLayerNormalization", "Tanh")  # the last of them is the trunk's last norm, or cell


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list_bundles())
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    for name in arguments.models:
        measure(load_bundle(name), arguments.repeats, arguments.threads)


def measure(bundle: Bundle, repeats: int, threads: int) -> None:
    """Print every figure of one model; positions and the machine's own speed are measured in turn."""
    engine = load_engine(bundle, threads=threads)
    engine.step = Timed(engine.step)
    rows, floors = {at: [] for at in ROWS}, {at: [] for at in ROWS}
    for _ in range(repeats):
        for at in ROWS:
            rows[at].append(row_seconds(engine, at))
            floors[at].append(floor_seconds(bundle, at))
    for at in ROWS:
        totals, floor = np.array([np.median(burst.sum(axis=1)) for burst in rows[at]]), np.array(floors[at])
        report(f"step/{bundle.name}, row {at}", 1000 * totals, "ms", threads=threads)
        report(f"step/{bundle.name}, floor of row {at}", 1000 * floor, "ms", threads=threads)
        report(f"step/{bundle.name}, row {at} against its floor", totals / floor, "of it", threads=threads)
    parts = 1000 * np.array([np.median(burst, axis=0) for burst in rows[SHOWN]])  # [repeats, parts]
    ours = 1000 * np.array(floors[SHOWN]) + parts.sum(axis=1) - parts[:, PARTS.index("graph")]
    gained = f"step/{bundle.name}, row {SHOWN}: a kernel of our own gains at most"
    report(gained, parts.sum(axis=1) / ours, "times", threads=threads)
    for part, values in zip(PARTS, parts.T, strict=True):
        report(f"step/{bundle.name}, row {SHOWN}: {part}", values, "ms", threads=threads)
    for part, share in graph_shares(bundle, threads).items():
        report(f"step/{bundle.name}, row {SHOWN}: graph, {part}", share * parts[:, 2], "ms", threads=threads)
    for many in sorted({2, os.cpu_count() or 2}):
        faster = [times_faster(bundle, engine, many) for _ in range(repeats)]
        report(f"step/{bundle.name}, row {SHOWN}: on {many} threads", faster, "times", threads=many)


def times_faster(bundle: Bundle, engine: OnnxEngine, threads: int) -> float:
    """How many times as fast a row is on so many threads."""
    threaded = load_engine(bundle, threads=threads)
    threaded.step = Timed(threaded.step)
    single, several = (np.median(row_seconds(each, SHOWN).sum(axis=1)) for each in (engine, threaded))
    return float(single / several)


class Timed:
    """A session that remembers how long its last run took."""

    def __init__(self, session: Any) -> None:
        self.session, self.seconds = session, 0.0

    def io_binding(self) -> Any:
        return self.session.io_binding()

    def run_with_iobinding(self, binding: Any) -> None:
        begun = perf_counter()
        self.session.run_with_iobinding(binding)
        self.seconds = perf_counter() - begun


def row_seconds(engine: OnnxEngine, at: int) -> np.ndarray:
    """Seconds of each part of a burst of rows, float64 [STEPS, 4]; `engine.step` is a Timed one."""
    piece, cache = (
        Generation(Request(notes=10 * STEPS, seed=at), engine.bundle),
        engine.start([engine.bundle.model.condition_ids()]),
    )
    taken = []
    for step in range(-WARM_STEPS, STEPS):
        cache.filled[:] = filled_at(engine.bundle.model, at, max(step, 0))
        begun = perf_counter()
        noise, masks = piece.noise()[None], [piece.masks()]
        ready = perf_counter()
        (composed,) = engine.decode(cache, noise, masks, [piece.request.sampling])
        stepped = perf_counter()
        row, _ = piece.push(composed.tolist(), cache.nll[0])
        engine.replace_last(cache, 0, row)
        done, inside = perf_counter(), engine.step.seconds
        taken.append((ready - begun, stepped - ready - inside, inside, done - stepped))
    return np.array(taken[WARM_STEPS:])


def filled_at(model: ModelConfig, at: int, step: int) -> int:
    """Rows in the cache before the row `at`: past the window, places over its newer half in turn."""
    half = model.context // 2
    return at if at < model.context else half + step * half // STEPS


def floor_seconds(bundle: Bundle, at: int) -> float:
    """Bytes over bandwidth and operations over rate, now."""
    weights, cached, operations = needs(bundle.model, at, bits=bundle.bits)
    bandwidth, rate = machine_speed(weights + cached, perf_counter)
    return (weights + cached) / bandwidth + operations / rate


def machine_speed(size: int, clock: Callable[[], float]) -> tuple[float, float]:
    """Bytes a second at which `size` bytes are read, and operations a second of a float32 product, now, by a clock."""
    block, matrix = np.ones(max(size // 4, 1), dtype=np.float32), np.ones((384, 384), dtype=np.float32)
    reading, product = [], []
    for _ in range(7):
        begun = clock()
        block.max()
        read = clock()
        np.matmul(matrix, matrix)
        product.append(clock() - read)
        reading.append(read - begun)
    return size / min(reading), 2 * 384**3 / min(product)


def needs(model: ModelConfig, at: int, *, bits: int = 8) -> tuple[int, int, int]:
    """Bytes of weights, of `bits` 4 or more as in a bundle, bytes of cache and distances at 8 bits, operations."""
    width, fields = model.width, model.field_sizes
    heads = (len(fields) - 1) * width**2 + width * sum(fields)
    if model.kind == "lstm":
        weights = model.layers * 8 * width**2 + heads
        return weights, 8 * width * model.layers, 2 * weights
    keys = np.mean([filled_at(model, at, step) for step in range(STEPS)])
    qkv, feed_forward = (model.heads + 2 * model.kv_heads) * model.head_width, 8 * model.layers * width**2
    weights = model.layers * width * (qkv + width) + feed_forward + heads
    is_relative = model.positions.startswith("relative")
    cached = model.layers * keys * model.head_width * (2 * model.kv_heads + is_relative)
    attention = model.layers * keys * width * (2 + is_relative)
    size = weights - feed_forward // 2 if bits == 4 else weights
    return size, int(cached), int(2 * (weights + attention))


def graph_shares(bundle: Bundle, threads: int) -> dict[str, float]:
    """Shares of the graph's time at row SHOWN, by ONNX Runtime's own profile."""
    engine, options = load_engine(bundle), onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.enable_profiling = threads, True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "step")
        session = onnxruntime.InferenceSession(os.fspath(bundle.path / "step.onnx"), options)
        engine.step = Timed(session)
        for _ in range(4):
            row_seconds(engine, SHOWN)
        events = json.loads(Path(session.end_profiling()).read_text())
    ends = [event for event in events if event["name"].endswith("_kernel_time")]
    trunk = max(int(event["args"]["node_index"]) for event in ends if event["args"]["op_name"] in TRUNK_ENDS)
    spent = dict.fromkeys(("torso", "attention", "heads", "sampling"), 0.0)
    for event in ends[len(ends) // 4 :]:
        spent[_part(event["args"]["op_name"], int(event["args"]["node_index"]) <= trunk)] += event["dur"]
    return {part: value / sum(spent.values()) for part, value in spent.items() if value}


def _part(kind: str, is_trunk: bool) -> str:
    if is_trunk:
        return "attention" if kind == "GroupQueryAttention" else "torso"
    return "sampling" if kind in SAMPLING else "heads"


if __name__ == "__main__":
    main()
