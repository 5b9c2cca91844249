"""What steps, batches, prompts and a second process must cost at least on this machine, and what they do cost.

    python -m benchmarks.speed.budget [--model piano] [--repeats 5] [--against FOLDER]

A floor is bytes of weights and cache over the bandwidth at which so many are read here, and operations over the rate of
a float32 product here, all in one run on one thread. Weights count 8 bits, which is what the engine multiplies with;
`as shipped` are the bytes on disk. Seconds are the processor's, since a busy machine lengthens those of the clock. The
memory is what a process has to itself (USS) beyond what it shares with others that run the same.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import thread_time

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read when numpy is first imported

import numpy as np
import onnxruntime

from arietta.model.bundle import DEFAULT_MODEL, Bundle, load_bundle
from arietta.model.config import ModelConfig
from arietta.model.engine import OnnxEngine, load_engine
from benchmarks.shared.report import ROOT, report
from benchmarks.speed.step import machine_speed, needs

BATCHES = (1, 2, 8, 16)
FILLED = 512  # tokens in the cache of a step
PROMPT = 1024  # tokens
STEPS = 12  # in a burst, of which the quickest counts
PARTS = {
    "MatMulNBits": "products in few bits",
    "MatMul": "products",
    "FusedMatMul": "products",
    "DequantizeLinear": "making matrices",
    "GroupQueryAttention": "attention",
}
SECOND_PROCESS = """
import sys, numpy, psutil
from arietta.model.bundle import load_bundle
from arietta.model.engine import load_engine
bundle, memory = load_bundle(sys.argv[1]), []
memory.append(psutil.Process().memory_full_info().uss)
engine = load_engine(bundle)
memory.append(psutil.Process().memory_full_info().uss)
engine.score(numpy.zeros((256, len(bundle.model.field_sizes)), dtype=numpy.uint16))
memory.append(psutil.Process().memory_full_info().uss)
print(*memory)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--against", help="another export of the same network, whose prompt is timed in turn")
    arguments = parser.parse_args()
    engine = load_engine(load_bundle(arguments.model))
    measure_steps(engine, arguments.repeats)
    measure_prompt(engine, arguments.repeats, arguments.against)
    measure_memory(engine.bundle)


def measure_steps(engine: OnnxEngine, repeats: int) -> None:
    """Print bytes, rates, and for each batch a step, its floor, and how many times as fast it is as one by one."""
    name, model = f"budget/{engine.bundle.name}", engine.bundle.model
    weights, cached, operations = needs(model, FILLED, bits=engine.bundle.bits)
    in_8_bits, shipped = needs(model, FILLED)[0], (engine.bundle.path / "weights.bin").stat().st_size
    sizes = {"weights of a step": weights, "weights as shipped": shipped, "cache of a step": cached}
    for what, size in sizes.items():
        report(f"{name}, {what}", [size / 1e6], "MB", threads=1)
    rounds = []
    for _ in range(repeats):
        bandwidth, rate = machine_speed(weights + cached, thread_time)
        rounds.append((bandwidth, rate, *(step_seconds(engine, batch) for batch in BATCHES)))
    bandwidths, rates, *steps = np.array(rounds).T
    report(f"{name}, reading", bandwidths / 1e9, "GB/s", threads=1)
    report(f"{name}, multiplying", rates / 1e9, "billion operations/s", threads=1)
    for batch, taken in zip(BATCHES, steps, strict=True):
        floor = (weights + batch * cached) / bandwidths + batch * operations / rates
        report(f"{name}, step of {batch}", 1000 * taken, "ms", threads=1)
        report(f"{name}, floor of a step of {batch}", 1000 * floor, "ms", threads=1)
        report(f"{name}, step of {batch} against its floor", taken / floor, "of it", threads=1)
        wider = floor + (in_8_bits - weights) / bandwidths
        report(f"{name}, step of {batch} against a floor of 8 bits", taken / wider, "of it", threads=1)
        report(f"{name}, {batch} together against one by one", batch * steps[0] / taken, "times", threads=1)


