"""A corpus on disk: what is known of every file that was read, and the notes of the files that were kept.

A corpus is a folder with `manifest.jsonl` (one line per file, kept or rejected, see `corpus`), the columns
`onset.npy`, `duration.npy`, `pitch.npy`, `velocity.npy`, `pedal.npy`, in which all pieces stand one after the other,
and `spans.npy`, which says where each kept piece stands in them. Columns are memory-mapped, so opening a corpus
costs milliseconds. Codecs, crops and augmentation belong to training.

Every line carries the version of the reader and a checksum of the piece, pedal included, so that the SHA-256 of the
manifest identifies the music as it was read. A piece is held against its checksum when it is first asked for. Names
of files are what `os.fsdecode` makes of their bytes; `os.fsencode` gives the bytes back.

    store = open_store("corpus")
    store.pieces[0].composer, store.notes(0, 100, 200)
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError
from ..files import atomic_folder
from ..music.notes import Notes, clip_pedal
from ..names import nearest_names
from ..untrusted import BROKEN_ARRAY, parse_object, read_within
from .columns import ColumnWriter

MANIFEST, SPANS = "manifest.jsonl", "spans.npy"
# Raise it with every change of what is read of a file: notes, pedal or passages. Corpora and reading caches of another
# version are then refused, and music read anew cannot pass for the old. Version 1 wrote neither version nor checksums.
READER_VERSION = 2
# What tells apart the reasons of one kind: quoted bytes and names, numbers with their sign, fraction or 0x.
_DETAILS = re.compile(r"b?'(?:[^'\\]|\\.)*'|b?\"(?:[^\"\\]|\\.)*\"|-?\b(?:0x[0-9a-f]+|\d+(?:\.\d+)?)\b")
AGAIN = "make the corpus again with `arietta ingest`"
LARGEST_MANIFEST = 2**30  # bytes: two million files
COLUMNS = {"onset": "<f8", "duration": "<f8", "pitch": "|u1", "velocity": "|u1"}
PEDAL = "pedal"


@dataclass(frozen=True)
class Piece:
    """One kept file, with the fields of its line in the manifest; `index` is its number in the store."""

    file: str
    folder: str
    sha256: str
    checksum: str
    index: int
    notes: int
    seconds: float
    composer: str
    title: str
    work: str
    split: str
    source: str
    corpus: str
    licence: str


@dataclass(frozen=True)
class Tally:
    """The size of a group of pieces."""

    pieces: int = 0
    notes: int = 0
    seconds: float = 0.0

    def plus(self, line: Mapping[str, Any]) -> Tally:
        """Return the tally with one line of a manifest added; a file that cannot be read has no notes."""
        return Tally(self.pieces + 1, self.notes + (line["notes"] or 0), self.seconds + (line["seconds"] or 0.0))


class Span(NamedTuple):
    """Where a piece stands in the columns: notes [note_start, note_stop), pedal [pedal_start, pedal_stop)."""

    note_start: int
    note_stop: int
    pedal_start: int
    pedal_stop: int


class Store:
    """A corpus opened for reading: `pieces`, and the notes of each, read from disk when asked for."""

    def __init__(self, path: Path, pieces: list[Piece], fingerprint: str, columns: Mapping[str, NDArray[Any]]) -> None:
        self.path = path
        self.pieces = pieces
        self.fingerprint = fingerprint
        self._columns = columns
        self._spans = columns["spans"]
        self._unchecked = {piece.index: piece for piece in pieces}

    def __len__(self) -> int:
        return len(self.pieces)

    def __getstate__(self) -> dict[str, Any]:
        """Pickle mapped columns by the names of their files: another process maps them too, instead of a copy."""
        columns = {
            name: Path(str(column.filename)) if isinstance(column, np.memmap) else column
            for name, column in self._columns.items()
        }
        return vars(self) | {"_columns": columns, "_spans": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._columns = {
            name: np.load(column, mmap_mode="r", allow_pickle=False) if isinstance(column, Path) else column
            for name, column in state["_columns"].items()
        }
        self._spans = self._columns["spans"]

    @cached_property
    def note_count(self) -> int:
        """Notes of all kept pieces together."""
        return sum(piece.notes for piece in self.pieces)

    def select(self, corpora: Sequence[str] = (), composers: Sequence[str] = ()) -> Store:
        """Return the same store with only the pieces of `corpora` and `composers` (empty: of all).

        Raises CorpusError where one of them has no pieces.
        """
        pieces = self.pieces
        for kind, wanted in (("corpus", corpora), ("composer", composers)):
            here = sorted({str(getattr(piece, kind)) for piece in pieces})
            for name in wanted:
                if name not in here:
                    nearest = nearest_names(name, here) or f"none, no piece names its {kind}"
                    raise CorpusError(f"{self.path}: no pieces of {kind} {name!r}; nearest: {nearest}")
            pieces = [piece for piece in pieces if not wanted or getattr(piece, kind) in wanted]
        return self.with_pieces(pieces)

    def with_pieces(self, pieces: Sequence[Piece]) -> Store:
        """Return a store of these pieces over the same columns; their splits may differ from the manifest's."""
        return Store(self.path, list(pieces), self.fingerprint, self._columns)

    def notes(self, index: int, start: int = 0, stop: int | None = None) -> Notes:
        """Read notes [start, stop) of piece `index`, at their times in the piece.

        The pedal is cut to [onset of note `start`, onset of note `stop`), and not cut where the range begins or ends
        with the piece. Raises IndexError when there is no such piece, CorpusError when it was altered.
        """
        if not 0 <= index < len(self._spans):
            raise IndexError(f"piece {index} of a store with {len(self._spans)}")
        span = Span(*(int(value) for value in self._spans[index]))
        if index in self._unchecked:
            self._check_piece(self._unchecked[index], span)
            del self._unchecked[index]
        count = span.note_stop - span.note_start
        start, stop, _ = slice(start, stop).indices(count)
        stop = max(start, stop)
        rows = slice(span.note_start + start, span.note_start + stop)
        columns = {name: _frozen(self._columns[name][rows]) for name in COLUMNS}
        pedal = self._columns[PEDAL][span.pedal_start : span.pedal_stop]
        onset = self._columns["onset"]
        low = float(onset[rows.start]) if 0 < start < count else 0.0 if start == 0 else np.inf
        high = float(onset[rows.stop]) if stop < count else np.inf
        return Notes(**columns, pedal=_frozen(clip_pedal(pedal, low, high)))

    def _check_piece(self, piece: Piece, span: Span) -> None:
        # Once a piece and process, when it is first read: 0.1 ms, against a second for a whole corpus at opening.
        rows = [self._columns[name][span.note_start : span.note_stop] for name in COLUMNS]
        checksum = rows_checksum([*rows, self._columns[PEDAL][span.pedal_start : span.pedal_stop]])
        if checksum != piece.checksum:
            raise CorpusError(
                f"{self.path}: the notes of {piece.file} were altered (checksum {checksum}, and {MANIFEST} has "
                f"{piece.checksum}); {AGAIN}"
            )


