"""Write the figures that the benchmarks printed into the documents: no figure is typed by hand.

    python -m benchmarks.speed.compose | tee -a docs/figures.jsonl
    python -m release.figures            rewrites the tables between the marks in README.md and docs/
    python -m release.figures --check    says whether they are up to date

Every line of docs/figures.jsonl is one JSON object with a name; of lines with the same name the last one counts. A
mark reads <!-- figures: PREFIX --> and its table holds the lines whose names begin so; it ends at <!-- end -->.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "figures.jsonl"
DOCUMENTS = (ROOT / "README.md", ROOT / "docs" / "figures.md", ROOT / "docs" / "use" / "judging.md")
MARK = re.compile(r"(<!-- figures: (\S+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
HIDDEN = {"name", "commit", "bundle", "corpus", "repeats", "threads", "p95", "rows", "seconds_taken"}
HIDDEN |= {"nats_per_note_by_field"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, exit with 1 where a table is old")
    is_check = parser.parse_args().check
    lines = read_figures(FIGURES.read_text(encoding="utf-8"))
    stale = []
    for path in DOCUMENTS:
        before = path.read_text(encoding="utf-8")
        after = filled(before, lines)
        if after != before:
            stale.append(path.name)
            if not is_check:
                path.write_text(after, encoding="utf-8")
    print(("out of date: " if is_check else "rewritten: ") + (", ".join(stale) or "nothing"))
    return 1 if is_check and stale else 0


def read_figures(text: str) -> dict[str, dict[str, Any]]:
    """Return the lines by name, the last of each name."""
    return {line["name"]: line for line in map(json.loads, filter(str.strip, text.splitlines()))}


def filled(document: str, lines: dict[str, dict[str, Any]]) -> str:
    """Return the document with the table of every mark made anew."""
    return MARK.sub(lambda found: found[1] + table(found[2], lines) + found[4], document)


def table(prefix: str, lines: dict[str, dict[str, Any]]) -> str:
    """Make a Markdown table of the figures whose names begin with `prefix`."""
    rows = [(name.removeprefix(prefix).lstrip("/"), line) for name, line in lines.items() if name.startswith(prefix)]
    names = list(dict.fromkeys(key for _, line in rows for key in line if key not in HIDDEN))
    if all("median" in line for _, line in rows):
        names, body = ["figure"], [[f"{spell(line['median'])} {line.get('unit', '')}".rstrip()] for _, line in rows]
    else:
        body = [[spell(line.get(key, "")) for key in names] for _, line in rows]
    head = ["case", *(name.replace("_", " ") for name in names)]
    cells = [head, ["---"] * len(head), *([name, *values] for (name, _), values in zip(rows, body, strict=True))]
    return "".join(f"| {' | '.join(row)} |\n" for row in cells).replace(" --- ", "---")


def spell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "(" + ", ".join(spell(item) for item in value) + ")"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.5g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    sys.exit(main())
