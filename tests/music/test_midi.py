"""Files become the notes that a pianist would hear in them, or are refused by name and reason."""

from __future__ import annotations

import random
import time
import tracemalloc
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.errors import MidiError
from arietta.music.midi import SHORTEST, midi_bytes, read_midi, read_midi_bytes, read_midi_remarks
from arietta.music.notes import Notes
from tests.support.midi_bytes import chunk, header, midi, off, on, program, sustain, tempo, text, track
from tests.support.reading import presses, rows

C4 = (0, on(60)), (960, off(60))  # one second


# Notes


def test_note_on_with_velocity_zero_closes_the_note() -> None:
    assert rows(midi(track((0, on(60, 90)), (480, on(60, 0))))) == [(0, 500, 60, 90)]


def test_running_status_is_read() -> None:
    assert rows(midi(track((0, on(60)), (0, b"\x40\x50"), (480, b"\x3c\0"), (0, b"\x40\0")))) == [
        (0, 500, 60, 64),
        (0, 500, 64, 80),
    ]


def test_a_key_struck_again_ends_its_earlier_note() -> None:
    data = midi(track((0, on(60, 10)), (96, on(60, 20)), (96, off(60))))
    assert rows(data) == [(0, 100, 60, 10), (100, 200, 60, 20)]


def test_two_voices_on_one_key_hold_it_until_the_second_lets_go() -> None:
    data = midi(track((0, on(60, 10)), (96, on(60, 20)), (96, off(60)), (96, off(60)), (96, on(60, 30)), (96, off(60))))
    assert rows(data) == [(0, 100, 60, 10), (100, 300, 60, 20), (400, 500, 60, 30)]


def test_a_missing_note_off_shortens_no_later_note() -> None:
    again = ((96, on(60, 30)), (96, off(60)))
    data = midi(track((0, on(60, 10)), (96, on(60, 20)), (96, off(60)), *again, *again))
    assert rows(data) == [(0, 100, 60, 10), (100, 200, 60, 20), (300, 400, 60, 30), (500, 600, 60, 30)]


def test_legato_written_with_the_new_note_before_the_old_ones_end_keeps_its_lengths() -> None:
    step = ((96, on(60)), (0, off(60)))
    assert rows(midi(track((0, on(60)), *step, *step, (96, off(60))))) == [
        (0, 100, 60, 64),
        (100, 200, 60, 64),
        (200, 300, 60, 64),
    ]


def test_a_note_without_length_beside_two_voices_on_its_key_ends_at_once() -> None:
    voices = ((96, on(60)), (96, on(60)), (96, off(60)), (0, off(60)))
    assert rows(midi(track((0, on(60)), (0, off(60)), *voices))) == [
        (0, 1, 60, 64),
        (100, 200, 60, 64),
        (200, 300, 60, 64),
    ]


def test_notes_without_length_last_a_millisecond() -> None:
    data = midi(track((0, on(60)), (0, off(60)), (96, on(60)), (0, on(60, 0)), (96, off(60))))
    assert rows(data) == [(0, 1, 60, 64), (100, 101, 60, 64)]
    assert SHORTEST == 0.001


def test_a_note_without_length_ends_where_its_key_is_struck_within_the_millisecond() -> None:
    data = midi(track((0, tempo(48_000)), (0, on(60)), (0, off(60)), (5, on(60)), (960, off(60))))
    assert rows(data) == [(0, 0.5, 60, 64), (0.5, 96.5, 60, 64)]


def test_notes_never_released_end_with_the_file() -> None:
    data = midi(track((0, on(60)), (96, on(62)), (96, off(62)), (96, text("the end"))), track((0, on(70))))
    assert rows(data) == [(0, 300, 60, 64), (0, 300, 70, 64), (100, 200, 62, 64)]


def test_a_note_never_released_ends_with_the_file_though_its_track_is_chosen_and_shorter() -> None:
    assert rows(midi(track((0, on(60))), track((960, text("end")))), tracks=[0]) == [(0, 1000, 60, 64)]


def test_a_note_off_ends_no_note_of_another_channel() -> None:
    assert rows(midi(track((0, on(60))), track((96, off(60, 1)), (96, text("end"))))) == [(0, 200, 60, 64)]


def test_a_note_struck_in_the_last_tick_and_never_released_is_kept() -> None:
    assert rows(midi(track((96, on(60))))) == [(100, 101, 60, 64)]


def test_note_offs_without_a_note_are_passed_over() -> None:
    assert rows(midi(track((0, off(60)), *C4, (96, off(60)), (96, off(60))))) == [(0, 1000, 60, 64)]


def test_the_same_note_on_two_tracks_is_one_the_longer_and_louder() -> None:
    data = midi(track((0, on(60, 90)), (96, off(60))), track((0, on(60, 20)), (192, off(60))))
    assert rows(data) == [(0, 200, 60, 90)]