def open_store(path: str | Path) -> Store:
    """Open the corpus in folder `path`; raises CorpusError when it is not one, or was altered or cut short."""
    folder = Path(path)
    lines = read_manifest(folder)
    try:
        versions = {line.get("reader", 1) for line in lines}
        if older := versions - {READER_VERSION}:
            version = min(older, key=str)
            raise CorpusError(
                f"{folder}: made by version {version} of the reader, and this is version {READER_VERSION}, which reads "
                f"files otherwise; {AGAIN}"
            )
        pieces = [_piece(line) for line in lines if line["state"] == "kept"]
    except (AttributeError, KeyError, TypeError) as error:
        raise CorpusError(f"{folder / MANIFEST}: a line lacks {error}; {AGAIN}") from error
    except ValueError as error:
        raise CorpusError(f"{folder / MANIFEST}: {error}; {AGAIN}") from error
    columns = {name: _open_column(folder, name) for name in (*COLUMNS, PEDAL, "spans")}
    _check(folder, pieces, columns)
    return Store(folder, pieces, manifest_fingerprint(folder), columns)


def _piece(line: Mapping[str, Any]) -> Piece:
    """Make a piece of its line; raises ValueError where a value is of another type than it should be."""
    kinds = {"int": (int,), "float": (int, float), "str": (str,)}
    for field in fields(Piece):
        content = line[field.name]
        if type(content) not in kinds[str(field.type)]:
            raise ValueError(f"{field.name} must be of type {field.type}, not {repr(content)[:40]}")
    return Piece(**{field.name: line[field.name] for field in fields(Piece)})


