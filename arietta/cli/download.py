"""Fetch a public corpus, or a model that did not come with the program, and check it.

    arietta download maestro                 (58 MB; CC BY-NC-SA 4.0)
    arietta download giantmidi               (says where to fetch it by hand: its publisher asks for consent)
    arietta download giantmidi --archive midis_v1.2.zip
    arietta download concert --url https://example.org/models     (any folder on the web that holds the models)

A model goes to the shelf where `arietta compose --model NAME` finds it, and is checked by the fingerprint that this
version knows. A broken download goes on where it stopped when the command is run again.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterable
from pathlib import Path

from ..errors import BundleError
from ..program import command
from .progress import bar

CORPORA = ("maestro", "giantmidi")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help=f"{', '.join(CORPORA)}, or a model's name")
    parser.add_argument("--url", default="", help="where a model is: URL/NAME/model.json and the files beside it")
    parser.add_argument("--out", default="corpora", metavar="DIR", help="folder to unpack into (default corpora)")
    parser.add_argument("--archive", metavar="ZIP", help="an archive fetched by hand, instead of downloading it")
    parser.add_argument(
        "--checksum",
        default="",
        metavar="ALGORITHM:DIGEST",
        help="what the archive must have, instead of what is known",
    )


def run(arguments: argparse.Namespace) -> None:
    """Fetch what is named; raises FetchError, CorpusError or BundleError where that fails."""
    if arguments.name not in CORPORA:
        _fetch_model(arguments.name, arguments.url.rstrip("/"))
        return
    from ..corpus.datasets import DATASETS, fetch_dataset

    dataset = DATASETS[arguments.name]
    with bar(f"fetching {dataset.name}", "B") as progress:
        folder = fetch_dataset(dataset, arguments.out, progress, archive=arguments.archive, checksum=arguments.checksum)
    count = sum(path.suffix.lower() in (".mid", ".midi") for path in Path(folder).rglob("*"))
    print(f"{folder}: {count} MIDI files, licence {dataset.licence}")
    print(f"next: {command('ingest', folder, '--out', 'corpus')}")


def _fetch_model(name: str, url: str) -> None:
    """Fetch a model's files onto the user's shelf, whole or not at all."""
    from ..model.bundle import FILES, INDEX, known_models, load_bundle, user_models

    known = known_models()
    if name not in known:
        raise BundleError(f"{name}: neither a corpus ({', '.join(CORPORA)}) nor a model ({', '.join(known)})")
    if not url:
        raise BundleError(
            f"{name}: say where it is kept, as in --url https://example.org/models; "
            f"a checkout of the source has it in models/{name}, which may be copied to {user_models() / name}"
        )
    unfinished = user_models() / f".{name}.part" / name
    unfinished.mkdir(parents=True, exist_ok=True)
    _fetch_files(f"{url}/{name}", unfinished, ("model.json", "card.json", *FILES))
    _fetch_index(f"{url}/{name}/{INDEX}", unfinished / INDEX)
    try:
        found = load_bundle(unfinished).fingerprint
        if found != known[name]:
            raise BundleError(f"{url}/{name}: has fingerprint {found}, and this version knows {name} as {known[name]}")
        shutil.rmtree(user_models() / name, ignore_errors=True)
        unfinished.rename(user_models() / name)
    finally:
        shutil.rmtree(unfinished.parent)
    print(f"{user_models() / name}: fetched and checked; try it: {command('compose', '--model', name)}")


def _fetch_files(url: str, folder: Path, names: Iterable[str]) -> None:
    from ..fetch import fetch_file

    folder.mkdir(exist_ok=True)
    for name in names:
        with bar(f"fetching {name}", "B") as progress:
            fetch_file(f"{url}/{name}", folder / name, progress)


def _fetch_index(url: str, folder: Path) -> None:
    """Fetch the index of passages that some models have beside them, and see that it is whole."""
    from ..fetch import MissingError
    from ..originality.index import COLUMNS, DESCRIPTION, open_index

    try:
        _fetch_files(url, folder, (DESCRIPTION,))
    except MissingError:
        shutil.rmtree(folder)
        return
    _fetch_files(url, folder, COLUMNS)
    open_index(folder)
