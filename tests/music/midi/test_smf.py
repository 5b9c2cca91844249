"""The format: bytes that follow it are read as they stand, bytes that do not are refused with their place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.errors import MidiError
from arietta.music.midi.smf import MOST_TRACKS, compose_file, is_midi, meta, parse, variable_length
from tests.support.midi_bytes import END, body, chunk, delta, header, midi, off, on, port, tempo, text, track

Heard = list[tuple[int, int, int, int]]


def messages(data: bytes, number: int = 0) -> Heard:
    """List a track's channel messages as (tick, status, first, second), second 0 where there is none."""
    heard = parse(data).tracks[number]
    second = np.where((heard.status & 0xE0) == 0xC0, 0, heard.second)
    columns = (heard.tick, heard.status, heard.first, second)
    return list(zip(*(column.tolist() for column in columns), strict=True))


CHANNEL = st.tuples(
    st.integers(0x80, 0xEF), st.sampled_from([0, 1, 60, 64, 127]), st.sampled_from([0, 1, 64, 127])
).map(lambda parts: bytes(parts[:2]) if 0xC0 <= parts[0] < 0xE0 else bytes(parts))
SYSTEM = st.one_of(
    st.binary(max_size=200).map(lambda data: b"\xf0" + delta(len(data)) + data),
    st.binary(max_size=200).map(lambda data: b"\xff\x7f" + delta(len(data)) + data),
)
DELTAS = st.one_of(st.integers(0, 300), st.integers(0, 2**28 - 1))


@given(st.lists(st.tuples(DELTAS, st.one_of(CHANNEL, CHANNEL, SYSTEM), st.booleans()), max_size=60))
def test_every_message_is_found_at_its_tick_with_and_without_running_status(
    events: list[tuple[int, bytes, bool]],
) -> None:
    written, expected, running, tick = [], [], 0, 0
    for ticks, message, may_run in events:
        tick += ticks
        is_channel = message[0] < 0xF0
        written.append((ticks, message[1:] if is_channel and may_run and message[0] == running else message))
        if is_channel:
            running = message[0]
            expected.append((tick, *message.ljust(3, b"\0")))
    assert messages(midi(track(*written))) == expected


def test_a_running_status_holds_over_many_messages_and_changes_its_length_with_the_status() -> None:
    data = midi(track((0, on(60, 1)), (5, b"\x3e\x02"), (0, b"\xc0\x07"), (1, b"\x08"), (1, b"\x09"), (0, off(60))))
    assert messages(data) == [
        (0, 0x90, 60, 1),
        (5, 0x90, 62, 2),
        (5, 0xC0, 7, 0),
        (6, 0xC0, 8, 0),
        (7, 0xC0, 9, 0),
        (7, 0x80, 60, 0),
    ]


def test_a_running_status_outlives_a_meta_event_as_many_programs_write_it() -> None:
    assert messages(midi(track((0, on(60, 1)), (5, text("la")), (5, b"\x3e\x02"))))[1] == (10, 0x90, 62, 2)


def test_meta_events_keep_their_tick_type_and_payload() -> None:
    data = midi(track((3, text("Aria", kind=3)), (4, tempo(400_000)), (0, text("x" * 100))))
    assert parse(data).tracks[0].metas == (
        (3, 3, b"Aria"),
        (7, 0x51, (400_000).to_bytes(3, "big")),
        (7, 1, b"x" * 100),
        (7, 0x2F, b""),
    )


def test_a_track_ends_at_its_end_of_track_whatever_follows() -> None:
    broken = chunk(b"MTrk", body((7, on(60)), (2, END[1])) + b"\xff\xff\xff\xff\xff")
    assert parse(midi(broken)).tracks[0].end == 9
    assert messages(midi(broken)) == [(7, 0x90, 60, 64)]


def test_a_track_without_an_end_of_track_ends_with_its_last_event() -> None:
    assert parse(midi(chunk(b"MTrk", body((7, on(60)), (8, off(60)))))).tracks[0].end == 15


def test_a_track_without_events_is_a_track() -> None:
    found = parse(midi(chunk(b"MTrk", b""), track()))
    assert [len(each.tick) for each in found.tracks] == [0, 0]
    assert [each.end for each in found.tracks] == [0, 0]


def test_unknown_chunks_and_bytes_after_the_last_track_are_passed_over() -> None:
    data = header(1) + chunk(b"XFIH", b"abc") + track((0, on(60))) + b"left over"
    assert len(parse(data).tracks) == 1


