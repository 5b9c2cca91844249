"""What the embedding learns from: windows of a corpus's pieces, drawn and augmented by seed.

Each batch has two windows of each of its pieces. Each is transposed, stretched and played in another way by itself, so
that neither key, tempo, touch nor recording tells which two belong together. Half of the windows are contiguous, the
others shuffled: put together from parts of their piece that do not follow each other.
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

SHUFFLED_PARTS = (2, 9)  # parts of a shuffled window, the second number excluded
LONGEST_WAIT = 4.0  # seconds; also at a piece's first note, which waits for another piece's last


@dataclass(frozen=True)
class Library:
    """Pieces of 128 notes or more, in memory: their columns end to end, piece i's at `spans[i]`, and its `composer`.

    `composer` int64 [P] is an index into `composers`; -1 is one that is not there.
    """

    onset: NDArray[np.float32]
    duration: NDArray[np.float32]
    pitch: NDArray[np.uint8]
    velocity: NDArray[np.uint8]
    spans: NDArray[np.int64]
    composer: NDArray[np.int64]
    composers: tuple[str, ...]


def composers_with(pieces: Sequence[Piece], least: int) -> tuple[str, ...]:
    """Return the composers with `least` pieces or more, in the alphabet's order."""
    counts = Counter(piece.composer for piece in pieces if piece.composer)
    return tuple(sorted(name for name, count in counts.items() if count >= least))


def long_pieces(store: Store, corpus: str, split: str) -> list[Piece]:
    """Return the pieces of one corpus and split that fill a window; raises CorpusError where there are none."""
    in_split = [piece for piece in store.pieces if (piece.corpus, piece.split) == (corpus, split)]
    pieces = [piece for piece in in_split if piece.notes >= WINDOW]
    if not pieces:
        raise CorpusError(f"{store.path}: has no pieces of {corpus}/{split} with {WINDOW} notes or more")
    return pieces


def read_library(
    store: Store,
    pieces: Sequence[Piece],
    composers: tuple[str, ...],
    progress: Callable[[float, float], None] | None = None,
) -> Library:
    """Read pieces into memory, 10 bytes per note, their notes in the order of `order_by_chord`."""
    names: dict[str, Any] = {"onset": np.float32, "duration": np.float32, "pitch": np.uint8, "velocity": np.uint8}
    ends = np.cumsum([0, *(piece.notes for piece in pieces)])
    columns = {name: np.empty(ends[-1], dtype=dtype) for name, dtype in names.items()}
    for number, piece in enumerate(pieces):
        notes = store.notes(piece.index)
        order = order_by_chord(notes)
        for name, column in columns.items():
            column[ends[number] : ends[number + 1]] = getattr(notes, name)[order]
        if progress:
            progress(number + 1, len(pieces))
    ids = {name: index for index, name in enumerate(composers)}
    composer = np.array([ids.get(piece.composer, -1) for piece in pieces])
    return Library(**columns, spans=np.stack([ends[:-1], ends[1:]], axis=1), composer=composer, composers=composers)


@dataclass(frozen=True)
class WindowPairs:
    """A batch: windows [2 * P, T], first one of each of P pieces, then another of each; the pieces' composers.

    `composer` int64 [2 * P], -1 where not known; `is_contiguous` bool [2 * P] is False for shuffled windows.
    """

    windows: WindowBatch
    composer: NDArray[np.int64]
    is_contiguous: NDArray[np.bool_]


def draw_pairs(library: Library, count: int, rng: Rng) -> WindowPairs:
    """Draw two windows of each of `count` pieces, each shuffled with an even chance.

    Half of the pieces are of known composers, each composer's share being the root of the number of his pieces: by
    number alone, a few prolific ones would fill most batches.
    """
    known = np.flatnonzero(library.composer >= 0)
    weight = 1 / np.sqrt(np.bincount(library.composer[known])[library.composer[known]])
    half = min(count // 2, len(known))
    by_composer = rng.choice(known, half, replace=False, p=weight / weight.sum())
    rest = np.setdiff1d(np.arange(len(library.spans)), by_composer, assume_unique=True)
    pieces = np.concatenate([by_composer, rng.choice(rest, min(count - half, len(rest)), replace=False)])
    pieces = np.tile(pieces, 2)
    is_contiguous = rng.random(len(pieces)) < 0.5
    rows = []
    for piece, is_unbroken in zip(pieces.tolist(), is_contiguous.tolist(), strict=True):
        # The number is drawn for contiguous windows too, where it is always 1.
        part_count = int(rng.integers(*((1, 2) if is_unbroken else SHUFFLED_PARTS)))
        rows.append(_window_rows(library, piece, part_count, rng))
    return WindowPairs(augment(windows_at(library, np.array(rows)), rng), library.composer[pieces], is_contiguous)


def _window_rows(library: Library, piece: int, part_count: int, rng: Rng) -> NDArray[np.int64]:
    """Rows of a window made of so many parts of a piece, int64 [T]; a part begins with a chord, where it can."""
    start, stop = library.spans[piece].tolist()
    cuts = rng.choice(np.arange(1, WINDOW), part_count - 1, replace=False)
    parts = []
    for length in np.diff([0, *np.sort(cuts), WINDOW]).tolist():
        begin = int(rng.integers(start, stop - length + 1))
        while start < begin < stop - length and library.onset[begin] - library.onset[begin - 1] <= STRUCK_TOGETHER:
            begin += 1
        parts.append(np.arange(begin, begin + length))
    return np.concatenate(parts)


def windows_at(library: Library, rows: NDArray[np.int64]) -> WindowBatch:
    """Take windows of rows [B, T]; where two do not follow each other, the second waits as long as in its piece."""
    duration, velocity = (column[rows].astype(np.float64) for column in (library.duration, library.velocity))
    waits = library.onset[rows] - library.onset[np.maximum(rows - 1, 0)]
    onset = np.cumsum(np.clip(waits, 0.0, LONGEST_WAIT), axis=1, dtype=np.float64)
    return WindowBatch(onset, duration, library.pitch[rows].astype(np.int64), velocity)


def augment(windows: WindowBatch, rng: Rng) -> WindowBatch:
    """Vary windows by up to 3 semitones and 20 % of tempo, and jitter onsets, lengths and velocities."""
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
