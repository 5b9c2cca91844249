"""What the embedding learns from: windows of a corpus's pieces, drawn and varied by seed.

Each batch has two windows of each of its pieces. They are transposed, stretched and played otherwise, each by itself,
so that neither the key's height nor the tempo, the touch or the recording tells which belong together. Half of them are
put together from parts of their piece that do not follow each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...corpus.store import Piece, Store
from ...errors import CorpusError
from ...evaluation.embedding import WINDOW, WindowBatch
from ...music.chords import STRUCK_TOGETHER, order_by_chord

Rng = np.random.Generator

PARTS = ((2, 9), (1, 2))  # of a window that is put together, and of one that is whole; the second number is left out
LONGEST_WAIT = 4.0  # seconds; also at a piece's first note, which waits for another piece's last


@dataclass(frozen=True)
class Library:
    """Pieces of 128 notes or more, in memory: their columns end to end, piece i's at `spans[i]`, and its `composer`.

    `composer` int64 [P] counts in `composers`; -1 is one that is not there.
    """

    onset: NDArray[np.float32]
    duration: NDArray[np.float32]
    pitch: NDArray[np.uint8]
    velocity: NDArray[np.uint8]
    spans: NDArray[np.int64]
    composer: NDArray[np.int64]
    composers: tuple[str, ...]


def composers_with(pieces: Sequence[Piece], least: int) -> tuple[str, ...]:
    """Composers with `least` pieces or more, in the alphabet's order."""
    counts = Counter(piece.composer for piece in pieces if piece.composer)
    return tuple(sorted(name for name, count in counts.items() if count >= least))


def long_enough(store: Store, corpus: str, split: str) -> list[Piece]:
    """Pieces of one corpus and split that fill a window; raises CorpusError where there are none."""
    found = [piece for piece in store.pieces if (piece.corpus, piece.split) == (corpus, split)]
    found = [piece for piece in found if piece.notes >= WINDOW]
    if not found:
        raise CorpusError(f"{store.path}: has no pieces of {corpus}/{split} with {WINDOW} notes or more")
    return found


def gather(
    store: Store,
    pieces: Sequence[Piece],
    composers: tuple[str, ...],
    progress: Callable[[float, float], None] | None = None,
) -> Library:
    """Read pieces into memory, 10 bytes a note, their notes in the order of `order_by_chord`."""
    names: dict[str, Any] = {"onset": np.float32, "duration": np.float32, "pitch": np.uint8, "velocity": np.uint8}
    ends = np.cumsum([0, *(piece.notes for piece in pieces)])
    columns = {name: np.empty(ends[-1], dtype=dtype) for name, dtype in names.items()}
    for place, piece in enumerate(pieces):
        notes = store.notes(piece.index)
        order = order_by_chord(notes)
        for name, column in columns.items():
            column[ends[place] : ends[place + 1]] = getattr(notes, name)[order]
        if progress:
            progress(place + 1, len(pieces))
    ids = {name: place for place, name in enumerate(composers)}
    owner = np.array([ids.get(piece.composer, -1) for piece in pieces])
    return Library(**columns, spans=np.stack([ends[:-1], ends[1:]], axis=1), composer=owner, composers=composers)


@dataclass(frozen=True)
class Drawn:
    """A batch: windows [2 * P, T], first one of each of P pieces, then another of each; the pieces' composers.

    `composer` int64 [2 * P], -1 where not known; `is_whole` bool [2 * P] tells which windows are as they were played.
    """

    windows: WindowBatch
    composer: NDArray[np.int64]
    is_whole: NDArray[np.bool_]


def draw(library: Library, count: int, rng: Rng) -> Drawn:
    """Draw two windows of each of `count` pieces; every second one, by chance, is put together from parts of its piece.

    Half of the pieces are of known composers, each composer's share being the root of the number of his pieces.
    """
    known = np.flatnonzero(library.composer >= 0)
    weight = 1 / np.sqrt(np.bincount(library.composer[known])[library.composer[known]])
    half = min(count // 2, len(known))
    chosen = rng.choice(known, half, replace=False, p=weight / weight.sum())
    others = np.setdiff1d(np.arange(len(library.spans)), chosen, assume_unique=True)
    both = np.tile(np.concatenate([chosen, rng.choice(others, min(count - half, len(others)), replace=False)]), 2)
    is_whole = rng.random(len(both)) < 0.5
    rows = np.array(
        [_rows(library, place, PARTS[whole], rng) for place, whole in zip(both, map(int, is_whole), strict=True)]
    )
    return Drawn(vary(windows_at(library, rows), rng), library.composer[both], is_whole)


def _rows(library: Library, place: int, parts: tuple[int, int], rng: Rng) -> NDArray[np.int64]:
    """Rows of a window made of so many parts of a piece, int64 [T]; a part begins with a chord, where it can."""
    start, stop = library.spans[place].tolist()
    cuts = rng.choice(np.arange(1, WINDOW), int(rng.integers(*parts)) - 1, replace=False)
    found = []
    for length in np.diff([0, *np.sort(cuts), WINDOW]).tolist():
        begin = int(rng.integers(start, stop - length + 1))
        while start < begin < stop - length and library.onset[begin] - library.onset[begin - 1] <= STRUCK_TOGETHER:
            begin += 1
        found.append(np.arange(begin, begin + length))
    return np.concatenate(found)


def windows_at(library: Library, rows: NDArray[np.int64]) -> WindowBatch:
    """Take windows of rows [B, T]; where they do not follow each other, a row waits as long as it did in its piece."""
    duration, velocity = (column[rows].astype(np.float64) for column in (library.duration, library.velocity))
    waits = library.onset[rows] - library.onset[np.maximum(rows - 1, 0)]
    onset = np.cumsum(np.clip(waits, 0.0, LONGEST_WAIT), axis=1, dtype=np.float64)
    return WindowBatch(onset, duration, library.pitch[rows].astype(np.int64), velocity)


def vary(windows: WindowBatch, rng: Rng) -> WindowBatch:
    """Play windows otherwise: up to 3 semitones and 20 % of tempo apart, onsets, lengths and velocities jittered."""
    count, shape = len(windows.onset), windows.onset.shape
    tempo = np.exp(rng.uniform(-0.2, 0.2, (count, 1)))
    blur = rng.uniform(0, 0.01, (count, 1))  # seconds
    length = rng.normal(0, 0.3, (count, 1)) + rng.uniform(0, 0.4, (count, 1)) * rng.standard_normal(shape)
    accent = rng.uniform(0, 6, (count, 1)) * rng.standard_normal(shape)
    return WindowBatch(
        onset=windows.onset * tempo + blur * rng.standard_normal(shape),
        duration=windows.duration * tempo * np.exp(length),
        pitch=windows.pitch + rng.integers(-3, 4, (count, 1)),
        velocity=windows.velocity + accent,
    )
