"""How a piece is like itself: windows of it against each other, at several scales, as numbers and as a picture.

A window is told by how long each pitch class sounds in it, below and above middle C; two are as like as the cosine
between them (after Foote 1999, "Visualizing music and audio using self-similarity"). In the picture sections show as
squares, repeats as stripes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..music.notes import Notes
from ..render.canvas import Box, Drawing, Shape, Text, drawing_svg
from ..render.roll import INK, format_time, velocity_colours

SCALES = (2.0, 8.0, 30.0)  # seconds a window: a bar, a phrase, a section
MIDDLE_C = 60
MOST_WINDOWS = 60  # in a picture; of longer pieces the windows are longer
SIDE, MARGIN, TOP = 340.0, 30.0, 84.0  # pixels


def self_similarity(notes: Notes, seconds: float) -> NDArray[np.float64]:
    """Likeness of every two windows of `seconds`, float64 [W, W], 0 to 1; silent windows are like nothing."""
    if not len(notes):
        return np.zeros((0, 0))
    window = np.floor((notes.onset - notes.onset[0]) / seconds).astype(np.int64)
    count = int(window[-1]) + 1
    place = notes.pitch.astype(np.int64) % 12 + 12 * (notes.pitch >= MIDDLE_C)
    heard = np.bincount(window * 24 + place, notes.duration, minlength=count * 24).reshape(count, 24)
    told = heard / np.maximum(np.linalg.norm(heard, axis=1, keepdims=True), 1e-12)
    return np.asarray(np.clip(told @ told.T, 0.0, 1.0))


def recurrence_at(notes: Notes, seconds: float) -> float | None:
    """Mean likeness of each window of `seconds` to the one elsewhere that is most like it; None below four windows.

    Neighbours do not count, so it tells coming back, not staying. High and alike at all scales: the piece goes
    nowhere. High for short windows and low for long ones: it wanders.
    """
    last = notes.onset[-1] - notes.onset[0] if len(notes) else 0.0
    if last < 3 * seconds:
        return None
    matrix = self_similarity(notes, max(seconds, float(last) / 500))
    places = np.arange(len(matrix))
    return float(np.where(np.abs(places[:, None] - places) > 1, matrix, 0.0).max(axis=1).mean())


def structure_svg(notes: Notes, *, title: str = "") -> str:
    """Draw the self-similarity at three scales as an SVG document: dark is alike, time runs right and down."""
    shapes: list[Shape] = [
        Text(MARGIN, 32, title or "Structure", 19, INK),
        Text(
            MARGIN,
            50,
            "each moment against each other; dark is alike: squares are sections, stripes repeats",
            11.5,
        ),
    ]
    for place, seconds in enumerate(SCALES):
        shapes += _square(notes, seconds, MARGIN + place * (SIDE + MARGIN))
    return drawing_svg(Drawing(MARGIN + len(SCALES) * (SIDE + MARGIN), TOP + SIDE + MARGIN, tuple(shapes)))


def _square(notes: Notes, seconds: float, left: float) -> Iterator[Shape]:
    span = float(notes.onset[-1] - notes.onset[0]) if len(notes) else 0.0
    seconds = max(seconds, span / MOST_WINDOWS)
    matrix = self_similarity(notes, seconds)
    yield Text(left, TOP - 10, f"windows of {seconds:.3g} s", 11.5)
    colours, side = velocity_colours(), SIDE / max(len(matrix), 1)
    for row, column in np.argwhere(matrix > 0.02).tolist():
        shade = colours[round(127 * matrix[row, column] ** 4)]  # most lie near 1: their differences must show
        yield Box(left + column * side, TOP + row * side, side, side, shade)
    yield Text(left, TOP + SIDE + 16, format_time(0), 10)
    yield Text(left + SIDE, TOP + SIDE + 16, format_time(span), 10, anchor="end")
