"""Files, reports and bars that may take long are made in processes of their own, which end when a file's time is over.

    workshop = Workshop(seconds=120)
    file = workshop.make(partial(score_file, notes, "Nocturne"))  # waits; raises UnmadeError after two minutes

A thread cannot be ended, and holds back all others of its process while it works; so whatever a piece may cost, other
clients' files, notes and answers go on. The processes start with the first file, and one that was ended is replaced.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import lru_cache
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import psutil

from ..errors import AriettaError, RequestError
from ..evaluation.page.piece import TitledReport, report_html
from ..evaluation.report import Report, report_on
from ..evaluation.words import report_json
from ..model.bundle import load_bundle
from ..model.engine import Engine, load_engine
from ..music.correction import Correction, correct_meter
from ..music.meter import Meter
from ..music.notes import Notes
from ..originality.index import PassageIndex, find_index
from ..processes import interrupts_ignored
from .jobs.scheduler import StoppingError

if TYPE_CHECKING:
    from typing import Unpack

PROCESSES = 2  # so that a client, who has one at most, keeps nobody else waiting
START_SECONDS = 60  # by the clock, for a process to be there; a second on an idle machine
NICENESS = 10  # of what is not composing, which keeps its processor
MOST_MEMORY = 2**30  # bytes resident; a report by `piano` on 10,000 notes takes 0.3 GB
WATCH_SECONDS = 0.05  # between two looks at what a process takes
Made = TypeVar("Made")


class UnmadeError(AriettaError):
    """A file was begun and not made: it took too long, or the system ended what made it."""


class Workshop:
    """Makes one file in each of its processes at a time; threads may share it."""

    def __init__(self, seconds: float) -> None:
        """Give every file so many seconds by the clock."""
        self._seconds, self._is_closed = seconds, False
        self._makers = [_Maker() for _ in range(PROCESSES)]
        self._idle: queue.LifoQueue[_Maker] = queue.LifoQueue()  # so that one process does, where one is enough
        for maker in self._makers:
            self._idle.put(maker)

    def make(self, work: Callable[[], Made]) -> Made:
        """Return what `work` returns, which can be pickled; raises UnmadeError, StoppingError, or what it raises.

        What it raises has a note of where in the process that was.
        """
        maker = self._idle.get()
        try:
            return maker.make(work, self._seconds)
        except UnmadeError as error:
            if self._is_closed:
                raise StoppingError from error
            raise
        finally:
            self._idle.put(maker)

    def close(self) -> None:
        """End the processes, and the files that they make."""
        self._is_closed = True
        for maker in self._makers:
            maker.close()


class _Maker:
    """A process that makes files, started with the first and again after it was ended; `close` may come at any time."""

    def __init__(self) -> None:
        self._process: SpawnProcess | None = None
        self._pipe: Connection
        self._starting, self._is_closed = threading.Lock(), False

    def make(self, work: Callable[[], Made], seconds: float) -> Made:
        """Return what `work` returns; raises UnmadeError where that takes too much, or the process ends."""
        try:
            if self._process is None or not self._process.is_alive():
                self._start()
            self._pipe.send(work)
            self._watch(seconds)
            made: Made | Exception = self._pipe.recv()
        except (OSError, EOFError) as error:
            self._end()
            raise UnmadeError("the system ended what made the file, perhaps for want of memory") from error
        except UnmadeError:
            self._end()
            raise
        if isinstance(made, Exception):
            raise made
        return made

    def _watch(self, seconds: float) -> None:
        """Wait until the process has made the file or ended; raises UnmadeError where it takes too much for that."""
        assert self._process is not None
        deadline = time.monotonic() + seconds
        while not self._pipe.poll(WATCH_SECONDS):
            if time.monotonic() > deadline:
                raise UnmadeError(too_long(seconds))
            with contextlib.suppress(psutil.Error):  # it ended between two lines
                if psutil.Process(self._process.pid).memory_info().rss > MOST_MEMORY:
                    raise UnmadeError("the file takes too much memory to make; a shorter piece helps")

    def _start(self) -> None:
        # No copy of the server's process: that has threads, and a model in memory.
        spawn = multiprocessing.get_context("spawn")
        with self._starting:
            if self._is_closed:
                raise StoppingError
            self._pipe, theirs = spawn.Pipe()
            process = spawn.Process(target=_make_files, args=(theirs,), name="files", daemon=True)
            with interrupts_ignored():  # Ctrl-C is for the server
                process.start()
            self._process = process  # not before: what did not start cannot be ended
        theirs.close()  # the process's end is then the only one, and closes with it
        if not self._pipe.poll(START_SECONDS):
            raise UnmadeError(f"what makes files did not start within {START_SECONDS} seconds")
        self._pipe.recv()

    def _end(self) -> None:
        """End the process, whatever it does; of no effect where there is none."""
        if self._process is not None:
            self._process.kill()
            self._process.join()

    def close(self) -> None:
        """End the process for good."""
        with self._starting:  # a process that is being started is ended when it has been
            self._is_closed = True
        self._end()


def _make_files(pipe: Connection) -> None:
    """Be such a process: make what comes through the pipe, until the server is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends this
    # Composing goes first.
    psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS if sys.platform == "win32" else NICENESS)
    threading.Thread(target=_end_with_server, daemon=True).start()
    pipe.send(b"")  # what it takes to start is nobody's time
    while True:
        work: Callable[[], object] = pipe.recv()
        try:
            made = work()
        except Exception as error:  # noqa: BLE001 - whoever waits for the file raises it
            made = _portable(error)
        pipe.send(made)


