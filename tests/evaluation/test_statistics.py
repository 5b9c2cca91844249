"""Each statistic against an example worked out by hand, and none of them ever nan."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.evaluation.statistics import (
    DEFINITIONS,
    LENGTH_EDGES,
    groove,
    length_classes,
    measure,
    polyphony,
    repetition,
    transitions,
)
from arietta.music.notes import Notes, shift, transpose
from tests.support.tunes import play_all, tune

# Four notes in 4 s: C4 and E4 together for 1 s, G4 at 1 s for 2 s, C5 at 2 s for 2 s; the pedal down for 1 s.
EXAMPLE = Notes.of([0, 0, 1, 2], [1, 1, 2, 2], [60, 64, 67, 72], [60, 70, 80, 90], [(1.0, 2.0)])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("note_count", 4),
        ("pitch_count", 4),
        ("pitch_range", 12),
        ("average_interval", (4 + 3 + 5) / 3),
        ("inter_onset", (0 + 1 + 1) / 3),
        ("velocity", 75),
        ("velocity_spread", np.sqrt((15**2 + 5**2 + 5**2 + 15**2) / 4)),
        ("polyphony", 6 / 4),
        ("pedal", 1 / 4),
        ("scale_consistency", 1),
        ("groove", 1 - 1 / 64),  # of two bars, with onsets at 0 and 1 s and at 0 s, one position differs
    ],
)
def test_the_example_measures_what_it_does_by_hand(name: str, value: float) -> None:
    assert measure(EXAMPLE)[name] == pytest.approx([value])


def test_distributions_are_those_of_the_example() -> None:
    measured = measure(EXAMPLE)
    classes = np.zeros(12)
    classes[[0, 4, 7]] = [0.5, 0.25, 0.25]
    assert measured["pitch_classes"].tolist() == classes.tolist()
    steps = measured["pitch_class_steps"].reshape(12, 12)
    assert steps[0, 4] == steps[4, 7] == steps[7, 0] == pytest.approx(1 / 3)
    lengths = measured["note_lengths"]
    assert lengths[length_classes(EXAMPLE)[0]] == lengths[length_classes(EXAMPLE)[2]] == 0.5
    assert measured["note_length_steps"].sum() == pytest.approx(1.0)


def test_lengths_are_classed_by_half_octaves_of_time() -> None:
    lengths = [0.001, *(LENGTH_EDGES * 1.01), 60.0]
    notes = Notes.of(range(13), lengths, [60] * 13, [64] * 13)
    assert length_classes(notes).tolist() == [*range(12), 11]
    assert LENGTH_EDGES[[0, -1]] == pytest.approx([0.0707, 2.263], abs=1e-3)


def test_transitions_count_steps() -> None:
    steps = transitions(np.array([0, 1, 0, 1, 1]), 2)
    assert steps is not None and steps.tolist() == [0, 0.5, 0.25, 0.25]
    assert transitions(np.array([0]), 2) is None


def test_polyphony_does_not_count_silence() -> None:
    chord, later = [(0.0, 1.0, pitch) for pitch in (60, 64)], [(10.0, 1.0, 60)]
    onset, duration, pitch = zip(*chord, *later, strict=True)
    assert polyphony(Notes.of(onset, duration, pitch, [64] * 3)) == pytest.approx(1.5)
    held = Notes.of([0.0, 1.0, 1.5], [4.0, 1.0, 0.1], [40, 60, 64], [64] * 3)
    assert polyphony(held) == pytest.approx(5.1 / 4)


def test_an_even_beat_grooves_and_a_wild_one_does_less() -> None:
    even = Notes.of(np.arange(40) * 0.5, [0.1] * 40, [60] * 40, [64] * 40)
    assert groove(even) == pytest.approx(1.0)
    wild = Notes.of(np.sort(np.random.default_rng(0).uniform(0, 20, 40)), [0.1] * 40, [60] * 40, [64] * 40)
    found = groove(wild)
    assert found is not None and found < 0.95


def test_groove_is_the_mean_over_all_pairs_of_bars() -> None:
    rng = np.random.default_rng(1)
    onset = np.sort(rng.uniform(0, 20, 60))
    notes = Notes.of(onset - onset[0], [0.1] * 60, [60] * 60, [64] * 60)
    patterns = np.zeros((10, 64), dtype=int)
    for moment in notes.onset:
        patterns[int(moment // 2), int(moment % 2 * 32)] = 1
    pairs = [np.mean(patterns[i] == patterns[j]) for i in range(10) for j in range(i)]
    assert groove(notes) == pytest.approx(np.mean(pairs))


def test_a_piece_played_twice_repeats_half_of_its_figures() -> None:
    assert repetition(tune(1, 200)) == pytest.approx(0.0, abs=0.02)
    again = play_all(tune(1, 200), transpose(tune(1, 200), 5))
    assert repetition(again) == pytest.approx(0.5, abs=0.03)


@given(st.integers(0, 1000), st.integers(-12, 12), st.floats(0, 100))
def test_key_and_beginning_change_only_what_tells_them(seed: int, semitones: int, seconds: float) -> None:
    notes = tune(seed, 60)
    one, other = measure(notes), measure(shift(transpose(notes, semitones), seconds))
    for name in set(DEFINITIONS) - {"pitch_classes", "pitch_class_steps", "pedal", "groove"}:
        assert other[name] == pytest.approx(one[name]), name


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 6, 40])
def test_few_notes_measure_what_they_can_and_nothing_is_nan(count: int) -> None:
    measured = measure(tune(3, count))
    assert measured["note_count"].tolist() == [count]
    assert all(np.isfinite(value).all() for value in measured.values())
    assert ("average_interval" in measured) == (count > 1)
    assert ("repetition" in measured) == (count >= 6)
    assert set(measured) <= set(DEFINITIONS)
    assert count == 0 or set(measured) >= {"pitch_range", "polyphony", "pedal"}


def test_what_is_named_is_measured_alone_and_the_same() -> None:
    notes = tune(3, 40)
    assert measure(notes, ["polyphony", "key_clarity"]) == {
        name: measure(notes)[name] for name in ("polyphony", "key_clarity")
    }
    assert measure(Notes.of(), ["polyphony"]) == {}


def test_a_day_of_music_is_measured() -> None:
    onset = np.sort(np.random.default_rng(0).uniform(0, 86_400, 200_000))
    rng = np.random.default_rng(1)
    notes = Notes.of(onset, np.full(200_000, 0.2), rng.integers(21, 109, 200_000), rng.integers(1, 128, 200_000))
    assert all(np.isfinite(value).all() for value in measure(notes).values())
