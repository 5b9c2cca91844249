"""What takes of a model are like beside real music: loops, and the spread of their statistics.

    python -m benchmarks.quality.takes loops --corpus corpus --model piano --notes 500 [--takes 1000]
    python -m benchmarks.quality.takes overlap --corpus corpus --model concert --on maestro [--temperature 1 --top-p 1]
    python -m benchmarks.quality.takes limits --corpus corpus
    python -m benchmarks.quality.takes endings --corpus corpus --model piano --takes 200

loops: how many of 1,000 takes hold a pattern of pitches and onset intervals (within 30 %) eight times in a row, and
how many go on with it, with the guards of composing and without, beside all windows of as many notes of the test pieces
of MAESTRO and of GiantMIDI-Piano; 95 % intervals after Wilson.

overlap: the overlapped area of Yang and Lerch (`evaluation.comparison`) of a take for each test piece, in its
composer's style where the model knows one, against a window of as many notes from somewhere in each test piece;
beside the same for a window of each validation piece. Means over the measures, their ratio, and each by itself.

limits: the 99.9th percentile of the longest gap between onsets, of notes per second, and of how short the median
key-down length is, over all stretches of 64 notes of the validation pieces, that of how few pitches these have, and the
99.5th over stretches of 128 notes: those of `generation.guard`.

endings: of takes that end, of the same without the coda, and of the validation pieces, how often the last 16 notes are
slower than the 64 before them, how often the last lowest note is lower than their median lowest, and how often it is
the tonic of the piece's key (Krumhansl and Kessler 1982).

One JSON line a case.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from arietta.corpus.store import Store, open_store
from arietta.evaluation.comparison import Comparison, compare, mean_overlap
from arietta.evaluation.statistics import measure
from arietta.generation.guard import STRETCH
from arietta.generation.request import Request
from arietta.model.bundle import DEFAULT_MODEL, load_bundle
from arietta.model.engine import OnnxEngine, load_engine
from arietta.model.sampling import Sampling
from arietta.music.keys import find_key
from arietta.music.loops import LoopGuard
from arietta.music.notes import Notes
from benchmarks.shared.report import wilson
from benchmarks.shared.samples import compose_all, everywhere, matched, side, somewhere, tell

CORPORA = ("maestro", "giantmidi")
LAST = 16  # notes of an ending


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("loops", "overlap", "limits", "endings"))
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
    store = open_store(arguments.corpus)
    if arguments.what == "limits":
        print_limits(store)
        return
    engine = load_engine(load_bundle(arguments.model))
    sampling = Sampling.read(arguments.temperature, arguments.top_p, arguments.min_p, arguments.guidance)
    if arguments.what == "loops":
        print_loops(store, engine, arguments.notes, arguments.takes, sampling)
    elif arguments.what == "endings":
        print_endings(store, engine, (arguments.on, "validation"), arguments.notes, arguments.takes, sampling)
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
    guarded = compose_all(requests, engine)
    _print_looping(f"{name}, {about}", _looping(take.notes for take in guarded))
    # A take in which no guard intervened is the same without them.
    free = [take for take in guarded if not take.interventions]
    again = [request for request, take in zip(requests, guarded, strict=True) if take.interventions]
    free += compose_all(again, engine, is_guarded=False)
    _print_looping(f"{name}, {about}, without the guards", _looping(take.notes for take in free))


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


def print_limits(store: Store) -> None:
    """Print what all but one in a thousand stretches of real music keep."""
    for corpus in CORPORA:
        pieces = [store.notes(piece.index) for piece in side(store, corpus, "validation", STRETCH + 1)]
        onsets = [sliding_window_view(notes.onset, STRETCH + 1) for notes in pieces]
        gaps = np.concatenate([np.diff(windows, axis=1).max(axis=1) for windows in onsets])
        spans = np.concatenate([windows[:, -1] - windows[:, 0] for windows in onsets])
        medians = np.concatenate([np.median(sliding_window_view(notes.duration, STRETCH), axis=1) for notes in pieces])
        tell(
            f"takes/limits/{corpus} validation",
            stretches=len(gaps),
            longest_gap=float(np.percentile(gaps, 99.9)),
            notes_per_second=float(STRETCH / max(np.percentile(spans, 0.1), 1e-3)),
            shortest_median=float(np.percentile(medians, 0.1)),
            fewest_pitches=float(np.percentile(_pitch_counts(pieces, STRETCH), 0.1)),
            fewest_pitches_of_128=float(np.percentile(_pitch_counts(pieces, 2 * STRETCH), 0.5)),
        )


def _pitch_counts(pieces: Sequence[Notes], stretch: int) -> NDArray[np.int64]:
    """Count the different pitches of all stretches of so many notes."""
    windows = [np.sort(sliding_window_view(notes.pitch, stretch), axis=1) for notes in pieces if len(notes) >= stretch]
    return np.concatenate([1 + np.count_nonzero(np.diff(each, axis=1), axis=1) for each in windows])


class Ending(NamedTuple):
    """How a piece ends: slower than before, on a lower bass note than before, on the tonic of its key."""

    slower: bool
    lower: bool
    tonic: bool


def ending(notes: Notes) -> Ending:
    """Measure the last 16 notes of a piece against the 64 before them."""
    last, before = notes.onset[-LAST:], notes.onset[-LAST - STRETCH : -LAST]
    lowest = [notes.pitch[near(notes, onset)].min() for onset in before]
    bass = int(notes.pitch[near(notes, notes.onset[-1])].min())
    key = find_key(notes.pitch, notes.duration)
    pace, pace_before = ((part[-1] - part[0]) / (len(part) - 1) for part in (last, before))
    return Ending(bool(pace > pace_before), bool(bass < np.median(lowest)), key is not None and bass % 12 == key.tonic)


def near(notes: Notes, onset: float) -> NDArray[np.bool_]:
    """Say which notes are struck within half a second before an onset, or with it: bool [N]."""
    return (notes.onset > onset - 0.5) & (notes.onset <= onset)


def print_endings(
    store: Store, engine: OnnxEngine, against: tuple[str, str], note_count: int, take_count: int, sampling: Sampling
) -> None:
    """Print how often takes close as pieces do."""
    corpus, split = against
    real = [store.notes(piece.index) for piece in side(store, corpus, split, LAST + STRETCH)]
    _print_endings(f"{corpus} {split}", real)
    for closes in (True, False):
        requests = [Request(note_count, seed=seed, sampling=sampling, ending=closes) for seed in range(take_count)]
        about = "" if closes else ", without an ending"
        takes = [take.notes for take in compose_all(requests, engine)]
        _print_endings(f"{engine.bundle.name}, {note_count} notes{_drawn(sampling)}{about}", takes)


def _print_endings(name: str, pieces: Sequence[Notes]) -> None:
    shares: dict[str, object] = {"pieces": len(pieces)}
    for kind, column in zip(Ending._fields, zip(*map(ending, pieces), strict=True), strict=True):
        shares[kind] = sum(column) / len(pieces)
        shares[f"{kind}_interval_95"] = wilson(sum(column), len(pieces))
    tell(f"takes/endings/{name}", **shares)


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
