"""Beats and bars out of what a network hears: the likeliest chains, where the ear is clear and where it is not."""

from __future__ import annotations

import time

import numpy as np
import pytest

from arietta.music.beats.decoding import FRAME_RATE, INTERVALS, decode_bars, decode_beats, pace_of
from arietta.music.beats.network import BAR_SIZES, PERIOD_COUNT, BeatActivations


def heard(
    beats: np.ndarray, is_downbeat: np.ndarray, size: int, *, deaf: np.ndarray | None = None, noise: float = 0.0
) -> BeatActivations:
    """What a network that is mostly right hears; nothing of the beats that `deaf` masks."""
    rng, count = np.random.default_rng(1), int((beats[-1] + 2) * FRAME_RATE)
    odds = np.array([[-4.0], [-5.0]]) + noise * rng.normal(size=(2, count))  # a third of the beats begin bars
    frames = np.rint(beats * FRAME_RATE).astype(int)
    is_heard = np.ones(len(beats), dtype=bool) if deaf is None else ~deaf
    odds[0, frames[is_heard]] = 2.0
    odds[1, frames[is_heard & is_downbeat]] = 1.5
    paces = pace_of(np.diff(beats))
    period = np.full((count, PERIOD_COUNT), -6.0)
    owner = np.clip(np.searchsorted(beats, np.arange(count) / FRAME_RATE, side="right") - 1, 0, len(paces) - 1)
    period[np.arange(count), paces[owner]] = -0.1
    sizes = np.full((count, len(BAR_SIZES) + 1), -3.0)
    sizes[:, BAR_SIZES.index(size)] = -0.2
    beat, downbeat, period, sizes = (values.astype(np.float32) for values in (*odds, period, sizes))
    return BeatActivations(beat, downbeat, period, sizes, np.zeros(count, dtype=np.float32))


@pytest.mark.parametrize("size", BAR_SIZES)
def test_clear_beats_and_bars_are_found_where_they_are(size: int) -> None:
    beats, number = 1.0 + 0.56 * np.arange(60), np.arange(60)
    activations = heard(beats, number % size == 1, size, noise=1.0)
    found = decode_beats(activations, 1.0)
    assert found == pytest.approx(beats, abs=0.011)
    bars = decode_bars(activations, found)
    assert set(bars.size) == {size} and bars.position.tolist() == [(n - 1) % size for n in number]
    assert (bars.sureness > 0.8).all()


def test_beats_that_are_not_heard_are_filled_in_at_the_pace_of_the_others() -> None:
    beats = 0.5 + np.cumsum(0.5 * (1 + 0.2 * np.sin(np.arange(80) / 6)))
    deaf = np.random.default_rng(2).random(80) < 0.2
    found = decode_beats(heard(beats, np.arange(80) % 3 == 0, 3, deaf=deaf), float(beats[0]))
    near = np.abs(found[:, None] - beats).min(axis=0)
    assert len(found) == pytest.approx(80, abs=3) and (near < 0.07).mean() > 0.95  # the first may be silent


def test_a_bar_that_is_cut_short_moves_those_after_it() -> None:
    beats = 0.5 + 0.5 * np.arange(47)
    starts = np.append(np.arange(0, 24, 4), np.arange(23, 47, 4))
    bars = decode_bars(heard(beats, np.isin(np.arange(47), starts), 4), beats)
    assert np.flatnonzero(bars.position == 0).tolist() == starts.tolist()


def test_where_nothing_is_heard_nothing_is_sure() -> None:
    beats = 0.5 + 0.5 * np.arange(40)
    activations = heard(beats, np.zeros(40, dtype=bool), 4, deaf=np.ones(40, dtype=bool))
    assert decode_bars(activations, beats).sureness.mean() < 0.6
    assert len(decode_beats(activations, 0.5)) > 0


def test_intervals_stay_within_those_that_are_looked_for() -> None:
    rng = np.random.default_rng(4)
    activations = heard(1.0 + 0.5 * np.arange(40), np.arange(40) % 4 == 0, 4)
    noise = BeatActivations(
        rng.normal(-1, 2, len(activations.beat)).astype(np.float32), *list(vars(activations).values())[1:]
    )
    frames = np.rint(np.diff(decode_beats(noise, 0.0)) * FRAME_RATE)
    assert frames.min() >= INTERVALS[0] and frames.max() <= INTERVALS[-1]


@pytest.mark.timed
def test_ten_minutes_take_less_than_five_seconds_of_processor_time() -> None:
    beats = 0.5 + 0.5 * np.arange(1200)
    activations = heard(beats, np.arange(1200) % 4 == 0, 4)
    begun = time.process_time()
    decode_bars(activations, decode_beats(activations, 0.5))
    assert time.process_time() - begun < 5
