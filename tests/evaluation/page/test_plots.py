"""Small pictures: marks stand where their numbers say, and odd numbers are drawn too."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from arietta.evaluation.page.plots import (
    MOST_WINDOWS,
    SHADES,
    WIDE,
    bars,
    squares,
    strip_plot,
    structure_squares,
    structure_svg,
)
from arietta.evaluation.structure import SCALES
from arietta.music.notes import Notes
from tests.support.tunes import tune


def paths(picture: str, kind: str) -> list[list[float]]:
    found = re.findall(rf'class="{kind}[^"]*" d="([^"]+)"', picture)
    return [[float(number) for number in re.findall(r"-?[\d.]+", path)] for path in found]


def test_a_value_lies_among_the_percentiles_in_proportion() -> None:
    picture = strip_plot([5.0], [(0.0, 2.0, 5.0, 8.0, 10.0)])
    ET.fromstring(picture)
    ((low, _, high),) = paths(picture, "reach")
    ((here, *_),) = paths(picture, "here")
    assert here == pytest.approx((low + high) / 2) == pytest.approx(WIDE / 2)
    ((left, _, right),) = paths(picture, "half")
    assert (left - low) / (high - low) == pytest.approx(0.2, abs=0.01)
    assert (right - low) / (high - low) == pytest.approx(0.8, abs=0.01)


def test_values_beyond_all_percentiles_are_still_on_the_strip() -> None:
    for value in (-100.0, 100.0):
        ((here, *_),) = paths(strip_plot([value], [(0, 1, 2, 3, 4), (1, 2, 3, 4, 5)]), "here")
        assert 0 <= here <= WIDE


def test_where_all_is_the_same_a_strip_is_drawn() -> None:
    assert "nan" not in strip_plot([1.0], [(1.0,) * 5])


def test_bars_are_as_high_as_their_shares() -> None:
    heights = [float(height) for height in re.findall(r"v-([\d.]+)", bars([0.5, 0.25, 0.0]))]
    assert heights == [40, 20, 0]
    ET.fromstring(bars([]))


def test_squares_are_the_darker_the_larger_and_nothing_is_drawn_of_nothing() -> None:
    picture = squares(np.array([[1.0, 0.5], [0.0, 1.0]]))
    ET.fromstring(picture)
    assert f'class="s{SHADES}" d="M0 0h1M1 1h1"' in picture
    assert f'class="s{SHADES // 2}" d="M1 0h1"' in picture
    assert picture.count("<path") == 2


@pytest.mark.parametrize("notes", [Notes.of(), tune(0, 1), tune(0, 500)], ids=["none", "one", "many"])
def test_structure_is_drawn_of_any_piece(notes: Notes) -> None:
    seconds, picture = structure_squares(notes, 2.0)
    ET.fromstring(picture)
    assert seconds >= 2.0 and len(picture) < 60_000


def test_windows_of_a_long_piece_are_longer() -> None:
    day = Notes.of(np.arange(0, 86_400, 60.0), [1.0] * 1440, [60] * 1440, [64] * 1440)
    seconds, picture = structure_squares(day, 2.0)
    assert seconds == pytest.approx((86_400 - 60) / MOST_WINDOWS) and len(picture) < 60_000


@pytest.mark.parametrize("notes", [Notes.of(), tune(0, 1), tune(0, 500)], ids=["none", "one", "many"])
def test_a_structure_is_drawn_at_all_scales(notes: Notes) -> None:
    drawing = structure_svg(notes, title="A <tune>")
    ET.fromstring(drawing)
    assert "A &lt;tune&gt;" in drawing
    assert drawing.count("windows of") == len(SCALES)
    assert len(drawing) < 2_000_000


def test_the_structure_of_a_day_of_music_is_a_bounded_picture() -> None:
    onset = np.arange(0, 86_400, 10.0)
    day = Notes.of(onset, np.full(len(onset), 1.0), 60 + np.arange(len(onset)) % 12, np.full(len(onset), 64))
    assert len(structure_svg(day)) < 3_000_000
