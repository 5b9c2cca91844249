"""Notes per second at several lengths, and what the cache is worth against recomputing the prefix at every step.

    python -m benchmarks.speed.compose [--model concert] [--repeats 5] [--threads 1] [--long]

Cached is what `arietta compose` does: grammar, noise, heads and sampling included, loading the model not. Uncached
runs the same weights through the bundle's prefill graph, over all tokens before each one (at most the window's), the
heads with them, without grammar or sampling. It is timed on prefixes of about six lengths, whole chunks of the graph,
and summed over every token of the 500 notes along the line between them: all 580 would take minutes to say the same.
A recurrent model takes its prefix token by token, as its graph has it. --long composes an hour of music once, about
30,000 notes: the memory it ends with, and what its last 1,000 notes cost against its third thousand.
"""

from __future__ import annotations

import argparse
from time import perf_counter

import numpy as np
import psutil

from arietta.codecs.codec import Tokens
from arietta.generation.loop import generate
from arietta.generation.request import Request, Take
from arietta.model.bundle import DEFAULT_MODEL, load_bundle
from arietta.model.engine import OnnxEngine, load_engine
from benchmarks.shared.report import report, seconds

LENGTHS = (100, 500, 1000, 4000)  # notes
LAST = 250  # notes at the end of a piece: where the window is full, and costs no longer grow
COMPARED = 500  # notes at which cached and uncached are held against each other
PREFIXES = 6
LONG_NOTES, EARLY, SPAN = 30_000, 2000, 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--long", action="store_true", help="an hour of music, and nothing else")
    arguments = parser.parse_args()
    engine = load_engine(load_bundle(arguments.model), threads=arguments.threads)
    if arguments.long:
        measure_long(engine, arguments.threads)
    else:
        measure(engine, arguments.repeats, arguments.threads)


def measure(engine: OnnxEngine, repeats: int, threads: int) -> None:
    """Print every figure of one engine. What is compared is timed in turn, so that a busy machine slows both."""
    generate(Request(notes=50), engine)  # the first call lays out the graph's memory
    rounds = [[_compose(engine, notes) for notes in LENGTHS] for _ in range(repeats)]
    taken, last = (
        np.array([[timed[kind] for timed in timings] for timings in rounds]) for kind in (1, 2)
    )  # [repeats, lengths]
    for notes, seconds_taken in zip(LENGTHS, taken.T, strict=True):
        report(f"compose/{notes} notes", notes / seconds_taken, "notes/s", threads=threads)
    per_note, long = taken / LENGTHS, f"{LENGTHS[-1]} notes against {LENGTHS[-2]}"
    report(f"compose/cost of a note, {long}", per_note[:, -1] / per_note[:, -2], "of it", threads=threads)
    report(f"compose/cost of the last {LAST} notes, {long}", last[:, -1] / last[:, -2], "of it", threads=threads)
    events = rounds[0][-1][0].tokens
    cached, uncached = np.array([_both_ways(engine, events) for _ in range(repeats)]).T
    report(f"compose/{COMPARED} notes uncached", COMPARED / uncached, "notes/s", threads=threads)
    report(f"compose/cached against uncached, {COMPARED} notes", uncached / cached, "times", threads=threads)


def measure_long(engine: OnnxEngine, threads: int) -> None:
    """Print what the end of a very long piece costs against its beginning, in time and in memory."""
    memory, times = [], []
    process = psutil.Process()

    def progress(done: float, _: float) -> None:
        if len(times) == done:  # the row that completed this note, not the pedal rows after it
            return
        times.append(perf_counter())
        if len(times) in (EARLY, LONG_NOTES):
            memory.append(process.memory_info().rss / 2**20)

    take = generate(Request(notes=LONG_NOTES, seed=1), engine, progress=progress)
    early, late = times[EARLY + SPAN - 1] - times[EARLY - 1], times[-1] - times[-1 - SPAN]
    name, spans = f"compose/{LONG_NOTES} notes", f"the last {SPAN} against notes {EARLY}-{EARLY + SPAN}"
    report(name, [LONG_NOTES / take.seconds_taken], "notes/s", threads=threads)
    report(f"{name}, length", [take.notes.seconds / 60], "minutes of music", threads=threads)
    report(f"{name}, cost of {spans}", [late / early], "of it", threads=threads)
    report(f"{name}, memory at the end", memory[1:], "MB", threads=threads)
    report(f"{name}, memory gained since note {EARLY}", [memory[1] - memory[0]], "MB", threads=threads)


def _compose(engine: OnnxEngine, notes: int) -> tuple[Take, float, float]:
    """Compose so many notes: the take, and the seconds that all of them and the last of them took."""
    times: list[tuple[float, float]] = []
    take = generate(Request(notes=notes, seed=1), engine, progress=lambda done, _: times.append((done, perf_counter())))
    last = next(when for done, when in times if done >= notes - LAST)
    return take, take.seconds_taken, times[-1][1] - last


def _both_ways(engine: OnnxEngine, events: Tokens) -> tuple[float, float]:
    take = generate(Request(notes=COMPARED, seed=1), engine)
    return take.seconds_taken, uncached_seconds(engine, events, len(take.tokens))


def uncached_seconds(engine: OnnxEngine, events: Tokens, row_count: int) -> float:
    """How long `row_count` rows take where each recomputes what the window holds before it; `events` [T, F] are fed."""
    model, chunk = engine.bundle.model, engine.bundle.prefill_chunk
    most = row_count if model.kind == "lstm" else min(row_count, model.context)
    stride = -(-most // (PREFIXES * chunk)) * chunk
    prefixes = [*range(stride, most, stride), -(-most // chunk) * chunk]
    costs = [_prefix_seconds(engine, events[:length]) for length in prefixes]
    lengths = np.minimum(np.arange(1, row_count + 1), most)
    return float(np.interp(lengths, [0, *prefixes], [0.0, *costs]).sum())


def _prefix_seconds(engine: OnnxEngine, events: Tokens) -> float:
    cache = engine.start([engine.bundle.model.condition_ids()])
    return seconds(lambda: engine.prefill(events, cache))


if __name__ == "__main__":
    main()
