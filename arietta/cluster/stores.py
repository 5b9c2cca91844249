"""MIDI files in object stores and on servers, by fsspec: what is there, and copies of it on this machine.

A store is named by an address, as s3://bucket/folder, gs://bucket/folder or file:///folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from ..corpus.labels import Label, read_maestro_table
from ..corpus.reader import SUFFIXES, SourceFile
from ..errors import CorpusError
from ..music.midi import LARGEST_FILE
from ..program import install_command


def is_store(folder: str) -> bool:
    """Tell an address of a store from a folder."""
    return "://" in folder


def list_store(address: str, name: str) -> list[SourceFile]:
    """List a store's MIDI files as `find_files` lists a folder's: `path` is the address of each.

    Raises CorpusError where the store does not answer or has none.
    """
    with _store_errors(address):
        store, root = _open(address)
        found = store.find(root, detail=True)
    paths = [
        path for path in map(PurePosixPath, found) if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    ]
    if not paths:
        raise CorpusError(f"{address}: no MIDI files there or below; name a place with music")
    return [
        SourceFile(
            name, path.relative_to(root).as_posix(), store.unstrip_protocol(str(path)), found[str(path)]["size"], 0
        )
        for path in sorted(paths)
    ]


def fetch_tables(address: str, folder: Path) -> dict[str, Label]:
    """Fetch MAESTRO's tables from a store, if they are there, and read them: labels by file name."""
    with _store_errors(address):
        store, root = _open(address)
        for kind in ("csv", "json"):
            for path in store.glob(f"{root}/**/maestro-v*.{kind}"):
                copy = folder / PurePosixPath(path).relative_to(root)
                copy.parent.mkdir(parents=True, exist_ok=True)
                store.get_file(path, str(copy))
    return read_maestro_table(folder)


def copy_file(source: SourceFile, copy: Path) -> SourceFile:
    """Copy a store's file, no more of it than the reader would read; return it with the path of the copy."""
    with _store_errors(source.path):
        store, path = _open(source.path)
        copy.write_bytes(store.cat_file(path, start=0, end=LARGEST_FILE + 1))
    return replace(source, path=str(copy))


def _open(address: str) -> tuple[Any, str]:
    """Open a store: its file system, and the path in it."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise CorpusError(f"{address}: reading from a store needs fsspec: {install_command('cluster')}") from error
    store, root = url_to_fs(address)
    return store, root.rstrip("/")


@contextmanager
def _store_errors(address: str) -> Iterator[None]:
    """Say what went wrong in a sentence: each kind of store raises errors of its own package."""
    try:
        yield
    except CorpusError:
        raise
    except ImportError as error:  # fsspec says which package that kind of store needs
        raise CorpusError(f"{address}: {error}; install it with pip") from error
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise CorpusError(
            f"{address}: the store does not give it ({reason}); see its name, and that this machine may read it"
        ) from error
