"""How loud a recording is, as broadcasters measure it, and by what to multiply it so that recordings are alike.

Integrated loudness after ITU-R BS.1770-5 (2023), annex 1: channels weighted by K, mean squares of 400 ms every 100 ms,
gated at -70 LUFS and then at 10 LU below the mean of what is left.

    gain = find_gain(sound_blocks(notes))
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .piano import SAMPLE_RATE, Sound

TARGET = -18.0  # LUFS, of the recordings that are written
HIGHEST_PEAK = 10 ** (-1 / 20)  # of full scale: -1 dBFS
STEP = SAMPLE_RATE // 10  # frames of 100 ms, a quarter of what is measured at once
SETTLING = SAMPLE_RATE // 2  # frames after which the filter has forgotten what came before, below 1e-9
ABSOLUTE_GATE, RELATIVE_GATE = -70.0, -10.0  # LUFS, and LU below the mean

Floats = NDArray[np.float64]


def find_gain(blocks: Iterable[Sound]) -> float:
    """Find the gain that brings a recording to TARGET, or its peak to HIGHEST_PEAK where that is less; 1 for silence.

    `blocks` float32 [F, 2] follow one another; each is let go of before the next.
    """
    meter = GainMeter()
    for block in blocks:
        meter.add(block)
    return meter.gain()


class GainMeter:
    """Measures a recording that comes block by block."""

    def __init__(self) -> None:
        self._powers, self._rest, self._peak = list[Floats](), np.zeros(0), 0.0
        self._context = np.zeros((SETTLING, 2), dtype=np.float32)

    def add(self, block: Sound) -> None:
        """Measure the next block, float32 [F, 2]."""
        sound = np.concatenate([self._context, block])
        # Channel by channel, in single precision: three times as quick, and 1e-6 of the loudness.
        spectrum = np.fft.rfft(np.ascontiguousarray(sound.T)) * k_weighting(len(sound)).astype(np.complex64)
        filtered = np.fft.irfft(spectrum, n=len(sound))[:, SETTLING:]
        rest = np.concatenate([self._rest, (filtered**2).sum(axis=0, dtype=np.float64)])
        count = len(rest) // STEP
        self._powers.append(rest[: count * STEP].reshape(count, STEP).mean(axis=1))
        self._rest, self._context = rest[count * STEP :], sound[-SETTLING:]
        self._peak = max(self._peak, float(np.abs(block).max(initial=0.0)))

    def gain(self) -> float:
        """Return the gain for all that was measured, as `find_gain` does."""
        if not self._peak:
            return 1.0
        loudness = integrated_loudness(np.concatenate([*self._powers, [self._rest.sum() / STEP]]))
        return min(10 ** ((TARGET - loudness) / 20), HIGHEST_PEAK / self._peak)


def integrated_loudness(power: Floats) -> float:
    """Return the gated loudness in LUFS of mean squares float64 [S] of 100 ms each; -inf where none is heard."""
    if len(power) < 4:
        power = np.pad(power, (0, 4 - len(power)))
    blocks = np.convolve(power, np.full(4, 0.25), mode="valid")
    blocks = blocks[_loudness(blocks) > ABSOLUTE_GATE]
    if not len(blocks):
        return -math.inf
    gate = _loudness(blocks.mean()) + RELATIVE_GATE
    return float(_loudness(blocks[_loudness(blocks) > gate].mean()))


@lru_cache(maxsize=2)
def k_weighting(frame_count: int) -> NDArray[np.complex128]:
    """Return the response of the K-weighting filter at the frequencies of a real FFT of so many frames.

    Its two biquads, given for 48 kHz in the recommendation, follow for other rates from their analogue prototypes (De
    Man 2014, "Evaluation of implementations of the EBU R128 loudness measurement").
    """
    z = np.exp(-2j * np.pi * np.arange(frame_count // 2 + 1) / frame_count)
    # The shelf of the head: 4 dB above 1.7 kHz.
    k, q, high = math.tan(math.pi * 1681.974450955533 / SAMPLE_RATE), 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    shelf = (high + band * k / q + k * k) + 2 * (k * k - high) * z + (high - band * k / q + k * k) * z**2
    shelf /= (1 + k / q + k * k) + 2 * (k * k - 1) * z + (1 - k / q + k * k) * z**2
    # What lies below 38 Hz is hardly heard.
    k, q = math.tan(math.pi * 38.13547087602444 / SAMPLE_RATE), 0.5003270373238773
    low_cut = (1 - 2 * z + z**2) / (
        1 + 2 * (k * k - 1) / (1 + k / q + k * k) * z + (1 - k / q + k * k) / (1 + k / q + k * k) * z**2
    )
    return np.asarray(shelf * low_cut)


def _loudness(power: Floats | np.float64) -> Floats:
    """LUFS of mean squares, summed over channels."""
    return np.asarray(-0.691 + 10 * np.log10(np.maximum(power, 1e-30)))
