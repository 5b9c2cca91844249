"""Music made worse on purpose, in one way at a time and to a known share: what a measure of quality must notice."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from arietta.music.notes import Notes
from arietta.render.score.hands import split_hands

BLOCK = 2.0  # seconds, a bar of four at 120 beats a minute
JITTER = 0.15  # seconds, the deviation of a jittered onset

Rng = np.random.Generator
Spoiler = Callable[[Notes, float, Rng], Notes]


def shuffle_blocks(notes: Notes, share: float, rng: Rng) -> Notes:
    """Let a share of the blocks of 2 s change places, none staying; the notes of each stay together."""
    block, chosen = _blocks(notes, share, rng)
    moved = np.arange(block.max(initial=0) + 1)
    moved[chosen] = np.roll(chosen, 1)
    return _with(notes, onset=notes.onset + BLOCK * (moved[block] - block))


def move_left_hand(semitones: int) -> Spoiler:
    """The left hand higher than written, in a share of the blocks, as if on another piano."""

    def move(notes: Notes, share: float, rng: Rng) -> Notes:
        block, chosen = _blocks(notes, share, rng)
        is_moved = np.isin(block, chosen) & ~split_hands(notes)
        return _with(notes, pitch=np.minimum(notes.pitch.astype(np.int64) + semitones * is_moved, 108))

    return move


def draw_pitches(notes: Notes, share: float, rng: Rng) -> Notes:
    """A share of the notes at any pitch between the piece's lowest and highest."""
    drawn = rng.integers(notes.pitch.min(), int(notes.pitch.max()) + 1, len(notes))
    return _with(notes, pitch=np.where(rng.random(len(notes)) < share, drawn, notes.pitch))


def jitter_onsets(notes: Notes, share: float, rng: Rng) -> Notes:
    """A share of the notes struck too early or too late, by 0.15 s (standard deviation)."""
    late = JITTER * rng.standard_normal(len(notes)) * (rng.random(len(notes)) < share)
    return _with(notes, onset=np.maximum(notes.onset + late, 0.0))


def flatten_velocities(notes: Notes, share: float, rng: Rng) -> Notes:
    """A share of the notes at the piece's mean velocity."""
    even = round(float(notes.velocity.mean()))
    return _with(notes, velocity=np.where(rng.random(len(notes)) < share, even, notes.velocity))


SPOILERS: Mapping[str, Spoiler] = {
    "pitches drawn": draw_pitches,
    "left hand a semitone up": move_left_hand(1),
    "left hand a tritone up": move_left_hand(6),
    "blocks of 2 s shuffled": shuffle_blocks,
    "onsets jittered": jitter_onsets,
    "velocities flattened": flatten_velocities,
}


def _blocks(notes: Notes, share: float, rng: Rng) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Block of each note, and a share of the blocks that have notes, at least two, in a drawn order."""
    block = np.floor((notes.onset - notes.onset[:1]) / BLOCK).astype(np.int64)
    there = rng.permutation(np.unique(block))
    return block, there[: max(round(share * len(there)), 2)]


def _with(notes: Notes, **columns: NDArray[np.generic]) -> Notes:
    """The notes with some columns exchanged, without their pedal, which no longer fits them."""
    names = ("onset", "duration", "pitch", "velocity")
    return Notes.of(**{name: columns.get(name, getattr(notes, name)) for name in names})
