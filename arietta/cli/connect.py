"""Write what leads from one piece to another.

examples:
  arietta connect a.mid b.mid --seconds 8 -o both.mid      a, eight seconds that are new, b
  arietta connect a.mid b.mid --seconds 8 --count 4 -o takes/
"""

from __future__ import annotations

import argparse
from functools import partial

from .output import add_takes, read_music, read_number, read_path, write_takes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FIRST", type=read_path, help="the piece that comes first")
    parser.add_argument("second", metavar="SECOND", type=read_path, help="the piece that follows")
    parser.add_argument(
        "--seconds", metavar="S", type=read_number, required=True, help="how much lies between them, 1-60"
    )
    add_takes(parser, can_transpose=False)


def run(arguments: argparse.Namespace) -> int:
    from ..generation.verbs import connect

    first, second = (read_music(file, "to connect") for file in (arguments.file, arguments.second))
    work = partial(connect, first, second, arguments.seconds)
    return write_takes(arguments, [arguments.file, arguments.second], work, "connecting")
