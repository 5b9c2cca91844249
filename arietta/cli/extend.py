"""Go on from the end of a piece, or from a moment of it, where it is cut.

examples:
  arietta extend piece.mid --seconds 30 -o longer.mid          half a minute more
  arietta extend piece.mid --at 0:45 --notes 200 -o other.mid  another way to go on from 0:45
  arietta extend waltz.mid --at bar 17 --bars 16 -o other.mid  sixteen bars of its metre, from there on
"""

from __future__ import annotations

import argparse
from functools import partial

from .output import add_takes, read_integer, read_music, read_number, read_path, write_takes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=read_path, help="the piece, a MIDI or MusicXML file")
    parser.add_argument("--at", metavar="TIME", help="where to go on: 45.5, 0:45.5 or bar 9 (default: the end)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--notes", metavar="N", type=read_integer, help="write exactly N notes (default 300)")
    length.add_argument("--seconds", metavar="S", type=read_number, help="or S seconds, within 2 %%")
    length.add_argument(
        "--bars",
        metavar="N",
        type=read_integer,
        help="or N bars of the file, to a bar line; the playing inside is free",
    )
    add_takes(parser)


def run(arguments: argparse.Namespace) -> int:
    from ..generation.verbs import extend

    length = {name: getattr(arguments, name) for name in ("notes", "seconds", "bars")}
    work = partial(extend, read_music(arguments.file, "to go on from"), arguments.at, **length)
    return write_takes(arguments, [arguments.file], work, "composing")
