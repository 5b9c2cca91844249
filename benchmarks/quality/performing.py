"""How near a score that a model plays comes to a pianist who plays it: loudness, lengths and pedal.

    python -m benchmarks.quality.performing --asap asap-dataset --maestro maestro-v3.0.0 --model concert
    python -m benchmarks.quality.performing --asap asap-dataset --maestro maestro-v3.0.0 --model concert --without-touch

The pairs are ASAP's scores and the performances of them in one side of MAESTRO's split (`benchmarks.quality.beats`
says how both lie). Tempo is not measured, for `perform` keeps the score's: each score is first stretched from beat to
beat to the pianist's tempo. Its first `--notes` notes are played, in the composer's style where that is known. A
written note is held against the nearest note of its key within 0.2 s that the pianist played; others are left out.

correlation: Pearson's, of the velocities of a performance; error: their mean difference, in steps of 1 to 127, with
`level_removed` after both have the same mean. length_octaves: mean difference of lengths, each as a share of the
written one, so that tempo does not count; length_ratio: their geometric mean over the pianist's. pedal: the share of
time in which it is down; pedal_error: its mean difference. All are means over performances, with a 95 % bootstrap
interval.

Beside the model stand another pianist, in works that have two or more, each with the next one; and the score as it is
written, all notes at the mean velocity of the pianist, held for as long as written, without pedal.

One JSON line a case.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arietta.generation.request import Request
from arietta.generation.scores.performance import Performance
from arietta.model.bundle import load_bundle
from arietta.model.engine import OnnxEngine, load_engine
from arietta.music.midi import read_midi
from arietta.music.notes import Notes, crop, first, select
from benchmarks.quality.beats import SCORE, Times, known_beats, maestro_performances
from benchmarks.shared.samples import compose_all, known_style, tell

NEAR = 0.2  # seconds between a written note and the note played for it
FEWEST = 20  # notes of a performance that must have been played as written
SHORTEST_LENGTH = 0.02  # seconds: shorter ones are ornaments, whose written length says nothing


@dataclass(frozen=True)
class Pair:
    """A score at the tempo of a performance, `seconds` long, and what was played of it."""

    folder: str
    composer: str
    score: Notes
    played: Notes


@dataclass(frozen=True)
class Rendering:
    """What was played for each written note, float64 [N], nan for a note that was not; and the share of the pedal."""

    velocity: Times
    length: Times  # in octaves over the written one
    pedal: float

    @classmethod
    def of(cls, score: Notes, played: Notes) -> Rendering:
        """Find each written note among those that were played."""
        partner = match(score, played)
        is_played = partner >= 0
        velocity = np.where(is_played, played.velocity[partner].astype(np.float64), np.nan)
        is_long = is_played & (score.duration >= SHORTEST_LENGTH)
        ratio = np.maximum(played.duration[partner], 0.01) / np.maximum(score.duration, SHORTEST_LENGTH)
        span = float(score.onset[-1])
        down = np.clip(played.pedal, 0.0, span)
        return cls(velocity, np.where(is_long, np.log2(ratio), np.nan), float((down[:, 1] - down[:, 0]).sum()) / span)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--asap", required=True, type=Path, metavar="FOLDER")
    parser.add_argument("--maestro", required=True, type=Path, metavar="FOLDER")
    parser.add_argument("--split", default="test", help="a side of MAESTRO's split (default: %(default)s)")
    parser.add_argument("--notes", type=int, default=400, help="of each score (default: %(default)s)")
    parser.add_argument("--model", default="concert")
    parser.add_argument("--without-touch", action="store_true", help="as a model plays that has not learned touch")
    arguments = parser.parse_args()
    pairs = list(read_pairs(arguments.asap, arguments.maestro, arguments.split, arguments.notes))
    pianists = [Rendering.of(pair.score, pair.played) for pair in pairs]
    bundle = load_bundle(arguments.model)
    if arguments.without_touch:
        bundle = replace(bundle, card=dict(bundle.card) | {"training": {"settings": {"data": {"touch": 0.0}}}})
    played = play(pairs, load_engine(bundle))
    title = f"{bundle.name}{', without touch' if arguments.without_touch else ''}"
    compare(title, list(zip(pianists, played, strict=True)))
    compare("another pianist", list(others(pairs, pianists)))
    compare("as written", [(pianist, mechanical(pianist)) for pianist in pianists])


def read_pairs(asap: Path, maestro: Path, split: str, count: int) -> Iterator[Pair]:
    """Give the beginnings of scores and what was played of them, where the beats of both can be paired."""
    for name, played, beats in maestro_performances(asap, maestro, split):
        folder = Path(name).parent
        score, written = read_midi(asap / folder / SCORE), known_beats(asap / folder / SCORE)
        assert written is not None
        if len(written) != len(beats):
            continue
        score = first(select(score, (score.onset >= written[0] - 0.01) & (score.onset < written[-1])), count)
        onset, release = (stretch(times, written, beats) for times in (score.onset, score.release))
        begin = float(onset[0]) - NEAR
        moved = Notes.of(onset - begin, np.maximum(release - onset, 0.01), score.pitch, score.velocity)
        played = crop(played, begin, begin + moved.seconds + NEAR)
        pair = Pair(folder.as_posix(), folder.parts[0], moved, played)
        if (match(pair.score, pair.played) >= 0).sum() >= FEWEST:
            yield pair


def stretch(times: Times, written: Times, beats: Times) -> Times:
    """Turn times of the score into those of the performance, from beat to beat, and at the last pace after them."""
    place = np.interp(times, written, np.arange(len(written)))
    after = np.maximum(times - written[-1], 0.0) / (written[-1] - written[-2]) * (beats[-1] - beats[-2])
    return np.asarray(np.interp(place, np.arange(len(beats)), beats) + after)


def match(score: Notes, played: Notes) -> NDArray[np.int64]:
    """Return the index of what was played for each written note, -1 where nothing was: in order, key by key."""
    partner = np.full(len(score), -1)
    for pitch in set(score.pitch.tolist()):
        theirs = np.flatnonzero(played.pitch == pitch).tolist()
        for note in np.flatnonzero(score.pitch == pitch).tolist():
            while theirs and played.onset[theirs[0]] < score.onset[note] - NEAR:
                theirs.pop(0)
            near = [index for index in theirs[:2] if abs(played.onset[index] - score.onset[note]) <= NEAR]
            if near:
                partner[note] = min(near, key=lambda index: abs(played.onset[index] - score.onset[note]))
                del theirs[: theirs.index(int(partner[note])) + 1]
    return partner


def play(pairs: list[Pair], engine: OnnxEngine) -> list[Rendering]:
    """Let a model play every score."""
    requests = [
        Request(edit=Performance.of(pair.score), style=known_style(pair.composer, engine.bundle), seed=seed)
        for seed, pair in enumerate(pairs)
    ]
    takes = compose_all([request.resolve(engine.bundle) for request in requests], engine, task="playing")
    return [Rendering.of(pair.score, take.notes) for pair, take in zip(pairs, takes, strict=True)]


def others(pairs: list[Pair], pianists: list[Rendering]) -> Iterator[tuple[Rendering, Rendering]]:
    """Pair each performance with the next one of the same work."""
    works = defaultdict(list)
    for pair, pianist in zip(pairs, pianists, strict=True):
        works[pair.folder].append(pianist)
    for same in works.values():
        if len(same) > 1:
            yield from zip(same, same[1:] + same[:1], strict=True)


def mechanical(pianist: Rendering) -> Rendering:
    """Play what the pianist played at one velocity, for as long as is written."""
    mean = float(np.nanmean(pianist.velocity))
    return Rendering(np.full_like(pianist.velocity, mean), np.zeros_like(pianist.length), 0.0)


def compare(title: str, renderings: list[tuple[Rendering, Rendering]]) -> None:
    """Tell how near the second of each two comes to the first."""
    figures = defaultdict(list)
    for pianist, other in renderings:
        both = ~np.isnan(pianist.velocity) & ~np.isnan(other.velocity)
        mine, theirs = pianist.velocity[both], other.velocity[both]
        if theirs.std() > 1e-9:
            figures["correlation"].append(float(np.corrcoef(mine, theirs)[0, 1]))
        figures["error"].append(float(np.abs(mine - theirs).mean()))
        shifted = theirs - theirs.mean() + mine.mean()
        figures["error_level_removed"].append(float(np.abs(mine - shifted).mean()))
        octaves = (other.length - pianist.length)[~np.isnan(pianist.length) & ~np.isnan(other.length)]
        figures["length_octaves"].append(float(np.abs(octaves).mean()))
        figures["length_ratio"].append(float(octaves.mean()))
        figures["pedal"].append(other.pedal)
        figures["pianist_pedal"].append(pianist.pedal)
        figures["pedal_error"].append(abs(other.pedal - pianist.pedal))
    means: dict[str, object] = {name: float(np.mean(values)) for name, values in figures.items()}
    means["length_ratio"] = float(2 ** np.mean(figures["length_ratio"]))
    if values := figures["correlation"]:
        resampled = np.random.default_rng(0).choice(values, (10_000, len(values))).mean(axis=1)
        means["correlation_95"] = np.percentile(resampled, [2.5, 97.5]).tolist()
    tell(f"performing/{title}", performances=len(renderings), **means)


if __name__ == "__main__":
    main()
