"""Whether the takes that `--best` keeps are nearer to real music than the average, in what the choice did not look at.

    python -m benchmarks.quality.ranking --corpus corpus --model concert --on maestro
    python -m benchmarks.quality.ranking --corpus corpus --model piano --on giantmidi [--takes 200] [--notes 300]

Takes are composed in groups of eight, each in the style of a test piece's composer where the model knows one, and two
of each group chosen (`arietta.evaluation.ranking`). Held against a window of as many notes of every test piece:

mean |z|: how many standard deviations a figure lies from the mean of the real windows, over the held-out figures; with
the 95 % interval of what the choice gains, drawing whole groups, and beside what the validation pieces have.
overlap: mean overlapped area of the held-out measures; frechet: the Frechet distance in the embedding. Both depend on
how many takes there are, so the average is that of as many drawn, two of each group; and so are the rejected.

Held out are all measures but those that the score is made of: scale_consistency and key_clarity. One JSON line a case.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from arietta.corpus.store import Store, open_store
from arietta.evaluation.comparison import compare, mean_overlap
from arietta.evaluation.embedding import embed
from arietta.evaluation.frechet import frechet_distance
from arietta.evaluation.likelihood import interval_by_piece
from arietta.evaluation.ranking import PARTS, STEADINESS, Ranked, rank_takes, typical_nats
from arietta.evaluation.statistics import DEFINITIONS, Statistics, measure
from arietta.generation.request import Request, Take
from arietta.model.bundle import DEFAULT_MODEL, load_bundle
from arietta.model.engine import OnnxEngine, load_engine
from arietta.music.notes import Notes
from benchmarks.shared.samples import compose_all, known_style, side, somewhere, tell

GROUP, BEST = 8, 2
DRAWS = 100
SPLITS = ("test", "validation")
HELD_OUT = [name for name in DEFINITIONS if name not in {*STEADINESS, "note_count"}]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class HeldOut:
    """What the choice did not look at of a piece: its held-out statistics and its embedding."""

    measured: Statistics
    embedding: Floats


@dataclass(frozen=True)
class Groups:
    """Takes in groups, [groups][takes of each], and which of them were chosen."""

    pieces: list[list[HeldOut]]
    is_chosen: list[list[bool]]

    def chosen(self, *, value: bool = True) -> list[list[HeldOut]]:
        """Those that were chosen, or those that were not, group by group."""
        return [
            [piece for piece, is_chosen in zip(group, chosen, strict=True) if is_chosen == value]
            for group, chosen in zip(self.pieces, self.is_chosen, strict=True)
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--on", default="maestro", choices=("maestro", "giantmidi"))
    parser.add_argument("--takes", type=int, default=200)
    parser.add_argument("--notes", type=int, default=300)
    arguments = parser.parse_args()
    store, engine = open_store(arguments.corpus), load_engine(load_bundle(arguments.model))
    judged = compose_groups(store, engine, arguments.on, arguments.takes // GROUP, arguments.notes)
    name = f"{engine.bundle.name}, {arguments.on} test, {arguments.notes} notes"
    tell(f"choose/score/{name}", **_parts(judged))
    groups = Groups(
        [[hold_out(ranked.take.notes) for ranked in group] for group in tqdm(judged, desc="measuring", unit="group")],
        [[ranked.is_chosen for ranked in group] for group in judged],
    )
    print_gain(name, groups, *(real_windows(store, arguments.on, split, arguments.notes) for split in SPLITS))


def compose_groups(
    store: Store, engine: OnnxEngine, corpus: str, group_count: int, note_count: int
) -> list[list[Ranked[Take]]]:
    """Compose groups in the styles of test pieces from all over the corpus, and choose of each."""
    pieces = side(store, corpus, "test", note_count)
    composers = [pieces[number * len(pieces) // group_count].composer for number in range(group_count)]
    styles = [known_style(composer, engine.bundle) for composer in composers for _ in range(GROUP)]
    requests = [Request(note_count, style=style, seed=seed) for seed, style in enumerate(styles)]
    takes, nats = compose_all(requests, engine), typical_nats(engine.bundle)
    return [rank_takes(takes[first : first + GROUP], BEST, typical_nats=nats) for first in range(0, len(takes), GROUP)]


def real_windows(store: Store, corpus: str, split: str, note_count: int) -> list[HeldOut]:
    return [hold_out(notes) for notes in somewhere(store, side(store, corpus, split, note_count), note_count)]


def hold_out(notes: Notes) -> HeldOut:
    """Measure what is held out of a piece of 128 notes or more."""
    embedding = embed(notes)
    assert embedding is not None, "a window of 128 notes or more has an embedding"
    return HeldOut(measure(notes, HELD_OUT), embedding)


def print_gain(name: str, groups: Groups, real: Sequence[HeldOut], beside: Sequence[HeldOut]) -> None:
    """Print what is gained by the choice, in three ways."""
    _print_distance(f"choose/distance/{name}", groups, distances_from(real), beside)
    distances: dict[str, Callable[[list[HeldOut]], float]] = {
        "overlap": lambda pieces: _overlap(pieces, real),
        "frechet": lambda pieces: frechet_distance(_embeddings(pieces), _embeddings(real)),
    }
    for kind, distance in distances.items():
        rng = np.random.default_rng(0)
        drawn = [distance(_drawn(groups.pieces, rng)) for _ in tqdm(range(DRAWS), desc=kind)]
        rejected = [distance(_drawn(groups.chosen(value=False), rng)) for _ in range(DRAWS)]
        reached = distance([piece for group in groups.chosen() for piece in group])
        tell(
            f"choose/set/{kind}, {name}",
            chosen=reached,
            drawn=float(np.mean(drawn)),
            drawn_95=np.percentile(drawn, [2.5, 97.5]).tolist(),
            draws_below=float(np.mean(np.array(drawn) < reached)),
            rejected=float(np.mean(rejected)),
            of_real_music=distance(list(beside)),
        )


def distances_from(real: Sequence[HeldOut]) -> Callable[[HeldOut], float]:
    """Tell how far a piece lies from the mean of real windows, in their deviations: the mean over single figures."""
    rows = np.array([_numbers(piece) for piece in real])
    mean, spread = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-9)
    return lambda piece: float(np.abs((_numbers(piece) - mean) / spread).mean())


def _print_distance(name: str, groups: Groups, distance: Callable[[HeldOut], float], beside: Sequence[HeldOut]) -> None:
    sides = {"chosen": groups.chosen(), "all": groups.pieces, "rejected": groups.chosen(value=False)}
    means = {
        kind: np.array([np.mean([distance(piece) for piece in group]) for group in groups_of_side])
        for kind, groups_of_side in sides.items()
    }
    gain = means["all"] - means["chosen"]
    tell(
        name,
        **{kind: float(column.mean()) for kind, column in means.items()},
        gain=float(gain.mean()),
        gain_95=interval_by_piece(gain, np.ones(len(gain))),
        of_real_music=float(np.mean([distance(piece) for piece in beside])),
        groups=len(gain),
    )


def _numbers(piece: HeldOut) -> Floats:
    """The single figures of a piece; what too few notes cannot say is not left out of windows of so many notes."""
    return np.array([float(piece.measured[name][0]) for name in HELD_OUT if len(piece.measured[name]) == 1])


def _overlap(pieces: Sequence[HeldOut], real: Sequence[HeldOut]) -> float:
    return (
        mean_overlap(compare([piece.measured for piece in pieces], [piece.measured for piece in real], resamples=1))
        or 0.0
    )


def _embeddings(pieces: Sequence[HeldOut]) -> Floats:
    return np.array([piece.embedding for piece in pieces])


def _drawn(groups: Sequence[Sequence[HeldOut]], rng: np.random.Generator) -> list[HeldOut]:
    """Draw as many of each group as are chosen of it."""
    return [group[number] for group in groups for number in rng.choice(len(group), BEST, replace=False).tolist()]


def _parts(judged: Sequence[Sequence[Ranked[Take]]]) -> dict[str, object]:
    """Mean score and parts of the chosen and of all."""
    flat = [ranked for group in judged for ranked in group]
    figures: dict[str, object] = {"takes": len(flat)}
    for kind, takes in (("chosen", [ranked for ranked in flat if ranked.is_chosen]), ("all", flat)):
        figures[kind] = float(np.mean([ranked.score for ranked in takes]))
        for part in PARTS:
            values = [ranked.parts[part] for ranked in takes if part in ranked.parts]
            figures |= {f"{part}_of_{kind}": float(np.mean(values))} if values else {}
    return figures


if __name__ == "__main__":
    main()
