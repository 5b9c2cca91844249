"""Go on from the end of a piece, or from a moment of it, where it is cut.

examples:
  arietta extend piece.mid --seconds 30 -o longer.mid          half a minute more
  arietta extend piece.mid --at 0:45 --notes 200 -o other.mid  another way to go on from 0:45
  arietta extend waltz.mid --at bar 17 --bars 16 -o other.mid  sixteen bars of its metre, from there on
"""

from __future__ import annotations

import argparse
from functools import partial

from ..errors import RequestError
from .output import add_takes, read_integer, read_moment, read_music, read_number, read_path, write_takes

NOTES = 200  # where neither notes nor seconds are asked for


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=read_path, help="the piece, a MIDI or MusicXML file")
    parser.add_argument("--at", metavar="TIME", help="where to go on: 45.5, 0:45.5 or bar 9 (default: the end)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--notes", metavar="N", type=read_integer, help=f"write exactly N notes (default {NOTES})")
    length.add_argument("--seconds", metavar="S", type=read_number, help="or S seconds, within 2 %%")
    length.add_argument("--bars", metavar="N", type=read_integer, help="or N bars of the file, to a bar line")
    add_takes(parser)


def run(arguments: argparse.Namespace) -> int:
    from ..generation.scores.bars import seconds_of_bars
    from ..generation.verbs import cut_at, extend

    notes, seconds = arguments.notes, arguments.seconds
    piece = read_music(arguments.file, "to go on from")
    at = None if arguments.at is None else read_moment(arguments.at, piece)
    if at is not None and at > piece.notes.seconds:
        raise RequestError(f"--at lies in {arguments.file}, which has {piece.notes.seconds:g} s, not at {at:g} s")
    if arguments.bars is not None:
        seconds = seconds_of_bars(arguments.bars, cut_at(piece.notes, at), piece.meter, at=at)
    elif notes is None and seconds is None:
        notes = NOTES
    work = partial(extend, piece.notes, at, notes=notes, seconds=seconds)
    return write_takes(arguments, [arguments.file], work, "composing", meter=piece.meter)
