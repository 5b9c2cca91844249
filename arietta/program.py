"""How this program and its pip are called in the shell that runs it: what a printed command has to begin with.

arietta                        where PATH finds it, and it is this installation
.venv/bin/arietta              where it was called by its path
.venv/bin/python -m arietta    otherwise
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

NAME = "arietta"


def command(*words: str | Path) -> str:
    """Return a command that runs as typed: this installation's `arietta`, from the caller's folder, with `words`."""
    return " ".join([_program(), *(shlex.quote(str(word)) for word in words)])


def _program() -> str:
    called = Path(sys.argv[0])
    if called.name != NAME or not called.is_file():  # python -m arietta, or a program that imports it
        return f"{_python()} -m {NAME}"
    # A script that was started through PATH is given to Python by its path; a link (~/.local/bin) leads to the same.
    found = shutil.which(NAME)
    return NAME if found and Path(found).samefile(called) else _shortest(called)


def install_command(extra: str) -> str:
    """Return the command that installs the packages of an extra: from the checkout, or package by package."""
    pip = f"{_python()} -m pip install"
    checkout = Path(__file__).parents[1]
    if (checkout / "pyproject.toml").is_file():
        return f"{pip} -e {shlex.quote(f'{os.path.relpath(checkout)}[{extra}]')}"
    # Arietta itself is on no index, so `pip install 'arietta[...]'` would find nothing.
    needed = (line.partition(";") for line in importlib.metadata.requires(NAME) or ())
    is_wanted = re.compile(rf"extra == ['\"]{re.escape(extra)}['\"]").search
    return " ".join([pip, *(shlex.quote(name.strip()) for name, _, marker in needed if is_wanted(marker))])


def _python() -> str:
    """Return what calls the Python that runs this; an environment's own, even where it is a link to another's."""
    running = Path(sys.executable)
    for name in ("python", "python3"):
        found = shutil.which(name)
        if found and Path(found).parent == running.parent and Path(found).samefile(running):
            return name
    return _shortest(running)


def _shortest(path: Path) -> str:
    """Return a path, from the current folder where that is shorter, as a shell takes it."""
    relative, absolute = os.path.relpath(path), str(path.absolute())
    if os.sep not in relative:
        relative = f"./{relative}"  # a bare name would be looked for in PATH
    return shlex.quote(min(relative, absolute, key=len))