def read_manifest(folder: str | Path) -> list[dict[str, Any]]:
    """Read every line of a corpus's manifest, kept and rejected; raises CorpusError when there is none."""
    path = Path(folder) / MANIFEST
    try:
        text = read_within(path, LARGEST_MANIFEST).decode()
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}: not a manifest ({error}); {AGAIN}") from error
    except OSError as error:
        why = error.strerror or str(error)
        raise CorpusError(f"{folder}: no corpus here ({MANIFEST}: {why}); make one with `arietta ingest`") from error
    try:
        # At line feeds alone: `splitlines` also cuts at U+2028, which names of files may hold.
        return [parse_object(line) for line in text.split("\n") if line]
    except ValueError as error:
        raise CorpusError(f"{path}: not a manifest ({error}); {AGAIN}") from error


def manifest_fingerprint(folder: str | Path) -> str:
    """Identify a corpus: SHA-256 of its manifest, which holds the reader's version and all checksums, 16 digits."""
    return hashlib.sha256((Path(folder) / MANIFEST).read_bytes()).hexdigest()[:16]


def notes_checksum(notes: Notes) -> str:
    """Return the checksum of notes as the columns hold them, pedal included: 16 hexadecimal digits."""
    rows = [np.asarray(getattr(notes, name), dtype=dtype) for name, dtype in COLUMNS.items()]
    return rows_checksum([*rows, np.asarray(notes.pedal, dtype="<f8")])


def rows_checksum(columns: Iterable[NDArray[Any]]) -> str:
    """Return the checksum of a piece's rows, one array a column: 16 hexadecimal digits of BLAKE2b."""
    checksum = hashlib.blake2b(digest_size=8)
    for rows in columns:
        checksum.update(f"{len(rows)} ".encode())  # else rows might move from one column to the next unseen
        checksum.update(np.ascontiguousarray(rows).tobytes())
    return checksum.hexdigest()