def _portable(error: Exception) -> Exception:
    """Return an error that another process can raise, with a note of where it came from."""
    trace = traceback.format_exc()
    error.add_note(trace)
    try:
        ForkingPickler.loads(ForkingPickler.dumps(error))
    except Exception:  # noqa: BLE001 - an error's arguments may be anything
        return RuntimeError(trace)
    return error


def _end_with_server() -> None:
    server = multiprocessing.parent_process()
    assert server is not None
    server.join()
    os._exit(1)


def too_long(seconds: float) -> str:
    """Say that a file takes longer than so many seconds."""
    return (
        f"the file takes longer than {seconds:g} seconds to make; a shorter piece, or a server with less to do, helps"
    )


def score_file(notes: Notes, title: str, meter: Meter | None = None, texts: Sequence[str] = ()) -> bytes:
    """Write a piece as MusicXML, with the texts that its MIDI file has."""
    from ..render.score import score_musicxml

    return score_musicxml(notes, title=title, meter=meter, texts=texts).encode()


def engraved_file(notes: Notes, title: str, meter: Meter | None = None) -> bytes:
    """Engrave a piece as PDF; raises RequestError where that cannot be."""
    from ..render.score import score_musicxml
    from ..render.score.engraving import engrave

    return engrave(score_musicxml(notes, title=title, meter=meter))


def roll_file(notes: Notes, title: str, prompt_seconds: float, meter: Meter | None = None) -> bytes:
    """Draw a piano roll in SVG."""
    from ..render.roll import roll_svg

    return roll_svg(notes, title=title, prompt_seconds=prompt_seconds, meter=meter).encode()


def score_document(notes: Notes, meter: Meter | None = None) -> bytes:
    """Write a piece as JSON of score pages and their moments; raises ImportError where verovio is missing."""
    from ..render.score.pages import score_pages

    return json.dumps(asdict(score_pages(notes, meter=meter))).encode()


def corrected_meter(notes: Notes, meter: Meter | None, **correction: Unpack[Correction]) -> tuple[Meter, list[float]]:
    """Return a piece's metre as it is corrected, found where there is none, and its bar lines, in seconds from 0 on.

    Raises RequestError for a correction that cannot be made, and for one to bars that no piece can have.
    """
    if meter is None or correction:
        try:
            meter = Meter.from_description(correct_meter(notes, meter, **correction).describe())
        except ValueError as error:
            raise RequestError(f"the bars cannot be corrected so: {error}") from error
    return meter, bar_lines(notes, meter)


def bar_lines(notes: Notes, meter: Meter) -> list[float]:
    """Return when bars begin, in seconds; of a metre that begins before the piece, bar 1 is entered at 0."""
    lines: list[float] = np.maximum(meter.bar_lines(notes.seconds), 0.0).tolist()
    return lines


def report_page(notes: Notes, title: str, **about: Any) -> bytes:
    """Write the report on a piece as a page; the rest is as in `report_document`."""
    return report_html([TitledReport(title, notes, _report(notes, **about))]).encode()


def report_document(notes: Notes, **about: Any) -> bytes:
    """Write the report on a piece as JSON.

    `model` is the folder and the fingerprint of the one that judges it, or None; the others are as in `report_on`.
    """
    return json.dumps(report_json(_report(notes, **about)), allow_nan=False).encode()


def _report(notes: Notes, *, model: tuple[Path, str] | None, **about: Any) -> Report:
    engine, index = (None, None) if model is None else _judge(*model)
    return report_on(notes, engine=engine, index=index, **about)


@lru_cache(maxsize=1)
def _judge(folder: Path, fingerprint: str) -> tuple[Engine, PassageIndex | None]:
    """Load what judges pieces by a model; a process keeps the last one.

    Raises UnmadeError where the folder has other weights by now than the server composes with.
    """
    bundle = load_bundle(folder)
    if bundle.fingerprint != fingerprint:
        raise UnmadeError(
            f"{bundle.name} has other weights ({bundle.fingerprint}) than the server began with ({fingerprint}); "
            "start the server again"
        )
    return load_engine(bundle), find_index(bundle.index_folder)
