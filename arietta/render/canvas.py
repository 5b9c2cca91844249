"""A drawing: boxes, lines and text in pixels, written as SVG or painted as a PNG of twice the size.

The PNG's typeface is the one inside Pillow, so that every machine paints the same picture; it has no accents,
which are left out there. SVG names a generic sans-serif and keeps all letters.
"""

from __future__ import annotations

import io
import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING

from ..names import printable

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

PAPER = "#ffffff"
PNG_SCALE = 2  # pixels of a PNG for one of the drawing, so that screens of high density stay sharp
# Letters that Unicode does not take apart into a letter and an accent.
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

    def svg(self) -> str:
        """Write the box as an SVG element."""
        corner = f' rx="{self.radius:g}"' if self.radius else ""
        size = f'width="{self.width:.2f}" height="{self.height:.2f}"'
        return f'<rect x="{self.x:.2f}" y="{self.y:.2f}" {size}{corner} fill="{self.colour}"/>'

    def moved_down(self, by: float) -> Box:
        """Return the same box `by` pixels lower."""
        return replace(self, y=self.y + by)

    def paint(self, pencil: ImageDraw) -> None:
        """Paint the box; one thinner than a pixel is painted as one."""
        left, top = _pixel(self.x), _pixel(self.y)
        right = max(_pixel(self.x + self.width) - 1, left)
        corners = (left, top, right, max(_pixel(self.y + self.height) - 1, top))
        if self.radius and right - left > 3:  # narrower boxes would be all corner
            pencil.rounded_rectangle(corners, self.radius * PNG_SCALE, self.colour)
        else:
            pencil.rectangle(corners, self.colour)


@dataclass(frozen=True)
class Line:
    """A straight line, horizontal or vertical."""

    x1: float
    y1: float
    x2: float
    y2: float
    colour: str
    width: float = 1.0

    def svg(self) -> str:
        """Write the line as an SVG element."""
        path = f"M{self.x1:.2f} {self.y1:.2f}L{self.x2:.2f} {self.y2:.2f}"
        return f'<path d="{path}" stroke="{self.colour}" stroke-width="{self.width:g}"/>'

    def moved_down(self, by: float) -> Line:
        """Return the same line `by` pixels lower."""
        return replace(self, y1=self.y1 + by, y2=self.y2 + by)

    def paint(self, pencil: ImageDraw) -> None:
        """Paint the line at half its width: a full pixel looks heavy at this size."""
        ends = (_pixel(self.x1), _pixel(self.y1), _pixel(self.x2), _pixel(self.y2))
        pencil.line(ends, self.colour, max(1, _pixel(self.width) // 2))


@dataclass(frozen=True)
class Text:
    """Text on a baseline at (x, y); `anchor` says which end of it stands there: start, middle or end."""

    x: float
    y: float
    text: str
    size: float
    colour: str = "#7a7580"
    anchor: str = "start"

    def svg(self) -> str:
        """Write the text as an SVG element."""
        font = f'font-size="{self.size:g}" text-anchor="{self.anchor}"'
        start = f'<text x="{self.x:.2f}" y="{self.y:.2f}" {font} fill="{self.colour}">'
        return f"{start}{escape(printable(self.text))}</text>"

    def moved_down(self, by: float) -> Text:
        """Return the same text `by` pixels lower."""
        return replace(self, y=self.y + by)

    def paint(self, pencil: ImageDraw) -> None:
        """Paint the text in Pillow's typeface: accents go, what it cannot write becomes a question mark."""
        # The ellipsis is one that the typeface has, and would be taken apart into three dots.
        apart = unicodedata.normalize("NFKD", printable(self.text).translate(PLAIN_LETTERS).replace("…", "\0"))
        letters = (letter for letter in apart.replace("\0", "…") if not unicodedata.combining(letter))
        text = "".join(letter if letter in DRAWN_LETTERS else "?" for letter in letters)
        anchor = {"start": "ls", "middle": "ms", "end": "rs"}[self.anchor]  # left, middle, right; on the baseline
        pencil.text((_pixel(self.x), _pixel(self.y)), text, self.colour, _font(self.size), anchor)


Shape = Box | Line | Text


@dataclass(frozen=True)
class Drawing:
    """Shapes on paper; later ones lie over earlier ones."""

    width: float
    height: float
    shapes: tuple[Shape, ...]


def drawing_svg(drawing: Drawing) -> str:
    """Write a drawing as an SVG document."""
    size = f'width="{drawing.width:g}" height="{drawing.height:g}" viewBox="0 0 {drawing.width:g} {drawing.height:g}"'
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">']
    lines.append(f'<rect width="100%" height="100%" fill="{PAPER}"/>')
    lines += [shape.svg() for shape in drawing.shapes]
    return "\n".join([*lines, "</svg>", ""])


def drawing_png(drawing: Drawing) -> bytes:
    """Paint a drawing as a PNG, two pixels for one."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (_pixel(drawing.width), _pixel(drawing.height)), PAPER)
    pencil = ImageDraw.Draw(image)
    for shape in drawing.shapes:
        shape.paint(pencil)
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=3)  # 4 takes half as long again, most of a long piece's time
    return file.getvalue()


def _pixel(length: float) -> int:
    return round(length * PNG_SCALE)


@lru_cache(maxsize=16)
def _font(size: float) -> FreeTypeFont | ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size * PNG_SCALE)
