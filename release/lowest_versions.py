"""Try the lower bounds of pyproject.toml, all at once, in an environment of the lowest direct versions.

    python -m release.lowest_versions
    python -m release.lowest_versions --python path/to/python    in an environment that stands already

The environment is made by pip in a temporary folder, wheels only (1.2 GB). In it every module is imported, each model
composes 20 notes, a take is rendered in every form, a server answers, a network learns for one step, and the tests run
that use the packages of the extra `test`. It exits with 1 at the first of these that fails. What the direct packages
need themselves is as new as they allow.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import urllib.request
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXTRAS = ("serve", "score", "train", "test")
MODELS = ("piano", "concert", "grieg", "piano-relative", "grieg-lstm")
FORMS = "wav,ogg,png,svg,musicxml,pdf"
IMPORT_ALL = """
import importlib, pkgutil, arietta
for module in pkgutil.walk_packages(arietta.__path__, "arietta."):
    if module.name != "arietta.__main__":
        importlib.import_module(module.name)
"""
COUNT_NOTES = "import sys, arietta; print(len(arietta.read_midi(sys.argv[1])))"
MAKE_CORPUS = "import pathlib, tests.support.corpora as corpora; corpora.make_store(pathlib.Path('corpus'))"
# Tests that use hypothesis and mido, httpx and schemathesis, psutil, playwright (this one needs the system's Chromium).
TESTS = (
    "tests/music/test_midi.py",
    "tests/music/test_midi_writing.py",
    "tests/serve/test_app.py",
    "tests/benchmarks/test_serve.py",
    "tests/browser/test_report.py",
)
_BOUND = re.compile(r"([\w.-]+(?:\[[\w,]+\])?)\s*([>=]=)\s*([\w.]+)\s*(;.*)?")


def lowest_requirements(pyproject: str) -> list[str]:
    """Return every direct requirement pinned to its lower bound, with its marker: `numpy==2.0`."""
    project = tomllib.loads(pyproject)["project"]
    requirements = list(project["dependencies"])
    for extra in EXTRAS:
        requirements += project["optional-dependencies"][extra]
    return [lowest(requirement) for requirement in requirements]


def lowest(requirement: str) -> str:
    """Pin a requirement to its lower bound; raises ValueError where it has none."""
    bound = _BOUND.fullmatch(requirement.strip())
    if bound is None:
        raise ValueError(f"{requirement}: has no lower bound, as in name>=1.2")
    name, _, version, marker = bound.groups(default="")
    return f"{name}=={version}{marker}"


def make_environment(folder: Path) -> Path:
    """Install the lowest versions into a new environment and return its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    requirements = lowest_requirements((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--only-binary", ":all:", *requirements], check=True)
    subprocess.run([*pip, "check"], check=True)
    return python


class Trial:
    """An environment's Python, and the folder into which it composes."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.python, self.folder = python, folder
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_DATA_HOME": str(folder / "data")}

    def run(self, *words: str | Path, cwd: Path | None = None) -> str:
        """Run Python with `words` and return what it printed; ends the trial where that fails."""
        call = [self.python, *words]
        done = subprocess.run(
            call, cwd=cwd or self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"{' '.join(map(str, call))} failed:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
        return done.stdout

    def arietta(self, *words: str | Path) -> str:
        return self.run("-m", "arietta", *words)

    def expect_notes(self, file: Path, count: int) -> None:
        notes = int(self.run("-c", COUNT_NOTES, file))
        if notes != count:
            sys.exit(f"{file.name} has {notes} notes, not {count}")

    def compose(self) -> None:
        for model in MODELS:
            file = self.folder / f"{model}.mid"
            self.arietta("compose", "--model", model, "--notes", "20", "--seed", "1", "-o", file)
            self.expect_notes(file, 20)

    def render(self) -> None:
        self.arietta("render", self.folder / "piano.mid", "--to", FORMS)
        for form in FORMS.split(","):
            if not (self.folder / f"piano.{form}").stat().st_size:
                sys.exit(f"piano.{form} is empty")

    def serve(self) -> None:
        """Start a server and ask it for 20 notes."""
        call = [
            self.python,
            "-m",
            "arietta",
            "serve",
            "--port",
            "0",
            "--model",
            "piano",
            "--data",
            self.folder / "data",
        ]
        with subprocess.Popen(
            call, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                assert process.stdout is not None
                address = re.search(r"http://\S+:\d+", process.stdout.readline())
                if address is None:
                    sys.exit("the server did not start")
                with contextlib.closing(urllib.request.urlopen(f"{address[0]}/midi/20", timeout=60)) as answer:
                    (self.folder / "served.mid").write_bytes(answer.read())
            finally:
                process.terminate()
                process.wait()  # before its output is closed, into which it logs
        self.expect_notes(self.folder / "served.mid", 20)

    def train(self) -> None:
        """Learn for one step from the scales that the tests learn from."""
        self.run("-c", MAKE_CORPUS)
        settings = ROOT / "configs" / "tiny.toml"
        run = self.folder / "run"
        self.arietta("train", settings, "--corpus", self.folder / "corpus", "--out", run, "--steps", "1")
        self.arietta("export", run)


def main(words: Sequence[str] | None = None) -> None:
    """Make the environment, unless one is named, and try everything in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", type=Path, help="the Python of an environment to try, in place of a new one")
    chosen: Path | None = parser.parse_args(words).python
    with tempfile.TemporaryDirectory() as folder:
        python = make_environment(Path(folder) / "venv") if chosen is None else chosen.absolute()
        trial = Trial(python, Path(folder))
        steps = {
            "every module is imported": lambda: trial.run("-c", IMPORT_ALL),
            "each model composes": trial.compose,
            "a take is rendered": trial.render,
            "a server answers": trial.serve,
            "a network learns and is exported": trial.train,
            "tests run": lambda: trial.run("-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS, cwd=ROOT),
        }
        for claim, step in steps.items():
            step()
            print(f"{claim}: yes", flush=True)


if __name__ == "__main__":
    main()
