from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings

from arietta.music.beats.accents import find_accented_meter, find_beats, onset_salience
from arietta.music.notes import Notes, stretch
from tests.support.beats import march
from tests.support.strategies import pieces


def hits(found: np.ndarray, true: np.ndarray, within: float = 0.07) -> float:
    """Share of true beats that have a found one near."""
    return float(np.mean([np.abs(found - beat).min() <= within for beat in true]))


@pytest.mark.parametrize("beat", [0.4, 0.5, 0.65, 0.8])
def test_steady_beats_are_found_where_they_are(beat: float) -> None:
    found = find_beats(march(beat, jitter=0.01))
    assert hits(found, 0.5 + beat * np.arange(64)) > 0.95
    assert np.median(np.diff(found)) == pytest.approx(beat, rel=0.03)


def test_beats_follow_a_tempo_that_drifts() -> None:
    lengths = 0.5 * (1 + 0.25 * np.sin(np.arange(80) / 8))
    true = np.concatenate([[0.5], 0.5 + np.cumsum(lengths)])
    steady = march(1.0, beats=80, late=0.0)
    onset, release = (np.interp(column, np.arange(81), true) for column in (steady.onset, steady.release))
    found = find_beats(Notes.of(onset, release - onset, steady.pitch, steady.velocity))
    assert hits(found, true[:-1]) > 0.95


def test_the_pace_stays_where_beats_are_missing_and_other_notes_are_near() -> None:
    rng, beats = np.random.default_rng(3), np.arange(60)
    kept, strays = beats[rng.random(60) < 0.6], beats[rng.random(60) < 0.5] + 0.22
    onset = np.concatenate([kept, strays]) * 0.6 + 0.5
    velocity = [80] * len(kept) + [60] * len(strays)
    found = find_beats(Notes.of(onset, [0.25] * len(onset), [60] * len(onset), velocity))
    assert np.std(np.diff(found)) < 0.1


@settings(max_examples=25)
@given(pieces())
def test_beats_rise_and_stay_between_40_and_200_a_minute(notes: Notes) -> None:
    found = find_beats(notes)
    assert (np.diff(found) >= 0.3 - 1e-9).all() and (np.diff(found) <= 1.5 + 1e-9).all()


@settings(max_examples=25)
@given(pieces())
def test_a_metre_covers_all_notes(notes: Notes) -> None:
    meter = find_accented_meter(notes)
    assert len(notes) == 0 or meter.quarters(notes.onset).min() >= -0.5
    assert all(earlier.seconds < later.seconds for earlier, later in pairwise(meter.tempos))
    assert all(tempo.quarter > 0 for tempo in meter.tempos)


@pytest.mark.parametrize(("size", "signature"), [(2, (2, 4)), (3, (3, 4)), (4, (4, 4))])
def test_bars_repeat_with_their_bass_notes(size: int, signature: tuple[int, int]) -> None:
    meter = find_accented_meter(march(size=size, beats=96, jitter=0.005))
    last = meter.signatures[-1]
    assert (last.beats, last.unit) == signature
    bars = (last.seconds - 0.5) / (0.5 * size)
    assert bars == pytest.approx(round(bars), abs=0.05)


def test_beats_in_three_parts_are_six_eighths() -> None:
    meter = find_accented_meter(march(0.6, size=2, beats=96, parts=3, jitter=0.005))
    assert (meter.signatures[-1].beats, meter.signatures[-1].unit) == (6, 8)
    assert np.median([tempo.quarter for tempo in meter.tempos]) == pytest.approx(0.4, rel=0.03)


def test_a_found_metre_never_claims_to_be_exact() -> None:
    assert not find_accented_meter(march()).is_exact


def test_where_nothing_repeats_there_are_four_beats() -> None:
    rng = np.random.default_rng(5)
    onset = np.cumsum(rng.uniform(0.05, 0.9, 150))
    meter = find_accented_meter(Notes.of(onset, np.full(150, 0.2), rng.integers(40, 90, 150), np.full(150, 64)))
    assert meter.signatures[-1].unit in (4, 8)
    for count in range(8):
        few = find_accented_meter(Notes.of(onset[:count], [0.2] * count, [60] * count, [64] * count))
        assert (few.signatures[-1].beats, few.signatures[-1].unit) == (4, 4)


def test_louder_lower_and_longer_notes_are_more_salient() -> None:
    def at(seconds: float, **changed: float) -> float:
        values = {"duration": 0.2, "pitch": 72, "velocity": 64} | changed
        notes = Notes.of(
            [1.0, 2.0, 3.0], [0.2, values["duration"], 0.2], [72, values["pitch"], 72], [64, values["velocity"], 64]
        )
        return float(onset_salience(notes)[round(50 * seconds)] / onset_salience(notes)[50])

    assert at(2.0) == pytest.approx(1, rel=0.05)
    assert min(at(2.0, velocity=100), at(2.0, pitch=36), at(2.0, duration=0.9)) > 1.1


def test_the_pace_of_the_playing_does_not_change_the_beats() -> None:
    slow, fast = (find_beats(stretch(march(), factor)) for factor in (1.1, 1.0))
    assert hits(slow, fast * 1.1) > 0.9


@pytest.mark.timed
def test_five_minutes_take_less_than_three_seconds_of_processor_time() -> None:
    notes = march(beats=600)
    begun = time.process_time()
    find_accented_meter(notes)
    assert time.process_time() - begun < 3
