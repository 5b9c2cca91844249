"""Whatever a megabyte of MIDI is made of, it is read in time that grows with its size alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from arietta.errors import MidiError
from arietta.music.midi import read_meter, read_midi, read_midi_remarks, read_texts
from tests.support.midi_bytes import chunk, header, midi

SIZE = 2**20
SECONDS = 6.0  # of processor time, for each reader; the slowest takes half a second on two slow cores, and took 31 s
NOTE = b"\0\x90\x3c\x40"  # the first note of a track, whose status the following ones share
END = b"\0\xff\x2f\0"


def repeated(events: bytes, begin: bytes = b"") -> bytes:
    """A file of one track of those events, again and again."""
    return midi(chunk(b"MTrk", begin + events * (SIZE // len(events)) + END))


def every_key(pattern: str) -> bytes:
    """Events for each key in turn: `1` strikes it, `0` lets it go, on the running status of a strike."""
    return b"".join(bytes([n == 0, key, 64 * int(n)]) for key in range(128) for n in map(int, pattern))


STRUCTURES = {
    "one key": repeated(b"\x01\x3c\x40", NOTE),
    "one key, all at one tick": repeated(b"\0\x3c\x40", NOTE),
    "one key, struck and let go": repeated(b"\x01\x3c\x40\x01\x3c\0", NOTE),
    "all keys": repeated(every_key("1"), NOTE),
    "all keys, struck twice and let go twice": repeated(every_key("1100"), NOTE),
    "all keys, all at one tick": repeated(b"".join(bytes([0, key, 64]) for key in range(128)), NOTE),
    "keys within keys": repeated(every_key("1") + every_key("0"), NOTE),
    "a status for each event": repeated(b"".join(bytes([1, 0x90 | key % 16, key, 64]) for key in range(128))),
    "the longest waits": repeated(b"\xff\xff\xff\x7f\xff\x01\0"),
    "empty system messages": repeated(b"\0\xf0\0"),
    "one long system message": midi(chunk(b"MTrk", b"\0\xf0\xbf\xff\x7f" + bytes(2**20 - 1) + END)),
    "texts": repeated(b"\0\xff\x01\x02ab"),
    "tempos": repeated(b"\x01\xff\x51\x03\x07\xa1\x20"),
    "time signatures": repeated(b"\x01\xff\x58\x04\x04\x02\x18\x08"),
    "key signatures": repeated(b"\x01\xff\x59\x02\0\0"),
    "tempos between notes": repeated(b"\x01\xff\x51\x03\x07\xa1\x20\x01\x90\x3c\x40\x01\x3c\0"),
    "the pedal": repeated(b"\x01\x40\0\x01\x40\x7f", b"\0\xb0\x40\x7f"),
    "all notes off": repeated(b"\x01\xb0\x7b\0\x01\x90\x3c\x40"),
    "programs": repeated(b"\x01\x07", b"\0\xc0\0"),
    "tracks of a note": midi(*[chunk(b"MTrk", NOTE + b"\x01\x3c\0" + END)] * 1000),
    "chunks of no kind": header(1) + b"XXXX\0\0\0\0" * (SIZE // 8),
    "wrappers within wrappers": b"RIFF\0\0\0\0RMID" + b"junk\0\0\0\0" * (SIZE // 8),
}


def crowded() -> Iterator[bytes]:
    """Tracks that strike every key of every channel twice and let none go: what was once quadratic."""
    for _ in range(SIZE // 12_000):
        channels = (bytes([0, 0x90 | channel, 0, 64, 0, 0, 64]) for channel in range(16) if channel != 9)
        keys = b"".join(bytes([0, key, 64, 0, key, 64]) for key in range(1, 128))
        yield chunk(b"MTrk", b"".join(first + keys for first in channels) + END)


STRUCTURES["every key of every channel, never let go"] = midi(*crowded())


CASES: list[tuple[Callable[[bytes], object], str]] = [(read_midi, name) for name in STRUCTURES]
CASES += [(read_meter, name) for name in ("tempos", "tempos between notes", "time signatures", "key signatures")]
CASES += [(read_texts, "texts"), (read_midi_remarks, "programs")]


@pytest.mark.parametrize(("read", "name"), CASES)
@pytest.mark.timed
def test_a_megabyte_of_any_structure_is_read_in_a_moment(read: Callable[[bytes], object], name: str) -> None:
    begun = time.process_time()
    with suppress(MidiError):
        read(STRUCTURES[name])
    assert time.process_time() - begun < SECONDS
