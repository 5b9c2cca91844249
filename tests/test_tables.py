"""benchmarks/tables.py: the documents hold what the benchmarks printed, and nothing typed by hand."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parent.parent


def load_tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tables", ROOT / "benchmarks" / "tables.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tables = load_tables()


def test_every_document_holds_the_figures_that_were_measured() -> None:
    lines = tables.read_figures(tables.FIGURES.read_text(encoding="utf-8"))
    for path in tables.DOCUMENTS:
        document = path.read_text(encoding="utf-8")
        assert tables.filled(document, lines) == document, f"{path.name}: run python benchmarks/tables.py"
        assert tables.MARK.search(document), f"{path.name} has no table"


def test_the_last_line_of_a_name_counts() -> None:
    lines = tables.read_figures('{"name": "a", "median": 1}\n\n{"name": "a", "median": 2}\n')
    assert lines == {"a": {"name": "a", "median": 2}}


def test_a_mark_is_filled_with_the_lines_of_its_prefix_only() -> None:
    lines = tables.read_figures("\n".join(json.dumps({"name": n, "median": 3.0, "unit": "ms"}) for n in ("x/a", "y/b")))
    document = tables.filled("before\n<!-- figures: x -->\nold\n<!-- end -->\nafter", lines)
    assert document == "before\n<!-- figures: x -->\n| case | figure |\n|---|---|\n| a | 3 ms |\n<!-- end -->\nafter"


def test_figures_are_spelled_for_people_in_columns_of_their_own() -> None:
    assert tables.spell(1234.56) == "1,235"
    assert tables.spell(0.123456) == "0.12346"
    assert tables.spell([1, 2.5]) == "(1, 2.5)"
    lines = {"n/a": {"name": "n/a", "nats_per_note": 9.5, "commit": "abc"}, "n/b": {"name": "n/b", "notes": 1200}}
    assert (
        tables.table("n", lines)
        == "| case | nats per note | notes |\n|---|---|---|\n| a | 9.5 |  |\n| b |  | 1,200 |\n"
    )