def test_tracks_beyond_those_promised_are_read() -> None:
    data = header(1) + track((0, on(60))) + chunk(b"XFIH", b"abc") + track((9, on(62)))
    assert [messages(data, number) for number in (0, 1)] == [[(0, 0x90, 60, 64)], [(9, 0x90, 62, 64)]]
    assert (parse(data).promised, parse(data).broken) == (1, "")


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        (track((9, on(62)))[:-3], "cut off: a chunk 'MTrk' of 8 bytes has only 5"),
        (track((9, b"\x3c\x40")), "track 1: byte 1: a data byte"),
        (bytes(1000), ""),
        (b"left over, as text", ""),
    ],
)
def test_what_is_broken_beyond_the_tracks_promised_refuses_no_file(rest: bytes, reason: str) -> None:
    file = parse(header(1) + track((0, on(60))) + rest)
    assert len(file.tracks) == 1
    assert file.broken.startswith(reason) if not reason else reason in file.broken


def test_chunks_of_other_programs_may_count_among_the_tracks() -> None:
    vendor = chunk(b"XFKM", b"abcd")
    for data in (header(2) + track((0, on(60))) + vendor, header(2) + vendor + track((0, on(60)))):
        assert messages(data) == [(0, 0x90, 60, 64)]
        assert len(parse(data).tracks) == 1
    with pytest.raises(MidiError, match="after 1 of the 3 tracks"):
        parse(header(3) + track((0, on(60))) + vendor)


def macbinary(content: bytes, *, name: bytes = b"song.mid", length: int | None = None) -> bytes:
    """Wrap a file as old Macintosh programs sent it, padded to 128 bytes."""
    head = bytes([0, len(name)]) + name.ljust(63, b"\0") + b"Midi" + bytes(14)
    head += (len(content) if length is None else length).to_bytes(4, "big")
    return head.ljust(128, b"\0") + content + bytes(-len(content) % 128)


@pytest.mark.parametrize("length", [None, 0])
def test_a_macbinary_wrapper_is_taken_off(length: int | None) -> None:
    inner = midi(track((0, on(60)), (480, off(60))))
    assert messages(macbinary(inner, length=length)) == messages(inner)
    assert is_midi(macbinary(inner, length=length))


def test_what_a_macbinary_wrapper_holds_beside_the_data_is_no_track() -> None:
    inner = midi(track((0, on(60))))
    assert len(parse(macbinary(inner) + track((0, on(62)))).tracks) == 1


def test_a_riff_file_in_a_macbinary_wrapper_is_read() -> None:
    inner = midi(track((0, on(60)), (480, off(60))))
    content = b"RMIDdata" + len(inner).to_bytes(4, "little") + inner
    assert messages(macbinary(b"RIFF" + len(content).to_bytes(4, "little") + content)) == messages(inner)


@pytest.mark.parametrize("index", [0, 1, 74, 82])
def test_a_header_that_is_not_macbinarys_is_no_midi_file(index: int) -> None:
    data = bytearray(macbinary(midi(track((0, on(60))))))
    data[index] = 64
    assert not is_midi(bytes(data))
    assert not is_midi(macbinary(b"plain text"))


@given(st.lists(st.integers(0xF8, 0xFE), max_size=8), st.lists(st.integers(0, 5), min_size=8, max_size=8))
def test_realtime_bytes_change_nothing_nor_break_a_running_status(statuses: list[int], places: list[int]) -> None:
    events = [(5, on(60, 1)), (5, b"\x3e\x02"), (5, b"\xc0\x07"), (5, b"\x08"), (5, off(60))]
    expected = messages(midi(track(*events)))
    for status, place in sorted(zip(statuses, places, strict=False), key=lambda pair: -pair[1]):
        events.insert(place, (0, bytes([status])))
    assert messages(midi(track(*events))) == expected


def test_a_realtime_bytes_own_time_counts() -> None:
    assert messages(midi(track((0, on(60)), (480, b"\xf8"), (480, off(60)))))[1] == (960, 0x80, 60, 0)


def test_a_port_counts_for_the_messages_after_it() -> None:
    first = track((0, on(60)), (0, port(3)), (0, on(61)), (0, on(62)), (0, port(1)), (0, on(63)))
    assert parse(midi(first, track((0, on(60))))).tracks[0].port.tolist() == [0, 3, 3, 1]
    assert parse(midi(first, track((0, on(60))))).tracks[1].port.tolist() == [0]
    assert parse(midi(track((0, b"\xff\x21\0"), (0, on(60))))).tracks[0].port.tolist() == [0]  # one without a number


