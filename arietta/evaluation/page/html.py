"""HTML and SVG from Python values, and pages that stand alone: one document with its style and script inside.

    tag("p", "1 < 2", tag("b", "so"), class_="note")   ->   <p class="note">1 &lt; 2<b>so</b></p>

What is not marked up already is escaped, so that no text can become an element. The content policy of a page allows
exactly its own style and script, by their hashes; the document says so itself, and a server that sends it says it too.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from html import escape
from pathlib import Path

from ...names import printable

FOLDER = Path(__file__).parent
EMPTY = ("meta", "input", "br")  # elements that have no end tag


class Markup(str):
    """Text that is HTML already and is not escaped again."""

    __slots__ = ()


def tag(name: str, /, *content: object, **attributes: object) -> Markup:
    """Write an element; `class_="x"` and `aria_label="y"` are attributes, True is one without a value, None is none."""
    written = ""
    for key, setting in attributes.items():
        attribute = key.rstrip("_").replace("_", "-") if key.islower() else key  # viewBox stays
        if setting is not None:
            written += f" {attribute}" if setting is True else f' {attribute}="{_text(setting)}"'
    return Markup(f"<{name}{written}>" if name in EMPTY else f"<{name}{written}>{joined(*content)}</{name}>")


def joined(*content: object) -> Markup:
    """Put contents one after another, escaping what is plain text; None is nothing."""
    parts = (part if isinstance(part, Markup) else _text(part) for part in content if part is not None)
    return Markup("".join(parts))


def rows(heads: list[str], body: list[list[object]]) -> Markup:
    """Write a table; the first cell of a row is its heading."""
    head = tag("tr", *(tag("th", name, scope="col") for name in heads))
    lines = [
        tag(
            "tr",
            tag("th", first, scope="row"),
            # On narrow screens the style shows the head beside each cell in place of the row of heads.
            *(tag("td", cell, data_head=name) for name, cell in zip(heads[1:], cells, strict=True)),
        )
        for first, *cells in body
    ]
    return tag("table", tag("thead", head), tag("tbody", *lines))


def _text(value: object) -> str:
    """Escape a text, and leave out control characters, which no page can hold."""
    return escape(printable(str(value), and_also="\n\t"))


def document(title: str, *content: object) -> str:
    """Write a whole page with `content` in its middle."""
    head = joined(
        tag("meta", charset="utf-8"),
        # As an element too: a page that is opened from a folder has no server to send a header.
        tag("meta", http_equiv="Content-Security-Policy", content=content_policy()),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", _part("report.css")),
    )
    body = joined(tag("main", *content), tag("script", _part("report.js")))
    return f"<!doctype html>\n{tag('html', tag('head', head), tag('body', body), lang='en')}\n"


def content_policy() -> str:
    """Return the policy of such a page: its own style and its own script, and nothing from anywhere else."""
    style, script = (_hash(_part(name)) for name in ("report.css", "report.js"))
    return f"default-src 'none'; style-src {style}; script-src {script}; base-uri 'none'; form-action 'none'"


@cache
def _part(name: str) -> Markup:
    return Markup((FOLDER / name).read_text(encoding="utf-8"))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
