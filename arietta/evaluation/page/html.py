"""A page that stands alone: one HTML document with its style and script inside, which asks nobody for anything.

Its content policy allows exactly that style and that script, by their hashes; the document says so itself, and a
server that hands it out says it too.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from .markup import Markup, joined, tag

FOLDER = Path(__file__).parent


def document(title: str, *content: object) -> str:
    """Write a whole page with `content` in its middle."""
    head = joined(
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=content_policy()),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", _part("report.css")),
    )
    body = joined(tag("main", *content), tag("script", _part("report.js")))
    return f"<!doctype html>\n{tag('html', tag('head', head), tag('body', body), lang='en')}\n"


def content_policy() -> str:
    """What such a page may do: be styled and run by what stands in it, and nothing else."""
    style, script = (_hash(_part(name)) for name in ("report.css", "report.js"))
    return f"default-src 'none'; style-src {style}; script-src {script}; base-uri 'none'; form-action 'none'"


@cache
def _part(name: str) -> Markup:
    return Markup((FOLDER / name).read_text(encoding="utf-8"))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
