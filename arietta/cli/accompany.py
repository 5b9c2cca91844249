"""Write what goes with a melody, or with any other part of a piece.

examples:
  arietta accompany melody.mid -o song.mid                 all its notes stay, and new ones go with them
  arietta accompany piece.mid --keep right -o song.mid     only the right hand stays
"""

from __future__ import annotations

import argparse
from functools import partial

from .output import KEEP, add_takes, read_music, read_path, write_takes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=read_path, help="the music, a MIDI or MusicXML file")
    parser.add_argument("--keep", metavar="NOTES", default="all", help=f"what stays: {KEEP} (default %(default)s)")
    parser.add_argument("--keep-pedal", action="store_true", help="keep its pedal too")
    add_takes(parser)


def run(arguments: argparse.Namespace) -> int:
    from ..generation.verbs import accompany, read_keep

    given = {"keep": read_keep(arguments.keep), "keep_pedal": arguments.keep_pedal}
    work = partial(accompany, read_music(arguments.file, "to accompany"), **given)
    return write_takes(arguments, [arguments.file], work, "accompanying")
