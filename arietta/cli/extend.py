"""Go on from the end of a piece, or from a moment of it, where it is cut.

examples:
  arietta extend piece.mid --seconds 30 -o longer.mid          half a minute more
  arietta extend piece.mid --at 0:45 --notes 200 -o other.mid  another way to go on from 0:45
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from ..errors import RequestError
from .output import add_takes, read_integer, read_music, read_number, write_takes

NOTES = 200  # where neither notes nor seconds are asked for


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="the piece, a MIDI or MusicXML file")
    parser.add_argument("--at", metavar="TIME", help="where to go on: 45.5 or 0:45.5 (default: the end)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--notes", metavar="N", type=read_integer, help=f"write exactly N notes (default {NOTES})")
    length.add_argument("--seconds", metavar="S", type=read_number, help="or S seconds, within 2 %%")
    add_takes(parser)


def run(arguments: argparse.Namespace) -> int:
    from ..generation.verbs import extend
    from ..generation.wishes import read_time

    at = None if arguments.at is None else read_time(arguments.at)
    notes = NOTES if arguments.notes is None and arguments.seconds is None else arguments.notes
    piece = read_music(arguments.file, "to go on from")
    if at is not None and at > piece.notes.seconds:
        raise RequestError(f"--at lies in {arguments.file}, which has {piece.notes.seconds:g} s, not at {at:g} s")
    work = partial(extend, piece.notes, at, notes=notes, seconds=arguments.seconds)
    return write_takes(arguments, [arguments.file], work, "composing", meter=piece.meter)
