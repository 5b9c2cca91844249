"""Scores in MusicXML: what is read of them, in the order in which it is played."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arietta.errors import ScoreError
from arietta.music.meter import KeySignature, Meter, Tempo, TimeSignature, lay_out_bars
from arietta.music.notation import read_score
from arietta.music.notes import Notes
from arietta.render.score import score_musicxml
from tests.support.written import headed, note, score


def test_notes_stand_where_they_are_written() -> None:
    read = read_score(score([note("C4", 2) + note("E4", 1) + note("G4", 1, chord=True)], beats=3))
    assert read.start.tolist() == [0, 2, 2]
    assert read.pitch.tolist() == [60, 64, 67]
    assert read.length.tolist() == [2, 1, 1]
    assert read.name.tolist() == [0, 4, 1]


def test_seconds_follow_the_tempos_of_the_score() -> None:
    slow = '<direction><sound tempo="60"/></direction>'
    fast = "<direction><direction-type><metronome><beat-unit>half</beat-unit><per-minute>60</per-minute></metronome>"
    fast += "</direction-type></direction>"
    read = read_score(score([slow + note("C4", 4), fast + note("D4", 4)]))
    assert read.notes.onset.tolist() == [0, 4]
    assert read.notes.duration.tolist() == [4, 2]
    assert [tempo.quarter for tempo in read.meter.tempos] == [1, 0.5]


def test_tied_notes_are_one_note() -> None:
    read = read_score(score([note("C4", 4, tie="start"), note("C4", 4, tie="stop start"), note("C4", 1, tie="stop")]))
    assert (read.start.tolist(), read.length.tolist()) == ([0], [9])


def test_a_second_volta_does_not_go_on_with_a_tie_of_the_first() -> None:
    read = read_score(score([note("C4", 4, tie="stop"), note("D4", 4)]))
    assert read.pitch.tolist() == [60, 62]


def test_voices_and_staves_go_back_to_their_own_beginning() -> None:
    read = read_score(score([note("C5", 4) + "<backup><duration>4</duration></backup>" + note("C3", 4, staff=2)]))
    assert read.start.tolist() == [0, 0]
    assert read.staff.tolist() == [2, 1]


def test_voices_are_numbered_through_all_parts() -> None:
    lower = note("C3", 4, staff=2).replace("<voice>1", "<voice>5")
    read = read_score(score([note("C5", 2) + note("D5", 2) + "<backup><duration>4</duration></backup>" + lower]))
    assert read.pitch.tolist() == [48, 72, 74]
    assert read.voice[1] == read.voice[2] != read.voice[0]


@pytest.mark.parametrize(("last", "following"), [(0.95, 4.0), (1.2, 4.0), (0.5, 3.5), (1.0625, 4.0625), (1.3, 4.3)])
def test_a_bar_of_rounded_tuplets_is_as_long_as_its_signature(last: float, following: float) -> None:
    read = read_score(score([note("C4", 3) + note("D4", last), note("E4", 4)]))
    assert read.start.tolist() == [0, 3, following]


def test_a_grace_note_comes_before_the_note_it_leads_to() -> None:
    read = read_score(score([note("C4", 2) + note("D4", 0) + note("E4", 0) + note("F4", 2)]))
    assert read.pitch.tolist() == [60, 62, 64, 65]
    assert read.start.tolist() == [0, 1.75, 1.875, 2]


def test_dynamics_signs_are_velocities_until_the_next() -> None:
    sign = "<direction><direction-type><dynamics><{}/></dynamics></direction-type></direction>"
    read = read_score(score([sign.format("p") + note("C4", 2) + sign.format("ff") + note("D4", 2)]))
    assert read.velocity.tolist() == [48, 100]


def test_pedal_marks_are_presses() -> None:
    mark = '<direction><direction-type><pedal type="{}"/></direction-type></direction>'
    read = read_score(score([mark.format("start") + note("C4", 2) + mark.format("change") + note("D4", 2)]))
    assert read.pedal.tolist() == [[0, 2], [2, 4]]
    assert read.notes.pedal.tolist() == [[0, 1], [1, 2]]


def test_a_pickup_is_a_bar_of_its_own() -> None:
    read = read_score(score([note("C4", 1), note("D4", 3), note("E4", 3)], beats=3))
    bars = lay_out_bars(read.meter, 7 * 24)
    assert [(bar.start // 24, bar.is_pickup) for bar in bars] == [(0, True), (1, False), (4, False)]


def test_a_transposing_instrument_sounds_as_it_is_heard() -> None:
    clarinet = "<attributes><transpose><chromatic>-2</chromatic></transpose></attributes>"
    assert read_score(score([clarinet + note("D4", 4)])).pitch.tolist() == [60]


def test_what_was_merged_or_left_out_is_said() -> None:
    drum = "<note><unpitched/><duration>4</duration></note>"
    read = read_score(score([note("C4", 4) + drum], [note("E4", 4)]))
    assert read.remarks == ("Parts were merged into one piano: Part 1, Part 2.", "Percussion was left out: 1 notes.")


@pytest.mark.parametrize(
    ("body", "offence"),
    [
        (note("H4", 4), "a note named 'H'"),
        (note("C4", 4).replace("<octave>4", "<octave>four"), "octave is 'four'"),
        ("<attributes><divisions>0</divisions></attributes>", "divisions of 0"),
        ("<attributes><divisions>nan</divisions></attributes>", "divisions is nan"),
        ("<attributes><time><beats>0</beats><beat-type>4</beat-type></time></attributes>", "time signature of 0/4"),
        ("<attributes><time><beats>4</beats><beat-type>3</beat-type></time></attributes>", "time signature of 4/3"),
        (note("C4", 4).replace("<duration>4", "<duration>1e12"), "duration is 1e12"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_files_name(body: str, offence: str) -> None:
    with pytest.raises(ScoreError, match=rf"^song: .*{offence}"):
        read_score(score([body]), name="song")


WRITTEN = st.lists(
    st.tuples(st.integers(0, 32), st.sampled_from([1, 2, 4]), st.integers(40, 80)),
    min_size=1,
    max_size=20,
    unique_by=(lambda each: each[0], lambda each: each[2]),
)


@settings(deadline=None)
@given(WRITTEN, st.sampled_from([(3, 4), (4, 4), (2, 4)]), st.integers(-4, 4))
def test_what_the_score_writer_wrote_is_read_back_exactly(
    written: list[tuple[int, int, int]], signature: tuple[int, int], sharps: int
) -> None:
    start, length, pitch = (np.array(column) for column in zip(*written, strict=True))
    notes = Notes.of(start * 0.5, length * 0.5, pitch, [70] * len(pitch))
    keys = (KeySignature(0.0, sharps),)
    meter = Meter((TimeSignature(0.0, *signature),), (Tempo(0.0, 0.5),), keys, is_exact=True)
    back = read_score(score_musicxml(notes, meter=meter).encode())
    assert np.array_equal(back.notes.pitch, notes.pitch)
    assert np.allclose(back.notes.onset, notes.onset) and np.allclose(back.notes.duration, notes.duration)
    assert back.meter.signatures == meter.signatures
    assert [key.sharps for key in back.meter.keys] == [sharps]


def test_a_score_without_a_time_signature_says_so() -> None:
    timeless = re.sub(rb"<time>.*?</time>", b"", score([note("C4", 4)]))
    assert read_score(timeless).remarks == ("It has no time signature: its bars are as long as its measures.",)
    assert read_score(score([note("C4", 4)])).remarks == ()


def test_the_title_and_the_composer_are_read_and_written() -> None:
    written = headed(score([note("C4", 4)]), "Minuet in G &amp; more", "Christian Petzold")
    assert read_score(written).heading == ("Minuet in G & more", "Christian Petzold")
    assert read_score(score([note("C4", 4)])).heading == ("", "")
    again = score_musicxml(read_score(written).notes, title="A & B", composer="C < D")
    assert read_score(again.encode()).heading == ("A & B", "C < D")
