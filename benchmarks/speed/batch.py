"""Pieces composed together against one after the other, and prompts: taken in, and taken in again.

    python -m benchmarks.speed.batch [--model concert] [--repeats 3] [--threads 1]

Every piece has 300 notes. What is composed together is held against the same pieces composed alone, byte for byte;
the run ends where they differ. "Again" is the same prompt under the same condition, which the engine keeps.
"""

from __future__ import annotations

import argparse
from time import perf_counter

import numpy as np

from arietta.codecs.codec import Tokens
from arietta.generation.batch import Batch
from arietta.generation.loop import Generation, generate
from arietta.generation.request import Request, Take
from arietta.model.bundle import DEFAULT_MODEL, load_bundle
from arietta.model.engine import OnnxEngine, load_engine
from benchmarks.shared.report import report, seconds

BATCHES = (1, 4, 8, 16, 32)
NOTES = 300
PROMPT_NOTES = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    engine = load_engine(load_bundle(arguments.model), threads=arguments.threads)
    measure_batches(engine, arguments.repeats, arguments.threads)
    measure_prompts(engine, arguments.repeats, arguments.threads)


def measure_batches(engine: OnnxEngine, repeats: int, threads: int) -> None:
    """Print notes a second in all, and their ratio to one piece after the other, timed in turn."""
    generate(Request(notes=50), engine)  # the first call lays out the graph's memory
    for batch in BATCHES:
        apart, together = np.array([apart_and_together(engine, batch, NOTES) for _ in range(repeats)]).T
        report(f"batch/{batch} pieces together", batch * NOTES / together, "notes/s", threads=threads)
        report(f"batch/{batch} pieces, one after the other", batch * NOTES / apart, "notes/s", threads=threads)
        report(f"batch/{batch} pieces, how much faster together", apart / together, "times", threads=threads)


def apart_and_together(engine: OnnxEngine, batch: int, notes: int) -> tuple[float, float]:
    """Seconds that `batch` pieces take one after the other, and together."""
    requests = [Request(notes=notes, seed=seed) for seed in range(batch)]
    begun = perf_counter()
    takes = [generate(request, engine) for request in requests]
    apart = perf_counter() - begun
    pieces, taken = _together(engine, requests)
    for piece, take in zip(pieces, takes, strict=True):
        assert_same(piece.take(0.0), take)
    return apart, taken


def _together(engine: OnnxEngine, requests: list[Request]) -> tuple[list[Generation], float]:
    begun, ensemble = perf_counter(), Batch(engine)
    pieces = [Generation(request, engine.bundle) for request in requests]
    for piece in pieces:
        ensemble.add(piece)
    while ensemble:
        ensemble.step()
    return pieces, perf_counter() - begun


def assert_same(take: Take, expected: Take) -> None:
    if not np.array_equal(take.tokens, expected.tokens) or take.notes != expected.notes:
        raise SystemExit(f"seed {take.request.seed}: its company changed the piece")


def measure_prompts(engine: OnnxEngine, repeats: int, threads: int) -> None:
    """Print how long a prompt takes before the first row can be composed, new and again."""
    rows = generate(Request(notes=PROMPT_NOTES + 1), engine).tokens
    rows = rows[: int(np.flatnonzero(rows[:, 1] < 88)[PROMPT_NOTES - 1]) + 1]  # up to its last note
    new, again = zip(*(prompt_seconds(engine, rows, repeat) for repeat in range(repeats)), strict=True)
    report(f"batch/a prompt of {PROMPT_NOTES} notes", new, "s", threads=threads)
    report(f"batch/the same prompt again, of {PROMPT_NOTES} notes", again, "s", threads=threads)


def prompt_seconds(engine: OnnxEngine, rows: Tokens, repeat: int) -> tuple[float, float]:
    """Seconds to take in rows [T, F] and the same rows again; another `repeat` is another prompt."""
    prompt = np.concatenate([rows[:1], rows[1 + repeat :]])
    first, second = (seconds(lambda: engine.start_after(engine.bundle.model.condition_ids(), prompt)) for _ in range(2))
    return first, second


if __name__ == "__main__":
    main()