def test_a_twin_does_not_hide_that_its_key_is_struck_again() -> None:
    data = midi(track((0, on(60)), (192, off(60))), track((0, on(60)), (96, on(60)), (192, off(60))))
    assert rows(data) == [(0, 100, 60, 64), (100, 300, 60, 64)]


def test_a_key_struck_again_on_another_track_ends_the_earlier_note() -> None:
    data = midi(track(*C4), track((96, on(60, 20)), (1056, off(60))))
    assert rows(data) == [(0, 100, 60, 64), (100, 1200, 60, 20)]


def test_all_keys_and_velocities_of_midi_are_kept() -> None:
    data = midi(track((0, on(0, 1)), (0, on(127, 127)), (96, off(0)), (0, off(127))))
    assert rows(data) == [(0, 100, 0, 1), (0, 100, 127, 127)]


# Time


@pytest.mark.parametrize("division", [24, 96, 120, 384, 480, 960])
def test_ticks_count_by_the_files_own_division(division: int) -> None:
    assert rows(midi(track((division, on(60)), (2 * division, off(60))), division=division)) == [(500, 1500, 60, 64)]


def test_a_tempo_change_within_a_note_counts_from_its_tick() -> None:
    data = midi(track((0, tempo(1_000_000)), (0, on(60)), (480, tempo(250_000)), (480, off(60))))
    assert rows(data) == [(0, 1250, 60, 64)]


def test_a_tempo_counts_on_whichever_track_it_stands() -> None:
    data = midi(track(*C4), track(), track((480, tempo(1_000_000))))
    assert rows(data) == [(0, 1500, 60, 64)]
    assert rows(data, tracks=[0]) == [(0, 1500, 60, 64)]


def test_the_last_of_several_tempos_at_one_tick_counts() -> None:
    assert rows(midi(track((0, tempo(1_000_000)), (0, tempo(250_000)), *C4))) == [(0, 500, 60, 64)]


def test_silence_before_the_first_note_is_kept() -> None:
    assert rows(midi(track((4800, on(60)), (96, off(60))))) == [(5000, 5100, 60, 64)]


# Tracks, channels, formats


def test_format_0_is_read() -> None:
    assert rows(midi(track((0, on(60)), (0, on(64, channel=3)), (96, off(60)), (0, off(64, 3))), kind=0)) == [
        (0, 100, 60, 64),
        (0, 100, 64, 64),
    ]


def test_the_tracks_of_format_2_follow_one_another_each_at_its_own_tempo() -> None:
    slow = track((0, tempo(1_000_000)), (0, sustain(127)), *C4)
    assert rows(midi(slow, track(*C4, (960, text("rest"))), track(*C4), kind=2)) == [
        (0, 2000, 60, 64),
        (2000, 3000, 60, 64),
        (4000, 5000, 60, 64),
    ]
    assert presses(midi(slow, slow, kind=2)) == [[0, 2000], [2000, 4000]]
    assert rows(midi(slow, track(*C4), kind=2), tracks=[1]) == [(0, 1000, 60, 64)]


def test_drums_are_left_out() -> None:
    data = midi(track(*C4, (0, on(36, channel=9)), (0, sustain(127, 9)), (96, off(36, 9))))
    assert rows(data) == [(0, 1000, 60, 64)]
    assert presses(data) == []


def test_chosen_tracks_are_read_with_all_their_channels() -> None:
    data = midi(track(*C4), track((0, on(36, channel=9)), (96, off(36, 9))), track((0, on(72)), (96, off(72))))
    assert rows(data, tracks=[2, 1]) == [(0, 100, 36, 64), (0, 100, 72, 64)]


def test_a_track_that_is_not_there_is_refused() -> None:
    with pytest.raises(MidiError, match="no track 2; its 2 tracks are counted from 0"):
        read_midi(midi(track(), track()), tracks=[0, 2])


@pytest.mark.parametrize("data", [midi(), midi(track()), midi(track(), kind=2), midi(kind=2)])
def test_a_file_without_notes_gives_no_notes(data: bytes) -> None:
    assert read_midi(data) == Notes.of()


def test_a_riff_wrapper_changes_nothing() -> None:
    inner = midi(track(*C4))
    wrapped = b"RIFF" + (len(inner) + 12).to_bytes(4, "little") + b"RMIDdata" + len(inner).to_bytes(4, "little") + inner
    assert read_midi(wrapped) == read_midi(inner)


# Remarks


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_a_file_of_one_piano_has_no_remarks(kind: int) -> None:
    assert read_midi_remarks(midi(track((0, program(0)), *C4, (0, program(1)), *C4), kind=kind)) == []