def test_a_longer_header_is_read_by_its_length() -> None:
    data = chunk(b"MThd", bytes([0, 0, 0, 1, 0, 96, 9, 9])) + track((0, on(60)))
    assert parse(data).ticks_per_beat == 96


def test_a_riff_wrapper_is_taken_off() -> None:
    inner = midi(track((0, on(60)), (480, off(60))))
    info = b"DISP" + (3).to_bytes(4, "little") + b"abc\0"  # an odd chunk is padded to an even length
    content = b"RMID" + info + b"data" + len(inner).to_bytes(4, "little") + inner
    wrapped = b"RIFF" + len(content).to_bytes(4, "little") + content
    assert messages(wrapped) == messages(inner)


WHOLE = midi(track((0, text("Aria", kind=3)), (0, tempo(500_000))), track((0, on(60)), (200, b"\x3c\x00")))


@pytest.mark.parametrize("length", range(len(WHOLE)))
def test_a_file_cut_off_anywhere_is_refused(length: int) -> None:
    with pytest.raises(MidiError):
        parse(WHOLE[:length])


BROKEN = {
    "division 0": (midi(track(), division=0), "0 ticks per beat"),
    "SMPTE": (midi(track(), division=0xE728), "SMPTE"),
    "format 3": (midi(track(), kind=3), "format is 3"),
    "short header": (chunk(b"MThd", b"\0\1") + track(), "2 bytes where 6"),
    "missing track": (header(3) + track(), "after 1 of the 3 tracks"),
    "too many tracks": (header(MOST_TRACKS + 1), "1001 tracks"),
    "truncated chunk": (midi(track((0, on(60)), (9, off(60))))[:-5], "cut off: a chunk 'MTrk' of 12 bytes has only 7"),
    "truncated event": (midi(chunk(b"MTrk", b"\0\x90\x3c")), "last event is cut off, 1 bytes short"),
    "truncated delta": (midi(chunk(b"MTrk", b"\x81\x80")), "last event is cut off"),
    "long delta": (midi(chunk(b"MTrk", b"\x81\x80\x80\x80\0\x90\x3c\x40")), "delta time of more than 4"),
    "truncated meta": (midi(chunk(b"MTrk", b"\0\xff\x01\x09abc")), "9 bytes where the track has 3"),
    "long length": (midi(chunk(b"MTrk", b"\0\xff\x01\x81\x81\x81\x81\x01abc")), "length of more than 4 bytes"),
    "cut length": (midi(chunk(b"MTrk", b"\0\xff\x01\x81")), "cut off"),
    "undefined status": (midi(chunk(b"MTrk", b"\0\xf4\x01")), "0xf4"),
    "first data byte over 127": (midi(track((0, b"\x90\x80\x40"))), "data bytes 128, 64, which must lie in 0-127"),
    "second data byte over 127": (midi(track((0, b"\x90\x3c\xc8"))), "data bytes 60, 200"),
    "program over 127": (midi(track((0, b"\xc0\x80"))), "data bytes 128"),
    "no status": (midi(track((0, b"\x3c\x40"))), "a data byte where a status byte"),
    "RIFF without MIDI": (b"RIFF\x10\0\0\0WAVEfmt " + bytes(20), "RIFF file without MIDI"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_file_is_refused_with_the_reason(fault: str) -> None:
    data, reason = BROKEN[fault]
    with pytest.raises(MidiError, match=reason):
        parse(data)


def test_the_message_names_the_track() -> None:
    with pytest.raises(MidiError, match=r"^track 1: byte 1:"):
        parse(midi(track(), track((0, b"\x3c\x40"))))


@given(st.integers(0, 2**28 - 1))
def test_variable_lengths_are_written_as_the_format_has_them(value: int) -> None:
    assert variable_length(value) == delta(value)


def test_composed_files_are_parsed_back() -> None:
    data = compose_file([[(0, meta(1, b"x" * 300))], [(0, on(60)), (70_000, off(60))]], 960)
    assert data[:14] == header(2, 1, 960)
    assert parse(data).tracks[0].metas[0] == (0, 1, b"x" * 300)
    assert messages(data, 1) == [(0, 0x90, 60, 64), (70_000, 0x80, 60, 0)]