class StoreWriter:
    """Write a corpus's columns into `folder`: `append` the notes of each file, then `finish` with the manifest."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with ExitStack() as opened:
            self._columns = {
                name: opened.enter_context(ColumnWriter(folder / f"{name}.npy", dtype))
                for name, dtype in COLUMNS.items()
            }
            self._pedal = opened.enter_context(ColumnWriter(folder / f"{PEDAL}.npy", "<f8", (2,)))
            self._opened = opened.pop_all()
        self._checksums: dict[Span, str] = {}

    def __enter__(self) -> StoreWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def append(self, notes: Notes, checksum: str = "") -> Span:
        """Add a piece's notes, and their `notes_checksum` where it is known already; return where they stand."""
        for name, column in self._columns.items():
            note_range = column.append(getattr(notes, name))
        span = Span(*note_range, *self._pedal.append(notes.pedal))
        self._checksums[span] = checksum or notes_checksum(notes)
        return span

    def finish(self, lines: Iterable[Mapping[str, Any]], spans: Sequence[Span]) -> None:
        """Close the columns and write the manifest; `spans[i]` belongs to the kept line whose index is i.

        Each line gets the reader's version, and a kept one the checksum of its piece.
        """
        self.close()
        np.save(self._folder / SPANS, np.asarray(spans, dtype="<i8").reshape(-1, 4))
        with (self._folder / MANIFEST).open("w", encoding="utf-8") as file:
            for line in lines:
                index = line["index"]
                checksum = "" if index is None else self._checksums[spans[index]]
                # In plain ASCII: a name that is not UTF-8 has lone surrogates, which no encoding but JSON's can write.
                file.write(json.dumps({**line, "checksum": checksum, "reader": READER_VERSION}) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        """Close the columns without a manifest: what is in the folder is no corpus yet."""
        self._opened.close()


@contextmanager
def replace_corpus(folder: Path, listing: str = MANIFEST) -> Iterator[Path]:
    """Give an empty folder to build a corpus in; it takes the place of `folder` at the end, if nothing is raised.

    Until then an older corpus, which has a file `listing`, stays whole, and whatever interrupts leaves it so. Raises
    CorpusError when `folder` is something else, or when there is no room or no permission to write.
    """
    try:
        if folder.exists() and not (folder / listing).exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise CorpusError(f"{folder}: is there already and is no corpus; choose another --out")
        with atomic_folder(folder) as unfinished:
            yield unfinished
    except OSError as error:
        why = error.strerror or str(error)
        raise CorpusError(f"{folder}: cannot be written ({why}); free some room or choose another --out") from error


def _open_column(folder: Path, name: str) -> NDArray[Any]:
    path = folder / f"{name}.npy"
    try:
        if not path.is_file():  # a pipe would be waited for
            raise OSError("there is no such file")
        column: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except BROKEN_ARRAY as error:
        raise CorpusError(f"{path}: cannot be read ({error}); {AGAIN}") from error
    dtype, width = (COLUMNS | {PEDAL: "<f8", "spans": "<i8"})[name], {PEDAL: (2,), "spans": (4,)}.get(name, ())
    if column.dtype != np.dtype(dtype) or column.shape[1:] != width or not column.ndim:
        raise CorpusError(f"{path}: holds {column.dtype} {list(column.shape)}, where {dtype} is needed; {AGAIN}")
    return column


def tally(lines: Iterable[Mapping[str, Any]], field: str) -> dict[str, Tally]:
    """Gather a manifest's lines by one of their fields, most pieces first, then by name."""
    tallies: dict[str, Tally] = {}
    for line in lines:
        name = str(line[field])
        tallies[name] = tallies.get(name, Tally()).plus(line)
    return dict(sorted(tallies.items(), key=lambda item: (-item[1].pieces, item[0])))


def reason_kind(reason: str) -> str:
    """Return the kind of a reason, to count it by: reasons that differ only in numbers and names are of one kind."""
    kind, _, details = reason.partition(": ")
    return _DETAILS.sub("…", reason) if kind == "unreadable" or not details else kind


def _check(folder: Path, pieces: Sequence[Piece], columns: Mapping[str, NDArray[Any]]) -> None:
    """Refuse a store whose manifest, spans and columns do not belong together."""
    spans = columns["spans"]
    counts = np.array([piece.notes for piece in pieces], dtype=np.int64)
    if spans.shape != (len(pieces), 4) or [piece.index for piece in pieces] != list(range(len(pieces))):
        raise CorpusError(f"{folder}: {MANIFEST} keeps {len(pieces)} pieces, {SPANS} {len(spans)}; ingest it again")
    if spans.min(initial=0) < 0 or (spans[:, 3] < spans[:, 2]).any():
        raise CorpusError(f"{folder}: {SPANS} names rows that there cannot be; ingest it again")
    if not np.array_equal(spans[:, 1] - spans[:, 0], counts):
        raise CorpusError(f"{folder}: {MANIFEST} and {SPANS} differ in the pieces' notes; ingest it again")
    for name, last in [*((name, 1) for name in COLUMNS), (PEDAL, 3)]:
        needed = int(spans[:, last].max(initial=0))
        row_count = len(columns[name])
        if row_count < needed:
            raise CorpusError(f"{folder}: {name}.npy has {row_count} rows and should have {needed}; ingest it again")


def _frozen(values: NDArray[Any]) -> NDArray[Any]:
    """Copy rows out of the mapped file into an array of their own that cannot be written."""
    array = np.array(values)
    array.setflags(write=False)
    return array
