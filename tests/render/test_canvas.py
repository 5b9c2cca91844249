"""A drawing as SVG and as PNG: the same shapes, letters that each can show."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET

import pytest
from PIL import Image

from arietta.render.canvas import PNG_SCALE, Box, Drawing, Line, Text, drawing_png, drawing_svg


def opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png))


def test_letters_that_the_typeface_lacks_are_written_without_accents() -> None:
    def painted(text: str) -> bytes:
        return drawing_png(Drawing(100, 20, (Text(2, 15, text, 10),)))

    assert painted("Dvořák – Étude") == painted("Dvorak - Etude")
    assert painted("音") == painted("?")
    assert painted("a…") != painted("a...")


def test_every_shape_is_painted_and_written() -> None:
    shapes = (
        Box(1, 1, 3, 3, "#ff0000"),
        Box(5, 1, 6, 3, "#00ff00", 1),
        Line(0, 8, 20, 8, "#0000ff", 2),
        Text(1, 9, "", 5),
    )
    image = opened(drawing_png(Drawing(20, 10, shapes)))
    points = {"red": (4, 4), "green": (16, 4), "blue": (20, 16)}
    assert [image.getpixel(point) for point in points.values()] == [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    assert drawing_svg(Drawing(20, 10, shapes)).count("<rect") == 3


def test_a_png_has_twice_the_pixels() -> None:
    assert opened(drawing_png(Drawing(30, 20, ()))).size == (30 * PNG_SCALE, 20 * PNG_SCALE)


def test_a_later_shape_lies_over_an_earlier_one() -> None:
    below, above = Box(0, 0, 10, 10, "#ff0000"), Box(0, 0, 10, 10, "#0000ff")
    assert opened(drawing_png(Drawing(10, 10, (below, above)))).getpixel((9, 9)) == (0, 0, 255)


def test_the_thinnest_box_is_painted() -> None:
    image = opened(drawing_png(Drawing(10, 10, (Box(4, 4, 0.01, 0.01, "#ff0000"),))))
    assert image.getpixel((8, 8)) == (255, 0, 0)


@pytest.mark.parametrize("text", ['<b> & "c"', "音楽", "a\x07b"])
def test_svg_keeps_all_letters_but_control_characters(text: str) -> None:
    root = ET.fromstring(drawing_svg(Drawing(10, 10, (Text(0, 9, text, 5),))))
    assert root.findtext("{http://www.w3.org/2000/svg}text") == text.replace("\x07", "")
