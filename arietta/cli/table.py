"""Aligned plain text for a terminal: tables, lists of facts and histograms, none wider than WIDTH."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

from ..names import escape_name

WIDTH = 100
INDENT = "  "
BAR_WIDTH = 50
EIGHTHS = " ▏▎▍▌▋▊▉"


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Align rows under headings: the first column to the left, and shortened where it must be, others to the right."""
    texts = [[escape_name(cell) for cell in row] for row in (headings, *rows)]
    widths = [max(len(line[column]) for line in texts) for column in range(len(headings))]
    # Only names, in the first column, may be shortened: a number that is cut would be another number.
    widths[0] = min(widths[0], WIDTH - len(INDENT) - sum(width + 2 for width in widths[1:]))
    lines = []
    for first, *others in texts:
        cells = [shorten(first, widths[0]).ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append((INDENT + "  ".join(cells)).rstrip())
    return "\n".join(lines)


def facts(values: Mapping[str, object]) -> str:
    """List names and values, one below the other; a long value is wrapped and indented."""
    column = max((len(name) for name in values), default=0) + 2
    return "\n".join(
        line for name, value in values.items() for line in _wrapped(INDENT + name.ljust(column), str(value))
    )


def histogram(counts: Mapping[str, int]) -> str:
    """Draw a bar for each count, the longest BAR_WIDTH wide."""
    name_width = max((len(name) for name in counts), default=0)
    count_width = max((len(f"{count:,}") for count in counts.values()), default=0)
    most = max(counts.values(), default=0) or 1
    return "\n".join(
        f"{INDENT}{name.rjust(name_width)}  {count:>{count_width},}  {_bar(count / most)}".rstrip()
        for name, count in counts.items()
    )


def outline(values: Mapping[str, object], indent: str = INDENT) -> str:
    """List nested values, as JSON holds them, each level indented further."""
    column = max((len(str(name)) for name in values), default=0) + 2
    lines: list[str] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            lines += [indent + escape_name(name), outline(value, indent + INDENT)]
        else:
            lines += _wrapped(indent + str(name).ljust(column), _plain(value))
    return "\n".join(lines)


def shorten(text: str, width: int) -> str:
    """Cut a text that is wider than `width`, and end it with an ellipsis."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def _wrapped(start: str, text: str) -> list[str]:
    width = max(WIDTH - len(start), 20)
    first, *others = textwrap.wrap(text, width, break_long_words=True) or [""]
    # Texts come from files too: what would steer the terminal is shown instead.
    return [escape_name(start + first).rstrip(), *(" " * len(start) + escape_name(line) for line in others)]


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(_plain(item) for item in value)
    return str(value)


def _bar(share: float) -> str:
    eighths = round(share * BAR_WIDTH * 8)
    if share > 0:
        eighths = max(eighths, 1)  # a count above 0 is always seen
    return ("█" * (eighths // 8) + EIGHTHS[eighths % 8]).rstrip()
