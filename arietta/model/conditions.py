"""What music measures up to: the ids of density, loudness and key that tokens have, block by block.

    block = np.arange(len(tokens)) // 256
    ids = measure_levels(tokens, block, model.conditions)  # int64 [T, K], 0 for what is not measured

Density is in notes a second, silence included; loudness is the mean velocity; the key is told only where it is clear.
All are measured of `NoteCodec`'s tokens, in training and in composing alike, so that a level means the same in both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..codecs.codec import Tokens
from ..codecs.grid import DURATION_STEPS, KEY_COUNT, STEPS_PER_SECOND, TIME_STEPS, VELOCITY_CENTRES
from ..music.keys import Key, find_key
from ..music.notes import LOWEST_PITCH
from .config import Condition

MEASURED = ("density", "loudness", "key")
LEVELS = 8  # of density and of loudness
KEYS = tuple(Key(tonic, is_minor, 1.0).name for is_minor in (False, True) for tonic in range(12))
# Below so many notes a block has no level, or no key; a key counts from this clarity on.
FEW_NOTES, FEW_NOTES_FOR_A_KEY, CLEAR = 12, 24, 0.7
LONGEST_WEIGHT = 200  # steps: a note held for longer says no more of the key
SHORTEST_BLOCK = 0.5  # seconds: notes struck all at once are not infinitely dense


@dataclass(frozen=True)
class BlockFigures:
    """Notes of B blocks, int64 [B], their density (notes a second) and loudness (mean velocity), float64 [B]."""

    notes: NDArray[np.int64]
    density: NDArray[np.float64]
    loudness: NDArray[np.float64]


def block_figures(tokens: Tokens, block: NDArray[np.int64]) -> BlockFigures:
    """Measure plain tokens [T, 4]; `block` int64 [T] is the number of the block that each is in, from 0 on."""
    is_note = tokens[:, 1] < KEY_COUNT
    count = int(block.max(initial=-1)) + 1
    notes = np.bincount(block[is_note], minlength=count)
    seconds = np.bincount(block, TIME_STEPS[tokens[:, 0]], minlength=count) / STEPS_PER_SECOND
    velocity = np.bincount(block[is_note], VELOCITY_CENTRES[tokens[is_note, 3]], minlength=count)
    return BlockFigures(notes, notes / np.maximum(seconds, SHORTEST_BLOCK), velocity / np.maximum(notes, 1))


def measure_levels(tokens: Tokens, block: NDArray[np.int64], conditions: Sequence[Condition]) -> NDArray[np.int64]:
    """Return the ids of plain tokens [T, 4], int64 [T, K]: those of the block that each token is in.

    0 where a block has too few notes or no clear key, and for conditions that are not MEASURED.
    """
    figures = block_figures(tokens, block)
    ids = np.zeros((len(tokens), len(conditions)), dtype=np.int64)
    for index, condition in enumerate(conditions):
        if condition.name in ("density", "loudness"):
            levels = condition.ids_of(getattr(figures, condition.name))
            ids[:, index] = np.where(figures.notes >= FEW_NOTES, levels, 0)[block]
        elif condition.name == "key":
            keys = [_key_id(tokens[block == number]) for number in range(len(figures.notes))]
            ids[:, index] = np.array(keys, dtype=np.int64)[block]
    return ids


def measured_conditions(density: Sequence[float], loudness: Sequence[float]) -> tuple[Condition, Condition, Condition]:
    """Return the conditions that are MEASURED, with these thresholds between their levels."""
    return (
        Condition("density", len(density) + 2, thresholds=tuple(density)),
        Condition("loudness", len(loudness) + 2, thresholds=tuple(loudness)),
        Condition("key", len(KEYS) + 1, KEYS),
    )


def level_thresholds(pieces: Iterable[Tokens], block_size: int = 256) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return thresholds of density and loudness that put equally many blocks of these pieces in each level."""
    figures = [block_figures(tokens, np.arange(len(tokens)) // block_size) for tokens in pieces]
    shares = np.arange(1, LEVELS) / LEVELS
    columns = []
    for name in ("density", "loudness"):
        values = np.concatenate([getattr(block, name)[block.notes >= FEW_NOTES] for block in figures])
        # Rounded, so that settings can state them; with nothing measured all is at the lowest level.
        quantiles = np.quantile(values, shares) if len(values) else np.arange(1.0, LEVELS)
        columns.append(tuple(round(float(value), 1) for value in quantiles))
    return columns[0], columns[1]


def _key_id(tokens: Tokens) -> int:
    notes = tokens[tokens[:, 1] < KEY_COUNT]
    if len(notes) < FEW_NOTES_FOR_A_KEY:
        return 0
    weight = np.minimum(DURATION_STEPS[notes[:, 2]], LONGEST_WEIGHT)
    key = find_key(notes[:, 1].astype(np.int64) + LOWEST_PITCH, weight)
    return 1 + key.tonic + 12 * key.is_minor if key and key.clarity > CLEAR else 0
