"""Read a file that a stranger sent, MIDI or MusicXML, in a process of its own with limited memory and time.

    python -m arietta.serve.jobs.upload MOST_NOTES <file >events

The process writes the metre of the file on a line and what was merged or left out on another, as JSON, and the packed
events of its first notes; or a sentence, and exits with 2.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

from ...errors import MidiError, RequestError, ScoreError
from ...music.meter import Meter
from ...music.notes import Notes, first
from ...music.reading import ReadPiece, read_piece_bytes
from .event_log import events_of, pack, unpack

MOST_SECONDS = 10  # of processor time; the largest of 11,330 piano files, of 0.8 MB, takes a quarter of a second
MOST_WAIT = 120  # seconds by the clock: on a busy machine the processor is elsewhere most of the time
MOST_MEMORY = 2**29  # bytes resident
MOST_LETTERS = 500  # of a remark, which may name parts of a score as a stranger called them
WATCH_SECONDS = 0.02  # between two looks at what the process takes


def read_upload(data: bytes, *, most_notes: int) -> ReadPiece:
    """Read the first notes of a file, MIDI or MusicXML, its metre, if any, and what was merged or left out.

    Raises RequestError where it is none, or takes too much to read.
    """
    # Isolated (-P): a module of that name in the folder in which the server was started is not ours.
    code, answer, complaint = _run_watched([sys.executable, "-P", "-m", __name__, str(most_notes)], data)
    if code == 2:  # the reader's own refusal
        raise RequestError(complaint.decode(errors="replace").strip())
    if code != 0:  # the system ended it
        raise RequestError("the file takes too much memory to read; send a shorter piece")
    meter, remarks, events = answer.split(b"\n", 2)
    try:
        described = json.loads(meter)
        bars = None if described is None else Meter.from_description(described)
    except ValueError:  # a file may set a metre that no piece has: its notes are read all the same
        bars = None
    return ReadPiece(Notes.from_events(unpack(events)), bars, tuple(json.loads(remarks)))


def _run_watched(call: list[str], data: bytes) -> tuple[int, bytes, bytes]:
    """Run a process on `data` and end it where it takes too much: its exit code, output and complaints.

    Raises RequestError where it does. The limits that systems set themselves differ, and macOS has none.
    """
    pipe = subprocess.PIPE
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": path}
    with subprocess.Popen(call, stdin=pipe, stdout=pipe, stderr=pipe, env=environment) as process:
        excesses: list[str] = []
        threading.Thread(target=_watch, args=(process, excesses), daemon=True).start()
        try:
            answer, complaint = process.communicate(data, timeout=MOST_WAIT)
        except subprocess.TimeoutExpired as error:
            raise RequestError(
                f"the file takes longer than {MOST_WAIT} seconds to read; send a shorter piece"
            ) from error
        finally:
            process.kill()
    if excesses:
        raise RequestError(excesses[0])
    return process.returncode, answer, complaint


def _watch(process: subprocess.Popen[bytes], excesses: list[str]) -> None:
    """Kill a process as soon as it takes more than allowed, and say of what; return when it has ended."""
    with contextlib.suppress(psutil.Error):  # it ended between two lines
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            if watched.memory_info().rss > MOST_MEMORY:
                excesses.append("the file takes too much memory to read; send a shorter piece")
            if sum(watched.cpu_times()[:2]) > MOST_SECONDS:
                excesses.append(f"the file takes longer than {MOST_SECONDS} seconds to read; send a shorter piece")
            if excesses:
                process.kill()
            time.sleep(WATCH_SECONDS)


def read_standard_input() -> int:
    """Be the reading process: read, write the answer and return the exit code."""
    try:
        piece = read_piece_bytes(sys.stdin.buffer.read(), name="the file")
        notes = first(piece.notes, int(sys.argv[1]))
        if not len(notes) and piece.remarks:
            raise MidiError(f"the file has no notes for a piano. {' '.join(piece.remarks)}".rstrip("."))
    except (MidiError, ScoreError) as error:
        sys.stderr.write(str(error))
        return 2
    described = None if piece.meter is None else piece.meter.describe()
    lines = [
        json.dumps(described).encode(),
        json.dumps([remark[:MOST_LETTERS] for remark in piece.remarks]).encode(),
        pack(events_of(notes)),
    ]
    sys.stdout.buffer.write(b"\n".join(lines))
    return 0


if __name__ == "__main__":
    raise SystemExit(read_standard_input())
