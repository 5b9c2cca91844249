"""How alike two sets of pieces are: whether their statistics have the same centre and the same spread.

After Yang and Lerch 2018: for each statistic the distances of every two pieces of the reference (intra) and of each
piece to each of the reference (inter) are smoothed to densities. Their overlapped area (1 is best) and the
Kullback-Leibler divergence from intra to inter (0 is best) say how alike the sets are. The figures are to be read
beside those of real music against real music, and with their intervals, which are bootstraps over pieces.

A resampled set holds some pieces several times, so its figures are biased once more than those of the set itself. As
that of the Frechet distance, an interval is therefore the spread of the resampled figures, centred on the figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import RequestError
from ..music.notes import Notes
from .embedding import embed
from .frechet import ENOUGH, frechet_distance, frechet_interval
from .statistics import DEFINITIONS, Column, Statistics, measure

POINTS = 256  # at which densities are taken
RESAMPLES = 200
FEWEST = 4  # pieces of a set: fewer have no spread worth the name
SMALLEST = 1e-9  # a density is never quite 0, so that divergences are finite


@dataclass(frozen=True)
class Comparison:
    """How one statistic of two sets compares: overlapped area and divergence, each with its 95 % interval.

    `intra`, `reference_intra` and `inter` are mean distances within the pieces, within the reference and between them.
    `mean` and `reference_mean` are None for distributions.
    """

    mean: float | None
    reference_mean: float | None
    intra: float
    reference_intra: float
    inter: float
    overlap: float
    overlap_interval: tuple[float, float]
    divergence: float
    divergence_interval: tuple[float, float]


@dataclass(frozen=True)
class MeasuredSet:
    """The statistics of a set's windows, and their embeddings float64 [N, D], None if any is too short for one."""

    statistics: Sequence[Statistics]
    embeddings: NDArray[np.float64] | None

    def every_second(self, first: int) -> MeasuredSet:
        """Take one half of the windows, from the first (0) or the second (1) on."""
        embeddings = None if self.embeddings is None else self.embeddings[first::2]
        return MeasuredSet(self.statistics[first::2], embeddings)


@dataclass(frozen=True)
class SetDistance:
    """A Frechet distance of two sets with its 95 % interval."""

    distance: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class SetComparison:
    """Two sets against each other: each statistic by its name, and the distance of both, None where it is a guess."""

    statistics: dict[str, Comparison]
    distance: SetDistance | None
    mean_overlap_interval: tuple[float, float] | None = None

    @property
    def mean_overlap(self) -> float | None:
        """Mean overlapped area over all statistics; None where there are none."""
        return mean_overlap(self.statistics)


def measure_set(windows: Iterable[Notes]) -> MeasuredSet:
    """Measure and embed every window of a set, one after the other."""
    statistics, embeddings = [], []
    for notes in windows:
        statistics.append(measure(notes))
        embeddings.append(embed(notes))
    known = [embedding for embedding in embeddings if embedding is not None]
    return MeasuredSet(statistics, np.array(known) if known and len(known) == len(embeddings) else None)


def join_sets(parts: Iterable[MeasuredSet]) -> MeasuredSet:
    """Join parts of a set that were measured apart, in their order."""
    parts = list(parts)
    embeddings = [part.embeddings for part in parts if part.embeddings is not None]
    return MeasuredSet(
        [figures for part in parts for figures in part.statistics],
        np.concatenate(embeddings) if embeddings and len(embeddings) == len(parts) else None,
    )


def check_window_count(name: str, window_count: int, note_count: int) -> None:
    """Raise RequestError where a set has fewer windows than its two halves need to be compared."""
    if window_count < 2 * FEWEST:
        available = f"{window_count} pieces of {note_count} notes or more"
        raise RequestError(
            f"{name}: has {available}, and {2 * FEWEST} are needed: add pieces, or take shorter windows by --notes"
        )


def compare_sets(pieces: MeasuredSet, reference: MeasuredSet) -> SetComparison:
    """Compare two sets in every statistic and in the embedding."""
    distance = None
    if pieces.embeddings is not None and reference.embeddings is not None:
        sets = pieces.embeddings, reference.embeddings
        if min(map(len, sets)) >= ENOUGH:
            distance = SetDistance(frechet_distance(*sets), frechet_interval(*sets))
    compared = _compare_all(pieces.statistics, reference.statistics, 0, RESAMPLES)
    statistics = {name: comparison for name, (comparison, _) in compared.items()}
    if not statistics:
        return SetComparison({}, distance)
    # One seed for all statistics: resampling k drew the same pieces for each of them, where all pieces have it.
    means = np.mean([overlaps for _, overlaps in compared.values()], axis=0)
    mean = float(np.mean([comparison.overlap for comparison in statistics.values()]))
    return SetComparison(statistics, distance, _interval(means, mean, most=1.0))


def compare(
    pieces: Sequence[Statistics], reference: Sequence[Statistics], *, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, Comparison]:
    """Compare two sets statistic by statistic, those that at least four pieces of each set have.

    A statistic that is the same in all pieces of both is left out, such as the number of notes in equal windows.
    """
    return {name: comparison for name, (comparison, _) in _compare_all(pieces, reference, seed, resamples).items()}


