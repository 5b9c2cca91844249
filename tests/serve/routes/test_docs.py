"""The page at /docs, made from the OpenAPI document."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import httpx
import pytest

from arietta.serve.routes.docs import docs_page
from tests.serve.test_app import operations


@pytest.fixture(scope="module")
def document(server: httpx.Client) -> dict[str, Any]:
    document: dict[str, Any] = server.get("/openapi.json").json()
    return document


class Manual(HTMLParser):
    """Headings, links within the page and the places they lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.places: list[str] = []
        self.levels: list[int] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        if (named.get("href") or "").startswith("#"):
            self.links.add(str(named["href"])[1:])
        if named.get("id"):
            self.places.append(str(named["id"]))
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))


def test_the_manual_tells_of_every_operation_and_its_links_lead_somewhere(
    server: httpx.Client, document: dict[str, Any]
) -> None:
    page = server.get("/docs").text
    manual = Manual(page)
    assert manual.links <= set(manual.places)
    assert len(set(manual.places)) == len(manual.places)
    assert {operation["operationId"] for _, _, operation in operations(document)} <= manual.links
    assert manual.levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(manual.levels))
    for _, _, operation in operations(document):
        assert html.escape(operation["summary"]) in page
    assert "<html lang=" in page and "<main>" in page


def page_of(schema: dict[str, Any], description: str = "") -> str:
    """The page about one endpoint with one parameter."""
    parameter = {"name": "notes", "in": "query", "schema": schema, "description": description}
    operation = {"operationId": "ask", "summary": "Ask", "parameters": [parameter], "responses": {}}
    info = {"title": "Arietta", "version": "1", "summary": "Composes."}
    return docs_page({"info": info, "paths": {"/x": {"get": operation}}, "components": {"schemas": {}}})


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 9}, "integer ≥ 1 ≤ 9"),
        ({"type": "number", "exclusiveMinimum": 0, "default": 0.5}, "number &gt; 0 (default 0.5)"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string or null"),
        ({"type": "array", "items": {"type": "number"}}, "list of number"),
        ({"type": "array", "prefixItems": [{"type": "number"}, {"type": "integer"}]}, "list of number, integer"),
        ({"enum": ["notes", "seconds"], "type": "string"}, "string notes | seconds"),
        ({"$ref": "#/components/schemas/Music"}, '<a href="#Music">Music</a>'),
    ],
)
def test_a_schema_is_told_in_words(schema: dict[str, Any], words: str) -> None:
    assert f"<td>query, {words}</td>" in page_of(schema)


def test_what_a_document_says_stays_text_but_code_is_set_as_code() -> None:
    page = page_of({"type": "string"}, "<b>As</b> `style`.")
    assert "&lt;b&gt;As&lt;/b&gt; <code>style</code>." in page and "<b>" not in page
