"""Notes become files that say the same, to this module's reader and to others; a failed write leaves nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.errors import MidiError
from arietta.music.midi import midi_bytes, read_midi, read_texts, write_midi
from arietta.music.notes import Notes, next_strike
from tests.support.midi_bytes import midi, on, sustain, text, track

TIMES = st.one_of(st.integers(0, 4000).map(lambda step: step / 100), st.floats(0, 40), st.floats(0, 80_000))
LENGTHS = st.one_of(st.floats(0.001, 30), st.floats(1e-6, 0.002))
KEYS = st.one_of(st.sampled_from([60, 61]), st.integers(0, 127))


@st.composite
def pieces(draw: st.DrawFn) -> Notes:
    """Draw notes whose keys are struck a tick apart at least, and a pedal pressed for a millisecond at least."""
    notes = draw(
        st.lists(
            st.tuples(TIMES, LENGTHS, KEYS, st.integers(1, 127)),
            max_size=40,
            unique_by=lambda note: (round(note[0] * 500), note[2]),
        )
    )
    edges = sorted(draw(st.sets(TIMES.map(lambda seconds: round(seconds, 3)), max_size=20)))
    pedal = list(pairwise(edges))[:: draw(st.integers(1, 2))]
    onset, duration, pitch, velocity = zip(*notes, strict=True) if notes else ((), (), (), ())
    return Notes.of(onset, duration, pitch, velocity, pedal)


@given(pieces())
def test_what_is_written_is_read_back_within_a_millisecond(notes: Notes) -> None:
    again = read_midi(midi_bytes(notes))
    order = np.lexsort((notes.onset, notes.pitch))
    other = np.lexsort((again.onset, again.pitch))
    assert again.pitch[other].tolist() == notes.pitch[order].tolist()
    assert again.velocity[other].tolist() == notes.velocity[order].tolist()
    release = np.minimum(notes.release, next_strike(notes))
    assert np.abs(again.onset[other] - notes.onset[order]).max(initial=0) < 0.001
    assert np.abs(again.release[other] - release[order]).max(initial=0) < 0.001
    assert again.pedal.shape == notes.pedal.shape
    assert np.abs(again.pedal - notes.pedal).max(initial=0) < 0.001


@given(pieces())
def test_what_was_read_is_written_and_read_again_unchanged(notes: Notes) -> None:
    data = midi_bytes(notes)
    assert midi_bytes(notes) == data
    assert midi_bytes(read_midi(data)) == data


def test_whole_milliseconds_come_back_exactly(waltz: Notes) -> None:
    again = read_midi(midi_bytes(waltz))
    np.testing.assert_allclose(again.onset, waltz.onset, atol=1e-9, rtol=0)
    np.testing.assert_allclose(again.pedal, waltz.pedal, atol=1e-9, rtol=0)


def test_a_written_file_has_these_bytes() -> None:
    data = midi_bytes(
        Notes.of([0.0, 0.1], [0.1, 0.1], [60, 60], [70, 71], [(0.0, 0.1), (0.1, 0.2)]), title="A", texts=["b"]
    )
    heading = track((0, text("A", 3)), (0, text("b")))
    first = ((0, sustain(127)), (0, on(60, 70)))
    change = ((200, sustain(0)), (0, sustain(127)), (0, b"\x80\x3c\x40"), (0, on(60, 71)))
    last = ((200, sustain(0)), (0, b"\x80\x3c\x40"))
    assert data == midi(heading, track((0, text("Piano", 3)), (0, b"\xc0\0"), *first, *change, *last), division=1000)


def test_mido_reads_the_same_from_a_written_file(waltz: Notes, tmp_path: Path) -> None:
    mido = pytest.importorskip("mido", reason="mido gives the second opinion")
    write_midi(tmp_path / "waltz.mid", waltz, title="Waltz", texts=['{"seed": 1}'])
    file = mido.MidiFile(tmp_path / "waltz.mid")
    assert (file.type, file.ticks_per_beat) == (1, 1000)
    assert [each.name for each in file.tracks] == ["Waltz", "Piano"]
    assert [message.text for message in file.tracks[0] if message.type == "text"] == ['{"seed": 1}']
    assert file.length == pytest.approx(waltz.seconds)
    assert sum(message.type == "note_on" for message in file.tracks[1]) == len(waltz)


def test_texts_are_read_back_in_order(tmp_path: Path) -> None:
    texts = ["first", "zwölf Études", '{"notes": 300}' + " " * 500]
    write_midi(tmp_path / "a.mid", Notes.of(), title="not a text", texts=texts)
    assert read_texts(tmp_path / "a.mid") == texts
    with pytest.raises(MidiError, match=r"^b: the file is empty"):
        read_texts(b"", name="b")


def test_a_text_in_another_encoding_is_read_with_marks_in_place_of_letters() -> None:
    assert read_texts(midi(track((0, b"\xff\x01\x02\xe9a")))) == ["\ufffda"]


def test_strikes_of_one_key_within_a_tick_become_one_note() -> None:
    notes = read_midi(midi_bytes(Notes.of([1.0, 1.0001], [0.5, 0.2], [60, 60], [50, 80])))
    assert (len(notes), notes[0].velocity) == (1, 80)


def test_an_overlap_on_one_key_is_written_as_two_strikes() -> None:
    notes = read_midi(midi_bytes(Notes.of([0.0, 1.0], [5.0, 0.5], [60, 60], [1, 2])))
    np.testing.assert_allclose(notes.release, [1.0, 1.5])


def test_a_pedal_down_for_less_than_a_tick_is_left_out_and_spoils_no_other() -> None:
    notes = read_midi(midi_bytes(Notes.of([5], [1], [60], [1], [(1.0, 1.0001), (1.0001, 3.0), (4.0, 4.0001)])))
    np.testing.assert_allclose(notes.pedal, [[1.0, 3.0]])


def test_more_than_a_day_is_not_written() -> None:
    with pytest.raises(MidiError, match=r"last 25\.0 hours; a file holds at most 24"):
        midi_bytes(Notes.of([25 * 3600 - 1], [1.0], [60], [60]))


def test_a_failed_write_names_the_file_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "kept.mid"
    kept.write_bytes(b"as it was")

    def fill_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fill_disk)
    with pytest.raises(MidiError, match=r"kept\.mid: cannot be written \(No space left on device\)"):
        write_midi(kept, Notes.of())
    assert [each.name for each in tmp_path.iterdir()] == ["kept.mid"]
    assert kept.read_bytes() == b"as it was"


@pytest.mark.parametrize(
    "place",
    [lambda folder: folder, lambda folder: folder / "absent" / "a.mid", lambda folder: folder / "file" / "a.mid"],
)
def test_a_place_that_takes_no_file_is_refused_by_name(tmp_path: Path, place: Callable[[Path], Path]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MidiError, match="cannot be written"):
        write_midi(place(tmp_path), Notes.of())
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
