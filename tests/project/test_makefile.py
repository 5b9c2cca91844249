"""The Makefile: what `make` lists, and that nothing is installed twice or without need."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOORS = ("help", "run", "serve", "test", "coverage", "check", "fix", "bench", "dist", "site", "clean")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A folder with the Makefile and what it depends on, and nothing installed."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def make(house: Path, *words: str) -> subprocess.CompletedProcess[str]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *words], cwd=house, env=outside, capture_output=True, text=True, check=False)


def installed(house: Path, extras: str) -> None:
    """Leave the stamps that an installation leaves."""
    (house / ".venv").mkdir(exist_ok=True)
    for stamp in (".made", f".with-{extras}"):
        (house / ".venv" / stamp).touch()


def test_plain_make_tells_every_door(house: Path) -> None:
    done = make(house)
    assert done.returncode == 0
    for door in DOORS:
        assert f"make {door} " in done.stdout


@pytest.mark.parametrize("door", ["run", "serve"])
def test_using_arietta_installs_no_torch(door: str, house: Path) -> None:
    commands = make(house, "-n", door).stdout
    assert "pip install" in commands
    assert "train" not in commands


@pytest.mark.parametrize("door", ["test", "check"])
def test_developing_arietta_installs_what_the_tests_need(door: str, house: Path) -> None:
    assert ".[serve,postgres,train,score,test" in make(house, "-n", door).stdout


def test_nothing_is_installed_twice(house: Path) -> None:
    installed(house, "runtime")
    commands = make(house, "-n", "run").stdout.splitlines()
    assert commands == [".venv/bin/arietta compose --notes 300 --sound --roll -o pieces/"]


def test_changed_requirements_are_installed(house: Path) -> None:
    installed(house, "runtime")
    stamp = house / ".venv" / ".with-runtime"
    newer = stamp.stat().st_mtime + 10
    os.utime(house / "pyproject.toml", (newer, newer))
    assert "pip install" in make(house, "-n", "run").stdout


def test_a_python_that_is_too_old_is_named_in_a_sentence(house: Path) -> None:
    old = house / "old-python"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2 || exit 1\n')
    old.chmod(0o755)
    done = make(house, "run", f"PYTHON={old}")
    assert done.returncode == 2
    assert done.stderr.startswith(f"Arietta needs Python 3.11 or newer, and {old} is: Python 3.9.2.")
    assert not (house / ".venv").exists()


def test_clean_leaves_music_and_runs(house: Path) -> None:
    installed(house, "runtime")
    for kept in ("pieces", "runs", "corpus", "arietta", "tests", "benchmarks", "release"):
        (house / kept).mkdir()
    assert make(house, "clean").returncode == 0
    left = {path.name for path in house.iterdir()}
    assert left == {
        "Makefile",
        "pyproject.toml",
        "pieces",
        "runs",
        "corpus",
        "arietta",
        "tests",
        "benchmarks",
        "release",
    }
