"""Statistics in beats against examples worked out by hand, at any pace, in metres written and found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.evaluation.statistics import (
    BEAT_DEFINITIONS,
    MOST_SECONDS,
    WRITTEN_LENGTHS,
    find_beat_meter,
    first_20_minutes,
    main_signature,
    measure_in_beats,
    written_length_classes,
)
from arietta.music.meter import Meter, Tempo, TimeSignature
from arietta.music.notes import Notes, shift, stretch
from tests.support.tunes import tune

# Two bars of 3/4, first at 120 and then at 60 quarter notes a minute: quarter, quarter, quarter; half, quarter.
BARS = Meter((TimeSignature(0.0, 3, 4),), (Tempo(0.0, 0.5), Tempo(1.5, 1.0)))
WRITTEN = Notes.of([0, 0.5, 1.0, 1.5, 3.5], [0.5, 0.5, 0.5, 2.0, 1.0], [60, 62, 64, 65, 67], [64] * 5)


def test_the_example_measures_what_it_does_by_hand() -> None:
    found = measure_in_beats(WRITTEN, BARS)
    assert found["inter_onset_beats"] == pytest.approx([5 / 4])  # onsets at 0, 1, 2, 3 and 5 quarter notes
    assert found["tempo"] == pytest.approx([60 * 5 / 3.5])  # five quarter notes in 3.5 s
    lengths = dict(zip(WRITTEN_LENGTHS.tolist(), found["note_lengths_beats"].tolist(), strict=True))
    assert (lengths[1], lengths[2]) == (4 / 5, 1 / 5)
    assert sum(lengths.values()) == pytest.approx(1)
    quarter, half = WRITTEN_LENGTHS.tolist().index(1), WRITTEN_LENGTHS.tolist().index(2)
    steps = found["note_length_steps_beats"].reshape(12, 12)
    assert (steps[quarter, quarter], steps[quarter, half], steps[half, quarter]) == (2 / 4, 1 / 4, 1 / 4)
    # Bars with onsets at beats 0, 1, 2 and at 0, 2: one of 64 positions differs.
    assert found["groove_beats"] == pytest.approx([1 - 1 / 64])
    assert set(found) == set(BEAT_DEFINITIONS)


@given(st.floats(0.3, 3), st.floats(0, 50))
def test_pace_and_beginning_change_the_tempo_alone(factor: float, seconds: float) -> None:
    slower = Meter(BARS.signatures, tuple(Tempo(one.seconds * factor, one.quarter * factor) for one in BARS.tempos))
    found = measure_in_beats(shift(stretch(WRITTEN, factor), seconds), slower.shifted(seconds))
    usual = measure_in_beats(WRITTEN, BARS)
    assert found.pop("tempo") * factor == pytest.approx(usual.pop("tempo"))
    for name, value in usual.items():
        assert found[name] == pytest.approx(value), name


def test_lengths_go_to_the_nearest_written_one() -> None:
    lengths = np.array([0.01, 0.25, 0.29, 0.3, 0.9, 1.1, 3.6, 90.0])
    assert WRITTEN_LENGTHS[written_length_classes(lengths)] == pytest.approx([1 / 4, 1 / 4, 1 / 4, 1 / 3, 1, 1, 4, 4])


def test_a_downbeat_played_early_belongs_to_its_bar() -> None:
    even = Notes.of(np.arange(16) * 0.5, [0.2] * 16, [60] * 16, [64] * 16)
    early = Notes.of(np.maximum(even.onset - 0.006, 0), even.duration, even.pitch, even.velocity)
    four = Meter((TimeSignature(0.0, 4, 4),), (Tempo(0.0, 0.5),))
    assert measure_in_beats(early, four)["groove_beats"] == measure_in_beats(even, four)["groove_beats"] == [1.0]


def test_only_bars_of_the_usual_length_are_compared() -> None:
    onset = [0.0, *(1.5 + 2.0 * np.arange(8))]  # a pickup of three quarter notes, then one note a bar
    notes = Notes.of(onset, [0.1] * 9, [60] * 9, [64] * 9)
    mixed = Meter((TimeSignature(0.0, 3, 4), TimeSignature(1.5, 4, 4)), (Tempo(0.0, 0.5),))
    assert measure_in_beats(notes, mixed)["groove_beats"] == [1.0]
    assert main_signature(notes, mixed) == "4/4"


def test_beats_of_an_even_performance_are_found() -> None:
    bar = [(0.0, 40, 90), (0.5, 64, 50), (1.0, 67, 50), (1.5, 64, 50)]
    rows = [(2.0 * count + at, pitch, velocity) for count in range(10) for at, pitch, velocity in bar]
    onset, pitch, velocity = zip(*rows, strict=True)
    notes = Notes.of(onset, [0.4] * len(rows), pitch, velocity)
    meter = find_beat_meter(notes)
    assert meter is not None
    found = measure_in_beats(notes, meter)
    assert found["tempo"] == pytest.approx([120], rel=0.03)
    assert found["inter_onset_beats"] == pytest.approx([1], rel=0.03)
    assert found["groove_beats"][0] > 0.97


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8])
def test_few_notes_have_few_beats_and_nothing_is_nan(count: int) -> None:
    notes = tune(3, count)
    meter = find_beat_meter(notes)
    assert count >= 8 or meter is None
    found = measure_in_beats(notes, meter or BARS)
    assert all(np.isfinite(value).all() for value in found.values())
    assert bool(found) == (count >= 2)


def test_a_chord_alone_has_no_beats_to_measure() -> None:
    assert measure_in_beats(Notes.of([1, 1, 1], [1, 1, 1], [60, 64, 67], [64] * 3), BARS) == {}


def test_beats_of_a_very_long_piece_are_sought_in_its_beginning() -> None:
    day = Notes.of(np.arange(0, 86_400, 30.0), [1.0] * 2880, [60] * 2880, [64] * 2880)
    assert first_20_minutes(day).onset[-1] < MOST_SECONDS
    assert first_20_minutes(WRITTEN) is WRITTEN
