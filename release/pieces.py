"""Compose the pieces that README.md begins with, each by its own command, as MIDI, sound (MP3) and piano roll.

    python -m release.pieces

The commands stand in README.md's first table, with `-o` and the file that they are linked to left out. They are the
first that were tried, with one seed for all: nothing was chosen by ear.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import arietta
from arietta.cli import main as run_command
from arietta.render.formats import save_music
from benchmarks.shared.report import ROOT

README, PIECES = ROOT / "README.md", ROOT / "docs" / "pieces"
ROW = re.compile(
    r"^\| \[[^]]+\]\(docs/pieces/(?P<name>\w+)\.mp3\) .*`arietta (?P<words>compose [^`]*)` \|$", re.MULTILINE
)


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield the name of each piece of README.md and the words of the command that composes it."""
    for row in ROW.finditer(README.read_text(encoding="utf-8")):
        yield row["name"], shlex.split(row["words"])


def compose(words: list[str], path: Path) -> None:
    """Run a command of README.md into a MIDI file."""
    with contextlib.redirect_stdout(io.StringIO()):
        assert run_command([*words, "-o", str(path)]) == 0, words


def main() -> None:
    for name, words in commands():
        path = PIECES / f"{name}.mid"
        compose(words, path)
        notes = arietta.read_midi(path)
        for ending in (".mp3", ".png"):
            save_music(path.with_suffix(ending), notes, title="arietta " + shlex.join(words))


if __name__ == "__main__":
    main()
