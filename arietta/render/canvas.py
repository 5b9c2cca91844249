"""A drawing as boxes, lines and text in pixels, painted as SVG text or as a PNG of twice the size.

The PNG's typeface is the one inside Pillow, so that every machine paints the same picture; it has no accents,
which are left out there. SVG names a generic sans-serif and keeps all letters.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

PAPER = "#ffffff"
PNG_SCALE = 2
PLAIN_LETTERS = str.maketrans(
    {"–": "-", "—": "-", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "ß": "ss", "æ": "ae", "œ": "oe"}
)
DRAWN_LETTERS = frozenset("©«°±´·»‘’“”…‹›⁄") | frozenset(map(chr, range(32, 127)))  # those of Pillow's typeface


@dataclass(frozen=True)
class Box:
    """A filled rectangle, its upper left corner at (x, y)."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    radius: float = 0.0


@dataclass(frozen=True)
class Line:
    """A straight line, horizontal or vertical."""

    x1: float
    y1: float
    x2: float
    y2: float
    colour: str
    width: float = 1.0


@dataclass(frozen=True)
class Text:
    """Text on a baseline at (x, y); `anchor` says which end of it stands there: start, middle or end."""

    x: float
    y: float
    text: str
    size: float
    colour: str = "#7a7580"
    anchor: str = "start"


Shape = Box | Line | Text


@dataclass(frozen=True)
class Drawing:
    """A drawing; later shapes lie over earlier ones."""

    width: float
    height: float
    shapes: tuple[Shape, ...]


def drawing_svg(drawing: Drawing) -> str:
    """Write a drawing as an SVG document."""
    return "\n".join(_svg_lines(drawing)) + "\n"


def drawing_png(drawing: Drawing) -> bytes:
    """Paint a drawing as a PNG, two pixels for one."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (_pixel(drawing.width), _pixel(drawing.height)), PAPER)
    pencil = ImageDraw.Draw(image)
    for shape in drawing.shapes:
        _paint(pencil, shape)
    data = io.BytesIO()
    image.save(data, "PNG", compress_level=4)
    return data.getvalue()


def _svg_lines(drawing: Drawing) -> Iterator[str]:
    size = f'width="{drawing.width:g}" height="{drawing.height:g}" viewBox="0 0 {drawing.width:g} {drawing.height:g}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">'
    yield f'<rect width="100%" height="100%" fill="{PAPER}"/>'
    for shape in drawing.shapes:
        match shape:
            case Box(x, y, width, height, colour, radius):
                corner = f' rx="{radius:g}"' if radius else ""
                place = f'x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}"'
                yield f'<rect {place}{corner} fill="{colour}"/>'
            case Line(x1, y1, x2, y2, colour, width):
                yield f'<path d="M{x1:.2f} {y1:.2f}L{x2:.2f} {y2:.2f}" stroke="{colour}" stroke-width="{width:g}"/>'
            case Text(x, y, text, points, colour, anchor):
                place = f'x="{x:.2f}" y="{y:.2f}" font-size="{points:g}" text-anchor="{anchor}"'
                yield f'<text {place} fill="{colour}">{escape(_printable(text))}</text>'
    yield "</svg>"


def _printable(text: str) -> str:
    """Leave out control characters, which XML cannot hold."""
    return "".join(letter for letter in text if letter.isprintable())


def _paint(pencil: ImageDraw, shape: Shape) -> None:
    match shape:
        case Box(x, y, width, height, colour, radius):
            left, top = _pixel(x), _pixel(y)
            corners = (left, top, max(_pixel(x + width) - 1, left), max(_pixel(y + height) - 1, top))
            if radius and corners[2] - left > 3:
                pencil.rounded_rectangle(corners, radius * PNG_SCALE, colour)
            else:
                pencil.rectangle(corners, colour)
        case Line(x1, y1, x2, y2, colour, width):
            ends = (_pixel(x1), _pixel(y1), _pixel(x2), _pixel(y2))
            pencil.line(ends, colour, max(1, _pixel(width) // 2))  # hairlines: a full pixel looks heavy at this size
        case Text(x, y, text, size, colour, anchor):
            place = {"start": "ls", "middle": "ms", "end": "rs"}[anchor]
            pencil.text((_pixel(x), _pixel(y)), _plain(text), colour, _font(size), place)


def _plain(text: str) -> str:
    """Write text with the letters of Pillow's typeface: accents go, what has no likeness becomes a question mark."""
    apart = unicodedata.normalize("NFKD", _printable(text).translate(PLAIN_LETTERS).replace("…", "\0"))
    letters = (letter for letter in apart.replace("\0", "…") if not unicodedata.combining(letter))
    return "".join(letter if letter in DRAWN_LETTERS else "?" for letter in letters)


def _pixel(length: float) -> int:
    return round(length * PNG_SCALE)


@lru_cache(maxsize=16)
def _font(size: float) -> FreeTypeFont | ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size * PNG_SCALE)
