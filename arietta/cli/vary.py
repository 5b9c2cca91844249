"""Write phrases of a piece anew under their top line: a little of it, or all.

examples:
  arietta vary piece.mid --strength 0.4 --count 4 -o takes/    four variations
  arietta vary piece.mid --strength 1 -o other.mid             everything is new
  arietta vary piece.mid --from 0:12 --to 0:40 --keep left -o b.mid
                                                               these seconds, and the left hand stays
"""

from __future__ import annotations

import argparse
from functools import partial

from .output import KEEP, add_takes, read_music, read_number, read_path, write_takes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=read_path, help="the piece, a MIDI or MusicXML file")
    parser.add_argument(
        "--strength",
        metavar="X",
        type=read_number,
        default=0.4,
        help="from 0, the piece, to 1, all phrases new and no line kept (default %(default)s)",
    )
    parser.add_argument(
        "--from", metavar="TIME", dest="start", default="0", help="where it begins: 12.5, 0:12 or bar 9"
    )
    parser.add_argument("--to", metavar="TIME", dest="stop", help="before where it ends (default: the end)")
    parser.add_argument("--keep", metavar="NOTES", help=f"notes that stay in any case: {KEEP}")
    parser.add_argument("--keep-pedal", action="store_true", help="keep its pedal too")
    add_takes(parser)


def run(arguments: argparse.Namespace) -> int:
    from ..generation.verbs import read_keep, vary

    given = {"keep": read_keep(arguments.keep), "keep_pedal": arguments.keep_pedal}
    piece = read_music(arguments.file, "to vary")
    work = partial(vary, piece, arguments.strength, arguments.start, arguments.stop, **given)
    return write_takes(arguments, [arguments.file], work, "varying")
