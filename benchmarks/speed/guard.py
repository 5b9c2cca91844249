"""Hold the ratios that make composing fast against those in expected.json; exit with 1 where one falls short.

    python -m benchmarks.speed.guard            measure for about half a minute and judge
    python -m benchmarks.speed.guard --write    write what was measured as what is expected from now on

Ratios only: of two things timed in turn, the best time of each, so that a slow or busy machine moves both. `expected`
is the ratio when it was written, `tolerance` the share by which it may fall; each is the better the larger it is.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, perf_counter_ns

import numpy as np
import torch

from arietta.codecs.note import NoteCodec
from arietta.generation.loop import generate
from arietta.generation.request import Request
from arietta.model.bundle import Bundle
from arietta.model.config import ModelConfig, style_conditions
from arietta.model.engine import OnnxEngine, load_engine
from arietta.train.network import build_model
from arietta.train.onnx.graphs import build_graphs
from benchmarks.speed import batch as bench_batch
from benchmarks.speed import compose as bench_compose

# A network made up on the spot, five times smaller than `piano`, whose weights are random: `piano` itself would take
# ten minutes for the same ratios, and attention over relative positions has others.
NETWORK = ModelConfig(
    kind="transformer",
    field_sizes=NoteCodec().field_sizes,
    width=256,
    layers=6,
    context=1024,
    heads=4,
    kv_heads=2,
    conditions=style_conditions(("Edvard Grieg",), ("measured",)),
)
EXPECTED = Path(__file__).with_name("expected.json")
REPEATS = 3
PREFILL_CHUNK = 128  # tokens, as in the models that ship
DEFAULT_TOLERANCE = {"tolerance": 0.4}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write expected.json instead of judging by it")
    is_written = parser.parse_args().write
    with TemporaryDirectory() as folder:
        engine = load_engine(make_bundle(Path(folder)))
        generate(Request(notes=50), engine)
        ratios = {name: ratio([timed(engine) for _ in range(REPEATS)]) for name, timed in RATIOS.items()}
    expected = json.loads(EXPECTED.read_text(encoding="utf-8"))
    if is_written:
        expected = {name: expected.get(name, DEFAULT_TOLERANCE) | {"expected": value} for name, value in ratios.items()}
        EXPECTED.write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")
    fallen = judge(ratios, expected)
    for name, value in ratios.items():
        print(json.dumps({"name": name, "ratio": value}))
    for sentence in fallen:
        print(f"guard: {sentence}", file=sys.stderr)
    return 1 if fallen else 0


def make_bundle(folder: Path, *, bits: int = 8) -> Bundle:
    """Write the graphs of a network of random weights, and describe them to an engine."""
    torch.manual_seed(1)
    codec, model = NoteCodec(), build_model(NETWORK)
    weights = {name: value.detach().numpy() for name, value in model.state_dict().items()}
    step, feed = build_graphs(NETWORK, codec, weights, bits=bits)
    step.save(str(folder / "step.onnx"), "weights.bin")
    feed.save(str(folder / "feed.onnx"), "weights.bin")
    (folder / "weights.bin").write_bytes(step.external_bytes())
    return Bundle(folder, "0" * 16, NETWORK, codec, bits, PREFILL_CHUNK, {})


def ratio(seconds: list[tuple[float, float]]) -> float:
    """The first things' best time over the second things'."""
    first, second = np.min(seconds, axis=0)
    return float(f"{first / second:.3g}")


def judge(ratios: dict[str, float], expected: dict[str, dict[str, float]]) -> list[str]:
    """Say of each ratio that fell short, or that nobody expects or measures any more, what is wrong."""
    wrong = [f"{name}: measured on one side only; run with --write" for name in sorted(ratios.keys() ^ expected.keys())]
    for name in sorted(ratios.keys() & expected.keys()):
        least = expected[name]["expected"] * (1 - expected[name]["tolerance"])
        if ratios[name] < least:
            wrong.append(f"{name}: {ratios[name]:.3g}, expected {expected[name]['expected']:.3g}, at least {least:.3g}")
    return wrong


def uncached_and_cached(engine: OnnxEngine) -> tuple[float, float]:
    """128 notes where every row recomputes all before it, and as they are composed."""
    begun = perf_counter()
    take = generate(Request(notes=128, seed=1), engine)
    cached = perf_counter() - begun
    return bench_compose.uncached_seconds(engine, take.tokens, len(take.tokens)), cached


def apart_and_together(engine: OnnxEngine) -> tuple[float, float]:
    """16 pieces of 60 notes one after the other, and together; the same notes."""
    return bench_batch.apart_and_together(engine, 16, 60)


def early_and_late(engine: OnnxEngine) -> tuple[float, float]:
    """Notes once the window has slid, and as many 700 later."""
    times = [0.0] * 2001
    generate(Request(notes=2000, seed=1), engine, progress=lambda done, _: times.__setitem__(int(done), perf_counter()))
    return times[1300] - times[1000], times[2000] - times[1700]


def short_and_long(engine: OnnxEngine) -> tuple[float, float]:
    """100 steps with 64 rows in the cache, and with 900."""
    return _steps_seconds(engine, 64), _steps_seconds(engine, 900)


def in_8_bits_and_in_4(engine: OnnxEngine) -> tuple[float, float]:
    """100 steps of eight pieces with feed-forward layers in 8 bits, and in 4."""
    with TemporaryDirectory() as folder:
        narrow = load_engine(make_bundle(Path(folder), bits=4))
        return _steps_seconds(engine, 64, pieces=8), _steps_seconds(narrow, 64, pieces=8)


def _steps_seconds(engine: OnnxEngine, filled: int, *, pieces: int = 1) -> float:
    codec, cache = engine.bundle.codec, engine.start([engine.bundle.model.condition_ids()] * pieces)
    noise, masks = np.zeros((pieces, sum(codec.field_sizes)), dtype=np.float32), [codec.decoder().masks()] * pieces
    begun = perf_counter()
    for _ in range(100):
        cache.filled[:] = filled
        engine.decode(cache, noise, masks, [engine.bundle.sampling_defaults.sampling] * pieces)
    return perf_counter() - begun


def new_and_again(engine: OnnxEngine) -> tuple[float, float]:
    """A prompt of 256 rows taken in for the first time, and again."""
    rows = generate(Request(notes=256, seed=perf_counter_ns() % 10_000), engine).tokens[:256]
    return bench_batch.prompt_seconds(engine, rows, 0)


RATIOS: dict[str, Callable[[OnnxEngine], tuple[float, float]]] = {
    "128 notes, uncached against cached": uncached_and_cached,
    "16 pieces, one after the other against together": apart_and_together,
    "beyond the window, early notes against late ones": early_and_late,
    "a step, with 64 rows in the cache against 900": short_and_long,
    "a step of eight pieces, in 8 bits against in 4 and 8": in_8_bits_and_in_4,
    "a prompt of 256 rows, new against again": new_and_again,
}

if __name__ == "__main__":
    sys.exit(main())
