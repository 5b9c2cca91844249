"""Duplicates in a corpus: the passages that files share, and whether two files are one performance.

Two performances of a work share passages but not their timing; two encodings of one performance, or two
transcriptions of one recording, share both. So the onsets of shared passages are laid side by side: where a straight
line takes one to the other within 30 ms, it is one performance. On 11,346 files of MAESTRO, GiantMIDI and
piano-midi.de nine in ten passages lie within 20 ms of that line for the same performance, and over 45 ms for others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..music.chords import order_by_chord
from ..music.ngrams import Hashes, count_shared, landmarks
from ..music.notes import Notes
from .columns import ColumnReader

FREQUENT = 100  # a passage in more files than this is a figure; the most recorded work here has 41 files
PASSAGES_AT_ONCE = 3_000_000  # to bound memory: the passages of 11,346 files are 0.3 GB, and sorting takes copies
SHARE_OF_A_PERFORMANCE = 0.3  # of the smaller file: two transcriptions of one recording share 0.4 to 0.8
LENGTH_RATIO = 0.8
FEWEST_MATCHES = 20  # passages, so that the line is not drawn through a coincidence
LARGEST_DEVIATION = 0.03  # seconds
LARGEST_STRETCH = 0.05  # a recording may run a little faster, a performance given again does not fit at all


Landmarks = tuple[Hashes, NDArray[np.float32]]


@dataclass(frozen=True)
class Shares:
    """Passages that files share: `pairs` int64 [P, 2] (i < j), `counts` int64 [P], `sizes` int64 [files]."""

    pairs: NDArray[np.int64]
    counts: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def among(self, chosen: Sequence[int]) -> Shares:
        """Return the shares among the chosen files, which are numbered anew from 0 in the order given."""
        new_numbers = np.full(len(self.sizes), -1, dtype=np.int64)
        new_numbers[list(chosen)] = np.arange(len(chosen))
        pairs = np.sort(new_numbers[self.pairs].reshape(-1, 2), axis=1)
        inside = pairs[:, 0] >= 0
        return Shares(pairs[inside], self.counts[inside], self.sizes[list(chosen)])

    def at_least(self, share: float, fewest: int) -> list[tuple[int, int]]:
        """List the pairs that share this much of the smaller file, and no fewer passages than `fewest`."""
        smaller = self.sizes[self.pairs].min(axis=1, initial=np.iinfo(np.int64).max)
        chosen = (self.counts >= share * smaller) & (self.counts >= fewest)
        return [(int(first), int(second)) for first, second in self.pairs[chosen]]


def measure_shares(column: ColumnReader, ranges: Sequence[tuple[int, int]]) -> Shares:
    """Count the passages that files share; `ranges[i]` is where file i's sorted fingerprint stands in `column`."""
    parts = 1 + sum(stop - start for start, stop in ranges) // PASSAGES_AT_ONCE
    bounds = np.array([part * 2**64 // parts for part in range(parts)], dtype=np.uint64)
    cuts = [np.append(np.searchsorted(column.rows(*span), bounds), span[1] - span[0]) for span in ranges]
    keys, counts = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for part in range(parts):
        rows = [
            column.rows(start + int(cut[part]), start + int(cut[part + 1]))
            for (start, _), cut in zip(ranges, cuts, strict=True)
        ]
        pairs, shared = count_shared(rows, FREQUENT)
        keys.append(pairs[:, 0] * len(ranges) + pairs[:, 1])
        counts.append(shared)
    unique, key_index = np.unique(np.concatenate(keys), return_inverse=True)
    total = np.zeros(len(unique), dtype=np.int64)
    np.add.at(total, key_index, np.concatenate(counts))
    sizes = np.array([stop - start for start, stop in ranges], dtype=np.int64)
    return Shares(np.stack(np.divmod(unique, max(1, len(ranges))), axis=1), total, sizes)


def find_repeats(
    shares: Shares, read: Callable[[int], Notes], landmarks_of: Callable[[int], Landmarks], note_counts: Sequence[int]
) -> dict[int, int]:
    """Find the files that repeat an earlier file's performance: {later: earlier}.

    `read(i)` returns a file's notes and `landmarks_of(i)` its landmarks; notes are read of short files only.
    """
    repeats: dict[int, int] = {}
    pairs = []
    for pair in shares.at_least(SHARE_OF_A_PERFORMANCE, FEWEST_MATCHES):
        fewer, more = sorted((note_counts[pair[0]], note_counts[pair[1]]))
        if fewer >= LENGTH_RATIO * more and _passages_coincide(landmarks_of(pair[0]), landmarks_of(pair[1])):
            pairs.append(pair)
    short = np.flatnonzero(shares.sizes < FEWEST_MATCHES).tolist()
    # In order, so that a repeat of a repeat leads to the first file of all.
    for earlier, later in sorted([*pairs, *_short_repeats({index: read(index) for index in short})]):
        repeats.setdefault(later, repeats.get(earlier, earlier))
    return repeats


def is_same_performance(first: Notes, second: Notes) -> bool:
    """Say whether two files hold one performance, up to its beginning, its speed, its key and its encoding."""
    first_order, second_order = order_by_chord(first), order_by_chord(second)
    if np.array_equal(first.pitch[first_order], second.pitch[second_order]):
        return _times_agree(np.stack([first.onset[first_order], second.onset[second_order]], axis=1))
    return _passages_coincide(landmarks(first), landmarks(second))


def _passages_coincide(first: Landmarks, second: Landmarks) -> bool:
    """Say whether the passages that two files share sound at the same times."""
    # A sample of the landmarks tells nearly all pairs apart in a fraction of the time.
    sample = _matched_times(_sample(first), _sample(second))
    if len(sample) >= FEWEST_MATCHES and not _times_agree(sample, 0.5):
        return False
    matched = _matched_times(first, second)
    return len(matched) >= FEWEST_MATCHES and _times_agree(matched)


def _sample(marks: Landmarks) -> Landmarks:
    """Return the landmarks with the lowest hashes, an eighth of all: in both files those of the same passages."""
    count = int(np.searchsorted(marks[0], np.uint64(1 << 61)))
    return marks[0][:count], marks[1][:count]


def _matched_times(first: Landmarks, second: Landmarks) -> NDArray[np.float64]:
    """Return when the passages that each file has once sound in both, float64 [M, 2] s, in order."""
    _, in_first, in_second = np.intersect1d(first[0], second[0], assume_unique=True, return_indices=True)
    matched = np.stack([first[1][in_first], second[1][in_second]], axis=1).astype(np.float64)
    matched = matched[~np.isnan(matched).any(axis=1)]
    return np.asarray(matched[np.argsort(matched[:, 0], kind="stable")])


def _times_agree(matched: NDArray[np.float64], quantile: float = 0.9) -> bool:
    """Say whether a straight line near the diagonal maps one column of times [M, 2] s to the other.

    `quantile` is the share of the times that must lie close to the line.
    """
    if not len(matched):
        return False
    quarter = max(1, len(matched) // 4)
    # The line goes through the medians of the first and the last quarter, which single wrong matches do not move.
    early, late = (_quantile(part) for part in (matched[:quarter], matched[-quarter:]))
    elapsed = np.maximum(late - early, 1e-9)
    stretch = float(elapsed[1] / elapsed[0]) if elapsed.max() > LARGEST_DEVIATION else 1.0
    deviation = matched[:, 1] - stretch * matched[:, 0]
    spread = _quantile(np.abs(deviation - _quantile(deviation)), quantile)
    return bool(abs(stretch - 1) <= LARGEST_STRETCH and spread <= LARGEST_DEVIATION)


def _quantile(values: NDArray[np.float64], quantile: float = 0.5) -> NDArray[np.float64]:
    """Return a quantile of each column, without interpolation."""
    # np.quantile takes twenty times as long on so few values.
    return np.asarray(np.sort(values, axis=0)[int(quantile * (len(values) - 1))])


def _short_repeats(pieces: Mapping[int, Notes]) -> Iterator[tuple[int, int]]:
    """Yield pairs of one performance among pieces with too few passages: those with the same pitches in a row."""
    alike: dict[bytes, list[int]] = defaultdict(list)
    for index, notes in pieces.items():
        alike[notes.pitch[order_by_chord(notes)].tobytes()].append(index)
    for group in alike.values():
        for later in group[1:]:
            if is_same_performance(pieces[group[0]], pieces[later]):
                yield group[0], later
