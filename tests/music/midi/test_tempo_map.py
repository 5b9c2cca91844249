"""The tempo map: what is laid under a performance keeps its seconds, and reads back as the metre it was."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.errors import MidiError
from arietta.music.meter import KeySignature, Meter, Tempo, TimeSignature
from arietta.music.midi import midi_bytes, read_meter, read_midi
from arietta.music.midi.tempo_map import LONGEST_TICK, TICKS, TempoMap, constant_tempo_map, lay_tempo_map
from arietta.music.notes import Notes

MILLISECOND = 0.001
SIGNATURES = st.sampled_from([(2, 4), (3, 4), (4, 4), (6, 8)])


@st.composite
def found_meters(draw: st.DrawFn) -> Meter:
    """A metre as it is found in a performance: a tempo for every beat, a pickup or none, a key or none."""
    beats, unit = draw(SIGNATURES)
    length = 1.5 if unit == 8 else 1.0  # quarters a beat
    begin = draw(st.sampled_from([0.0, 0.04, 0.37, 2.5, 11.0]))
    steps = draw(st.lists(st.floats(0.25, 2.5), min_size=9, max_size=40))
    times = begin + np.concatenate([[0.0], np.cumsum(steps)])
    tempos = [Tempo(float(at), step / length) for at, step in zip(times, [*steps, steps[-1]], strict=True)]
    pickup = draw(st.integers(0, round(4 * beats / unit / length) - 1))
    signatures = [TimeSignature(float(times[pickup]), beats, unit)]
    if pickup:
        signatures.insert(0, TimeSignature(begin, round(pickup * length * unit / 4), unit))
    keys = draw(st.sampled_from([(), (KeySignature(begin, -3, True),)]))
    return Meter(tuple(signatures), tuple(tempos), keys)


@st.composite
def performances(draw: st.DrawFn) -> Notes:
    """Notes of one key each, so that none ends another."""
    pitches = draw(st.lists(st.integers(21, 108), min_size=1, max_size=30, unique=True))
    onset = [draw(st.floats(0, 90)) for _ in pitches]
    duration = [draw(st.floats(0.005, 9)) for _ in pitches]
    return Notes.of(onset, duration, pitches, [64] * len(pitches), [(1.0, 2.5), (3.0, 80.0)])


@given(performances(), found_meters())
def test_every_onset_release_and_press_stays_within_a_millisecond(notes: Notes, meter: Meter) -> None:
    back = read_midi(midi_bytes(notes, grid=meter))
    order, kept = np.argsort(notes.pitch), np.argsort(back.pitch)
    assert np.abs(notes.onset[order] - back.onset[kept]).max() <= MILLISECOND
    assert np.abs(notes.release[order] - back.release[kept]).max() <= MILLISECOND
    assert np.abs(notes.pedal - back.pedal).max() <= MILLISECOND


@given(performances(), found_meters())
def test_the_metre_that_was_laid_is_the_metre_that_is_read(notes: Notes, meter: Meter) -> None:
    back = read_meter(midi_bytes(notes, grid=meter))
    assert back is not None
    assert [(mark.beats, mark.unit) for mark in back.signatures[-1:]] == [
        (mark.beats, mark.unit) for mark in meter.signatures[-1:]
    ]
    assert [(key.sharps, key.is_minor) for key in back.keys] == [(key.sharps, key.is_minor) for key in meter.keys]
    # Bar lines stand where the beats they were found on were, but for a first beat within a tenth of a second.
    beats = np.array([tempo.seconds for tempo in meter.tempos])
    length = 1.5 if meter.signatures[-1].unit == 8 else 1.0
    bar_line = back.quarters(back.signatures[-1].seconds)
    positions = (back.quarters(beats[1:]) - bar_line) / length
    assert np.abs(positions - np.rint(positions)).max() * 2.5 < 2 * MILLISECOND


@given(performances(), found_meters())
def test_bars_count_from_the_files_beginning(notes: Notes, meter: Meter) -> None:
    """Sequencers draw bar lines from tick 0 on: a signature that begins within a bar would be drawn elsewhere."""
    back = read_meter(midi_bytes(notes, grid=meter))
    assert back is not None and back.signatures[0].seconds == 0
    changes = back.quarters([signature.seconds for signature in back.signatures])
    bars = np.diff(changes) / [signature.quarters for signature in back.signatures[:-1]]
    assert np.abs(bars - np.rint(bars)).max(initial=0) < 0.001


def test_a_constant_grid_keeps_seconds_under_its_tempo() -> None:
    notes = Notes.of([0.0, 1.2345, 7.0001], [0.5, 0.5, 0.5], [60, 64, 67], [64, 64, 64])
    data = midi_bytes(notes, grid=90.0)
    back = read_midi(data)
    assert np.abs(back.onset - notes.onset).max() <= MILLISECOND
    assert (666_667).to_bytes(3, "big") in data


def test_no_grid_keeps_whole_milliseconds_exact() -> None:
    notes = Notes.of([0.0, 0.123, 70.001], [0.5, 0.007, 0.5], [60, 64, 67], [64, 64, 64])
    data = midi_bytes(notes)
    assert np.allclose(read_midi(data).onset, notes.onset, atol=1e-9)


@pytest.mark.parametrize("tempo", [0.1, 10_000, -3])
def test_a_tempo_that_no_sequencer_has_is_refused(tempo: float) -> None:
    with pytest.raises(MidiError, match="beats a minute"):
        constant_tempo_map(tempo)


def test_a_quarter_longer_than_a_file_can_say_is_refused() -> None:
    with pytest.raises(MidiError, match=r"16\.7"):
        lay_tempo_map(Meter((TimeSignature(0.0, 4, 4),), (Tempo(0.0, 20.0),)))


def test_slow_beats_have_ticks_enough() -> None:
    tempo_map, _ = lay_tempo_map(Meter((TimeSignature(0.0, 4, 4),), (Tempo(0.0, 2.5),)))
    assert tempo_map.ticks_per_beat % TICKS == 0
    assert 2.5 / tempo_map.ticks_per_beat <= LONGEST_TICK < 2.5 / (tempo_map.ticks_per_beat - TICKS)


def test_ticks_and_seconds_are_each_others_inverse() -> None:
    tempo_map = TempoMap(960, np.array([0, 960, 4000]), np.array([500_000, 700_000, 300_000]))
    ticks = np.arange(0, 9000, 7)
    assert np.array_equal(tempo_map.ticks(tempo_map.seconds(ticks)), ticks)
