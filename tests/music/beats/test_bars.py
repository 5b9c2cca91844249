"""Metres out of beats that are heard: tempos, signatures, pickups, and how sure they are."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings

from arietta.files import CHECKOUT
from arietta.music.beats.accents import FEWEST_ONSETS
from arietta.music.beats.agreement import f_measure
from arietta.music.beats.bars import lay_out_tracked_bars, track_meter
from arietta.music.beats.decoding import BarPositions
from arietta.music.beats.network import load_weights, network_licence
from arietta.music.meter import Meter
from arietta.music.notes import Note, Notes
from tests.support.beats import march, random_weights
from tests.support.strategies import pieces


def bars_of(*lengths: int, pickup: int = 0) -> BarPositions:
    """Bars of so many beats, after a pickup of the size of the first."""
    size = [lengths[0]] * pickup + [length for length in lengths for _ in range(length)]
    place = [*range(lengths[0] - pickup, lengths[0]), *(place for length in lengths for place in range(length))]
    return BarPositions(np.array(size), np.array(place), np.ones(len(size)))


def signatures(bars: BarPositions, *, is_compound: bool = False) -> list[tuple[float, int, int]]:
    beats = 0.5 + 0.5 * np.arange(len(bars.size))
    notes = Notes.of(beats, np.full(len(beats), 0.4), np.full(len(beats), 60), np.full(len(beats), 64))
    meter = lay_out_tracked_bars(notes, beats, bars, is_compound=is_compound)
    assert [tempo.seconds for tempo in meter.tempos][: len(beats)] == pytest.approx(beats.tolist())
    return [(round(mark.seconds, 3), mark.beats, mark.unit) for mark in meter.signatures]


def test_a_signature_stands_where_bars_change_and_before_a_pickup() -> None:
    assert signatures(bars_of(3, 3, 3)) == [(0.5, 3, 4)]
    assert signatures(bars_of(4, 4, 4, pickup=1)) == [(0.5, 1, 4), (1.0, 4, 4)]
    assert signatures(bars_of(4, 4, 2, 4, 4)) == [(0.5, 4, 4), (4.5, 2, 4), (5.5, 4, 4)]


def test_dotted_beats_are_eighths_in_threes() -> None:
    assert signatures(bars_of(2, 2, 2), is_compound=True) == [(0.5, 6, 8)]
    beats = 0.5 + 0.6 * np.arange(6)
    notes = Notes.of(beats, np.full(6, 0.4), np.full(6, 60), np.full(6, 64))
    meter = lay_out_tracked_bars(notes, beats, bars_of(2, 2, 2), is_compound=True)
    assert meter.tempos[0].quarter == pytest.approx(0.4)
    assert meter.bar_lines(3.5)[:3] == pytest.approx([0.5, 1.7, 2.9])


@settings(max_examples=15, deadline=None)
@given(pieces())
def test_a_heard_metre_covers_all_notes(notes: Notes) -> None:
    if len(np.unique(notes.onset)) < FEWEST_ONSETS:
        return
    heard = track_meter(notes, random_weights())
    assert heard.meter.quarters(notes.onset).min() >= -0.5
    assert all(earlier.seconds < later.seconds for earlier, later in pairwise(heard.meter.tempos))
    assert all(earlier.seconds < later.seconds for earlier, later in pairwise(heard.meter.signatures))
    assert Meter.from_description(heard.meter.describe()) == heard.meter, "a metre that may be stored"
    assert 0 <= heard.sureness <= 1 and not heard.meter.is_exact


def test_the_same_music_has_the_same_metre() -> None:
    first, second = (track_meter(march(), random_weights()) for _ in range(2))
    assert first.meter == second.meter and first.sureness == second.sureness


@pytest.mark.parametrize(("beat", "size"), [(0.5, 4), (0.6, 3)])
def test_the_network_that_comes_with_concert_tracks_a_march_and_a_waltz(beat: float, size: int) -> None:
    weights = load_weights(CHECKOUT / "models" / "concert" / "beats")
    tracked = track_meter(march(beat, size=size, beats=96, jitter=0.005), weights)
    # It may well count two beats as one: what it learned from is no machine's playing.
    levels = [0.5 + beat * np.arange(0, 96, step) for step in (0.5, 1, 2)]
    assert max(f_measure(tracked.beats, level) for level in levels) > 0.9
    again = track_meter(march(beat, size=size, beats=96, jitter=0.005), weights)
    assert again.meter == tracked.meter and again.sureness == tracked.sureness


def test_that_network_is_not_in_the_package_and_says_under_which_licence_it_is() -> None:
    assert network_licence(CHECKOUT / "models" / "concert" / "beats") == "CC BY-NC-SA 4.0"
    assert not list((CHECKOUT / "arietta").rglob("beats/*.npz"))


def test_beats_before_the_first_note_move_no_bar_line() -> None:
    """Three beats a bar from the first beat on, of which the first note leaves out two."""
    notes = Notes.from_events([Note(1.0 + 0.5 * index, 0.4, 60, 64) for index in range(20)])
    beats = np.arange(0.0, 12.0, 0.5)
    bars = bars_of(*[3] * 8)
    meter = lay_out_tracked_bars(notes, beats, bars, is_compound=False)
    lines = meter.bar_lines(11.0)
    assert all(abs(line % 1.5) < 1e-6 or abs(line % 1.5 - 1.5) < 1e-6 for line in lines[lines > 1.0])