def step_seconds(engine: OnnxEngine, batch: int) -> float:
    """Seconds of the quickest of a few steps of so many pieces."""
    codec, model = engine.bundle.codec, engine.bundle.model
    cache, taken = engine.start([model.condition_ids()] * batch), []
    noise = np.zeros((batch, sum(codec.field_sizes)), dtype=np.float32)
    masks, sampling = [codec.decoder().masks()] * batch, [engine.bundle.sampling_defaults.sampling] * batch
    for _ in range(STEPS):
        cache.filled[:] = min(FILLED, model.context - 1)
        begun = thread_time()
        engine.decode(cache, noise, masks, sampling)
        taken.append(thread_time() - begun)
    return min(taken)


def measure_prompt(engine: OnnxEngine, repeats: int, against: str | None) -> None:
    """Print how long a prompt takes, its floor, and the shares of its operators by ONNX Runtime's own profile."""
    name, model = f"budget/{engine.bundle.name}, prompt of {PROMPT}", engine.bundle.model
    rng = np.random.default_rng(0)
    tokens = np.stack([rng.integers(0, size, PROMPT) for size in model.field_sizes], axis=1).astype(np.uint16)
    engines = [engine, *([load_engine(load_bundle(against))] if against else [])]
    for each in engines:
        prompt_seconds(each, tokens)  # the first opens the graph
    taken = np.array([[prompt_seconds(each, tokens) for each in engines] for _ in range(repeats)])
    floors = np.array([prompt_operations(model) / machine_speed(2**20, thread_time)[1] for _ in range(repeats)])
    report(name, taken[:, 0], "s", threads=1)
    report(f"{name}, floor", floors, "s", threads=1)
    report(f"{name}, against its floor", taken[:, 0] / floors, "of it", threads=1)
    if against:
        report(f"{name}, against the other export's", taken[:, 0] / taken[:, 1], "of it", threads=1)
    for part, share in prompt_shares(engine, tokens).items():
        report(f"{name}, {part}", [share * float(np.median(taken[:, 0]))], "s", threads=1)


def prompt_seconds(engine: OnnxEngine, tokens: np.ndarray) -> float:
    """Seconds of the processor that a new prompt takes."""
    begun, cache = thread_time(), engine.start([engine.bundle.model.condition_ids()])
    engine.prefill(tokens, cache)
    return thread_time() - begun


def prompt_operations(model: ModelConfig) -> int:
    """Operations of a prompt: every weight for every token, and attention over the triangle of what came before."""
    return int(PROMPT * needs(model, PROMPT // 2)[2])


def prompt_shares(engine: OnnxEngine, tokens: np.ndarray) -> dict[str, float]:
    """Shares of the time of a prompt of `tokens` [T, F] that the operators of `PARTS` take, and all others."""
    bundle, options = engine.bundle, onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.enable_profiling = 1, True
    spent = dict.fromkeys((*PARTS.values(), "the rest"), 0.0)
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "prompt")
        profiled = load_engine(bundle)
        session = onnxruntime.InferenceSession(os.fspath(bundle.path / "feed.onnx"), options)
        profiled.__dict__["_feed"] = session
        profiled.prefill(tokens, profiled.start([bundle.model.condition_ids()]))
        for event in json.loads(Path(session.end_profiling()).read_text()):
            if event["name"].endswith("_kernel_time") and event["args"]["op_name"] != "If":  # what is inside counts
                spent[PARTS.get(event["args"]["op_name"], "the rest")] += event["dur"]
    return {part: value / sum(spent.values()) for part, value in spent.items() if value}


def measure_memory(bundle: Bundle) -> None:
    """Print what a process more has to itself: before it loads the graphs, with the step's, and with a prompt's."""
    command = [sys.executable, "-c", SECOND_PROCESS, os.fspath(bundle.path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    before, stepping, prefilling = (int(size) / 2**20 for size in done.stdout.split())
    name = f"budget/{bundle.name}, own memory of a process"
    report(f"{name}, without graphs", [before], "MB", threads=1)
    report(f"{name}, that composes", [stepping], "MB", threads=1)
    report(f"{name}, that prefills too", [prefilling], "MB", threads=1)


if __name__ == "__main__":
    main()
