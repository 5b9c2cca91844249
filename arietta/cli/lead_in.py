"""Write what leads into a piece.

examples:
  arietta lead-in piece.mid --seconds 6 -o whole.mid       six seconds that are new, then the piece
"""

from __future__ import annotations

import argparse
from functools import partial

from .output import add_takes, read_music, read_number, read_path, write_takes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=read_path, help="the piece, a MIDI or MusicXML file")
    parser.add_argument(
        "--seconds", metavar="S", type=read_number, required=True, help="how much comes before it, 1-60"
    )
    add_takes(parser)


def run(arguments: argparse.Namespace) -> int:
    from ..generation.verbs import lead_in

    work = partial(lead_in, read_music(arguments.file, "to lead into"), arguments.seconds)
    return write_takes(arguments, [arguments.file], work, "writing")
