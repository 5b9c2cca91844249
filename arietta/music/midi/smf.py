"""The Standard MIDI File as a format (SMF 1.0): bytes to tracks of timed messages, and messages to bytes.

What the messages mean as music stands in `midi`. A track is read with numpy: for every byte at once it is worked
out where the next event would begin if one began here, and the loop over the events only follows these links.
Wrappers are taken off, chunks of other programs and realtime bytes passed over, and tracks beyond those that the
header promises are read too. Nothing is repaired: a track that breaks the format raises MidiError with the offset of
the byte in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import MidiError

# Meta events.
TEXT, NAME, PORT, END_OF_TRACK, TEMPO, TIME_SIGNATURE, KEY_SIGNATURE = 0x01, 0x03, 0x21, 0x2F, 0x51, 0x58, 0x59

MOST_TRACKS = 1000

Ticks = NDArray[np.int64]
Integers = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Message = tuple[int, bytes]  # tick, the message without its delta time

_META = 0xFF
_FIRST_REALTIME = 0xF8  # from here to 0xFE: clock, start, stop, ...; one byte each, as a recording of a cable has them
_MACBINARY_HEADER = 128  # bytes
_DOUBLINGS = 4  # of the links that the loop over the events follows: 2**4 at a time
_TOO_LONG = 5  # bytes of a delta time: one more than the format allows
# Bytes of a message by the byte after its delta time, 2 for running status; 0 where it takes more to know.
_SPANS = bytes([2] * 0x80 + [3] * 0x40 + [0] * 0x20 + [3] * 0x10 + [0] * 0x10)


@dataclass(frozen=True)
class Track:
    """Channel messages in file order: `tick` int64 [E], their bytes uint8 [E]; `metas` (tick, type, payload).

    `second` means nothing where the status has one data byte (0xC0-0xDF); `end` is the last tick. `port` is the MIDI
    port that the message goes out by, 0 until a meta event of the track names another.
    """

    port: Bytes
    tick: Ticks
    status: Bytes
    first: Bytes
    second: Bytes
    metas: tuple[tuple[int, int, bytes], ...]
    end: int


@dataclass(frozen=True)
class File:
    """`format` 0 (one track), 1 (tracks played together) or 2 (tracks that stand alone); ticks per beat.

    `promised` is the number of tracks by the header; `broken` says why a track beyond those could not be read.
    """

    format: int
    ticks_per_beat: int
    tracks: tuple[Track, ...]
    promised: int
    broken: str = ""


def is_midi(data: bytes) -> bool:
    """Tell by its first bytes whether this is a MIDI file, bare or in a RIFF or MacBinary wrapper."""
    start = _MACBINARY_HEADER if _has_macbinary_header(data) else 0
    return data[start : start + 4] in (b"MThd", b"RIFF")


def parse(data: bytes) -> File:
    """Read a file, also one in a wrapper; raises MidiError (without the file's name) where it is broken."""
    chunks = _chunks(_unwrap(data))
    kind, promised, division = _header(*next(chunks, (b"", 0, b"")))
    tracks: list[Track] = []
    chunk_count, broken = 0, ""
    for name, length, content in chunks:
        chunk_count += 1
        try:
            if len(content) < length:
                raise MidiError(
                    f"it is cut off: a chunk {name.decode('latin-1')!r} of {length} bytes has only {len(content)}"
                )
            if name == b"MTrk":
                tracks.append(_track(content, len(tracks)))
        except MidiError as error:
            if len(tracks) < promised:
                raise
            # What was promised is there: whatever follows, even bytes that are no chunk, refuses no file.
            broken = str(error) if name == b"MTrk" else ""
            break
    if chunk_count < promised:  # some programs count their own chunks among the tracks
        raise MidiError(f"it ends after {len(tracks)} of the {promised} tracks that its header promises")
    return File(kind, division, tuple(tracks), promised, broken)


def compose_file(tracks: Sequence[Iterable[Message]], ticks_per_beat: int) -> bytes:
    """Make a format 1 file of tracks, each an iterable of (tick, message) in rising order of tick."""
    header = b"".join(value.to_bytes(2, "big") for value in (1, len(tracks), ticks_per_beat))
    file = bytearray(_chunk(b"MThd", header))
    for messages in tracks:
        content, last = bytearray(), 0
        for tick, message in messages:
            content += variable_length(tick - last) + message
            last = tick
        file += _chunk(b"MTrk", bytes(content) + b"\0" + meta(END_OF_TRACK, b""))
    return bytes(file)


def meta(kind: int, payload: bytes) -> bytes:
    """Make a meta event's message."""
    return bytes([_META, kind]) + variable_length(len(payload)) + payload


def variable_length(value: int) -> bytes:
    """Encode a number below 2**28 seven bits a byte, highest first, all but the last byte marked (SMF 1.0)."""
    encoded = [value & 0x7F]
    while value := value >> 7:
        encoded.append(value & 0x7F | 0x80)
    return bytes(reversed(encoded))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + len(content).to_bytes(4, "big") + content


def _has_macbinary_header(data: bytes) -> bool:
    """Tell a file as old Macintosh programs sent it: a zero, a name of 1-63 bytes, and zeros at 74 and 82."""
    return len(data) > _MACBINARY_HEADER and not (data[0] or data[74] or data[82]) and 1 <= data[1] <= 63


def _unwrap(data: bytes) -> bytes:
    """Take a MIDI file out of a MacBinary wrapper and a RIFF one; what is in neither stays."""
    if _has_macbinary_header(data):
        length = int.from_bytes(data[83:87], "big")  # of the data; an icon and the like may follow it
        data = data[_MACBINARY_HEADER:][: length or None]
    return _unwrap_riff(data) if data[:4] == b"RIFF" else data


def _unwrap_riff(data: bytes) -> bytes:
    """Take the MIDI file out of a RIFF one (RP-29): chunks of a name, a little-endian length and content."""
    offset = 12
    while data[8:12] == b"RMID" and offset + 8 <= len(data):
        length = int.from_bytes(data[offset + 4 : offset + 8], "little")
        if data[offset : offset + 4] == b"data" and data[offset + 8 : offset + 12] == b"MThd":
            return data[offset + 8 : offset + 8 + length]
        offset += 8 + length + length % 2
    raise MidiError("it is a RIFF file without MIDI in it")


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    """Give the name, the length and the content of each chunk; a file cut off has less content than the length."""
    offset = 0
    while offset + 8 <= len(data):
        kind, length = data[offset : offset + 4], int.from_bytes(data[offset + 4 : offset + 8], "big")
        yield kind, length, data[offset + 8 : offset + 8 + length]
        offset += 8 + length


def _header(name: bytes, length: int, header: bytes) -> tuple[int, int, int]:
    if len(header) < length:
        raise MidiError(f"it is cut off: a chunk {name.decode('latin-1')!r} of {length} bytes has only {len(header)}")
    if len(header) < 6:
        raise MidiError(f"its header has {len(header)} bytes where 6 must stand")
    kind, track_count, division = (int.from_bytes(header[offset : offset + 2], "big") for offset in (0, 2, 4))
    if kind > 2:
        raise MidiError(f"its format is {kind}, where 0, 1 or 2 must stand")
    if division & 0x8000:
        raise MidiError(f"its time is in SMPTE frames (division {division:#06x}), where ticks per beat must stand")
    if division == 0:
        raise MidiError("its division is 0 ticks per beat (common: 96 to 960), so its notes have no times")
    if track_count > MOST_TRACKS:
        raise MidiError(f"it has {track_count} tracks, more than the {MOST_TRACKS} that are read")
    return kind, track_count, division


def _track(body: bytes, number: int) -> Track:
    if number == MOST_TRACKS:
        raise MidiError(f"it has more than {MOST_TRACKS} tracks, the most that are read")
    try:
        return _columns(body, *_starts(body))
    except MidiError as error:
        raise MidiError(f"track {number}: {error}") from error


def _starts(body: bytes) -> tuple[Integers, Bytes]:
    """Follow the events from one to the next: where each begins, up to the track's end, and its delta time's length.

    The links are followed sixteen at a time in a plain loop, and the events in between filled in with numpy.
    """
    delta_length, following = _links(body)
    leap = following
    for _ in range(_DOUBLINGS):
        leap = leap.take(leap)
    leaps, looked_at = _leap(body, delta_length.data, leap.data)
    events = [np.array(leaps, dtype=np.int64)]
    for _ in range(2**_DOUBLINGS - 1):
        events.append(following[events[-1]])
    starts = np.stack(events, axis=1).reshape(-1)
    starts = starts[following[starts] > starts]
    starts = np.sort(np.concatenate([starts, np.array(looked_at, dtype=np.int64)]), kind="stable")
    return starts, delta_length[starts]


def _links(body: bytes) -> tuple[Bytes, Integers]:
    """For an event beginning at each byte or at the end: the length of its delta time, and where the next one begins.

    Worked out for all bytes at once, though most begin no event. The latter is the byte itself where only `_look`
    can say: at meta events, system messages, messages with one data byte, and at the end of the track.
    """
    count = len(body) + 1
    high = np.frombuffer(body + bytes(4), dtype=np.uint8) >> 7
    delta_length, longer = np.ones(count, dtype=np.uint8), high[:count].copy()
    for offset in range(1, _TOO_LONG):
        delta_length += longer
        longer &= high[offset : offset + count] if offset < 4 else 0
    here = np.arange(count)
    span = np.frombuffer(body.translate(_SPANS) + bytes(_TOO_LONG + 1), dtype=np.uint8)[here + delta_length]
    is_plain = (span > 0) & (delta_length < _TOO_LONG)
    following = here + is_plain * (delta_length + span)
    np.copyto(following, here, where=following >= count)
    return delta_length, following


def _leap(body: bytes, delta_length: memoryview, leap: memoryview) -> tuple[list[int], list[int]]:
    """Walk through a track: where each leap over plain events begins, and each event that had to be looked at."""
    leaps: list[int] = []
    looked_at: list[int] = []
    offset, end, is_short, is_end = 0, len(body), False, False
    while offset < end and not is_end:
        after: int = leap[offset]
        if is_short or after == offset:
            looked_at.append(offset)
            after, is_short, is_end = _look(body, offset, delta_length[offset], is_short)
        else:
            leaps.append(offset)
        offset = after
    if offset > end:
        raise MidiError(f"its last event is cut off, {offset - end} bytes short")
    return leaps, looked_at


def _look(body: bytes, offset: int, delta_length: int, is_short: bool) -> tuple[int, bool, bool]:
    """Read the event at `offset`: where it ends, whether a running status then has one data byte, is it the last."""
    if delta_length == _TOO_LONG:
        raise MidiError(f"byte {offset}: a delta time of more than 4 bytes")
    offset += delta_length
    status = body[offset] if offset < len(body) else 0
    if status < 0x80:
        return offset + 2 - is_short, is_short, False
    if status < 0xF0:
        is_short = 0xC0 <= status < 0xE0
        return offset + 3 - is_short, is_short, False
    if _FIRST_REALTIME <= status < _META:
        return offset + 1, is_short, False
    if status not in (0xF0, 0xF7, _META):
        raise MidiError(f"byte {offset}: a status of {status:#04x}, which no MIDI file can hold")
    is_meta = status == _META
    start, length = _read_length(body, offset + 1 + is_meta)
    if start + length > len(body):
        raise MidiError(f"byte {offset}: an event of {length} bytes where the track has {len(body) - start} left")
    return start + length, is_short, is_meta and body[offset + 1] == END_OF_TRACK


def _read_length(body: bytes, offset: int) -> tuple[int, int]:
    """Read a variable-length number: the offset after it, and its value."""
    value = 0
    for byte in body[offset : offset + 4]:
        offset, value = offset + 1, value << 7 | byte & 0x7F
        if byte < 0x80:
            return offset, value
    raise MidiError(f"byte {offset}: a length of more than 4 bytes, or one cut off")


def _columns(body: bytes, starts: Integers, delta_length: NDArray[np.uint8]) -> Track:
    padded = np.frombuffer(body + bytes(_TOO_LONG + 3), dtype=np.uint8)
    delta = padded[starts] & np.int64(0x7F)
    for offset in range(1, int(delta_length.max(initial=1))):
        delta = np.where(delta_length > offset, delta << 7 | padded[starts + offset] & 0x7F, delta)
    tick = np.cumsum(delta)
    status, data_offset = _statuses(padded, starts + delta_length)
    first, second = padded[data_offset], padded[data_offset + 1]
    is_channel = status < 0xF0
    has_two = (status < 0xC0) | (status >= 0xE0)
    is_wrong = is_channel & ((first >= 0x80) | has_two & (second >= 0x80))
    if is_wrong.any():
        offset = int(data_offset[is_wrong][0])
        raise MidiError(f"byte {offset}: data bytes {padded[offset]}, {padded[offset + 1]}, which must lie in 0-127")
    metas, ports = list[tuple[int, int, bytes]](), list[tuple[int, int]]()
    for event in np.flatnonzero(status == _META).tolist():
        kind_offset = int(data_offset[event])
        start, length = _read_length(body, kind_offset + 1)
        metas.append((int(tick[event]), body[kind_offset], body[start : start + length]))
        if body[kind_offset] == PORT and length:
            ports.append((event, body[start]))
    end = int(tick[-1]) if len(tick) else 0
    port = np.zeros(len(status), dtype=np.uint8)
    if ports:
        port_starts, port_numbers = np.array([(0, 0), *ports]).T
        port = np.repeat(port_numbers, np.diff(port_starts, append=len(status))).astype(np.uint8)
    events = np.flatnonzero(is_channel)
    begin, after = (int(events[0]), int(events[-1]) + 1) if len(events) else (0, 0)
    # Where nothing stands in between, as in most tracks, the columns need no copies.
    chosen = slice(begin, after) if after - begin == len(events) else events
    return Track(port[chosen], tick[chosen], status[chosen], first[chosen], second[chosen], tuple(metas), end)


def _statuses(padded: Bytes, offset: Integers) -> tuple[Bytes, Integers]:
    """Give each event its status, the last channel status where it has none of its own, and the offset of its data."""
    status = padded[offset]
    is_own = status >= 0x80
    if is_own.all():
        return status, offset + 1
    holder = np.maximum.accumulate(np.where(is_own & (status < 0xF0), np.arange(len(offset)), -1))
    is_lost = ~is_own & (holder < 0)
    if is_lost.any():
        raise MidiError(f"byte {offset[is_lost][0]}: a data byte where a status byte (128-255) must stand")
    return np.where(is_own, status, status[holder]), offset + is_own
