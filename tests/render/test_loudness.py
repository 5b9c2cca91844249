"""Loudness: the recommendation's own test tones, and what a gain may do."""

from __future__ import annotations

import math

import numpy as np
import pytest

from arietta.render.loudness import HIGHEST_PEAK, STEP, TARGET, find_gain, integrated_loudness, k_weighting
from arietta.render.piano import SAMPLE_RATE


def tone(hertz: float, seconds: float, level: float) -> np.ndarray:
    """A sine on both channels, its peak `level` dB below full scale."""
    wave = 10 ** (level / 20) * np.sin(2 * np.pi * hertz * np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE)
    return np.stack([wave, wave], axis=1).astype(np.float32)


@pytest.mark.parametrize(("level", "hertz"), [(-23.0, 1000), (-33.0, 1000)])
def test_a_stereo_sine_at_one_kilohertz_is_as_loud_as_its_level(level: float, hertz: float) -> None:
    """EBU Tech 3341, cases 1 and 2: a sine of 1 kHz at -23 dBFS on both channels is -23 LUFS, within 0.1."""
    gain = find_gain([tone(hertz, 4.0, level)])
    assert TARGET - 20 * math.log10(gain) == pytest.approx(level, abs=0.1)


def test_silence_around_the_music_does_not_count() -> None:
    music, silence = tone(1000, 5.0, -23.0), np.zeros((20 * SAMPLE_RATE, 2), dtype=np.float32)
    assert find_gain([silence, music, silence]) == pytest.approx(find_gain([music]), rel=0.04)


def test_blocks_of_any_size_give_the_same_gain() -> None:
    sound = tone(440, 3.0, -20.0)
    assert find_gain(np.array_split(sound, 7)) == pytest.approx(find_gain([sound]), rel=1e-4)


def test_a_peak_is_not_brought_above_one_decibel_below_full_scale() -> None:
    quiet = tone(1000, 4.0, -40.0)
    quiet[1000] = 0.5
    assert find_gain([quiet]) == pytest.approx(HIGHEST_PEAK / 0.5)


def test_silence_is_left_alone() -> None:
    assert find_gain([np.zeros((SAMPLE_RATE, 2), dtype=np.float32)]) == 1.0
    assert integrated_loudness(np.zeros(10)) == -math.inf


def test_a_sound_shorter_than_a_block_is_measured() -> None:
    assert 0 < find_gain([tone(1000, 0.05, -20.0)]) < 100


def test_bass_counts_less_and_treble_more() -> None:
    frequencies = np.arange(STEP // 2 + 1) * SAMPLE_RATE / STEP
    response = 20 * np.log10(np.abs(k_weighting(STEP)) + 1e-12)
    low, middle, high = (response[np.abs(frequencies - hertz).argmin()] for hertz in (30, 1000, 10_000))
    assert low < -5 < middle < 1 < high < 4.1
