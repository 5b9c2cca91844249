"""What takes of a model are like beside real music: loops, and the spread of their statistics.

    python -m benchmarks.quality.takes loops --corpus corpus --model piano --notes 500 [--takes 1000]
    python -m benchmarks.quality.takes overlap --corpus corpus --model concert --on maestro [--temperature 1 --top-p 1]

loops: how many of 1,000 takes hold a pattern of pitches and onset intervals (within 30 %) eight times in a row, and
how many go on with it, with the guard of composing and without, beside all windows of as many notes of the test pieces
of MAESTRO and of GiantMIDI-Piano; 95 % intervals after Wilson.

overlap: the overlapped area of Yang and Lerch (`evaluation.comparison`) of a take for each test piece, in its
composer's style where the model knows one, against a window of as many notes from somewhere in each test piece;
beside the same for a window of each validation piece. Means over the measures, their ratio, and each by itself.

One JSON line a case.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from arietta.corpus.store import Store, open_store
from arietta.evaluation.comparison import Comparison, compare, mean_overlap
from arietta.evaluation.statistics import measure
from arietta.generation.request import Request
from arietta.model.bundle import DEFAULT_MODEL, load_bundle
from arietta.model.engine import OnnxEngine, load_engine
from arietta.model.sampling import Sampling
from arietta.music.loops import LoopGuard
from arietta.music.notes import Notes
from benchmarks.shared.report import wilson
from benchmarks.shared.samples import compose_all, everywhere, matched, side, somewhere, tell

CORPORA = ("maestro", "giantmidi")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("loops", "overlap"))
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--notes", type=int, default=300)
    parser.add_argument("--takes", type=int, default=1000, help="how many are searched for loops (%(default)s)")
    parser.add_argument("--on", default="maestro", choices=CORPORA)
    parser.add_argument("--split", default="test", choices=("test", "validation"), help="which side to hold against")
    parser.add_argument("--temperature", help="a number, or time=1,symbol=0.9")
    parser.add_argument("--top-p")
    parser.add_argument("--min-p")
    parser.add_argument("--guidance", type=float)
    arguments = parser.parse_args()
    store, engine = open_store(arguments.corpus), load_engine(load_bundle(arguments.model))
    sampling = Sampling.read(arguments.temperature, arguments.top_p, arguments.min_p, arguments.guidance)
    if arguments.what == "loops":
        print_loops(store, engine, arguments.notes, arguments.takes, sampling)
    else:
        print_overlap(store, engine, (arguments.on, arguments.split), arguments.notes, sampling)


def print_loops(store: Store, engine: OnnxEngine, note_count: int, take_count: int, sampling: Sampling) -> None:
    """Print how often takes and real windows of so many notes loop."""
    requests = [Request(note_count, seed=seed, sampling=sampling) for seed in range(take_count)]
    about = f"{note_count} notes{_drawn(sampling)}"
    for corpus in CORPORA:
        pieces = side(store, corpus, "test", note_count)
        if pieces:
            _print_looping(f"{corpus} test, {note_count} notes", _looping(everywhere(store, pieces, note_count)))
    name = engine.bundle.name
    guarded = _looping(take.notes for take in compose_all(requests, engine))
    _print_looping(f"{name}, {about}", guarded)
    # A take in which the guard never intervened is the same without it.
    again = [request for request, loops in zip(requests, guarded, strict=True) if loops.eight_times]
    freely = _looping(take.notes for take in compose_all(again, engine, avoid_loops=False))
    _print_looping(
        f"{name}, {about}, without the guard", freely + [loops for loops in guarded if not loops.eight_times]
    )


class Looping(NamedTuple):
    """Whether a pattern comes eight times in a row, and whether one goes on beyond that."""

    eight_times: bool
    over_eight_times: bool


def _looping(pieces: Iterable[Notes]) -> list[Looping]:
    return [looping(notes) for notes in pieces]


def _print_looping(name: str, pieces: Sequence[Looping]) -> None:
    shares: dict[str, object] = {"windows": len(pieces)}
    for kind, column in zip(Looping._fields, zip(*pieces, strict=True), strict=True):
        shares[kind] = sum(column) / len(pieces)
        shares[f"{kind}_interval_95"] = wilson(sum(column), len(pieces))
    tell(f"takes/loops/{name}", **shares)


def looping(notes: Notes) -> Looping:
    """Search a piece for loops with the guard that composing has."""
    guard, is_looping = LoopGuard(), []
    for number in range(len(notes)):
        guard.push(notes[number])
        is_looping.append(guard.looping_pitch is not None)
    return Looping(any(is_looping), any(before and now for before, now in pairwise(is_looping)))


def print_overlap(
    store: Store, engine: OnnxEngine, against: tuple[str, str], note_count: int, sampling: Sampling
) -> None:
    """Print the overlapped area of matched takes with one side of a corpus, and of the other side with it."""
    corpus, split = against
    opposite = "validation" if split == "test" else "test"
    pieces = side(store, corpus, split, note_count)
    real = [measure(notes) for notes in somewhere(store, pieces, note_count)]
    beside = [
        measure(notes) for notes in somewhere(store, side(store, corpus, opposite, note_count), note_count, seed=1)
    ]
    takes = compose_all(matched(pieces, engine.bundle, note_count, sampling), engine)
    reached = compare(beside, real)
    compared = compare([measure(take.notes) for take in takes], real)
    compared = {name: comparison for name, comparison in compared.items() if name in reached}
    name = f"{engine.bundle.name}, {corpus} {split}, {note_count} notes{_drawn(sampling)}"
    overlap = mean_overlap(compared) or 0.0
    most = mean_overlap({name: reached[name] for name in compared}) or 0.0
    tell(
        f"takes/overlap/{name}",
        takes=len(takes),
        windows=len(real),
        overlap=overlap,
        of_real_music=most,
        ratio=overlap / (most or 1.0),
    )
    for statistic, comparison in compared.items():
        tell(f"takes/measure/{name}/{statistic}", **_figures(comparison, reached[statistic]))


def _figures(compared: Comparison, reached: Comparison) -> dict[str, object]:
    means = {} if compared.mean is None else {"mean": compared.mean, "mean_of_real_music": compared.reference_mean}
    return {
        "overlap": compared.overlap,
        "interval_95": compared.overlap_interval,
        "of_real_music": reached.overlap,
        **means,
        "spread": compared.intra,
        "spread_of_real_music": compared.reference_intra,
    }


def _drawn(sampling: Sampling) -> str:
    """Name the settings that were asked for; none where all are the model's."""
    return "".join(f", {name.replace('_', '-')} {value}" for name, value in sampling.describe().items())


if __name__ == "__main__":
    main()
