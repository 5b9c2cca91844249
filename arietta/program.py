"""How this program and its pip are called in the shell that runs it: what a printed command has to begin with.

arietta                        where PATH finds it, and it is this installation
.venv/bin/arietta              where it was called by its path
.venv/bin/python -m arietta    otherwise
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

from .names import escape_name, is_shown

NAME = "arietta"


def command(*words: str | Path) -> str:
    """Return a command that runs as typed: this installation's `arietta`, from the caller's folder, with `words`."""
    return " ".join([_program(), *(_quote(str(word)) for word in words)])


def _quote(word: str) -> str:
    """Quote a word as the system's shell takes it: sh, or on Windows both cmd and PowerShell.

    What has no picture of its own, and could steer the terminal, stands as its bytes between $' and ', which bash, zsh
    and POSIX.1-2024 know.
    """
    if os.name == "nt":
        return word if re.fullmatch(r"[\w@+=:,./\\-]+", word) else f'"{escape_name(word)}"'
    if all(map(is_shown, word)):
        return shlex.quote(word)
    shown = (sign if is_shown(sign) and sign not in "\\'" else _octal(sign) for sign in word)
    return f"$'{''.join(shown)}'"


def _octal(sign: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in os.fsencode(sign))


def _program() -> str:
    called = Path(sys.argv[0])
    script = shutil.which(called.absolute())  # Windows leaves .exe out
    if called.stem != NAME or script is None:  # python -m arietta, or a program that imports it
        return f"{_python()} -m {NAME}"
    # A script that was started through PATH is given to Python by its path; a link (~/.local/bin) leads to the same.
    on_path = shutil.which(NAME)
    return NAME if on_path and Path(on_path).samefile(script) else _shortest(called)


def install_command(extra: str) -> str:
    """Return the command that installs the packages of an extra: from the checkout, or package by package."""
    pip = f"{_python()} -m pip install"
    checkout = Path(__file__).parents[1]
    if (checkout / "pyproject.toml").is_file():
        return f"{pip} -e {_quote(f'{_relative(checkout)}[{extra}]')}"
    import importlib.metadata  # late: it loads all of `email`

    # Arietta itself is on no index, so `pip install 'arietta[...]'` would find nothing.
    needed = (line.partition(";") for line in importlib.metadata.requires(NAME) or ())
    is_wanted = re.compile(rf"extra == ['\"]{re.escape(extra)}['\"]").search
    return " ".join([pip, *(_quote(name.strip()) for name, _, marker in needed if is_wanted(marker))])


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
    relative, absolute = _relative(path), str(path.absolute())
    if os.sep not in relative:
        relative = os.path.join(os.curdir, relative)  # noqa: PTH118 - Path drops the dot; a bare name is sought in PATH
    return _quote(min(relative, absolute, key=len))


def _relative(path: Path) -> str:
    try:
        return os.path.relpath(path)
    except ValueError:  # on another drive of Windows than the current folder
        return str(path.absolute())
