"""Reading a MIDI file that a stranger sent: in a process of its own, which has so much memory and time and no more.

    python -m arietta.serve.jobs.upload MOST_NOTES <file >events

It answers with the packed events of the file's first notes, or with a sentence and exit code 2.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from ...errors import MidiError, RequestError
from ...music.midi import read_midi
from ...music.notes import Notes, first
from .event_log import events_of, pack, unpack

MOST_SECONDS = 10  # a file of 0.8 MB, the largest of 11,330, takes a quarter of a second
MOST_MEMORY = 2**30  # bytes of addresses
_READERS = threading.BoundedSemaphore(2)  # processes at once


def read_upload(data: bytes, *, most_notes: int) -> Notes:
    """Read the first notes of a MIDI file; raises RequestError where it is none, or costs too much."""
    call = [sys.executable, "-m", __name__, str(most_notes)]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # each thread would take addresses
    try:
        with _READERS:
            done = subprocess.run(
                call, input=data, capture_output=True, timeout=MOST_SECONDS, check=False, env=environment
            )
    except subprocess.TimeoutExpired as error:
        raise RequestError(f"the prompt takes longer than {MOST_SECONDS} seconds to read") from error
    if done.returncode == 2:
        raise RequestError(done.stderr.decode(errors="replace").strip())
    if done.returncode != 0:
        raise RequestError("the prompt takes too much memory or time to read")
    return Notes.from_events(unpack(done.stdout))


def main() -> int:
    """Be the process that reads: limits first."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
    try:
        notes = first(read_midi(sys.stdin.buffer.read(), name="the prompt"), int(sys.argv[1]))
    except MidiError as error:
        sys.stderr.write(str(error))
        return 2
    sys.stdout.buffer.write(pack(events_of(notes)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
