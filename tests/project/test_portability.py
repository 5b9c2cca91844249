"""Nothing of ours needs what Linux, macOS or Windows lacks: modules, the encoding of texts, the workflow's systems."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.project.test_layers import imports, modules

ROOT = Path(__file__).parents[2]
# Modules of the standard library that Windows lacks, by its reference (https://docs.python.org/3/library/unix.html).
UNIX_ONLY = frozenset("fcntl grp posix pty pwd resource syslog termios tty curses readline".split())
OUTSIDE = [path for folder in ("benchmarks", "release") for path in sorted((ROOT / folder).rglob("*.py"))]
# Hides the modules from ours alone: libraries have their own ways around them.
HIDING = f"""
import builtins
original, hidden = builtins.__import__, {sorted(UNIX_ONLY)!r}
def only_portable(name, globals=None, locals=None, fromlist=(), level=0):
    importer = (globals or {{}}).get("__name__", "")
    if name in hidden and importer.partition(".")[0] in ("arietta", "benchmarks", "release"):
        raise ImportError(f"{{importer}} imports {{name}}, which Windows lacks")
    return original(name, globals, locals, fromlist, level)
builtins.__import__ = only_portable
"""


def test_every_module_loads_where_modules_of_unix_are_hidden() -> None:
    names = [name for name in modules() if name != "arietta.__main__"]
    code = HIDING + "\n".join(f"import {name}" for name in names)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", modules())
def test_no_module_imports_one_of_unix_not_even_late(module: str) -> None:
    """But where it has asked which system it is on, as for locks that no portable library sets on what is written."""
    elsewhere = 'if sys.platform != "win32":\n        import fcntl\n'
    asked = modules()[module].read_text(encoding="utf-8").count(elsewhere)
    assert not imports(module) & (UNIX_ONLY - ({"fcntl"} if asked else set()))


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: path.stem)
def test_no_benchmark_imports_one_of_unix(path: Path) -> None:
    tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    names = [alias.name for node in tree if isinstance(node, ast.Import) for alias in node.names]
    assert not UNIX_ONLY & set(names)


@pytest.mark.parametrize("module", modules())
def test_texts_are_read_and_written_in_an_encoding_that_is_named(module: str) -> None:
    """The system's own is not UTF-8 on Windows; `open` of a file of bytes has a mode with b."""
    text = modules()[module].read_text(encoding="utf-8")
    calls = re.findall(r"\b(?:read_text|write_text|open)\([^()]*(?:\([^()]*\)[^()]*)*\)", text)
    unnamed = [call for call in calls if re.match(r"read_text|write_text", call) and "encoding" not in call]
    unnamed += [call for call in calls if re.search(r"open\(.*[\"'][rwax]\+?[\"']", call) and "encoding" not in call]
    assert not unnamed


def test_the_workflow_tests_every_system_and_python_with_what_make_test_installs() -> None:
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    assert re.findall(r'"(3\.\d+)"', workflow) == versions
    assert all(f"{system}-latest" in workflow for system in ("ubuntu", "macos", "windows"))
    extras = re.search(r"^\$\(VENV\)/\.with-check: EXTRAS := (\S+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert extras is not None and f".{extras[1]}" in workflow
