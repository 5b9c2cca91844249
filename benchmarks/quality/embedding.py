"""What the embedding tells apart: real music from corrupted, composers from each other, and a model's styles.

    python -m benchmarks.quality.embedding distances --corpus corpus
    python -m benchmarks.quality.embedding composers --corpus corpus
    python -m benchmarks.quality.embedding styles --corpus corpus --model piano [--takes 40]

distances: milliseconds to embed 300 notes; the Frechet distance of real music from real music, with what the plain one
says; and of MAESTRO's test pieces, spoiled in one way to 10 %, 30 % and all, from its other pieces, of which the
network learned none. Spoiled music is told apart from the share on at which the 95 % interval of the difference to the
same pieces unspoiled lies above 0.

composers: how often a window of 300 notes of a held-out piece is heard as its composer, or as one of five, beside
always naming the commonest, and one drawn from all; each corpus, and each composer with three pieces or more.

styles: the same for takes composed in the style of eight composers, those with the most held-out pieces of whom the
model and the classifier know, and Grieg, at the usual guidance and without; and how often takes with no composer told
are heard as that composer. Before that, whether it is the way in which the model writes notes down that is heard:
GiantMIDI-Piano's test windows as they are and through the model's codec, and their distances, and that of the takes,
from its validation windows.

One JSON line a case.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arietta.corpus.store import Store, open_store
from arietta.evaluation.embedding import embed, known_composers, predict_composers
from arietta.evaluation.frechet import frechet_distance, frechet_interval, plain_distance, resampled
from arietta.generation.request import Request
from arietta.model.bundle import DEFAULT_MODEL, load_bundle
from arietta.model.config import NO_STYLE
from arietta.model.engine import OnnxEngine, load_engine
from arietta.model.sampling import MODEL_DEFAULTS, Sampling
from arietta.music.notes import Notes, trim
from benchmarks.shared.corruptions import SPOILERS
from benchmarks.shared.report import commit, report, seconds, wilson
from benchmarks.shared.samples import compose_all, known_style, side, somewhere

NOTES, REPEATS = 300, 100
SHARES = (0.1, 0.3, 1.0)
FEWEST = 3  # held-out pieces of a composer that has a row
STYLES, ALWAYS = 8, "Edvard Grieg"
CORPORA = ("giantmidi", "maestro")

Embeddings = NDArray[np.float64]


@dataclass(frozen=True)
class Hits:
    """Of `count` windows, how many were heard as the composer, and how many had him among five."""

    count: int
    first: int
    among_five: int

    def figures(self, prefix: str = "") -> dict[str, Any]:
        shares = {"top_1": self.first, "top_5": self.among_five}
        return {f"{prefix}{name}": round(hits / self.count, 3) for name, hits in shares.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("distances", "composers", "styles"))
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--takes", type=int, default=40, help="of each style (%(default)s)")
    arguments = parser.parse_args()
    store = open_store(arguments.corpus)
    if arguments.what == "distances":
        print_speed(store)
        print_real(store)
        print_spoiled(store)
    elif arguments.what == "composers":
        print_composers(store)
    else:
        print_styles(store, load_engine(load_bundle(arguments.model)), arguments.takes)


def print_speed(store: Store) -> None:
    pieces = somewhere(store, side(store, "maestro", "test", NOTES)[:REPEATS], NOTES)
    embed(pieces[0])  # reads the weights
    report(
        f"embedding/{NOTES} notes",
        [1000 * seconds(lambda notes=notes: embed(notes)) for notes in pieces],
        "ms",
        threads=1,
    )


def print_real(store: Store) -> None:
    """Print how far real music lies from real music: sides of a corpus, halves of a side, one corpus from another."""
    sides = {
        f"{corpus} {split}": embedded(windows(store, corpus, split)[0])
        for corpus in CORPORA
        for split in ("validation", "test")
    }
    cases = {f"{corpus} validation, {corpus} test": (f"{corpus} validation", f"{corpus} test") for corpus in CORPORA}
    cases["giantmidi test, maestro test"] = ("giantmidi test", "maestro test")
    pairs = {name: (sides[first], sides[second]) for name, (first, second) in cases.items()}
    pairs |= {f"{name}, its halves": (side[::2], side[1::2]) for name, side in sides.items() if name.endswith("test")}
    for name, pair in pairs.items():
        say(f"frechet/{name}", described(*pair))


def described(a: Embeddings, b: Embeddings) -> dict[str, Any]:
    return {
        "distance": round(frechet_distance(a, b), 3),
        "interval_95": [round(value, 3) for value in frechet_interval(a, b)],
        "uncorrected": round(plain_distance(a, b), 3),
        "pieces": [len(a), len(b)],
    }


def print_spoiled(store: Store) -> None:
    """Print the distance of spoiled test pieces from all others, and from which share on it shows."""
    reference = embedded([*windows(store, "maestro", "train")[0], *windows(store, "maestro", "validation")[0]])
    pieces = windows(store, "maestro", "test")[0]
    real = embedded(pieces)
    say("frechet/maestro train and validation, maestro test", described(reference, real))
    for name, spoiler in SPOILERS.items():
        distances = [frechet_distance(real, reference)]
        noticed = []
        for share in SHARES:
            rng = np.random.default_rng(0)
            spoiled = embedded([spoiler(notes, share, rng) for notes in pieces])
            distances.append(frechet_distance(spoiled, reference))
            more = resampled(spoiled, reference) - resampled(real, reference)
            noticed += [share] if np.percentile(more, 2.5) > 0 else []
        names = ("unspoiled", *(f"{share:.0%}" for share in SHARES))
        figures = {key: float(value) for key, value in zip(names, np.round(distances, 2), strict=True)}
        least = f"{min(noticed):.0%}" if noticed else "never"
        ranked = bool(np.all(np.diff(distances) > 0))
        say(f"spoiled/{name}", figures | {"ranked": ranked, "told_apart_from": least})


def print_composers(store: Store) -> None:
    known, ranks = known_composers(), {}
    for corpus in CORPORA:
        pieces, composers = windows(store, corpus, "test", only=known)
        ranks[corpus] = [
            (composer, rank_of(composer, notes)) for notes, composer in zip(pieces, composers, strict=True)
        ]
        commonest = Counter(composers).most_common(1)[0]
        hits = counted([rank for _, rank in ranks[corpus]])
        even = [
            counted([rank for name, rank in ranks[corpus] if name == composer]).figures() for composer in set(composers)
        ]
        say(
            f"heard/{corpus} test",
            hits.figures()
            | {"top_1_interval_95": [round(value, 3) for value in wilson(hits.first, hits.count)]}
            | {f"{key}_by_composer": round(float(np.mean([shares[key] for shares in even])), 3) for key in even[0]}
            | {"commonest": round(commonest[1] / len(composers), 3), "chance": round(1 / len(known), 3)}
            | {"pieces": hits.count, "composers": len(even)},
        )
    both = [rank for corpus in CORPORA for rank in ranks[corpus]]
    for composer, count in Counter(name for name, _ in both).most_common():
        if count >= FEWEST:
            hits = counted([rank for name, rank in both if name == composer])
            say(f"by-composer/{composer}", hits.figures() | {"pieces": count})


def print_written(store: Store, engine: OnnxEngine, takes: Sequence[Notes]) -> None:
    """Print what is heard of real music that the model's codec has written down, and how far it and takes lie."""
    real, composers = windows(store, "giantmidi", "test")
    written = [engine.bundle.codec.quantise(trim(notes)) for notes in real]
    reference = embedded(windows(store, "giantmidi", "validation")[0])
    for name, pieces in {"as it is": real, "written by its codec": written, "its takes": takes}.items():
        embeddings = embedded(pieces)
        distance = frechet_distance(embeddings, reference), frechet_interval(embeddings, reference)
        figures: dict[str, Any] = {"distance": round(distance[0], 3), "interval_95": np.round(distance[1], 3).tolist()}
        if pieces is not takes:
            pairs = [pair for pair in zip(composers, pieces, strict=True) if pair[0] in known_composers()]
            figures |= counted([rank_of(*pair) for pair in pairs]).figures()
        say(f"written/{engine.bundle.name}, {name}", figures | {"windows": len(pieces)})


