"""Shells complete verbs, flags, models and composers, each asked as argcomplete's scripts ask."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from arietta.cli import main
from arietta.cli.completion import SHELLS

ROOT = Path(__file__).parents[2]


def completions(line: str, folder: Path) -> list[str]:
    """Return what a shell is offered at the end of a line."""
    out = folder / "completions"
    asked = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line.encode())), "_ARGCOMPLETE_IFS": "\n"}
    environment = {**os.environ, **asked, "PYTHONPATH": str(ROOT), "_ARGCOMPLETE_STDOUT_FILENAME": str(out)}
    call = [sys.executable, "-m", "arietta"]
    subprocess.run(call, env=environment, cwd=folder, capture_output=True, check=True)
    return [word.strip() for word in out.read_text(encoding="utf-8").split("\n") if word.strip()]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("arietta comp", {"compose", "compare", "completion"}),
        ("arietta compose --see", {"--seed"}),
        ("arietta compose --model pian", {"piano"}),
        ("arietta compose --style Chop", {"Chopin"}),
        ("arietta completion f", {"fish"}),
        ("arietta lead", {"lead-in"}),
        ("arietta regenerate a.mid --keep ri", {"right"}),
        ("arietta download mae", set()),
    ],
)
def test_what_may_follow_is_offered(line: str, offered: set[str], tmp_path: Path) -> None:
    assert offered <= set(completions(line, tmp_path))


def test_an_open_quote_is_no_error(tmp_path: Path) -> None:
    completions('arietta compose --style "Ch', tmp_path)


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_its_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "arietta" in capsys.readouterr().out


@pytest.mark.posix
def test_bash_completes_with_the_script(tmp_path: Path) -> None:
    program = tmp_path / "arietta"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m arietta "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    typed = (
        'eval "$(arietta completion bash)"; COMP_WORDS=(arietta compose --model pian); COMP_CWORD=3;'
        'COMP_LINE="arietta compose --model pian"; COMP_POINT=28; COMP_TYPE=9; COMP_KEY=9;'
        '$(complete -p arietta | sed -E "s/.*-F ([^ ]+).*/\\1/") arietta; echo "${COMPREPLY[@]}"'
    )
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", typed], env=environment, capture_output=True, text=True, check=False)
    assert "piano" in done.stdout.split(), done.stderr
