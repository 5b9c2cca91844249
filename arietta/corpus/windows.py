"""Windows of the pieces of a set: of a folder of MIDI files, of a corpus, or of a part of one.

A set is named as on the command line: FOLDER, CORPUS, CORPUS:SPLIT or CORPUS:NAME/SPLIT, as corpus:maestro/test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from ..errors import MidiError, RequestError
from ..music.midi import read_midi
from ..music.notes import Notes
from ..music.windows import draw_windows
from .reader import find_files
from .store import MANIFEST, Piece, Store, open_store


def read_windows(name: str, note_count: int, most: int, unread: list[Path]) -> Iterator[Notes]:
    """Yield a window from somewhere in each piece that is long enough, of `most` pieces, always the same ones.

    Files that cannot be read are added to `unread`. Raises RequestError for a part of a corpus that has no
    pieces, CorpusError for a folder without MIDI files.
    """
    folder, _, part = name.partition(":")
    if (Path(folder) / MANIFEST).is_file():
        store = open_store(folder)
        pieces = _part_of(store, name, part)
        read, piece_count = reader(store, pieces, note_count), len(pieces)
    elif part and Path(folder).name and not Path(name).exists():
        raise RequestError(
            f"{name}: there is no corpus {folder}; FOLDER:{part} is a part of the corpus that `arietta ingest` wrote "
            "into FOLDER"
        )
    else:
        paths = [Path(file.path) for file in find_files([Path(name)])]
        read, piece_count = _file_reader(paths, unread), len(paths)
    yield from islice(draw_windows(read, piece_count, note_count, np.random.default_rng(0)), most)


def reader(store: Store, pieces: Sequence[Piece], note_count: int = 0) -> Callable[[int], Notes | None]:
    """Return what reads piece i of `pieces`, and gives None for one of fewer than `note_count` notes."""

    def read(index: int) -> Notes | None:
        piece = pieces[index]
        return store.notes(piece.index) if piece.notes >= note_count else None

    return read


def _part_of(store: Store, name: str, part: str) -> list[Piece]:
    corpus, _, split = part.rpartition("/")
    pieces = [piece for piece in store.pieces if corpus in ("", piece.corpus) and split in ("", piece.split)]
    if not pieces:
        known = ", ".join(sorted({f"{piece.corpus}/{piece.split}" for piece in store.pieces}))
        raise RequestError(f"{name}: no such pieces in that corpus; it has {known}")
    return pieces


def _file_reader(paths: Sequence[Path], unread: list[Path]) -> Callable[[int], Notes | None]:
    def read(index: int) -> Notes | None:
        try:
            return read_midi(paths[index])
        except MidiError:  # one damaged file of a folder is no reason to refuse the folder
            unread.append(paths[index])
            return None

    return read
