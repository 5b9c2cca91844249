"""Say whether this installation works, and what is missing for which verb.

examples:
  arietta doctor                what is installed and missing, the models, a take of twenty notes timed
  arietta doctor > report.txt   to send with a question

It changes nothing, and ends with code 2 where it cannot compose.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import re
import sys
import time

from ..errors import AriettaError
from ..names import escape_name
from ..program import command, install_command
from .table import facts, table

# Extra -> the verbs, and parts of them, that need it; "" is what every installation has.
VERBS = {
    "": "compose, play, render, judge and all others but those below",
    "serve": "serve",
    "train": "train, finetune, export",
    "score": "render --to pdf",
    "cluster": "ingest --cluster",
}
NOTES = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="NAME", help="compose with this model (default: the default one)")


def run(arguments: argparse.Namespace) -> int:
    from .. import __version__
    from ..render.playback import find_player

    player = find_player()
    print(f"Arietta {__version__}")
    python = f"{platform.python_version()} ({escape_name(sys.executable)})"
    sound = player[0] if player else "no player of sounds: `arietta play` opens a page in the browser"
    print(facts({"Python": python, "system": f"{platform.system()} {platform.machine()}", "sound": sound}))
    print()
    _show_packages()
    print()
    return _compose(arguments.model)


def _show_packages() -> None:
    rows, remedies = [], []
    for extra, verbs in VERBS.items():
        missing: list[str] = []
        for name in _requirements(extra):
            try:
                version = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                version = "missing"
                missing.append(name)
            rows.append((name, version, extra or "always"))
        if missing:
            remedy = install_command(extra) if extra else f"{command()} was installed without what it needs"
            remedies.append(f"{', '.join(missing)} missing, for {verbs}: {remedy}")
    print(table(("package", "version", "for"), rows))
    print("\n".join(remedies) if remedies else "Nothing is missing.")


def _requirements(extra: str) -> list[str]:
    """Return the names of the packages of an extra, as the installed metadata has them, once each."""
    names = []
    for requirement in importlib.metadata.requires("arietta") or ():
        wanted = re.search(r"extra == ['\"]([^'\"]+)['\"]", requirement)
        if (wanted[1] if wanted else "") == extra:
            names.append(re.split(r"[^A-Za-z0-9_.-]", requirement, maxsplit=1)[0])
    return list(dict.fromkeys(names))


def _compose(model: str | None) -> int:
    """List the models, and compose with one of them; return the exit code."""
    from ..generation.loop import generate
    from ..generation.request import Request
    from ..model.bundle import DEFAULT_MODEL, list_bundles, load_bundle
    from ..model.engine import load_engine

    print(f"Models: {escape_name(', '.join(list_bundles()) or 'none')} ({command('models')})")
    try:
        began = time.perf_counter()
        engine = load_engine(load_bundle(model or DEFAULT_MODEL))
        loaded = time.perf_counter() - began
        take = generate(Request(NOTES, seed=1), engine)
    except AriettaError as error:
        print(f"It cannot compose: {escape_name(error)}")
        return 2
    speed = take.note_count / take.seconds_taken
    name, seconds = escape_name(take.model), take.seconds_taken
    print(f"{name} was loaded in {loaded:.2f} s and composed {take.note_count} notes in {seconds:.2f} s")
    print(f"({speed:.0f} notes/s). All is well.")
    return 0
