"""Two passages on one drawing: what they share is paired, what differs is framed, and nothing overlaps."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np

from arietta.music.notes import Notes, transpose
from arietta.originality.alignment import pair_svg, shared_notes, stack
from arietta.render.canvas import Box, Drawing, Line, Text
from arietta.render.roll import MARK_INK, roll_drawing
from tests.support.tunes import tune


def changed(notes: Notes, places: list[int]) -> Notes:
    pitch = notes.pitch.copy()
    pitch[places] += 1
    return Notes.of(notes.onset, notes.duration, pitch, notes.velocity)


def test_a_passage_shares_all_notes_with_itself_in_another_key() -> None:
    notes = tune(1, 50)
    assert shared_notes(notes, transpose(notes, 4), 4) == [(k, k) for k in range(50)]


def test_changed_notes_are_not_shared() -> None:
    notes = tune(1, 50)
    pairs = shared_notes(changed(notes, [7, 30]), notes, 0)
    assert pairs == [(k, k) for k in range(50) if k not in (7, 30)]


def test_the_order_within_a_chord_does_not_matter() -> None:
    one = Notes.of([0, 0.01, 0.02, 1], [1] * 4, [60, 64, 67, 72], [64] * 4)
    other = Notes.of([0, 0.01, 0.02, 1], [1] * 4, [67, 60, 64, 72], [64] * 4)
    assert sorted(shared_notes(one, other, 0)) == [(0, 1), (1, 2), (2, 0), (3, 3)]


def test_nothing_shares_nothing() -> None:
    assert shared_notes(Notes.of(), tune(1, 5), 0) == []


def test_notes_that_differ_are_framed_in_both_rolls() -> None:
    notes = tune(1, 50)
    drawing = pair_svg(changed(notes, [7, 30]), notes, 0, ("here", "there"))
    ET.fromstring(drawing)
    assert drawing.count(MARK_INK) == 4
    assert ">here</text>" in drawing and ">there</text>" in drawing
    assert MARK_INK not in pair_svg(notes, notes, 0, ("here", "there"))


def test_pages_are_stacked_whole_and_apart() -> None:
    drawing = Drawing(100, 50, (Box(1, 2, 3, 4, "red"), Line(1, 2, 3, 2, "red"), Text(5, 6, "a", 7)))
    both = stack([drawing, drawing])
    assert (both.width, both.height) == (100, 100)
    assert both.shapes[:3] == drawing.shapes
    assert both.shapes[3:] == (Box(1, 52, 3, 4, "red"), Line(1, 52, 3, 52, "red"), Text(5, 56, "a", 7))


def test_a_marked_note_has_its_frame_around_it() -> None:
    notes = tune(1, 5)
    shapes = roll_drawing(notes, marked={2}).shapes
    (place,) = (k for k, shape in enumerate(shapes) if isinstance(shape, Box) and shape.colour == MARK_INK)
    frame, bar = shapes[place : place + 2]
    assert isinstance(frame, Box) and isinstance(bar, Box)
    assert frame.x < bar.x and frame.y < bar.y
    assert frame.x + frame.width > bar.x + bar.width and frame.y + frame.height > bar.y + bar.height
    assert len(shapes) == len(roll_drawing(notes).shapes) + 1
    assert not np.isnan(frame.x)
