"""The style guide's numbers, and what must never stand in a file."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST_FUNCTION, LONGEST_FILE, DEEPEST = 60, 400, 4
FOLDERS = ("arietta", "tests", "benchmarks", "release")
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
BLOCKS = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.Match)
MACHINE_PATHS = re.compile(r"(?<![\w.])/(root|work|home/\w+|Users/\w+|opt)/\w")
names = [str(path.relative_to(ROOT)) for path in SOURCES]


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text())
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def code_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function, its docstring not counted."""
    has_docstring = ast.get_docstring(function) is not None
    docstring = function.body[0].end_lineno - function.body[0].lineno + 1 if has_docstring else 0
    return function.end_lineno - function.lineno + 1 - docstring


def depth(node: ast.AST) -> int:
    """How many blocks stand inside one another below a node; `elif` goes no deeper."""
    inside = 0
    for name, value in ast.iter_fields(node):
        children = [child for child in (value if isinstance(value, list) else [value]) if isinstance(child, ast.AST)]
        is_chained = isinstance(node, ast.If) and name == "orelse" and len(children) == 1
        inside = max([inside, *(depth(child) - (is_chained and isinstance(child, ast.If)) for child in children)])
    return inside + isinstance(node, BLOCKS)


def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return [ROOT / line for line in listed.stdout.splitlines()]


@pytest.mark.parametrize("path", SOURCES, ids=names)
def test_files_and_functions_are_short_and_flat(path: Path) -> None:
    line_count = len(path.read_text().splitlines())
    assert line_count <= LONGEST_FILE
    for function in functions(path):
        assert code_length(function) <= LONGEST_FUNCTION, function.name
        assert depth(function) <= DEEPEST, function.name


def test_nine_functions_of_ten_have_at_most_thirty_lines() -> None:
    lengths = sorted(code_length(function) for path in (ROOT / "arietta").rglob("*.py") for function in functions(path))
    assert lengths[int(0.9 * len(lengths))] <= 30


def test_tests_have_at_least_four_lines_for_five_of_code() -> None:
    code, tests = (_line_count(folder) for folder in ("arietta", "tests"))
    assert tests >= 0.8 * code


def _line_count(folder: str) -> int:
    texts = [path.read_text() for path in (ROOT / folder).rglob("*.py")]
    return sum(1 for text in texts for line in text.splitlines() if line.strip())


def test_no_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    for path in tracked_files():
        if path.suffix in (".py", ".toml", ".md", ".yml", ".json", ".js", ".html", "") and path.is_file():
            found = MACHINE_PATHS.search(path.read_text(errors="ignore"))
            assert not found, f"{path.relative_to(ROOT)}: {found.group()}"