def _compare_all(
    pieces: Sequence[Statistics], reference: Sequence[Statistics], seed: int, resamples: int
) -> dict[str, tuple[Comparison, NDArray[np.float64]]]:
    """`compare`, each statistic with the overlapped areas of its resamplings: float64 [resamples]."""
    compared = {}
    for name in DEFINITIONS:
        columns = [np.array([piece[name] for piece in several if name in piece]) for several in (pieces, reference)]
        if min(map(len, columns)) >= FEWEST and any(np.ptp(column, axis=0).any() for column in columns):
            # The same seed for each statistic: adding one does not move the intervals of the others.
            compared[name] = _compare(columns[0], columns[1], np.random.default_rng(seed), resamples)
    return compared


def mean_overlap(compared: dict[str, Comparison]) -> float | None:
    """Mean overlapped area over all statistics; None where there are none."""
    return float(np.mean([comparison.overlap for comparison in compared.values()])) if compared else None


def distances(a: Column, b: Column) -> Column:
    """Euclidean distance of each row [N, D] to each other row [M, D]: float64 [N, M]."""
    if a.shape[1] == 1:
        return np.asarray(np.abs(a - b.T))
    # |a - b|^2 = |a|^2 + |b|^2 - 2 a b: one product of matrices in place of an array [N, M, D].
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))


def density(values: Column, grid: Column, weights: Column | None = None) -> Column:
    """Smooth values to a density at the evenly spaced points of `grid`, whose sum times their spacing is 1.

    A normal kernel as wide as Scott 1992 has it: the standard deviation times n ** (-1/5), at least a grid step.
    """
    weights = np.ones(len(values)) if weights is None else weights
    step = grid[1] - grid[0]
    total = weights.sum()
    mean = weights @ values / total
    spread = float(np.sqrt(weights @ (values - mean) ** 2 / total))
    width = max(spread * total ** (-1 / 5), step)
    # Values are counted on the grid first, so that one convolution smooths them, however many there are.
    bin_numbers = np.rint((values - grid[0]) / step).astype(np.int64)
    counts = np.bincount(bin_numbers, weights, minlength=len(grid))
    offsets = np.arange(-len(grid) + 1, len(grid)) * step
    smooth = np.convolve(counts, np.exp(-0.5 * (offsets / width) ** 2), mode="valid")
    return np.asarray(smooth / (smooth.sum() * step))


def overlapped_area(a: Column, b: Column, step: float) -> float:
    """Area under both of two densities, 0 to 1."""
    return float(np.minimum(a, b).sum() * step)


def divergence(a: Column, b: Column, step: float) -> float:
    """Kullback-Leibler divergence of density `b` from `a`, in nats, 0 or more."""
    a, b = a + SMALLEST, b + SMALLEST
    a, b = a / (a.sum() * step), b / (b.sum() * step)
    return max(float((a * np.log(a / b)).sum() * step), 0.0)


def _compare(
    pieces: Column, reference: Column, rng: np.random.Generator, resamples: int
) -> tuple[Comparison, NDArray[np.float64]]:
    intra, inter = distances(reference, reference), distances(pieces, reference)
    own = distances(pieces, pieces)
    top = max(float(intra.max()), float(inter.max()), 1e-9)
    grid = np.linspace(-0.25 * top, 1.25 * top, POINTS)  # room for the kernels' tails
    even = np.ones(len(pieces)), np.ones(len(reference))
    # Distances are computed once: resampling pieces only changes how often each counts.
    overlap, diverged = _figures(intra, inter, grid, even)
    resampled = []
    for _ in range(resamples):
        drawn = [np.bincount(rng.integers(0, len(weights), len(weights)), minlength=len(weights)) for weights in even]
        resampled.append(_figures(intra, inter, grid, (drawn[0].astype(float), drawn[1].astype(float))))
    overlaps, divergences = np.array(resampled).T
    is_number = pieces.shape[1] == 1
    comparison = Comparison(
        mean=float(pieces.mean()) if is_number else None,
        reference_mean=float(reference.mean()) if is_number else None,
        intra=_mean_apart(own),
        reference_intra=_mean_apart(intra),
        inter=float(inter.mean()),
        overlap=overlap,
        overlap_interval=_interval(overlaps, overlap, most=1.0),
        divergence=diverged,
        divergence_interval=_interval(divergences, diverged, most=np.inf),
    )
    return comparison, overlaps


def _interval(resampled: NDArray[np.float64], figure: float, *, most: float) -> tuple[float, float]:
    """95 % interval of a figure that lies in 0 to `most`: the spread of its resamplings, centred on it."""
    low, high = np.clip(np.percentile(resampled - resampled.mean(), [2.5, 97.5]) + figure, 0.0, most)
    return min(float(low), figure), max(float(high), figure)  # a few that lie far off may draw their mean out of both


def _figures(intra: Column, inter: Column, grid: Column, weights: tuple[Column, Column]) -> tuple[float, float]:
    """Overlapped area and divergence where piece i of each set counts `weights[i]` times."""
    pieces, reference = weights
    pairs = np.triu_indices(len(reference), 1)
    within = (reference[:, None] * reference)[pairs]
    if not within.any():  # every draw was the same piece
        return 0.0, 0.0
    within_density = density(intra[pairs], grid, within)
    between_density = density(inter.reshape(-1), grid, (pieces[:, None] * reference).reshape(-1))
    step = float(grid[1] - grid[0])
    return overlapped_area(within_density, between_density, step), divergence(within_density, between_density, step)


def _mean_apart(matrix: NDArray[np.float64]) -> float:
    """Mean distance of two different pieces: those to themselves, on the diagonal, are 0 and do not count."""
    return float(matrix.sum() / (len(matrix) * (len(matrix) - 1)))
