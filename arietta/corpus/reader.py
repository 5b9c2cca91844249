"""Find MIDI files in folders and read them: in parallel, each once, and never again while nothing changed.

What is read goes into the columns of the corpus being made, also when the piece is rejected later; `heard.jsonl`, the
reading cache, says where, so that the next run over the same files copies it from there. Which files a corpus keeps is
decided in `ingest`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import multiprocessing
import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import CorpusError, MidiError
from ..music.midi import LARGEST_FILE, REMEDY, read_midi
from ..music.ngrams import landmarks
from ..music.notes import Notes
from ..untrusted import BROKEN_ARRAY
from .columns import ColumnReader, ColumnWriter
from .duplicates import Landmarks
from .store import COLUMNS, PEDAL, READER_VERSION, Span, StoreWriter, notes_checksum

READING_CACHE = "heard.jsonl"
PASSAGES, MOMENTS = "passages", "moments"  # columns of landmarks: hashes, and when they sound
SUFFIXES = {".mid", ".midi", ".rmi"}
FILES_PER_BATCH = 16  # read by one process and sent together

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SourceFile:
    """A file on disk: `folder` as the caller named it, `file` relative to it, `modified` in nanoseconds."""

    folder: str
    file: str
    path: str
    size: int
    modified: int

    @property
    def version(self) -> tuple[str, int, int]:
        """What tells this content of the file from an earlier one, without reading it."""
        return self.path, self.size, self.modified


_EMPTY = Span(0, 0, 0, 0)


@dataclass(frozen=True)
class ReadFile:
    """A file that was read: where its notes and passages are in the columns, or the `reason` why it cannot be read."""

    source: SourceFile
    sha256: str
    reason: str = ""
    seconds: float = 0.0
    span: Span = _EMPTY
    passages: tuple[int, int] = (0, 0)
    checksum: str = ""

    @property
    def note_count(self) -> int:
        return self.span.note_stop - self.span.note_start


class _Reading(NamedTuple):
    """The content of one file, as a worker process sends it."""

    sha256: str
    reason: str
    notes: Notes
    landmarks: Landmarks
    checksum: str


def find_files(folders: Sequence[str | Path], names: Sequence[str] = ()) -> list[SourceFile]:
    """List the MIDI files in `folders` and below, sorted within each; the manifest calls the folders by `names`.

    Raises CorpusError when a folder cannot be read or has none.
    """
    named = zip(folders, names or map(str, folders), strict=True)
    return [source for folder, name in named for source in _find_in(str(folder), name)]


def read_files(
    sources: Sequence[SourceFile], old: Path, new: Path, writer: StoreWriter, workers: int, progress: Progress
) -> list[ReadFile]:
    """Read `sources` with `workers` processes, or copy what the corpus in `old` has of them, in the order given.

    Notes go to `writer`, passages and the reading cache into the folder `new`.
    """
    files: list[ReadFile] = []
    with (
        _open_cache(old) as cache,
        ColumnWriter(new / f"{PASSAGES}.npy", "<u8") as passages,
        ColumnWriter(new / f"{MOMENTS}.npy", "<f4") as moments,
    ):
        fresh = _read_all([source.path for source in sources if source not in cache], workers)
        for source in sources:
            reading = cache.reading(source) if source in cache else next(fresh)
            span = writer.append(reading.notes, reading.checksum)
            moments.append(reading.landmarks[1])
            rows = passages.append(reading.landmarks[0])
            seconds = reading.notes.seconds
            files.append(ReadFile(source, reading.sha256, reading.reason, seconds, span, rows, reading.checksum))
            progress(len(files), len(sources))
    with (new / READING_CACHE).open("w", encoding="utf-8") as lines:
        print(json.dumps({"reader": READER_VERSION}), file=lines)
        for file in files:
            fields = file.sha256, file.reason, file.span, file.passages, file.checksum
            print(json.dumps([file.source.version, *fields]), file=lines)
    return files


def _find_in(folder: str, name: str) -> list[SourceFile]:
    root = Path(folder)
    if not root.is_dir():
        fault = "is a file, not a folder" if root.exists() else "there is no such folder"
        remedy = "a store is read with --cluster" if "://" in folder else "name folders with MIDI files"
        raise CorpusError(f"{folder}: {fault}; {remedy}")
    paths = []
    for parent, _, names in os.walk(root, onerror=_refuse, followlinks=False):
        paths += [Path(parent, name) for name in names if Path(name).suffix.lower() in SUFFIXES and name[0] != "."]
    if not paths:
        raise CorpusError(
            f"{folder}: no MIDI files here or below ({', '.join(sorted(SUFFIXES))}); name a folder of music"
        )
    return [_source_file(name, path.relative_to(root).as_posix(), path) for path in sorted(paths)]


def _source_file(folder: str, file: str, path: Path) -> SourceFile:
    try:
        status = path.stat()
    except OSError:
        return SourceFile(folder, file, str(path.absolute()), 0, 0)  # a dangling link: reading it gives the reason
    return SourceFile(folder, file, str(path.absolute()), status.st_size, status.st_mtime_ns)


def _refuse(error: OSError) -> None:
    raise CorpusError(f"{error.filename}: cannot be read ({error.strerror}); ask for permission to read it") from error


# Reading


def _read_all(paths: Sequence[str], workers: int) -> Iterator[_Reading]:
    """Read files in order, `workers` at a time; what a pipe holds waits at any moment, which bounds memory.

    Raises CorpusError when the system ends one of the processes.
    """
    batches = [paths[start : start + FILES_PER_BATCH] for start in range(0, len(paths), FILES_PER_BATCH)]
    if workers <= 1 or len(batches) <= 1:
        yield from map(_read, paths)
        return
    with _start_readers(batches, workers) as readers:
        for number, _ in enumerate(batches):
            try:
                yield from readers[number % workers].recv()
            except (EOFError, OSError) as error:
                raise CorpusError(
                    "a process that reads files was ended by the system, perhaps for want of memory; "
                    "read with fewer at a time (--workers 1)"
                ) from error


@contextmanager
def _start_readers(batches: Sequence[Sequence[str]], workers: int) -> Iterator[list[Connection]]:
    """Start processes, each reading every `workers`th batch; they leave Ctrl-C to this one, which ends them.

    Each has a pipe of its own and no lock is shared, so one can be ended at any moment, in the middle of a result too,
    and nobody waits for what it held (multiprocessing.Pool's threads then may, for ever). Ctrl-C and SIGTERM are held
    back until all run: an interrupt that arrives while Python forks is printed and lost.
    """
    readers: list[Connection] = []
    with ExitStack() as ends:
        with _interrupts_held_back():
            for number in range(workers):
                receiver, sender = multiprocessing.Pipe(duplex=False)
                readers.append(ends.enter_context(receiver))
                process = multiprocessing.Process(
                    target=_read_batches, args=(batches[number::workers], sender), daemon=True
                )
                process.start()
                sender.close()  # with the process's own end the pipe ends
                ends.callback(process.join)
                ends.callback(process.kill)
        yield readers


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait for the end of the block; only the main thread receives them, and may."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held_back: list[int] = []
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(kind, lambda number, frame: held_back.append(number)) for kind in kinds]
    try:
        yield
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)
    if held_back:
        raise KeyboardInterrupt


def _read_batches(batches: Sequence[Sequence[str]], results: Connection) -> None:
    """Read batch after batch for the process that started this one, which alone hears Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _end_with_parent()
    for batch in batches:
        results.send([_read(path) for path in batch])


def _end_with_parent() -> None:
    """End this process when its parent is gone, killed perhaps: nobody else would end a worker that waits."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _read(path: str) -> _Reading:
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for, a device read without end
            return _unreadable("", "not a file but a folder, a pipe or a device")
        with Path(path).open("rb") as file:
            content = file.read(min(status.st_size, LARGEST_FILE) + 1)  # memory for as many bytes is taken at once
            if len(content) > status.st_size:  # it was written to meanwhile
                content += file.read(LARGEST_FILE + 1 - len(content))
    except OSError as error:
        return _unreadable("", f"cannot be read ({error.strerror})")
    if len(content) > LARGEST_FILE:
        return _unreadable("", f"larger than {LARGEST_FILE >> 20} MB, which no piano piece needs")
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        notes = read_midi(content, name=path)
    except MidiError as error:
        return _unreadable(sha256, str(error).removeprefix(f"{path}: ").removesuffix(REMEDY))
    return _Reading(sha256, "", notes, landmarks(notes), notes_checksum(notes))


def _unreadable(sha256: str, reason: str) -> _Reading:
    nothing = Notes.of()
    return _Reading(sha256, reason, nothing, landmarks(nothing), notes_checksum(nothing))


# The reading cache


class _ReadingCache:
    """The readings in an older corpus; none where another version of the reader made it."""

    def __init__(self, lines: Mapping[tuple[str, int, int], Any], columns: Mapping[str, ColumnReader]) -> None:
        self._lines, self._columns = lines, columns

    def __contains__(self, source: SourceFile) -> bool:
        return source.version in self._lines

    def reading(self, source: SourceFile) -> _Reading:
        """Copy what was read of a file, or read it again where its notes were altered since."""
        sha256, reason, span, (start, stop), checksum = self._lines[source.version]
        notes = read_span(self._columns, Span(*span))
        if notes_checksum(notes) != checksum:  # copied, they would get a checksum that makes them look right
            return _read(source.path)
        return _Reading(sha256, reason, notes, read_landmarks(self._columns, (start, stop)), checksum)


@contextmanager
def _open_cache(folder: Path) -> Iterator[_ReadingCache]:
    with ExitStack() as stack:
        try:
            text = (folder / READING_CACHE).read_text(encoding="utf-8")
            header, *lines = (json.loads(line) for line in text.split("\n") if line)
            if header != {"reader": READER_VERSION}:
                lines = []
            # What could not be opened has no hash: its permissions may be other ones now, at the same time of change.
            readings = {tuple(version): reading for version, *reading in lines if reading[0]}
            cache = _ReadingCache(readings, stack.enter_context(open_columns(folder)))
        except BROKEN_ARRAY as error:
            # No corpus is there, or another program altered it: read the files again.
            logger.debug("%s: no reading cache (%s)", folder, error)
            cache = _ReadingCache({}, {})
        yield cache


@contextmanager
def open_columns(folder: Path) -> Iterator[dict[str, ColumnReader]]:
    """Open the columns of a corpus, finished or not, that hold its notes and landmarks."""
    with ExitStack() as stack:
        names = (*COLUMNS, PEDAL, PASSAGES, MOMENTS)
        yield {name: stack.enter_context(ColumnReader(folder / f"{name}.npy")) for name in names}


def read_span(columns: Mapping[str, ColumnReader], span: Span) -> Notes:
    """Read the notes of one piece from open columns."""
    rows = {name: columns[name].rows(span.note_start, span.note_stop) for name in COLUMNS}
    return Notes(**rows, pedal=columns[PEDAL].rows(span.pedal_start, span.pedal_stop))


def read_landmarks(columns: Mapping[str, ColumnReader], rows: tuple[int, int]) -> Landmarks:
    """Read the landmarks of one piece from open columns."""
    return columns[PASSAGES].rows(*rows), columns[MOMENTS].rows(*rows)
