"""Fetch a public corpus, or a model that is not part of the package, and check it.

examples:
  arietta download maestro                 (58 MB; CC BY-NC-SA 4.0)
  arietta download giantmidi               (prints where to fetch it by hand: its publisher asks for consent)
  arietta download giantmidi --archive midis_v1.2.zip
  arietta download concert --url https://example.org/models     (any folder on the web that has the models)

A model goes to the user's model folder, where `arietta compose --model NAME` finds it, and its fingerprint is compared
with the one that this version knows. A broken download is resumed when the command is run again.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from ..errors import BundleError
from ..model.registry import URL_VARIABLE
from ..names import escape_name
from ..program import command
from .progress import progress_bar

CORPORA = ("maestro", "giantmidi")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help=f"{', '.join(CORPORA)}, or a model's name")
    parser.add_argument(
        "--url",
        default="",
        help=f"the folder on the web that has it, as URL/NAME/model.json and the files beside it (${URL_VARIABLE})",
    )
    parser.add_argument("--out", default="corpora", metavar="DIR", help="folder to unpack into (default corpora)")
    parser.add_argument("--archive", metavar="ZIP", help="an archive that was fetched by hand: nothing is downloaded")
    parser.add_argument(
        "--checksum",
        default="",
        metavar="ALGORITHM:DIGEST",
        help="the checksum that the archive must have, instead of the known one",
    )


def run(arguments: argparse.Namespace) -> None:
    """Fetch a corpus or a model; raises FetchError, CorpusError or BundleError where that fails."""
    if arguments.name not in CORPORA:
        _download_model(arguments.name, arguments.url.rstrip("/"))
        return
    from ..corpus.datasets import DATASETS, fetch_dataset

    dataset = DATASETS[arguments.name]
    with progress_bar(f"fetching {dataset.name}", "B") as progress:
        folder = fetch_dataset(dataset, arguments.out, progress, archive=arguments.archive, checksum=arguments.checksum)
    count = sum(path.suffix.lower() in (".mid", ".midi") for path in Path(folder).rglob("*"))
    print(f"{escape_name(folder)}: {count} MIDI files, licence {dataset.licence}")
    print(f"next: {command('ingest', folder, '--out', 'corpus')}")


def _download_model(name: str, url: str) -> None:
    from ..fetch import fetch_file
    from ..files import user_models
    from ..model import registry
    from ..model.bundle import fetch_bundle
    from ..originality.index import fetch_index
    from ..untrusted import MOST_JSON

    known = registry.known_models()
    url = url or registry.models_url()
    if name not in known:
        raise BundleError(f"{name}: neither a corpus ({', '.join(CORPORA)}) nor a model ({', '.join(known)})")
    if not url:
        raise BundleError(
            f"{name}: nobody has published the models yet: say where they are kept, as in --url "
            f"https://example.org/models or in ${URL_VARIABLE}; "
            f"a checkout of the source has it in models/{name}, which may be copied to {user_models() / name}"
        )

    def fetch(file_url: str, path: Path) -> None:
        with progress_bar(f"fetching {path.name}", "B") as progress:
            # A file of it cannot be larger than all of it, give or take: an endless answer must not fill the disk.
            fetch_file(file_url, path, progress, most_bytes=2 * known[name].bytes + MOST_JSON)

    folder = fetch_bundle(name, url, known[name].fingerprint, fetch, partial(fetch_index, fetch=fetch))
    print(f"{escape_name(folder)}: fetched and checked; try it: {command('compose', '--model', name)}")