def test_drums_left_out_are_told() -> None:
    drums = track((0, on(36, channel=9)), (96, off(36, 9)))
    assert read_midi_remarks(midi(drums, drums)) == ["Drums were left out: 2 notes on channel 10."]
    assert read_midi_remarks(midi(drums, drums, kind=2)) == ["Drums were left out: 2 notes on channel 10."]
    assert read_midi_remarks(midi(drums)) == ["Drums were left out: 1 note on channel 10."]
    assert read_midi_remarks(midi(drums), tracks=[0]) == []


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_instruments_merged_are_told(kind: int) -> None:
    data = midi(track((0, program(40)), (0, program(56, 2)), (0, on(72)), (0, on(60, channel=1)), *C4), kind=kind)
    assert read_midi_remarks(data) == [
        "Several instruments were merged into one piano: 1 note for piano, 2 notes for strings."
    ]


def test_tracks_beyond_those_promised_are_told() -> None:
    data = header(1) + track(*C4) + track((0, on(48)))
    assert read_midi_remarks(data) == ["It has 2 tracks where its header promises 1; all were read."]
    assert len(read_midi(data)) == 2


def test_a_broken_track_beyond_those_promised_is_told() -> None:
    (remark,) = read_midi_remarks(midi(track(*C4)) + chunk(b"MTrk", b"\0\x3c"))
    assert remark.startswith("What follows its 1 tracks was left out: track 1: ")


def test_remarks_on_what_is_no_midi_file_are_refused_as_reading_is() -> None:
    with pytest.raises(MidiError, match=r"^Aria: not a MIDI file"):
        read_midi_remarks(b"text", name="Aria")
    with pytest.raises(MidiError, match=r"^Aria: it has no track 3"):
        read_midi_remarks(midi(track()), name="Aria", tracks=[3])


# What is refused


