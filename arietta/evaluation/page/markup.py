"""HTML and SVG from Python values: what is not marked up already is escaped, so that no text can become an element.

tag("p", "1 < 2", tag("b", "so"), class_="note")   ->   <p class="note">1 &lt; 2<b>so</b></p>
"""

from __future__ import annotations

from html import escape

EMPTY = ("meta", "input", "br")


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, /, *content: object, **attributes: object) -> Markup:
    """Write an element; `class_="x"` and `aria_label="y"` are attributes, True one without a value, None none."""
    told = "".join(_attribute(key, value) for key, value in attributes.items() if value is not None)
    return Markup(f"<{name}{told}>" if name in EMPTY else f"<{name}{told}>{joined(*content)}</{name}>")


def joined(*content: object) -> Markup:
    """Put contents one after another, escaping what is plain text; None is nothing."""
    return Markup("".join(one if isinstance(one, Markup) else _text(one) for one in content if one is not None))


def rows(heads: list[str], body: list[list[object]]) -> Markup:
    """Write a table; the first cell of a row is its heading."""
    head = tag("tr", *(tag("th", name, scope="col") for name in heads))
    lines = [
        tag(
            "tr",
            tag("th", first, scope="row"),
            *(tag("td", cell, data_head=name) for name, cell in zip(heads[1:], cells, strict=True)),
        )
        for first, *cells in body
    ]
    return tag("table", tag("thead", head), tag("tbody", *lines))


def _attribute(key: str, value: object) -> str:
    name = key.rstrip("_").replace("_", "-") if key.islower() else key  # viewBox stays
    return f" {name}" if value is True else f' {name}="{_text(value)}"'


def _text(value: object) -> str:
    """Escape a text, and leave out control characters, which no page can hold."""
    return escape("".join(letter for letter in str(value) if letter.isprintable() or letter in "\n\t"))
