"""What is published: the same bytes of the same commit, whole, and it runs where it is installed.

Tests that fetch from a package index run where ARIETTA_NETWORK is set.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("build", reason="needs build: pip install '.[dist]'")

from release.dist import ROOT, build, normalise

pytestmark = pytest.mark.skipif(shutil.which("git") is None or not (ROOT / ".git").exists(), reason="needs a checkout")
online = pytest.mark.skipif("ARIETTA_NETWORK" not in os.environ, reason="fetches packages: set ARIETTA_NETWORK")


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Give the wheel and the sdist of the last commit."""
    files = build(tmp_path_factory.mktemp("dist"))
    (wheel,), (sdist,) = ([file for file in files if file.suffix == suffix] for suffix in (".whl", ".gz"))
    return wheel, sdist


def run(*words: str | Path, folder: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_building_again_gives_the_same_bytes(dist: tuple[Path, Path], tmp_path: Path) -> None:
    again = build(tmp_path)
    assert {file.name: file.read_bytes() for file in again} == {file.name: file.read_bytes() for file in dist}


def test_an_sdist_says_nothing_of_the_machine_that_built_it() -> None:
    def packed(owner: str, seconds: int, names: tuple[str, ...]) -> bytes:
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w:gz") as archive:
            for name in names:
                member = tarfile.TarInfo(name)
                member.uname, member.uid, member.mtime, member.size = owner, len(owner), seconds, 2
                archive.addfile(member, io.BytesIO(b"ab"))
        return content.getvalue()

    mine, theirs = packed("me", 5, ("a", "b")), packed("another", 7, ("b", "a"))
    assert mine != theirs
    assert normalise(mine, 1_000_000_000) == normalise(theirs, 1_000_000_000)


def test_both_pass_the_checks_of_an_index(dist: tuple[Path, Path], tmp_path: Path) -> None:
    run(sys.executable, "-m", "twine", "check", "--strict", *dist, folder=tmp_path)
    run(sys.executable, "-m", "check_wheel_contents", dist[0], folder=tmp_path)


def test_the_wheel_has_every_committed_file_of_the_package(dist: tuple[Path, Path]) -> None:
    call = ["git", "ls-tree", "-r", "--name-only", "HEAD", "arietta"]
    committed = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    with zipfile.ZipFile(dist[0]) as wheel:
        names = {name for name in wheel.namelist() if name.startswith("arietta/")}
    assert names == set(filter(None, committed))


def test_the_wheel_composes_in_an_environment_of_its_own(dist: tuple[Path, Path], tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    scripts = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin")
    run(scripts / "python", "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", dist[0], folder=tmp_path)
    # What it needs is borrowed from here; itself it is not, for paths that are appended come after its own.
    (borrowed,) = (tmp_path / "env").rglob("site-packages")
    (borrowed / "borrowed.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    out = run(scripts / "arietta", "compose", "--notes", "20", "--seed", "1", "-o", "piece.mid", folder=tmp_path)
    assert (tmp_path / "piece.mid").read_bytes().startswith(b"MThd") and "Composed 20 notes" in out
    where = run(scripts / "python", "-c", "import arietta; print(arietta.__file__)", folder=tmp_path)
    assert Path(where.strip()).is_relative_to(tmp_path)


@online
@pytest.mark.parametrize("tool", ["uvx", "pipx"])
def test_tools_that_run_wheels_run_it(tool: str, dist: tuple[Path, Path], tmp_path: Path) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"needs {tool}")
    call = [tool, "--from", dist[0], "arietta"] if tool == "uvx" else ["pipx", "run", "--spec", dist[0], "arietta"]
    assert run(*call, "--version", folder=tmp_path).startswith("arietta ")


@online
def test_pip_installs_it_with_the_packages_that_it_names(dist: tuple[Path, Path], tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    scripts = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin")
    run(scripts / "python", "-m", "pip", "install", "--quiet", dist[0], folder=tmp_path)
    assert "All is well." in run(scripts / "arietta", "doctor", folder=tmp_path)
