"""What takes are like beside real music in the same place of a piece, for any sampling: the sweep that chose defaults.

    python -m benchmarks.quality.openings --corpus corpus --model piano --takes 48 \\
        --temperature 0.97 1 --top-p 0.96 0.98 --guidance 1.5 2.5
    python -m benchmarks.quality.openings --corpus corpus --model piano --composers 10 --takes 200 --split test
    python -m benchmarks.quality.openings --corpus corpus --model piano --start 1000 --takes 48 --index index

Takes go on from their first note as a long piece does (without a coda), and are held against real pieces from their
first note; with --start K both are windows from note K on. Every combination of the settings is a row; a setting may be
by field, time=0.98,symbol=0.95, and without one it is the model's own. Composers are drawn as the model draws them, or
with --composers N are the N with most held-out pieces, in turn.

A row: notes per second and the median time between onsets more than 30 ms apart (means over the pieces), the share of
notes in the best diatonic scale, of six-note sequences of pitches that came before in the piece, different pitches, the
share of pieces with more than 3 s between two onsets, and with a pattern eight times in a row (`takes`); Frechet
distance of embeddings and mean overlapped area to the real windows; how often the embedding recognises the composer,
first or among three, by composer and then averaged; with --index the share of takes inside the human interval of
originality. Beside it the same of real music, held against the other held-out side. One JSON line a row, with
--composers one more for each of them; 95 % intervals, of shares after Wilson, else by resampling pieces.
"""

from __future__ import annotations

import argparse
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arietta.corpus.store import Piece, Store, open_store
from arietta.evaluation.comparison import MeasuredSet, compare, mean_overlap, measure_set
from arietta.evaluation.embedding import known_composers, predict_composers
from arietta.evaluation.frechet import frechet_distance, frechet_interval
from arietta.evaluation.likelihood import interval_by_piece
from arietta.generation.request import MAX_NOTES, Request
from arietta.model.bundle import composer_of, load_bundle
from arietta.model.config import ANY
from arietta.model.engine import OnnxEngine, load_engine
from arietta.model.sampling import MODEL_DEFAULTS, Sampling
from arietta.music.keys import scale_consistency
from arietta.music.notes import Notes, window
from arietta.originality.baseline import measure_percentiles
from arietta.originality.index import PassageIndex, open_index
from arietta.originality.search import find_passages
from benchmarks.quality.takes import looping
from benchmarks.shared.report import wilson
from benchmarks.shared.samples import compose_all, side, tell

CORPORA = ("giantmidi", "maestro")
STRUCK_TOGETHER = 0.03  # seconds
LONG_GAP = 3.0  # seconds
SEQUENCE = 6  # notes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--on", default="giantmidi", choices=CORPORA)
    parser.add_argument("--split", default="validation", choices=("validation", "test"))
    parser.add_argument("--takes", type=int, default=48)
    parser.add_argument("--notes", type=int, default=400, help="of a window, about 500 tokens (%(default)s)")
    parser.add_argument("--start", type=int, default=0, help="the note that windows begin with (%(default)s)")
    parser.add_argument("--composers", type=int, default=0, help="take so many in turn, not those that seeds draw")
    parser.add_argument("--style", default=ANY)
    parser.add_argument("--index", type=Path, help="an index of passages, for originality")
    parser.add_argument("--unguarded", action="store_true", help="also without the guards of composing")
    for name in ("--temperature", "--top-p", "--min-p"):
        parser.add_argument(name, nargs="+", default=[None])
    parser.add_argument("--guidance", nargs="+", type=float, default=[None])
    arguments = parser.parse_args()
    store, engine = open_store(arguments.corpus), load_engine(load_bundle(arguments.model))
    real = print_real(store, arguments.on, arguments.split, (arguments.start, arguments.notes))
    index = None if arguments.index is None else open_index(arguments.index)
    styles, turns = [arguments.style], ""
    if arguments.composers:
        styles = commonest(real.composers, engine, arguments.composers)
        turns = f", {len(styles)} composers in turn"
        print_recognised(f"real{turns}", real.only(styles))
    settings = itertools.product(arguments.temperature, arguments.top_p, arguments.min_p, arguments.guidance)
    for sampling in [Sampling.read(*setting) for setting in settings]:
        for is_guarded in (True, False) if arguments.unguarded else (True,):
            takes = compose_windows(
                engine, styles, arguments.takes, (arguments.start, arguments.notes), sampling, is_guarded=is_guarded
            )
            about = f"{arguments.notes} notes from {arguments.start}{_named(sampling)}{turns}"
            guard = "" if is_guarded else ", without guards"
            print_set(f"{engine.bundle.name}, {about}{guard}", takes, real, index)
            if arguments.composers:
                print_composers(f"{engine.bundle.name}, {about}{guard}", takes)


