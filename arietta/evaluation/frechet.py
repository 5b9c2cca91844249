"""Frechet distance of two sets of embeddings: that of the normal distributions fitted to them.

    |mean_a - mean_b|^2 + trace(cov_a + cov_b - 2 (cov_a cov_b)^(1/2))     (Dowson and Landau 1982, eq. 6)

For few pieces it is too large, by about a constant over their number (Chong and Forsyth 2020, "Effectively unbiased FID
and Inception Score"). A jackknife corrects that (Quenouille 1956): it leaves out a twentieth of each set in turn, and
extrapolates to the distance of infinitely many pieces. It is exact for a bias of that form and draws no random subsets,
so it gives the same figure every time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Embeddings = NDArray[np.float64]

PARTS = 20  # that are left out in turn
FEWEST = 4  # pieces per set
ENOUGH = 40  # pieces per set: with fewer a distance is a guess
RESAMPLES = 200


def frechet_distance(a: Embeddings, b: Embeddings) -> float:
    """Distance of two sets, [N, D] and [M, D], corrected for their size: about 0, or a little below, if alike.

    Pieces that belong together, such as takes of one prompt, should not stand PARTS apart: they are left out together.
    Raises ValueError below 4 pieces or where the dimensions differ.
    """
    _check(a, b)
    parts = min(PARTS, len(a), len(b))
    parts_of = np.arange(len(a)) % parts, np.arange(len(b)) % parts
    # The jackknife: with bias c / n, n times the distance less (n - 1) times that of n - 1 parts has none.
    without = [plain_distance(a[parts_of[0] != part], b[parts_of[1] != part]) for part in range(parts)]
    return parts * plain_distance(a, b) - (parts - 1) * float(np.mean(without))


def frechet_interval(a: Embeddings, b: Embeddings, *, seed: int = 0) -> tuple[float, float]:
    """95 % interval of `frechet_distance`: the spread of plain distances over resampled pieces, centred on it.

    Resampling has the bias of small sets a second time, so percentiles of the distances themselves would be too high.
    """
    distances = resampled(a, b, seed=seed)
    low, high = np.percentile(distances - distances.mean(), [2.5, 97.5]) + frechet_distance(a, b)
    return float(low), float(high)


def resampled(a: Embeddings, b: Embeddings, *, seed: int = 0) -> NDArray[np.float64]:
    """Plain distances of 200 resamplings of the pieces of both sets: float64 [200].

    Sets of the same sizes are resampled alike under one seed, so two figures can be compared resampling by resampling.
    """
    _check(a, b)
    rng = np.random.default_rng(seed)
    picks = ((rng.integers(0, len(a), len(a)), rng.integers(0, len(b), len(b))) for _ in range(RESAMPLES))
    return np.array([plain_distance(a[first], b[second]) for first, second in picks])


def plain_distance(a: Embeddings, b: Embeddings) -> float:
    """Distance by the formula alone, 0 or more, with covariances over N - 1: too large for few pieces."""
    apart = a.mean(axis=0) - b.mean(axis=0)
    covariances = [np.atleast_2d(np.cov(embeddings, rowvar=False)) for embeddings in (a, b)]
    root = _root(covariances[0])
    shared = np.linalg.eigvalsh(root @ covariances[1] @ root)  # eigenvalues of cov_a cov_b, but of a symmetric matrix
    traces = float(np.trace(covariances[0]) + np.trace(covariances[1]))
    return max(float(apart @ apart) + traces - 2 * float(np.sqrt(np.maximum(shared, 0)).sum()), 0.0)


def _root(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Square root of a symmetric matrix without negative eigenvalues."""
    values, axes = np.linalg.eigh(covariance)  # rounding may leave eigenvalues a little below 0
    return np.asarray((axes * np.sqrt(np.maximum(values, 0))) @ axes.T)


def _check(a: Embeddings, b: Embeddings) -> None:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"sets of embeddings are [N, D] and [M, D], not {a.shape} and {b.shape}")
    if min(len(a), len(b)) < FEWEST:
        raise ValueError(f"a distance needs {FEWEST} pieces or more of each set, not {len(a)} and {len(b)}")
