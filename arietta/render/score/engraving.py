"""Engraved scores as PDF: MusicXML, laid out by verovio, drawn as lines and curves that print at any size.

Verovio (the extra `score`) gives its pages as SVG; this writes the part of SVG that it uses (paths, polygons,
ellipses, reused glyphs, plain text) as PDF 1.4. Text is in Times, which every reader of PDF has, in the letters of
Windows-1252; others become question marks.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from ...errors import RequestError
from ...program import install_command

WIDTH, HEIGHT = 595.28, 841.89  # points of an A4 page
PAGE = {"pageWidth": 2100, "pageHeight": 2970, "footer": "none", "xmlIdSeed": 1, "smuflTextFont": "none"}
FONTS = ("Times-Roman", "Times-Bold", "Times-Italic")
ROUND = 0.5523  # where a quarter of a circle has its control points
# Widths of the letters from space to ~ in Times-Roman, in thousandths of its size (Adobe's font metrics).
LETTERS = (
    "250 333 408 500 500 833 778 180 333 333 500 564 250 333 250 278 500 500 500 500 500 500 500 500 500 500 278 "
    "278 564 564 564 444 921 722 667 667 722 611 556 722 722 333 389 722 611 889 722 722 556 722 667 556 611 722 "
    "722 944 722 722 611 333 278 333 469 500 333 444 500 444 500 444 333 500 500 278 278 500 278 778 500 500 500 "
    "500 333 389 278 500 500 722 500 500 444 480 200 480 541 "
).split()
COUNTS = {"m": 2, "l": 2, "h": 1, "v": 1, "c": 6, "s": 4}  # numbers of each command of a path
_NAME = re.compile(r"\{.*\}")
_COMMAND = re.compile(r"([A-Za-z])([^A-Za-z]*)")
_NUMBER = re.compile(r"-?\d*\.?\d+")
_CALL = re.compile(r"(\w+)\(([^)]*)\)")


@dataclass(frozen=True)
class _Style:
    """What texts inherit: a font's number, a size, and where the line begins."""

    font: int = 0
    size: float = 0.0
    x: float = 0.0
    y: float = 0.0
    anchor: str = "start"


def engrave(text: str) -> bytes:
    """Engrave MusicXML as a PDF of A4 pages; the same score gives the same bytes.

    Raises RequestError where verovio is not installed, or cannot read the score.
    """
    try:
        toolkit = lay_out_score(text, PAGE)
    except ImportError as error:
        raise RequestError(str(error)) from error
    return pdf([_operators(toolkit.renderToSVG(page + 1)) for page in range(toolkit.getPageCount())])


def lay_out_score(text: str, options: Mapping[str, Any]) -> Any:
    """Let verovio lay out MusicXML, and return its toolkit, which renders pages.

    Raises ImportError, with what to install, where verovio is missing, and RequestError where it cannot read the score.
    """
    try:
        import verovio
    except ImportError as error:
        raise ImportError(f"an engraved score needs the package verovio: {install_command('score')}") from error
    toolkit: Any = verovio.toolkit()
    toolkit.setOptions(dict(options))
    if not toolkit.loadData(text):
        raise RequestError("verovio cannot read the score")
    return toolkit


def pdf(contents: Sequence[str]) -> bytes:
    """Make a PDF of pages, each given as its drawing operators (PDF 1.4, chapter 3)."""
    kids = " ".join(f"{6 + 2 * number} 0 R" for number in range(len(contents)))
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", f"<</Type/Pages/Count {len(contents)}/Kids[{kids}]>>".encode()]
    objects += [f"<</Type/Font/Subtype/Type1/BaseFont/{font}/Encoding/WinAnsiEncoding>>".encode() for font in FONTS]
    fonts = "".join(f"/F{number} {3 + number} 0 R" for number in range(len(FONTS)))
    for number, content in enumerate(contents):
        page = f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {WIDTH} {HEIGHT}]/Resources<</Font<<{fonts}>>>>"
        objects.append(f"{page}/Contents {7 + 2 * number} 0 R>>".encode())
        packed = zlib.compress(content.encode("latin-1"))
        objects.append(f"<</Filter/FlateDecode/Length {len(packed)}>>stream\n".encode() + packed + b"\nendstream")
    document, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, content_bytes in enumerate(objects, 1):
        offsets.append(len(document))
        document += f"{number} 0 obj\n".encode() + content_bytes + b"\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer<</Size {len(objects) + 1}/Root 1 0 R>>\n"
    return bytes(document) + f"{end}startxref\n{len(document)}\n%%EOF\n".encode()


