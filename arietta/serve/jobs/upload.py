"""Read a MIDI file that a stranger sent, in a process of its own with limited memory and time.

    python -m arietta.serve.jobs.upload MOST_NOTES <file >events

The process writes the packed events of the file's first notes, or a sentence and exits with 2.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from ...errors import MidiError, RequestError
from ...music.midi import read_midi, read_midi_remarks
from ...music.notes import Notes, first
from .event_log import events_of, pack, unpack

MOST_SECONDS = 10  # the largest of 11,330 piano files, of 0.8 MB, takes a quarter of a second
MOST_MEMORY = 2**30  # bytes of address space
_READERS = threading.BoundedSemaphore(2)  # at most two such processes run at once


def read_upload(data: bytes, *, most_notes: int) -> Notes:
    """Read the first notes of a MIDI file; raises RequestError where it is none, or takes too much to read."""
    call = [sys.executable, "-m", __name__, str(most_notes)]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # each thread would take address space
    try:
        with _READERS:
            done = subprocess.run(
                call, input=data, capture_output=True, timeout=MOST_SECONDS, check=False, env=environment
            )
    except subprocess.TimeoutExpired as error:
        raise RequestError(f"the prompt takes longer than {MOST_SECONDS} seconds to read") from error
    if done.returncode == 2:  # the reader's own refusal; any other code is a process that ran into its limits
        raise RequestError(done.stderr.decode(errors="replace").strip())
    if done.returncode != 0:
        raise RequestError("the prompt takes too much memory or time to read")
    return Notes.from_events(unpack(done.stdout))


def read_standard_input() -> int:
    """Be the reading process: limit itself, read, write the answer and return the exit code."""
    import resource  # Unix only, and only here

    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
    try:
        file = sys.stdin.buffer.read()
        notes = first(read_midi(file, name="the prompt"), int(sys.argv[1]))
        if not len(notes) and (remarks := read_midi_remarks(file)):
            raise MidiError(f"the prompt has no notes to go on from. {' '.join(remarks)}".rstrip("."))
    except MidiError as error:
        sys.stderr.write(str(error))
        return 2
    sys.stdout.buffer.write(pack(events_of(notes)))
    return 0


if __name__ == "__main__":
    raise SystemExit(read_standard_input())
