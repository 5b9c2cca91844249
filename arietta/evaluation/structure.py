"""How a piece is like itself: windows of it against each other, at several scales, as numbers.

A window is described by how long each pitch class sounds in it, below and above middle C; two are as like as the cosine
between them (after Foote 1999, "Visualizing music and audio using self-similarity"). `page.plots` draws them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..music.notes import Notes

SCALES = (2.0, 8.0, 30.0)  # seconds per window: a bar, a phrase, a section
MIDDLE_C = 60


def self_similarity(notes: Notes, seconds: float) -> NDArray[np.float64]:
    """Likeness of every two windows of `seconds`, float64 [W, W], 0 to 1; silent windows are like nothing."""
    if not len(notes):
        return np.zeros((0, 0))
    window = np.floor((notes.onset - notes.onset[0]) / seconds).astype(np.int64)
    count = int(window[-1]) + 1
    # 24 bins: the hands usually lie on either side of middle C, so bass and melody are told apart.
    pitch_bin = notes.pitch.astype(np.int64) % 12 + 12 * (notes.pitch >= MIDDLE_C)
    sounding = np.bincount(window * 24 + pitch_bin, notes.duration, minlength=count * 24).reshape(count, 24)
    directions = sounding / np.maximum(np.linalg.norm(sounding, axis=1, keepdims=True), 1e-12)
    return np.asarray(np.clip(directions @ directions.T, 0.0, 1.0))


def recurrence_at(notes: Notes, seconds: float) -> float | None:
    """Mean likeness of each window of `seconds` to the one elsewhere that is most like it; None below four windows.

    Neighbours do not count: it measures recurrence, not staying. High at all scales: the piece goes nowhere. High for
    short windows and low for long ones: it wanders.
    """
    last = notes.onset[-1] - notes.onset[0] if len(notes) else 0.0
    if last < 3 * seconds:
        return None
    matrix = self_similarity(notes, max(seconds, float(last) / 500))  # at most about 500 windows: it takes their square
    numbers = np.arange(len(matrix))
    is_elsewhere = np.abs(numbers[:, None] - numbers) > 1  # a window is always like the one before and after it
    return float(np.where(is_elsewhere, matrix, 0.0).max(axis=1).mean())
