"""release/figures.py: the documents hold what the benchmarks printed, and nothing typed by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from release import figures


@pytest.fixture
def tables() -> dict[str, Any]:
    return figures.read_tables()


def made(text: str) -> dict[str, dict[str, Any]]:
    return {
        "x/a": {"name": "x/a", "median": 3.0, "share": 0.25, "interval": [1, 2.5]},
        text: {"name": text, "median": 1234.5},
    }


def test_every_document_holds_the_figures_that_were_measured(tables: dict[str, Any]) -> None:
    lines = figures.read_figures(figures.FIGURES.read_text(encoding="utf-8"))
    for path in figures.DOCUMENTS:
        document = path.read_text(encoding="utf-8")
        assert figures.filled(document, lines, tables) == document, f"{path.name}: run python -m release.figures"
        assert figures.MARK.search(document), f"{path.name} has no table"


def test_every_table_stands_in_one_document(tables: dict[str, Any]) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in figures.DOCUMENTS)
    assert sorted(match[2] for match in figures.MARK.finditer(text)) == sorted(tables)


def test_the_last_line_of_a_name_counts() -> None:
    lines = figures.read_figures('{"name": "a", "median": 1}\n\n{"name": "a", "median": 2}\n')
    assert lines == {"a": {"name": "a", "median": 2}}


def test_a_mark_is_filled_with_its_own_table() -> None:
    description = {"title": "case", "rows": {"first": "x/a"}, "columns": {"ms": "{row} : median : .2f"}}
    document = figures.filled("before\n<!-- table: t -->\nold\n<!-- end -->\nafter", made("y"), {"t": description})
    assert document == "before\n<!-- table: t -->\n| case | ms |\n|---|--:|\n| first | 3.00 |\n<!-- end -->\nafter"


def test_rows_may_be_the_names_that_fit_a_pattern() -> None:
    description = {"title": "case", "rows": "x/(.*)", "columns": {"ms": "x/{row} : median : ,.0f"}}
    assert figures.table(description, made("x/b")).splitlines()[2:] == ["| a | 3 |", "| b | 1,234 |"]


def test_a_figure_that_was_never_measured_is_refused_unless_a_gap_is_allowed() -> None:
    with pytest.raises(SystemExit, match="no figure 'share' of 'y'"):
        figures.cell("{row} : share : .0%", "y", made("y"))
    assert figures.cell("{row} : share : .0%?", "y", made("y")) == ""
    assert figures.cell("{row} : share : .0%?", "x/a", made("y")) == "25%"


def test_figures_are_spelled_for_people() -> None:
    assert figures.spell(1234.56) == "1,235"
    assert figures.spell(0.123456) == "0.12346"
    assert figures.spell([1, 2.5], ".1f") == "1.0 to 2.5"
    assert figures.spell(json.loads("true")) == "yes"
