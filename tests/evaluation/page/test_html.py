"""Text stays text on a page, whatever stands in it."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.evaluation.page.html import Markup, joined, rows, tag


class Reader(HTMLParser):
    """Gathers what a browser would see: elements, their attributes, and the text between."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text(st.characters(exclude_categories=["C", "Z"])))
def test_no_text_becomes_an_element_or_leaves_its_attribute(text: str) -> None:
    reader = Reader()
    reader.feed(tag("p", text, title=text))
    reader.close()
    assert reader.elements == [("p", {"title": text})]
    assert reader.text == text


def test_elements_hold_elements_and_attributes_are_named_as_in_html() -> None:
    made = tag("p", "1 < 2", tag("b", "so"), None, class_="note", aria_label="a", hidden=True, id=None)
    assert made == '<p class="note" aria-label="a" hidden>1 &lt; 2<b>so</b></p>'
    assert tag("svg", viewBox="0 0 1 1") == '<svg viewBox="0 0 1 1"></svg>'
    assert tag("input", type="range") == '<input type="range">'


def test_control_characters_are_left_out() -> None:
    assert joined("a\x00b\x1b[0m", "\n") == "ab[0m\n"


def test_a_table_names_its_rows_and_columns() -> None:
    made = rows(["Piece", "Notes"], [["<a>", "3"], [Markup("<i>b</i>"), "4"]])
    assert '<th scope="row">&lt;a&gt;</th><td data-head="Notes">3</td>' in made
    assert '<th scope="row"><i>b</i></th>' in made
    with pytest.raises(ValueError, match="zip"):
        rows(["Piece"], [["a", "b"]])
