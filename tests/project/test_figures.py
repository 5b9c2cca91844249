"""release/figures.py: the documents hold what the benchmarks printed, and nothing typed by hand."""

from __future__ import annotations

import json

from release import figures


def test_every_document_holds_the_figures_that_were_measured() -> None:
    lines = figures.read_figures(figures.FIGURES.read_text(encoding="utf-8"))
    for path in figures.DOCUMENTS:
        document = path.read_text(encoding="utf-8")
        assert figures.filled(document, lines) == document, f"{path.name}: run python -m release.figures"
        assert figures.MARK.search(document), f"{path.name} has no table"


def test_the_last_line_of_a_name_counts() -> None:
    lines = figures.read_figures('{"name": "a", "median": 1}\n\n{"name": "a", "median": 2}\n')
    assert lines == {"a": {"name": "a", "median": 2}}


def test_a_mark_is_filled_with_the_lines_of_its_prefix_only() -> None:
    lines = figures.read_figures("\n".join(json.dumps({"name": n, "median": 3, "unit": "ms"}) for n in ("x/a", "y/b")))
    document = figures.filled("before\n<!-- figures: x -->\nold\n<!-- end -->\nafter", lines)
    assert document == "before\n<!-- figures: x -->\n| case | figure |\n|---|---|\n| a | 3 ms |\n<!-- end -->\nafter"


def test_figures_are_spelled_for_people_in_columns_of_their_own() -> None:
    assert figures.spell(1234.56) == "1,235"
    assert figures.spell(0.123456) == "0.12346"
    assert figures.spell([1, 2.5]) == "(1, 2.5)"
    lines = {"n/a": {"name": "n/a", "nats_per_note": 9.5, "commit": "abc"}, "n/b": {"name": "n/b", "notes": 1200}}
    assert (
        figures.table("n", lines)
        == "| case | nats per note | notes |\n|---|---|---|\n| a | 9.5 |  |\n| b |  | 1,200 |\n"
    )