@dataclass(frozen=True)
class WindowSet:
    """Windows of pieces, each with the full name of its composer, or "any"."""

    windows: Sequence[Notes]
    composers: Sequence[str]

    def only(self, composers: Sequence[str]) -> WindowSet:
        """Leave the windows of these composers."""
        pairs = [pair for pair in zip(self.windows, self.composers, strict=True) if pair[1] in composers]
        return WindowSet([notes for notes, _ in pairs], [name for _, name in pairs])


def read_windows(store: Store, pieces: Sequence[Piece], start: int, note_count: int) -> WindowSet:
    """Cut the same notes of every piece that has them."""
    long_enough = [piece for piece in pieces if piece.notes >= start + note_count]
    windows = [window(store.notes(piece.index), start, start + note_count) for piece in long_enough]
    return WindowSet(windows, [piece.composer for piece in long_enough])


def compose_windows(
    engine: OnnxEngine,
    styles: Sequence[str],
    count: int,
    span: tuple[int, int],
    sampling: Sampling = MODEL_DEFAULTS,
    *,
    is_guarded: bool = True,
) -> WindowSet:
    """Compose so many takes as beginnings of long pieces, styles in turn, and cut their windows."""
    start, note_count = span
    requests = [
        Request(
            MAX_NOTES, style=styles[seed % len(styles)], seed=seed, sampling=sampling, stopped_at=start + note_count
        )
        for seed in range(count)
    ]
    takes = compose_all(requests, engine, is_guarded=is_guarded)
    composers = [composer_of(take.request.style, engine.bundle) for take in takes]
    return WindowSet([window(take.notes, start, start + note_count) for take in takes], composers)


def commonest(composers: Sequence[str], engine: OnnxEngine, count: int) -> list[str]:
    """Return those with most windows whom both the model and the embedding know."""
    known = set(engine.bundle.model.composers) & set(known_composers())
    return [name for name, _ in Counter(name for name in composers if name in known).most_common(count)]


def figures(notes: Notes) -> dict[str, float]:
    """Measure one window."""
    gaps = np.diff(notes.onset)
    return {
        "notes_per_second": len(notes) / max(float(gaps.sum()), 0.01),
        "onset_gap": float(np.median(gaps[gaps > STRUCK_TOGETHER])) if (gaps > STRUCK_TOGETHER).any() else 0.0,
        "diatonic": scale_consistency(notes.pitch),
        "returns": returns(notes),
        "pitches": float(len(np.unique(notes.pitch))),
        "long_gaps": float(gaps.max(initial=0.0) > LONG_GAP),
        "loops": float(looping(notes).eight_times),
    }


def returns(notes: Notes) -> float:
    """Share of sequences of six pitches that came before, notes in order of onset (10 ms) and of pitch."""
    pitches = notes.pitch[np.lexsort((notes.pitch, notes.onset.round(2)))]
    sequences = np.lib.stride_tricks.sliding_window_view(pitches, SEQUENCE)
    return 1 - len(np.unique(sequences, axis=0)) / len(sequences)


