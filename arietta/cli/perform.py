"""Play a written score with touch: a player's times, lengths, loudness and pedal, in the score's tempo.

examples:
  arietta perform score.musicxml -o played.mid
  arietta perform score.mid --style chopin --loudness pp@0:00,f@0:30 --seed 1 -o played.wav
"""

from __future__ import annotations

import argparse
from functools import partial

from .output import add_takes, read_music, read_path, write_takes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=read_path, help="the score, a MusicXML or MIDI file")
    add_takes(parser, has_density=False)


def run(arguments: argparse.Namespace) -> int:
    from ..generation.verbs import perform

    work = partial(perform, read_music(arguments.file, "to play"))
    return write_takes(arguments, [arguments.file], work, "performing")
