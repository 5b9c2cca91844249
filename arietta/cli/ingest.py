"""Turn folders of MIDI files into a corpus to train on.

    arietta ingest maestro-v3.0.0 --out corpus
    arietta ingest my-midi --out mine --composer "Clara Schumann" --licence "CC0 1.0"
"""

from __future__ import annotations

import argparse

from .bar import bar


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folders", nargs="+", metavar="DIR")
    parser.add_argument("--out", required=True, metavar="CORPUS")


def run(arguments: argparse.Namespace) -> None:
    from ..corpus import IngestConfig, ingest

    with bar("reading", "file") as progress:
        ingest(arguments.folders, arguments.out, IngestConfig(), progress)