def print_real(store: Store, corpus: str, split: str, span: tuple[int, int]) -> WindowSet:
    """Print what real windows are like, held against those of the other held-out side, and return them."""
    opposite = "validation" if split == "test" else "test"
    real, beside = (read_windows(store, side(store, corpus, name, sum(span)), *span) for name in (split, opposite))
    print_set(f"{corpus} {split}, {span[1]} notes from {span[0]}", real, beside, None)
    return real


def print_set(name: str, composed: WindowSet, real: WindowSet, index: PassageIndex | None) -> None:
    """Print one row."""
    rows = [figures(notes) for notes in composed.windows]
    line: dict[str, Any] = {"windows": len(rows)}
    for key in rows[0]:
        values = np.array([row[key] for row in rows])
        is_share = key in ("long_gaps", "loops")
        line[key] = float(values.mean())
        ones = np.ones(len(values))
        line[f"{key}_interval_95"] = (
            wilson(int(values.sum()), len(values)) if is_share else interval_by_piece(values, ones)
        )
    line |= _distances(measure_set(composed.windows), measure_set(real.windows)) | recognised(composed)
    if index is not None:
        percentiles = [measure_percentiles(find_passages(notes, index), index) for notes in composed.windows]
        inside = sum(each is None or each.is_inside for each in percentiles)
        line |= {"original": inside / len(rows), "original_interval_95": wilson(inside, len(rows))}
    tell(f"openings/{name}", **line)


def print_recognised(name: str, windows: WindowSet) -> None:
    """Print how often the composers of windows are recognised."""
    tell(f"openings/{name}", windows=len(windows.windows), **recognised(windows))
    print_composers(name, windows)


def print_composers(name: str, windows: WindowSet) -> None:
    """Print how often each composer is recognised in windows."""
    for composer, rows in sorted(hits_by_composer(windows).items()):
        first, of_three = np.mean(rows, axis=0).tolist()
        tell(f"openings/{name}, {composer}", windows=len(rows), first=first, of_three=of_three)


def _distances(composed: MeasuredSet, real: MeasuredSet) -> dict[str, Any]:
    assert composed.embeddings is not None and real.embeddings is not None
    sets = composed.embeddings, real.embeddings
    overlap = mean_overlap(compare(composed.statistics, real.statistics, resamples=1))
    return {"frechet": frechet_distance(*sets), "frechet_interval_95": frechet_interval(*sets), "overlap": overlap}


def recognised(windows: WindowSet) -> dict[str, Any]:
    """Share of windows whose composer the embedding names first, and among three: means over composers."""
    hits = hits_by_composer(windows)
    if not hits:
        return {}
    # By composer first, so that one with many pieces counts no more than another; resampled by piece.
    weights = [np.full(len(rows), 1 / len(rows)) for rows in hits.values()]
    both: NDArray[np.float64] = np.array([row for rows in hits.values() for row in rows], dtype=np.float64)
    weight = np.concatenate(weights)
    shares: Mapping[str, Any] = {
        key: float((column * weight).sum() / weight.sum())
        for key, column in zip(("first", "of_three"), both.T, strict=True)
    }
    intervals = {
        f"{key}_interval_95": interval_by_piece(column * weight, weight)
        for key, column in zip(("first", "of_three"), both.T, strict=True)
    }
    return {**shares, **intervals, "composers": len(hits)}


def hits_by_composer(windows: WindowSet) -> dict[str, list[tuple[bool, bool]]]:
    """Say of each window of a composer whom the embedding knows whether it names him first, and among three."""
    hits: dict[str, list[tuple[bool, bool]]] = {}
    known = set(known_composers())
    for notes, composer in zip(windows.windows, windows.composers, strict=True):
        if composer in known:
            names = [name for name, _ in predict_composers(notes, 3)]
            hits.setdefault(composer, []).append((names[:1] == [composer], composer in names))
    return hits


def _named(sampling: Sampling) -> str:
    return "".join(f", {name.replace('_', '-')} {value}" for name, value in sampling.describe().items())


if __name__ == "__main__":
    main()
