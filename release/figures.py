"""Write the figures that the benchmarks printed into the documents: no figure is typed by hand.

    python -m benchmarks.speed.compose | tee -a docs/figures.jsonl
    python -m release.figures            rewrites the tables in README.md and docs/
    python -m release.figures --check    says whether they are up to date

Every line of docs/figures.jsonl is one JSON object with a name; of lines with the same name the last one counts.
docs/figures.toml says what each table shows: rows, columns, units and digits. In a document a table stands between
`<!-- table: NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "figures.jsonl"
TABLES = ROOT / "docs" / "figures.toml"
DOCUMENTS = (ROOT / "README.md", ROOT / "docs" / "figures.md", ROOT / "docs" / "method.md", ROOT / "docs" / "index.md")
MARK = re.compile(r"(<!-- table: (\S+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
Figures = Mapping[str, Mapping[str, Any]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, exit with 1 where a table is old")
    only_checks = parser.parse_args().check
    lines, tables = read_figures(FIGURES.read_text(encoding="utf-8")), read_tables()
    stale = []
    for path in DOCUMENTS:
        before = path.read_text(encoding="utf-8")
        after = filled(before, lines, tables)
        if after != before:
            stale.append(path.name)
            if not only_checks:
                path.write_text(after, encoding="utf-8")
    print(("out of date: " if only_checks else "rewritten: ") + (", ".join(stale) or "nothing"))
    return 1 if only_checks and stale else 0


def read_figures(text: str) -> dict[str, dict[str, Any]]:
    """Return the lines by name, the last of each name."""
    return {line["name"]: line for line in map(json.loads, filter(str.strip, text.splitlines()))}


def read_tables() -> dict[str, Any]:
    """Return the descriptions of docs/figures.toml by the tables' names."""
    return tomllib.loads(TABLES.read_text(encoding="utf-8"))


def filled(document: str, lines: Figures, tables: Mapping[str, Any]) -> str:
    """Return the document with every table made anew; raises KeyError where a table is not described."""
    return MARK.sub(lambda match: match[1] + table(tables[match[2]], lines) + match[4], document)


def table(description: Mapping[str, Any], lines: Figures) -> str:
    """Make a Markdown table; raises SystemExit where it names a figure that was never measured.

    `rows` maps a row's title to what stands for {row} in the columns, or is a pattern of the lines' names whose first
    group is both. `columns` maps a column's head to "NAME : KEY : FORMAT" of its figures; NAME is {row} and KEY
    `median` where they are left out. A column that ends in ? may lack figures.
    """
    rows = description["rows"]
    if isinstance(rows, str):
        matches = [match for name in lines if (match := re.fullmatch(rows, name))]
        rows = {match[1]: match[1] for match in matches}
    head = [description["title"], *description["columns"]]
    body = [
        [title, *(cell(text, row, lines) for text in description["columns"].values())] for title, row in rows.items()
    ]
    ruler = "|---" + "|--:" * (len(head) - 1) + "|\n"
    first, *others = ("| " + " | ".join(row) + " |\n" for row in [head, *body])
    return first + ruler + "".join(others)


def cell(text: str, row: str, lines: Figures) -> str:
    """Spell the figure that a column has in a row."""
    name, key, form = (part.strip() for part in text.removesuffix("?").rsplit(" : ", 2))
    name = name.replace("{row}", row)
    if name not in lines or key not in lines[name]:
        if text.endswith("?"):
            return ""
        raise SystemExit(f"{TABLES.name}: no figure {key!r} of {name!r} in {FIGURES.name}")
    return spell(lines[name][key], form)


def spell(value: Any, form: str = "") -> str:
    """Write a value for people: `form` is a format of Python, intervals are joined by "to"."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " to ".join(spell(part, form) for part in value)
    if isinstance(value, str):
        return value
    if form:
        return format(value, form)
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.5g}"
    return f"{value:,}"


if __name__ == "__main__":
    sys.exit(main())
