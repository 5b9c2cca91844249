"""Fetch a public corpus, check it and unpack it.

    arietta download maestro                 (58 MB; CC BY-NC-SA 4.0)
    arietta download giantmidi               (says where to fetch it by hand: its publisher asks for consent)
    arietta download giantmidi --archive midis_v1.2.zip

A broken download goes on where it stopped when the command is run again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from .bar import bar


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("corpus", choices=("maestro", "giantmidi"))
    parser.add_argument("--out", default="corpora", metavar="DIR", help="folder to unpack into (default corpora)")
    parser.add_argument("--archive", metavar="ZIP", help="an archive fetched by hand, instead of downloading it")
    parser.add_argument(
        "--checksum",
        default="",
        metavar="ALGORITHM:DIGEST",
        help="what the archive must have, instead of what is known",
    )


def run(arguments: argparse.Namespace) -> None:
    from ..download import DATASETS, download

    dataset = DATASETS[arguments.corpus]
    with bar(f"fetching {dataset.name}", "B") as progress:
        folder = download(dataset, arguments.out, progress, archive=arguments.archive, checksum=arguments.checksum)
    count = sum(path.suffix.lower() in (".mid", ".midi") for path in Path(folder).rglob("*"))
    print(f"{folder}: {count} MIDI files, licence {dataset.licence}")
    print(f"next: arietta ingest {folder} --out corpus")
