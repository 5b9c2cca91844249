"""Music with a known metre, and a network of random weights, for the tests of beats."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arietta.music.beats.frames import COLUMNS
from arietta.music.beats.network import CARD, DILATIONS, HEADS, KERNEL, PACKED, WEIGHTS
from arietta.music.notes import Notes

WIDTH = 8


def march(
    beat: float = 0.5, beats: int = 64, size: int = 4, *, parts: int = 2, jitter: float = 0.0, late: float = 0.5
) -> Notes:
    """A bass note on each bar, a chord on the other beats, and a tune that divides beats into `parts`."""
    rng = np.random.default_rng(1)
    notes = []
    for number in range(beats):
        at = late + beat * number
        if number % size == 0:
            notes.append((at, beat, 40 + number // size % 3 * 5, 90))
        else:
            notes += [(at, beat * 0.6, pitch, 60) for pitch in (55, 59)]
        for part in range(parts):
            notes.append((at + beat * part / parts, beat / parts, 72 + (number + part) % 7, 75 if part == 0 else 50))
    onset, duration, pitch, velocity = zip(*notes, strict=True)
    return Notes.of(np.array(onset) + np.abs(rng.normal(0, jitter, len(onset))), duration, pitch, velocity)


def random_weights(seed: int = 1) -> dict[str, NDArray[np.float32]]:
    """Weights of a small network that has learned nothing."""
    rng = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "in.weight": (PACKED * COLUMNS, WIDTH),
        "heads.weight": (WIDTH, HEADS),
    }
    shapes |= {"in.bias": (WIDTH,), "heads.bias": (HEADS,)}
    for block in range(len(DILATIONS)):
        shapes |= {f"{block}.weight": (KERNEL, WIDTH, WIDTH), f"{block}.bias": (WIDTH,)}
        shapes |= {f"{block}.out.weight": (WIDTH, WIDTH), f"{block}.out.bias": (WIDTH,)}
    return {name: np.asarray(0.2 * rng.normal(size=shape), dtype=np.float32) for name, shape in shapes.items()}


def write_network(folder: Path, weights: dict[str, NDArray[np.float32]]) -> Path:
    """Write a network as it ships, with a card that knows its weights."""
    folder.mkdir(parents=True)
    np.savez(folder / WEIGHTS, allow_pickle=False, **weights)
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    (folder / CARD).write_text(json.dumps({"sha256": digest, "licence": "CC BY-NC-SA 4.0"}))
    return folder
