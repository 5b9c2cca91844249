"""Play a MIDI file, or a score in MusicXML, on the piano that comes with Arietta.

examples:
  arietta play piece.mid              through a player of the system; Ctrl-C stops it
  arietta play                        the newest piece in pieces/
  arietta play piece.mid --browser    on a page with its piano roll, which loads nothing from elsewhere

Where no player of sounds is installed, the page is opened instead.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import webbrowser
from pathlib import Path

from ..errors import RequestError
from ..names import escape_name
from .output import read_path

FOLDER = Path("pieces")  # where `arietta compose` writes
SUFFIXES = (".mid", ".midi")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", nargs="?", type=read_path, help=f"a MIDI file or a score (default: newest in {FOLDER})"
    )
    parser.add_argument("--browser", action="store_true", help="open a page with the piano roll, which plays it")


def run(arguments: argparse.Namespace) -> None:
    from ..music.reading import read_piece
    from ..render.playback import find_player, music_page, play_music
    from ..render.roll import format_time

    path = arguments.file or _newest()
    notes = read_piece(path).notes
    if not len(notes):
        raise RequestError(f"{path}: has no notes to play")
    if not arguments.browser and find_player() is not None:
        print(f"{escape_name(path)}: {len(notes)} notes, {format_time(notes.seconds)}. Ctrl-C stops it.", flush=True)
        try:
            play_music(notes)
            return
        except RequestError as error:
            print(f"arietta: {escape_name(error)}", file=sys.stderr)
    page = Path(tempfile.mkdtemp(prefix="arietta-")) / "piece.html"
    page.write_text(music_page(notes, title=escape_name(path.stem)), encoding="utf-8")
    if webbrowser.open(page.as_uri()):
        print(f"Opened {escape_name(path)} in a browser: {page}")
    else:
        print(f"No browser could be opened; the page that plays it is {page}")


def _newest() -> Path:
    pieces = [path for path in FOLDER.glob("*") if path.suffix.lower() in SUFFIXES]
    if not pieces:
        raise RequestError(f"{FOLDER}/ has no MIDI files here: name one, as in arietta play piece.mid")
    return max(pieces, key=lambda path: path.stat().st_mtime)
