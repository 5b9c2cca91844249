"""MIDI files made byte by byte, without the code they test.

`midi(track((0, on(60)), (480, off(60))))` is a whole file: each event is its delta time in ticks and its bytes.
"""

from __future__ import annotations

END = (0, b"\xff\x2f\x00")
Event = tuple[int, bytes]


def on(pitch: int, velocity: int = 64, channel: int = 0) -> bytes:
    return bytes([0x90 | channel, pitch, velocity])


def off(pitch: int, channel: int = 0) -> bytes:
    return bytes([0x80 | channel, pitch, 0])


def controller(number: int, value: int = 0, channel: int = 0) -> bytes:
    return bytes([0xB0 | channel, number, value])


def sustain(value: int, channel: int = 0) -> bytes:
    return controller(64, value, channel)


def program(number: int, channel: int = 0) -> bytes:
    return bytes([0xC0 | channel, number])


def port(number: int) -> bytes:
    return bytes([0xFF, 0x21, 1, number])


def tempo(microseconds: int) -> bytes:
    return b"\xff\x51\x03" + microseconds.to_bytes(3, "big")


def text(words: str, kind: int = 1) -> bytes:
    return bytes([0xFF, kind, len(words.encode())]) + words.encode()


def delta(ticks: int) -> bytes:
    """Encode a delta time: seven bits a byte, all but the last marked."""
    groups = f"{ticks:b}".zfill(28)
    sevens = [int(groups[start : start + 7], 2) for start in (0, 7, 14, 21)]
    while len(sevens) > 1 and sevens[0] == 0:
        sevens.pop(0)
    return bytes([0x80 | seven for seven in sevens[:-1]] + sevens[-1:])


def chunk(kind: bytes, content: bytes) -> bytes:
    return kind + len(content).to_bytes(4, "big") + content


def body(*events: Event) -> bytes:
    return b"".join(delta(ticks) + message for ticks, message in events)


def track(*events: Event) -> bytes:
    """Make a track chunk of events, its end added."""
    return chunk(b"MTrk", body(*events, END))


def header(track_count: int, kind: int = 1, division: int = 480) -> bytes:
    return chunk(b"MThd", b"".join(value.to_bytes(2, "big") for value in (kind, track_count, division)))


def midi(*tracks: bytes, kind: int = 1, division: int = 480) -> bytes:
    """Make a file of track chunks; at 480 ticks a beat and no tempo, 960 ticks are a second."""
    return header(len(tracks), kind, division) + b"".join(tracks)