# SVG to drawing operators


def _operators(svg: str) -> str:
    """Translate a page; SVG counts from the upper left corner, PDF from the lower left."""
    root = ET.fromstring(svg)
    symbols = [part for part in root.iter() if _tag(part) == "g" and part.get("id", "").startswith("E")]
    glyphs = {glyph.get("id", ""): "\n".join(_draw(glyph, {}, _Style())) for glyph in symbols}
    inner = next(part for part in root.iter() if _tag(part) == "svg" and part.get("viewBox"))
    width = float(inner.get("viewBox", "").split()[2])
    scale = WIDTH / width
    return "\n".join([f"{scale:.6f} 0 0 {-scale:.6f} 0 {HEIGHT} cm", *_draw(inner, glyphs, _Style())])


def _tag(element: ET.Element) -> str:
    return _NAME.sub("", element.tag)


def _draw(element: ET.Element, glyphs: dict[str, str], style: _Style) -> Iterator[str]:
    kind, names = _tag(element), element.get("class", "").split()
    if kind in ("defs", "style", "title", "desc") or "placeholder" in names:
        return
    matrix = _matrix(element.get("transform", ""))
    yield from ["q", *matrix] if matrix else []
    if kind == "use":
        reference = next(value for name, value in element.items() if name.endswith("href"))
        yield glyphs[reference.removeprefix("#")]
    elif kind in ("text", "tspan"):
        yield from _text(element, style)
    elif kind in ("g", "svg"):
        font = 1 if "tempo" in names else 2 if {"dir", "dynam", "mNum"} & set(names) else style.font
        for part in element:
            yield from _draw(part, glyphs, replace(style, font=font))
    else:
        yield from _shape(kind, element)
    yield from ["Q"] if matrix else []


def _matrix(transform: str) -> list[str]:
    """Turn translations and scalings into operators."""
    operators = []
    for name, inside in _CALL.findall(transform):
        x, y = (float(value) for value in inside.split(","))
        operators.append(f"1 0 0 1 {x:g} {y:g} cm" if name == "translate" else f"{x:g} 0 0 {y:g} 0 0 cm")
    return operators


def _shape(kind: str, element: ET.Element) -> Iterator[str]:
    if width := element.get("stroke-width"):
        yield f"{width} w 1 J 1 j"
    dashes = element.get("stroke-dasharray", "")
    if dashes:
        yield f"[{dashes}] 0 d"
    if kind == "path":
        yield from _path(element.get("d", ""))
        yield "B" if width else "f"
    elif kind in ("polygon", "polyline"):
        x = [float(value) for value in re.split(r"[\s,]+", element.get("points", "").strip())]
        yield f"{x[0]:g} {x[1]:g} m " + " ".join(f"{a:g} {b:g} l" for a, b in zip(x[2::2], x[3::2], strict=True))
        yield "h f" if kind == "polygon" else "S"
    elif kind == "ellipse":
        yield _ellipse(*(float(element.get(name, "0")) for name in ("cx", "cy", "rx", "ry")))
    elif kind == "rect":
        yield " ".join(element.get(name, "0") for name in ("x", "y", "width", "height")) + " re f"
    if dashes:
        yield "[] 0 d"


def _ellipse(x: float, y: float, width: float, height: float) -> str:
    quarters = [(1, 0), (0, 1), (-1, 0), (0, -1), (1, 0)]
    path = f"{x + width:g} {y:g} m"
    for (a, b), (c, d) in pairwise(quarters):
        points = (a + ROUND * c, b + ROUND * d), (c + ROUND * a, d + ROUND * b), (c, d)
        path += "".join(f" {x + width * across:g} {y + height * up:g}" for across, up in points) + " c"
    return path + " f"


