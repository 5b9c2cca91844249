"""Windows of pieces: so many notes from somewhere in a piece, drawn with a generator that the caller seeds.

Pieces come as `read`, which gives the notes of piece i. Every figure that is measured over windows depends on the order
of the draws: from the same seed each function here always draws the same windows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from .notes import Notes, excerpt, window

Cut = Callable[[Notes, int, int], Notes]
Read = Callable[[int], Notes]


def draw_window(notes: Notes, note_count: int, rng: np.random.Generator, *, cut: Cut = window) -> Notes:
    """Cut `note_count` notes from somewhere in a piece; `excerpt` as the cut takes all of a shorter one."""
    start = int(rng.integers(0, max(len(notes) - note_count, 0) + 1))
    return cut(notes, start, start + note_count)


def draw_windows(
    read: Callable[[int], Notes | None], piece_count: int, note_count: int, rng: np.random.Generator
) -> Iterator[Notes]:
    """Yield a window of each piece that has so many notes, the pieces in a drawn order.

    `read` may give None for a piece that cannot be read or is known to be too short.
    """
    for index in rng.permutation(piece_count).tolist():
        notes = read(index)
        # A piece that is left out draws no start: the figures in evaluation/reference.json were drawn so.
        if notes is not None and len(notes) >= note_count:
            yield draw_window(notes, note_count, rng)


def draw_excerpt(read: Read, piece_count: int, note_count: int, rng: np.random.Generator) -> tuple[int, Notes | None]:
    """Draw a piece, with replacement, and an excerpt of it: its index, and None where it has fewer notes."""
    index = int(rng.integers(piece_count))
    notes = read(index)
    return index, draw_window(notes, note_count, rng, cut=excerpt) if len(notes) >= note_count else None
