"""Write a passage of a piece anew, and leave every other note as it is.

examples:
  arietta regenerate piece.mid --from 0:12 --to 0:20 -o b.mid            what begins in these eight seconds
  arietta regenerate piece.mid --from 0:12 --to 0:20 --keep right -o b.mid
                                                                         but the right hand stays
  arietta regenerate waltz.mid --from bar 9 --to bar 13 -o b.mid         four of its bars, where it has a metre
  arietta regenerate piece.mid --from 0:12 --to 0:20 --count 4 -o takes/ four takes, the likeliest first
"""

from __future__ import annotations

import argparse
from functools import partial

from .output import KEEP, add_takes, read_music, read_path, write_takes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=read_path, help="the piece, a MIDI or MusicXML file")
    parser.add_argument(
        "--from", metavar="TIME", dest="start", required=True, help="where it begins: 12.5, 0:12 or bar 9"
    )
    parser.add_argument("--to", metavar="TIME", dest="stop", required=True, help="before where it ends")
    parser.add_argument("--keep", metavar="NOTES", help=f"notes of it that stay: {KEEP}")
    parser.add_argument("--keep-pedal", action="store_true", help="keep its pedal too")
    add_takes(parser)


def run(arguments: argparse.Namespace) -> int:
    from ..generation.verbs import read_keep, regenerate

    given = {"keep": read_keep(arguments.keep), "keep_pedal": arguments.keep_pedal}
    piece = read_music(arguments.file, "to write anew")
    work = partial(regenerate, piece, arguments.start, arguments.stop, **given)
    return write_takes(arguments, [arguments.file], work, "writing")