BROKEN = {
    "nothing": (b"", r"the file is empty \(0 bytes\)"),
    "text": (b"<!DOCTYPE html>", "not a MIDI file: it begins with '<!DO'"),
    "division 0": (midi(track(*C4), division=0), "0 ticks per beat"),
    "SMPTE": (midi(track(*C4), division=0xE728), "SMPTE"),
    "tempo 0": (midi(track((0, tempo(0)), *C4)), "tempo at tick 0 is 0 in 3 bytes"),
    "tempo of two bytes": (midi(track((7, b"\xff\x51\x02\x07\xa1"))), "tempo at tick 7 is 1953 in 2 bytes"),
    "truncated chunk": (midi(track(*C4))[:-5], "cut off"),
    "data byte over 127": (midi(track((0, b"\x90\x3c\xc8"))), "track 0: byte 2: data bytes 60, 200"),
    "a gap of 10^8 ticks": (midi(track((10**8, on(60)), (96, off(60)))), "lasts 28.9 hours; at most 24"),
    "a note never let go of 10^8 ticks": (midi(track((0, on(60)), (10**8, text("end")))), "28.9 hours"),
    "format 2 of 40 hours": (midi(*[track((69_120_000, on(60)))] * 2, kind=2), "40.0 hours together"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_file_is_refused_by_name_and_reason(fault: str, tmp_path: Path) -> None:
    data, reason = BROKEN[fault]
    path = tmp_path / "étude.mid"
    path.write_bytes(data)
    with pytest.raises(MidiError, match=f"étude.mid: .*{reason}"):
        read_midi(path)
    with pytest.raises(MidiError, match=f"^Aria: .*{reason}"):
        read_midi(data, name="Aria")


def test_a_missing_file_a_folder_and_a_locked_file_are_refused_by_name(tmp_path: Path) -> None:
    for read in (read_midi, read_midi_bytes):
        with pytest.raises(MidiError, match=r"absent\.mid: there is no such file"):
            read(tmp_path / "absent.mid")
    with pytest.raises(MidiError, match="a folder, where a MIDI file is needed"):
        read_midi(str(tmp_path))
    with pytest.raises(MidiError, match="cannot be read"):
        read_midi(tmp_path / ("long" * 100))
    with pytest.raises(MidiError, match="cannot be read"):
        read_midi("nul\0")


@pytest.mark.timed
def test_fifty_megabytes_of_random_bytes_are_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "noise.mid"
    noise = random.Random(0).randbytes(50 * 2**20)
    for begin, reason in ((b"", "not a MIDI file"), (b"MThd", "larger than 4 MB")):
        path.write_bytes(begin + noise)
        tracemalloc.start()
        started = time.monotonic()
        with pytest.raises(MidiError, match=reason):
            read_midi(path)
        assert time.monotonic() - started < 1
        assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
        tracemalloc.stop()


@pytest.mark.parametrize("event", [on(60), b"\xff\x01\0", b"\xc0\x07", b"\xf0\0"])
@pytest.mark.timed
def test_a_megabyte_of_one_event_is_read_in_a_moment(event: bytes) -> None:
    events = (b"\0" + event) * (2**20 // (len(event) + 1))
    started = time.process_time()
    assert len(read_midi(header(1) + b"MTrk" + len(events).to_bytes(4, "big") + events)) <= 1
    assert time.process_time() - started < 5


@pytest.mark.timed
def test_a_megabyte_of_keys_struck_twice_is_read_in_two_seconds() -> None:
    chord = b"".join(b"\x01" + on(pitch) + b"\0" + on(pitch) for pitch in range(128))
    chord += b"".join(b"\x01" + off(pitch) + b"\0" + off(pitch) for pitch in range(128))
    # On every channel of many tracks: the time must not grow with the number of their keys.
    bodies = [bytes(byte | n % 16 if byte in (0x80, 0x90) else byte for byte in chord) * 20 for n in range(26)]
    data = midi(*(chunk(b"MTrk", events) for events in bodies))
    assert len(data) > 2**20
    started = time.process_time()
    assert len(read_midi(data, tracks=range(26))) == 20 * 128
    assert time.process_time() - started < 2


@given(st.data())
def test_changed_bytes_give_notes_or_a_midi_error(data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from([RICH, midi_bytes(read_midi(RICH), title="Rich", texts=["{}"])])))
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
        whole = whole or bytearray(b"M")
    with suppress(MidiError):
        assert read_midi(bytes(whole)).seconds <= 24 * 3600 + SHORTEST


RICH = midi(
    track((0, text("Rich", 3)), (0, tempo(400_000)), (960, tempo(600_000)), (0, b"\xf0\x02\x01\xf7")),
    track(
        (0, b"\xc0\0"), (0, sustain(127)), *C4, (200, on(60, 1)), (0, b"\x3e\x02"), (300, b"\x3e\0"), (9, sustain(0))
    ),
    track((0, on(36, 99, 9)), (5, off(36, 9)), (0, b"\xe1\0\x40"), (0, b"\xd1\x40"), (0, b"\x41"), (7, on(90, 3, 1))),
)


# Real files


def files(corpora: Path, pattern: str, step: int) -> list[Path]:
    found = sorted(corpora.glob(pattern))[::step]
    if not found:
        pytest.skip(f"there is no {pattern} in {corpora}")
    return found


@pytest.mark.parametrize(
    ("pattern", "step", "compared"),
    [("maestro-v3.0.0/**/*.midi", 20, 12), ("grieg/*.mid", 1, 1), ("midis/*.mid", 500, 2)],
)
def test_real_files_are_read_as_mido_reads_them(corpora: Path, pattern: str, step: int, compared: int) -> None:
    mido = pytest.importorskip("mido", reason="mido gives the second opinion")
    for number, path in enumerate(files(corpora, pattern, step)):
        notes = read_midi(path)
        assert len(notes) > 0
        if number % compared:
            continue
        strikes, clock = set(), 0.0
        for message in mido.MidiFile(path):
            clock += message.time
            if message.type == "note_on" and message.velocity:
                strikes.add((message.note, clock))
        order = np.lexsort((notes.onset, notes.pitch))
        assert notes.pitch[order].tolist() == [pitch for pitch, _ in sorted(strikes)]
        np.testing.assert_allclose(notes.onset[order], [onset for _, onset in sorted(strikes)], atol=1e-6, rtol=0)


def test_real_files_are_written_and_read_back_within_a_millisecond(corpora: Path) -> None:
    for path in files(corpora, "maestro-v3.0.0/**/*.midi", 60):
        notes = read_midi(path)
        again = read_midi(midi_bytes(notes))
        assert len(again) == len(notes)
        assert np.abs(again.onset - notes.onset).max() < 0.001
        assert np.abs(np.sort(again.release) - np.sort(notes.release)).max() < 0.001
        assert np.abs(again.pedal - notes.pedal).max(initial=0) < 0.001


def test_a_metre_that_no_bar_has_is_told() -> None:
    odd = midi(track((0, b"\xff\x58\x04\x00\x02\x18\x08"), *C4))
    assert read_midi_remarks(odd) == ["Its metre was left out: there are no bars of 0/4."]
    assert read_midi_remarks(midi(track((0, b"\xff\x58\x04\x03\x02\x18\x08"), *C4))) == []


def test_a_score_is_no_midi_file_and_is_told_what_makes_one() -> None:
    with pytest.raises(MidiError, match=r"^a.musicxml: is a score in MusicXML.*arietta render FILE --to mid"):
        read_midi(b"<score-partwise/>", name="a.musicxml")