def _path(commands: str) -> Iterator[str]:
    """Turn the commands that verovio uses into operators; raises RequestError for others."""
    x = y = near_x = near_y = 0.0
    for command, inside in _COMMAND.findall(commands):
        if command in "zZ":
            yield "h"
            continue
        count = COUNTS.get(command.lower(), 0)
        numbers = [float(value) for value in _NUMBER.findall(inside)]
        if not count or len(numbers) % count:
            raise RequestError(f"an engraved page has a path command {command + inside!r}, which is not drawn")
        for index in range(0, len(numbers), count):
            values = _absolute(command, numbers[index : index + count], (x, y), (near_x, near_y))
            near_x, near_y = values[-4:-2] if len(values) == 6 else values[-2:]
            x, y = values[-2:]
            # Further points of a move are lines (SVG 1.1, 8.3.2).
            operator = "c" if len(values) == 6 else "m" if command in "mM" and index == 0 else "l"
            yield " ".join(f"{value:g}" for value in values) + f" {operator}"


def _absolute(command: str, values: list[float], at: tuple[float, float], near: tuple[float, float]) -> list[float]:
    """Turn the numbers of a command into the coordinates of a line or of a curve."""
    x, y = at
    if command in "hH":
        return [values[0] + (x if command == "h" else 0.0), y]
    if command in "vV":
        return [x, values[0] + (y if command == "v" else 0.0)]
    if command.islower():
        values = [value + (y if index % 2 else x) for index, value in enumerate(values)]
    # A smooth curve begins with the mirror image of the last control point.
    return [2 * x - near[0], 2 * y - near[1], *values] if command in "sS" else values


def _text(element: ET.Element, style: _Style) -> Iterator[str]:
    """Write the pieces of a line one after the other, from where its anchor says."""
    pieces = list(_pieces(element, style))
    if not pieces:
        return
    width = sum(_width(text, piece.size) for text, piece in pieces)
    x = pieces[0][1].x - width * {"start": 0.0, "middle": 0.5, "end": 1.0}[pieces[0][1].anchor]
    for text, piece in pieces:
        if "\ue000" <= text[0] <= "\uf8ff":  # a note among the letters, as in a tempo
            yield from _note(x, piece.y, piece.size)
        else:
            letters = re.sub(r"([\\()])", r"\\\1", text.encode("cp1252", "replace").decode("latin-1"))
            yield f"BT /F{piece.font} {piece.size:g} Tf 1 0 0 -1 {x:g} {piece.y:g} Tm ({letters}) Tj ET"
        x += _width(text, piece.size)


def _pieces(element: ET.Element, style: _Style) -> Iterator[tuple[str, _Style]]:
    size = element.get("font-size", "").removesuffix("px")
    style = replace(
        style,
        size=float(size) if size else style.size,
        x=float(element.get("x", style.x)),
        y=float(element.get("y", style.y)),
        anchor=element.get("text-anchor", style.anchor),
    )
    for text, part in ((element.text, None), *((part.tail, part) for part in element)):
        if part is not None:
            yield from _pieces(part, style)
        if text and (not len(element) or text.strip()):  # between elements white space is only layout of the file
            yield text.replace("\n", " "), style


def _width(text: str, size: float) -> float:
    return sum(int(LETTERS[ord(letter) - 32]) if " " <= letter <= "~" else 500 for letter in text) * size / 1000


def _note(x: float, y: float, size: float) -> Iterator[str]:
    """Draw a small quarter note that stands on a line of text."""
    yield _ellipse(x + 0.18 * size, y - 0.1 * size, 0.15 * size, 0.11 * size)
    yield f"{0.04 * size:g} w {x + 0.31 * size:g} {y - 0.13 * size:g} m {x + 0.31 * size:g} {y - 0.7 * size:g} l S"
