"""Find MIDI files in folders and hear them: in parallel, each once, and never again while nothing changed.

What was heard goes into the columns of the corpus being made, also when the piece is rejected later; `heard.jsonl`
says where, so that the next run over the same files takes it from there. Deciding what to keep is left to `corpus`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import CorpusError, MidiError
from ..music.midi import read_midi
from ..music.ngrams import landmarks
from ..music.notes import Notes
from .columns import ColumnReader, ColumnWriter
from .duplicates import Landmarks
from .store import COLUMNS, PEDAL, Span, StoreWriter

HEARD, PASSAGES, MOMENTS = "heard.jsonl", "passages", "moments"
READER_VERSION = "c81de85a918ab956"  # another wherever a file would be read as other notes or passages
SUFFIXES = {".mid", ".midi", ".rmi"}
FILES_PER_TASK = 16  # four cost a tenth more processor time: they are handed over more often
TASKS_AHEAD = 2  # per process: enough to keep it busy, few enough to bound memory

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SourceFile:
    """A file: `folder` as the caller named it, `file` relative to it; `modified` in nanoseconds."""

    folder: str
    file: str
    path: str
    size: int
    modified: int


_NOTHING = Span(0, 0, 0, 0)


@dataclass(frozen=True)
class ReadFile:
    """A file that was read: where its notes and passages stand, or the `reason` why it could not be."""

    found: SourceFile
    sha256: str
    reason: str = ""
    seconds: float = 0.0
    span: Span = _NOTHING
    passages: tuple[int, int] = (0, 0)

    @property
    def note_count(self) -> int:
        return self.span.note_stop - self.span.note_start


class _Reading(NamedTuple):
    sha256: str
    reason: str
    notes: Notes
    landmarks: Landmarks


def find_files(folders: Sequence[str | Path]) -> list[SourceFile]:
    """List the MIDI files in `folders` and below, sorted within each; raises CorpusError when a folder cannot be
    read or has none."""
    return [found for folder in folders for found in _find_in(str(folder))]


def read_files(
    files: Sequence[SourceFile], old: Path, new: Path, writer: StoreWriter, workers: int, progress: Progress
) -> list[ReadFile]:
    """Read `files` with `workers` processes, or from what the corpus in `old` heard; notes go to `writer`, passages
    and the list itself into the folder `new`. The order is that of `files`."""
    heard: list[ReadFile] = []
    with (
        _remember(old) as memory,
        ColumnWriter(new / f"{PASSAGES}.npy", "<u8") as passages,
        ColumnWriter(new / f"{MOMENTS}.npy", "<f4") as moments,
    ):
        fresh = _read_all([found.path for found in files if found not in memory], workers)
        for done, found in enumerate(files, start=1):
            reading = memory.reading(found) if found in memory else next(fresh)
            span = writer.append(reading.notes)
            moments.append(reading.landmarks[1])
            rows = passages.append(reading.landmarks[0])
            heard.append(ReadFile(found, reading.sha256, reading.reason, reading.notes.seconds, span, rows))
            progress(done, len(files))
    _write_heard(new / HEARD, heard)
    return heard


def _find_in(folder: str) -> list[SourceFile]:
    root = Path(folder)
    if not root.is_dir():
        what = "is a file, not a folder" if root.exists() else "there is no such folder"
        raise CorpusError(f"{folder}: {what}; name folders with MIDI files")
    paths = []
    for parent, _, names in os.walk(root, onerror=_refuse, followlinks=False):
        paths += [Path(parent, name) for name in names if Path(name).suffix.lower() in SUFFIXES and name[0] != "."]
    if not paths:
        raise CorpusError(f"{folder}: no MIDI files here or below ({', '.join(sorted(SUFFIXES))})")
    return [_found(folder, path.relative_to(root).as_posix(), path) for path in sorted(paths)]


def _found(folder: str, file: str, path: Path) -> SourceFile:
    try:
        status = path.stat()
    except OSError:
        return SourceFile(folder, file, str(path.absolute()), 0, 0)  # a dangling link: reading it will say so
    return SourceFile(folder, file, str(path.absolute()), status.st_size, status.st_mtime_ns)


def _refuse(error: OSError) -> None:
    raise CorpusError(f"{error.filename}: cannot be read ({error.strerror}); ask for permission to read it") from error


def _write_heard(path: Path, heard: Sequence[ReadFile]) -> None:
    with path.open("w", encoding="utf-8") as file:
        print(json.dumps({"reader": READER_VERSION}), file=file)
        for one in heard:
            key = [one.found.path, one.found.size, one.found.modified]
            print(json.dumps([key, one.sha256, one.reason, one.span, one.passages]), file=file)


# Reading


def _read_all(paths: Sequence[str], workers: int) -> Iterator[_Reading]:
    """Read files in order, `workers` at a time; only a few results wait at any moment."""
    if workers <= 1 or len(paths) <= FILES_PER_TASK:
        yield from map(_read, paths)
        return
    tasks = iter([paths[i : i + FILES_PER_TASK] for i in range(0, len(paths), FILES_PER_TASK)])
    with _start(workers) as pool:
        waiting: deque[Any] = deque()
        for task in tasks:
            waiting.append(pool.apply_async(_read_some, (task,)))
            if len(waiting) >= workers * TASKS_AHEAD:
                yield from waiting.popleft().get()
        while waiting:
            yield from waiting.popleft().get()


def _start(workers: int) -> Pool:
    """Start processes that leave Ctrl-C to this one, which ends them.

    It is held back meanwhile: while forking, Python would print it and go on.
    """
    if threading.current_thread() is not threading.main_thread():  # where Ctrl-C never arrives
        return multiprocessing.Pool(workers, _ignore_interrupts)
    held_back: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: held_back.append(number))
    try:
        pool = multiprocessing.Pool(workers, _ignore_interrupts)
    finally:
        signal.signal(signal.SIGINT, before)
    if held_back:
        pool.terminate()
        raise KeyboardInterrupt
    return pool


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _read_some(paths: Sequence[str]) -> list[_Reading]:
    return [_read(path) for path in paths]


def _read(path: str) -> _Reading:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        return _nothing("", f"cannot be read ({error.strerror})")
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        notes = read_midi(data, name=path)
    except MidiError as error:
        return _nothing(sha256, str(error).removeprefix(f"{path}: "))
    return _Reading(sha256, "", notes, landmarks(notes))


def _nothing(sha256: str, reason: str) -> _Reading:
    return _Reading(sha256, reason, Notes.of(), landmarks(Notes.of()))


# Remembering


class _Memory:
    """What the corpus in a folder heard of its files; nothing when another version of the reader heard it."""

    def __init__(self, lines: Mapping[tuple[str, int, int], Any], columns: Mapping[str, ColumnReader]) -> None:
        self._lines, self._columns = lines, columns

    def __contains__(self, found: SourceFile) -> bool:
        return (found.path, found.size, found.modified) in self._lines

    def reading(self, found: SourceFile) -> _Reading:
        sha256, reason, span, (start, stop) = self._lines[found.path, found.size, found.modified]
        return _Reading(
            sha256, reason, read_span(self._columns, Span(*span)), read_landmarks(self._columns, (start, stop))
        )


@contextmanager
def _remember(folder: Path) -> Iterator[_Memory]:
    with ExitStack() as stack:
        try:
            memory = _Memory(_read_heard(folder / HEARD), stack.enter_context(open_columns(folder)))
        except (OSError, ValueError) as error:  # none there, or altered by another program: hear it again
            logger.debug("%s: nothing is remembered (%s)", folder, error)
            memory = _Memory({}, {})
        yield memory


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


def _read_heard(path: Path) -> dict[tuple[str, int, int], Any]:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if not lines or lines[0] != {"reader": READER_VERSION}:
        return {}
    return {tuple(key): rest for key, *rest in lines[1:]}
