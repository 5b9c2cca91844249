"""Keys: which of the 24 a piece fits best, how clearly, and how many of its notes keep to one scale."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

# How well each pitch class above the tonic fits a key: Krumhansl and Kessler 1982, "Tracing the dynamic changes in
# perceived tonal organization in a spatial representation of musical keys", table 1.
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
SCALE = (0, 2, 4, 5, 7, 9, 11)  # of C major; A minor has the same
TONICS = ("C", "D flat", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B")


class Key(NamedTuple):
    """A key, and its clarity: the correlation of the pitch classes with its profile, -1 to 1."""

    tonic: int
    is_minor: bool
    clarity: float

    @property
    def name(self) -> str:
        return f"{TONICS[self.tonic]} {'minor' if self.is_minor else 'major'}"


def pitch_classes(pitch: ArrayLike, weight: ArrayLike | None = None) -> NDArray[np.float64]:
    """Share of each pitch class, float64 [12], by `weight` (by count when None); zeros where there is nothing."""
    classes = np.asarray(pitch, dtype=np.int64) % 12
    weights = np.ones(len(classes)) if weight is None else np.asarray(weight, dtype=np.float64)
    counts = np.bincount(classes, weights, minlength=12)
    total = counts.sum()
    return np.asarray(counts / total if total > 0 else np.zeros(12))


def key_profile(number: int) -> NDArray[np.float64]:
    """Return how well pitch classes fit a key, float64 [12]: 0-11 are C major to B major, 12-23 the minor keys."""
    return np.roll((MAJOR, MINOR)[number // 12], number % 12)


def find_key(pitch: ArrayLike, weight: ArrayLike | None = None) -> Key | None:
    """Find the key that pitches fit best (Krumhansl 1990, "Cognitive Foundations of Musical Pitch", chapter 4).

    That is the one whose profile correlates best with the weights of the pitch classes, usually the notes' lengths.
    None where all twelve weigh the same, or nothing.
    """
    classes = pitch_classes(pitch, weight)
    if np.ptp(classes) < 1e-12:
        return None
    profiles = np.array([key_profile(number) for number in range(24)])
    centred = profiles - profiles.mean(axis=1, keepdims=True)
    centred_classes = classes - classes.mean()
    fits = centred @ centred_classes / np.sqrt((centred**2).sum(axis=1) * (centred_classes**2).sum())
    best = int(np.argmax(fits))
    return Key(best % 12, best >= 12, float(fits[best]))


def scale_consistency(pitch: ArrayLike) -> float:
    """Share of the notes that lie in the best of the twelve diatonic scales, 0 to 1 (Mogren 2016, section 4.1).

    0 where there are none.
    """
    classes = pitch_classes(pitch)
    return max(float(classes[[(tonic + step) % 12 for step in SCALE]].sum()) for tonic in range(12))