def print_styles(store: Store, engine: OnnxEngine, takes: int) -> None:
    untold = composed(engine, NO_STYLE, takes)
    print_written(store, engine, untold)
    held = [
        pair for corpus in CORPORA for pair in zip(*windows(store, corpus, "test", only=known_composers()), strict=True)
    ]
    counts = Counter(composer for _, composer in held)
    chosen = [name for name, _ in counts.most_common() if known_style(name, engine.bundle) != NO_STYLE]
    chosen = [*[name for name in chosen if name != ALWAYS][: STYLES - 1], ALWAYS]
    for composer in chosen:
        in_style = composed(engine, composer, takes)
        sets = {
            "told": in_style,
            "without_guidance": composed(engine, composer, takes, Sampling(guidance=1.0)),
            "not_told": untold,
            "real": [notes for notes, name in held if name == composer],
        }
        figures: dict[str, Any] = {}
        for name, pieces in sets.items():
            figures |= counted([rank_of(composer, notes) for notes in pieces]).figures(f"{name}_")
        say(
            f"style/{engine.bundle.name}, {composer}",
            figures
            | {
                "told_heard_mostly_as": mostly(in_style),
                "takes": takes,
                "real_pieces": counts[composer],
                "bundle": engine.bundle.fingerprint,
            },
        )


def composed(engine: OnnxEngine, style: str, takes: int, sampling: Sampling = MODEL_DEFAULTS) -> list[Notes]:
    requests = [Request(NOTES, style=style, seed=seed, sampling=sampling) for seed in range(takes)]
    return [take.notes for take in compose_all(requests, engine, task=f"composing: {style}")]


def windows(store: Store, corpus: str, split: str, *, only: Sequence[str] = ()) -> tuple[list[Notes], list[str]]:
    """A window of each piece of a side that has 300 notes, and its composer; of `only` these, where some are named."""
    pieces = [piece for piece in side(store, corpus, split, NOTES) if not only or piece.composer in only]
    return somewhere(store, pieces, NOTES), [piece.composer for piece in pieces]


def embedded(pieces: Sequence[Notes]) -> Embeddings:
    embeddings = [embed(notes) for notes in pieces]
    return np.array([embedding for embedding in embeddings if embedding is not None])


def rank_of(composer: str, notes: Notes) -> int:
    """Place of the composer among those whom the notes sound like, 0 being the first."""
    return [name for name, _ in predict_composers(notes, len(known_composers()))].index(composer)


def mostly(pieces: Sequence[Notes]) -> str:
    """Whom most of the pieces are heard as, and how many of them."""
    ((composer, count),) = Counter(predict_composers(notes, 1)[0][0] for notes in pieces).most_common(1)
    return f"{composer} ({count / len(pieces):.0%})"


def counted(ranks: Sequence[int]) -> Hits:
    return Hits(len(ranks), sum(rank < 1 for rank in ranks), sum(rank < 5 for rank in ranks))


def say(name: str, figures: dict[str, Any]) -> None:
    print(json.dumps({"name": name} | figures | {"commit": commit()}, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
