"""Two passages that are alike, one above the other as piano rolls, with the notes framed that differ."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

import numpy as np

from ..music.chords import order_by_chord
from ..music.notes import Notes
from ..render.canvas import Drawing, Shape, drawing_svg
from ..render.roll import roll_drawing

MOST_COMPARED = 5_000  # notes: comparing takes the square of their number at worst


def shared_notes(here: Notes, there: Notes, semitones: int) -> list[tuple[int, int]]:
    """Pair the notes that two passages share in order, by number; `semitones` is how much higher `there` is."""
    orders = order_by_chord(here)[:MOST_COMPARED], order_by_chord(there)[:MOST_COMPARED]
    pitches = (here.pitch[orders[0]].astype(np.int64) + semitones).tolist(), there.pitch[orders[1]].tolist()
    blocks = SequenceMatcher(None, *pitches, autojunk=False).get_matching_blocks()
    return [
        (int(orders[0][block.a + step]), int(orders[1][block.b + step]))
        for block in blocks
        for step in range(block.size)
    ]


def pair_svg(here: Notes, there: Notes, semitones: int, titles: tuple[str, str]) -> str:
    """Draw two passages as an SVG document: notes in a frame have no counterpart in the other."""
    pairs = shared_notes(here, there, semitones)
    drawings = [
        roll_drawing(notes, title=title, marked=set(range(len(notes))) - {pair[side] for pair in pairs})
        for side, (notes, title) in enumerate(zip((here, there), titles, strict=True))
    ]
    return drawing_svg(stack(drawings))


def stack(drawings: Sequence[Drawing]) -> Drawing:
    """Put drawings one below the other."""
    shapes: list[Shape] = []
    height = 0.0
    for drawing in drawings:
        shapes += [shape.moved_down(height) for shape in drawing.shapes]
        height += drawing.height
    return Drawing(max(drawing.width for drawing in drawings), height, tuple(shapes))
