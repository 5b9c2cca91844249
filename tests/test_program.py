"""Commands that are printed run as printed, in a shell that knows nothing of this installation."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from arietta import program
from arietta.names import is_shown
from arietta.program import command, install_command

ROOT = Path(__file__).parents[1]
SYSTEM = "/usr/bin:/bin"
PRINTS_ITSELF = f"#!{sys.executable}\nfrom arietta.program import command\nprint(command('a b', 'c'))\n"


def in_fresh_shell(line: str, folder: Path, path: str = SYSTEM) -> str:
    """Run a line in a shell of its own with nothing but PATH, and the checkout for Python to import."""
    call = ["env", "-i", f"PATH={path}", f"PYTHONPATH={ROOT}", f"HOME={folder}", "bash", "-c", line]
    done = subprocess.run(call, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def install(script: Path, content: str = PRINTS_ITSELF) -> Path:
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(content)
    script.chmod(0o755)
    return script


@pytest.mark.posix
@pytest.mark.parametrize(
    ("called", "path", "printed"),
    [
        ("arietta", "here/bin", "arietta"),
        ("here/bin/arietta", "here/bin", "arietta"),
        ("here/bin/arietta", "", "here/bin/arietta"),
        ("here/bin/arietta", "other/bin", "here/bin/arietta"),
        ("$PWD/here/bin/arietta", "", "here/bin/arietta"),
        ("cd here/bin && ./arietta", "", "./arietta"),
        ("links/arietta", "links", "arietta"),
    ],
)
def test_the_program_is_named_as_its_shell_can_call_it(called: str, path: str, printed: str, tmp_path: Path) -> None:
    script = install(tmp_path / "here" / "bin" / "arietta")
    install(tmp_path / "other" / "bin" / "arietta", "#!/bin/sh\necho another\n")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "arietta").symlink_to(script)
    search = f"{tmp_path / path}:{SYSTEM}" if path else SYSTEM
    line = in_fresh_shell(called, tmp_path, search)
    assert line == f"{printed} 'a b' c\n"
    folder = script.parent if called.startswith("cd ") else tmp_path
    assert in_fresh_shell(line, folder, search) == line


@pytest.mark.posix
def test_a_folder_with_a_space_is_quoted(tmp_path: Path) -> None:
    install(tmp_path / "my music" / "arietta")
    line = in_fresh_shell("'my music/arietta'", tmp_path)
    assert line == "'my music/arietta' 'a b' c\n"
    assert in_fresh_shell(line, tmp_path) == line


@pytest.mark.posix
@pytest.mark.parametrize("name", [b"a\x1b]0;t\x07b", b"caf\xe9 1's", "a\u2028\x851\\n".encode(), b"line\nbreak"])
def test_a_name_that_would_steer_the_terminal_is_shown_and_still_means_the_file(name: bytes, tmp_path: Path) -> None:
    line = command("inspect", os.fsdecode(name))
    assert all(map(is_shown, line))
    words = line.partition(" inspect ")[2]
    done = subprocess.run(["bash", "-c", f"printf %s {words}"], cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout == name


@pytest.mark.posix
def test_without_a_script_python_is_called(tmp_path: Path) -> None:
    code = "from arietta.program import command; print(command('--version'))"
    line = in_fresh_shell(f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}", tmp_path)
    assert line.endswith(" -m arietta --version\n")
    assert in_fresh_shell(line, tmp_path).startswith("arietta ")


@pytest.mark.posix
def test_an_active_environments_python_is_called_by_its_name(tmp_path: Path) -> None:
    code = "from arietta.program import command; print(command())"
    search = f"{Path(sys.executable).parent}:{SYSTEM}"
    assert in_fresh_shell(f"python -c {shlex.quote(code)}", tmp_path, search) == "python -m arietta\n"


def test_an_extra_is_installed_from_the_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    assert install_command("train").endswith(" -m pip install -e '.[train]'")
    monkeypatch.chdir(tmp_path)
    checkout = shlex.split(install_command("train"))[-1].removesuffix("[train]")
    assert Path(checkout).resolve() == ROOT


def test_an_extra_is_installed_by_its_packages_where_there_is_no_checkout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    requirements = ["numpy>=2.0", 'fastapi>=0.117; extra == "serve"', "torch==2.13.0; extra == 'train'"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: requirements)
    monkeypatch.setattr(program, "__file__", str(tmp_path / "arietta" / "program.py"))
    assert install_command("serve").endswith(" -m pip install 'fastapi>=0.117'")
    assert install_command("train").endswith(" -m pip install torch==2.13.0")


def test_pip_is_that_of_the_running_python() -> None:
    python = shlex.split(install_command("serve"))[0]
    code = "import sys; print(sys.prefix)"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == sys.prefix


@pytest.mark.posix
def test_what_make_run_prints_runs_as_printed(tiny_bundle: Path, tmp_path: Path) -> None:
    """The Makefile's own line, in a folder where everything is installed and the default model is tiny."""
    for name in ("Makefile", "pyproject.toml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    start = f"import sys, arietta.model.bundle as b\nb.DEFAULT_MODEL = {str(tiny_bundle)!r}\n"
    content = f"#!{sys.executable}\n{start}from arietta.cli import main\nsys.exit(main())\n"
    install(tmp_path / ".venv" / "bin" / "arietta", content)
    for stamp in (".made", ".with-runtime"):
        (tmp_path / ".venv" / stamp).touch()
        os.utime(tmp_path / ".venv" / stamp)
    printed = in_fresh_shell("make run NOTES=4", tmp_path)
    commands = re.findall(r"^(?:Next:)? {4,}(\S.*)$", printed, re.MULTILINE)
    assert len(commands) == 2
    answers = [in_fresh_shell(line, tmp_path) for line in commands]
    assert "600 notes" in answers[0] and "usage: arietta compose" in answers[1]


def test_on_windows_words_are_quoted_as_its_shells_take_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program.os, "name", "nt")
    assert program._quote("fastapi>=0.117") == '"fastapi>=0.117"', "> would write a file"
    assert program._quote(r".venv\Scripts\python") == r".venv\Scripts\python"


def test_a_program_on_another_drive_is_called_by_its_whole_path(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object) -> str:
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    monkeypatch.setattr(os.path, "relpath", refuse)
    assert program._shortest(Path("/d/python")) == "/d/python"
