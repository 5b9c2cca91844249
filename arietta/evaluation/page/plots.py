"""Small pictures for a page: figures among those of real music, distributions, and self-similarity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ...music.notes import Notes
from ...render.canvas import Box, Drawing, Shape, Text, drawing_svg
from ...render.roll import INK, format_time, velocity_colours
from ..reference import Band
from ..structure import SCALES, self_similarity
from .html import Markup, tag

WIDE, ROW = 200, 10  # units of a strip plot: across, and for each corpus
SHADES = 6
MOST_WINDOWS = 60  # in a picture; of longer pieces the windows are longer
SIDE, MARGIN, TOP = 340.0, 30.0, 84.0  # pixels of a structure drawn as a document of its own


def strip_plot(values: Sequence[float], bands: Sequence[Band]) -> Markup:
    """Draw real music's 5th, 25th, 50th, 75th and 95th percentile, a line per corpus, and `values` across them."""
    ends = [*values, *(edge for band in bands for edge in (band[0], band[-1]))]
    low, high = min(ends), max(ends)
    room = 0.06 * (high - low) or 1.0  # `or`: all values may be equal
    low, high = low - room, high + room

    def x(value: float) -> str:
        return f"{(value - low) / (high - low) * WIDE:.1f}"

    shapes = []
    for row, band in enumerate(bands):
        y = ROW * row + 5
        shapes.append(tag("path", class_=f"reach c{row}", d=f"M{x(band[0])} {y}H{x(band[4])}"))
        shapes.append(tag("path", class_=f"half c{row}", d=f"M{x(band[1])} {y}H{x(band[3])}"))
        shapes.append(tag("path", class_="median", d=f"M{x(band[2])} {y - 4}v8"))
    height = ROW * len(bands)
    shapes += [tag("path", class_="here", d=f"M{x(value)} 0v{height}") for value in values]
    return _picture(f"0 0 {WIDE} {height}", "strip", *shapes)


def bars(shares: Sequence[float]) -> Markup:
    """Draw shares as bars, the largest 40 units high."""
    top = max(max(shares, default=0.0), 1e-9)
    path = "".join(f"M{index * 10 + 5} 40v{-40 * share / top:.1f}" for index, share in enumerate(shares))
    return _picture(f"0 0 {10 * len(shares)} 40", "bars", tag("path", d=path))


def squares(matrix: NDArray[np.float64]) -> Markup:
    """Draw a matrix of values from 0 to 1, the darker the larger."""
    rows, columns = matrix.shape
    # Six shades in place of a colour per cell: cells of a shade in a row become one stroke of one path.
    shade = np.ceil(matrix * SHADES - 0.02).astype(int)
    shapes = []
    for degree in range(1, SHADES + 1):
        path = "".join(_runs(shade[row] == degree, row) for row in range(rows))
        if path:
            shapes.append(tag("path", class_=f"s{degree}", d=path))
    return _picture(f"0 0 {columns} {rows}", "squares", tag("g", *shapes, transform="translate(0 .5)"))


def structure_squares(notes: Notes, seconds: float) -> tuple[float, Markup]:
    """Draw how alike any two windows are, and return how many seconds they have: more than asked in long pieces."""
    seconds, shades = _shades(notes, seconds)
    return seconds, squares(shades)


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
    for number, seconds in enumerate(SCALES):
        shapes += _square(notes, seconds, MARGIN + number * (SIDE + MARGIN))
    return drawing_svg(Drawing(MARGIN + len(SCALES) * (SIDE + MARGIN), TOP + SIDE + MARGIN, tuple(shapes)))


def _square(notes: Notes, seconds: float, left: float) -> Iterator[Shape]:
    span = float(notes.onset[-1] - notes.onset[0]) if len(notes) else 0.0
    seconds, shades = _shades(notes, seconds)
    yield Text(left, TOP - 10, f"windows of {seconds:.3g} s", 11.5)
    colours, side = velocity_colours(), SIDE / max(len(shades), 1)
    for row, column in np.argwhere(shades > 0.02**4).tolist():  # fainter ones cannot be seen
        shade = colours[round(127 * shades[row, column])]
        yield Box(left + column * side, TOP + row * side, side, side, shade)
    yield Text(left, TOP + SIDE + 16, format_time(0), 10)
    yield Text(left + SIDE, TOP + SIDE + 16, format_time(span), 10, anchor="end")


def _shades(notes: Notes, seconds: float) -> tuple[float, NDArray[np.float64]]:
    """Return the seconds of a window, and how dark each pair of windows is drawn, 0 to 1."""
    span = float(notes.onset[-1] - notes.onset[0]) if len(notes) else 0.0
    seconds = max(seconds, span / MOST_WINDOWS)
    return seconds, self_similarity(notes, seconds) ** 4  # most lie near 1: their differences must show


def _runs(is_here: NDArray[np.bool_], row: int) -> str:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], is_here.astype(int), [0]])))
    return "".join(f"M{start} {row}h{stop - start}" for start, stop in edges.reshape(-1, 2).tolist())


def _picture(box: str, kind: str, *shapes: Markup) -> Markup:
    return tag("svg", *shapes, class_=kind, viewBox=box, preserveAspectRatio="none", aria_hidden="true")
