"""Write phrases of a piece anew under their top line: a little of it, or all.

examples:
  arietta vary piece.mid --strength 0.4 --count 4 -o takes/    four variations
  arietta vary piece.mid --strength 1 -o other.mid             everything is new
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from .output import add_takes, add_transpose, read_given, read_number, write_takes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="the piece, a MIDI or MusicXML file")
    parser.add_argument(
        "--strength",
        metavar="X",
        type=read_number,
        default=0.4,
        help="from 0, the piece, to 1, all phrases new and no line kept (default %(default)s)",
    )
    add_transpose(parser)
    add_takes(parser)


def run(arguments: argparse.Namespace) -> int:
    from ..generation.verbs import vary

    work = partial(vary, read_given(arguments, arguments.file, "to vary"), arguments.strength)
    return write_takes(arguments, [arguments.file], work, "varying")
