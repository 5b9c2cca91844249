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
from arietta.evaluation.ranking import PARTS, STEADINESS, Ranked, rank_takes, typical_nats
from arietta.evaluation.statistics import DEFINITIONS, Statistics, measure
from arietta.generation.request import Request, Take
from arietta.model.bundle import DEFAULT_MODEL, load_bundle
from arietta.model.engine import OnnxEngine, load_engine
from arietta.music.notes import Notes
from benchmarks.shared.report import interval_by_piece
from benchmarks.shared.samples import compose_all, known_style, side, somewhere, tell

GROUP, BEST = 8, 2
DRAWS = 100
SPLITS = ("test", "validation")
HELD_OUT = [name for name in DEFINITIONS if name not in {*STEADINESS, "note_count"}]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Heard:
    """What is held out of a piece: its measures, and where it lies in the embedding."""

    measured: Statistics
    embedding: Floats


@dataclass(frozen=True)
class Groups:
    """Takes in groups, [groups][takes of each], and which of them were chosen."""

    heard: list[list[Heard]]
    is_chosen: list[list[bool]]

    def chosen(self, *, value: bool = True) -> list[list[Heard]]:
        """Those that were chosen, or those that were not, group by group."""
        return [
            [one for one, is_one in zip(heard, chosen, strict=True) if is_one == value]
            for heard, chosen in zip(self.heard, self.is_chosen, strict=True)
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
        [[hear(one.take.notes) for one in group] for group in tqdm(judged, desc="measuring", unit="group")],
        [[one.is_chosen for one in group] for group in judged],
    )
    print_gain(name, groups, *(real_windows(store, arguments.on, split, arguments.notes) for split in SPLITS))


def compose_groups(
    store: Store, engine: OnnxEngine, corpus: str, group_count: int, note_count: int
) -> list[list[Ranked[Take]]]:
    """Compose groups in the styles of test pieces from all over the corpus, and choose of each."""
    pieces = side(store, corpus, "test", note_count)
    composers = [pieces[place * len(pieces) // group_count].composer for place in range(group_count)]
    styles = [known_style(composer, engine.bundle) for composer in composers for _ in range(GROUP)]
    requests = [Request(note_count, style=style, seed=seed) for seed, style in enumerate(styles)]
    takes, usual = compose_all(requests, engine), typical_nats(engine.bundle)
    return [rank_takes(takes[first : first + GROUP], BEST, typical_nats=usual) for first in range(0, len(takes), GROUP)]


def real_windows(store: Store, corpus: str, split: str, note_count: int) -> list[Heard]:
    return [hear(notes) for notes in somewhere(store, side(store, corpus, split, note_count), note_count)]


def hear(notes: Notes) -> Heard:
    """Take what is held out of a piece of 128 notes or more."""
    embedding = embed(notes)
    assert embedding is not None, "a window of 128 notes or more has its place"
    return Heard(measure(notes, HELD_OUT), embedding)


def print_gain(name: str, groups: Groups, real: Sequence[Heard], beside: Sequence[Heard]) -> None:
    """Print what is gained by the choice, in three ways."""
    _print_distance(f"choose/distance/{name}", groups, distances_from(real), beside)
    distances: dict[str, Callable[[list[Heard]], float]] = {
        "overlap": lambda heard: _overlap(heard, real),
        "frechet": lambda heard: frechet_distance(_embeddings(heard), _embeddings(real)),
    }
    for kind, distance in distances.items():
        rng = np.random.default_rng(0)
        drawn = [distance(_drawn(groups.heard, rng)) for _ in tqdm(range(DRAWS), desc=kind)]
        rejected = [distance(_drawn(groups.chosen(value=False), rng)) for _ in range(DRAWS)]
        found = distance([one for group in groups.chosen() for one in group])
        tell(
            f"choose/set/{kind}, {name}",
            chosen=found,
            drawn=float(np.mean(drawn)),
            drawn_95=np.percentile(drawn, [2.5, 97.5]).tolist(),
            draws_below=float(np.mean(np.array(drawn) < found)),
            rejected=float(np.mean(rejected)),
            of_real_music=distance(list(beside)),
        )


def distances_from(real: Sequence[Heard]) -> Callable[[Heard], float]:
    """Tell how far a piece lies from the mean of real windows, in their deviations: the mean over single figures."""
    rows = np.array([_numbers(one) for one in real])
    mean, spread = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-9)
    return lambda one: float(np.abs((_numbers(one) - mean) / spread).mean())


def _print_distance(name: str, groups: Groups, distance: Callable[[Heard], float], beside: Sequence[Heard]) -> None:
    sides = {"chosen": groups.chosen(), "all": groups.heard, "rejected": groups.chosen(value=False)}
    means = {
        kind: np.array([np.mean([distance(one) for one in group]) for group in heard]) for kind, heard in sides.items()
    }
    gain = means["all"] - means["chosen"]
    tell(
        name,
        **{kind: float(found.mean()) for kind, found in means.items()},
        gain=float(gain.mean()),
        gain_95=interval_by_piece(gain, np.ones(len(gain))),
        of_real_music=float(np.mean([distance(one) for one in beside])),
        groups=len(gain),
    )


def _numbers(one: Heard) -> Floats:
    """The single figures of a piece; what too few notes cannot say is not left out of windows of so many notes."""
    return np.array([float(one.measured[name][0]) for name in HELD_OUT if len(one.measured[name]) == 1])


def _overlap(heard: Sequence[Heard], real: Sequence[Heard]) -> float:
    return mean_overlap(compare([one.measured for one in heard], [one.measured for one in real], resamples=1)) or 0.0


def _embeddings(heard: Sequence[Heard]) -> Floats:
    return np.array([one.embedding for one in heard])


def _drawn(groups: Sequence[Sequence[Heard]], rng: np.random.Generator) -> list[Heard]:
    """Draw as many of each group as are chosen of it."""
    return [group[place] for group in groups for place in rng.choice(len(group), BEST, replace=False).tolist()]


def _parts(judged: Sequence[Sequence[Ranked[Take]]]) -> dict[str, object]:
    """Mean score and parts of the chosen and of all."""
    flat = [one for group in judged for one in group]
    told: dict[str, object] = {"takes": len(flat)}
    for kind, some in (("chosen", [one for one in flat if one.is_chosen]), ("all", flat)):
        told[kind] = float(np.mean([one.score for one in some]))
        for part in PARTS:
            values = [one.parts[part] for one in some if part in one.parts]
            told |= {f"{part}_of_{kind}": float(np.mean(values))} if values else {}
    return told


if __name__ == "__main__":
    main()
