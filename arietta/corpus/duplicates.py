"""Which files of a corpus sound alike: the passages they share, and whether two files are one performance.

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

    def of(self, chosen: Sequence[int]) -> Shares:
        """Give the shares among the chosen files, which are counted anew from 0 in the order given."""
        place = np.full(len(self.sizes), -1, dtype=np.int64)
        place[list(chosen)] = np.arange(len(chosen))
        pairs = np.sort(place[self.pairs].reshape(-1, 2), axis=1)
        inside = pairs[:, 0] >= 0
        return Shares(pairs[inside], self.counts[inside], self.sizes[list(chosen)])

    def at_least(self, share: float, fewest: int) -> list[tuple[int, int]]:
        """List the pairs that share this much of the smaller file, and no fewer passages than `fewest`."""
        smaller = self.sizes[self.pairs].min(axis=1, initial=np.iinfo(np.int64).max)
        chosen = (self.counts >= share * smaller) & (self.counts >= fewest)
        return [(int(one), int(other)) for one, other in self.pairs[chosen]]


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
    unique, place = np.unique(np.concatenate(keys), return_inverse=True)
    total = np.zeros(len(unique), dtype=np.int64)
    np.add.at(total, place, np.concatenate(counts))
    sizes = np.array([stop - start for start, stop in ranges], dtype=np.int64)
    return Shares(np.stack(np.divmod(unique, max(1, len(ranges))), axis=1), total, sizes)


def find_repeats(
    shares: Shares, read: Callable[[int], Notes], recall: Callable[[int], Landmarks], note_counts: Sequence[int]
) -> dict[int, int]:
    """Find the files that repeat an earlier file's performance: {later: earlier}.

    `read(i)` gives a file's notes and `recall(i)` its landmarks; notes are read of short files only.
    """
    repeats: dict[int, int] = {}
    found = [
        pair
        for pair in shares.at_least(SHARE_OF_A_PERFORMANCE, FEWEST_MATCHES)
        if _are_of_a_length(note_counts, pair) and _is_one_performance(recall(pair[0]), recall(pair[1]))
    ]
    short = np.flatnonzero(shares.sizes < FEWEST_MATCHES).tolist()
    for one, other in sorted([*found, *_short_repeats({index: read(index) for index in short})]):
        repeats.setdefault(other, repeats.get(one, one))
    return repeats


def is_same_performance(one: Notes, other: Notes) -> bool:
    """Tell whether two files hold one performance, up to its beginning, its speed, its key and its encoding."""
    pair = order_by_chord(one), order_by_chord(other)
    if np.array_equal(one.pitch[pair[0]], other.pitch[pair[1]]):
        return _is_one_time(np.stack([one.onset[pair[0]], other.onset[pair[1]]], axis=1))
    return _is_one_performance(landmarks(one), landmarks(other))


def _is_one_performance(one: Landmarks, other: Landmarks) -> bool:
    """Compare a sample of the landmarks first, which tells nearly all pairs apart in a fraction of the time."""
    sample = _match(_first(one), _first(other))
    if len(sample) >= FEWEST_MATCHES and not _is_one_time(sample, 0.5):
        return False
    matched = _match(one, other)
    return len(matched) >= FEWEST_MATCHES and _is_one_time(matched)


def _first(marks: Landmarks) -> Landmarks:
    """Give the landmarks with the lowest hashes, an eighth of all: of two files the same ones."""
    count = int(np.searchsorted(marks[0], np.uint64(1 << 61)))
    return marks[0][:count], marks[1][:count]


def _are_of_a_length(note_counts: Sequence[int], pair: tuple[int, int]) -> bool:
    fewer, more = sorted((note_counts[pair[0]], note_counts[pair[1]]))
    return fewer >= LENGTH_RATIO * more


def _match(one: Landmarks, other: Landmarks) -> NDArray[np.float64]:
    """When the passages that each file has once sound in both, float64 [M, 2] s, in order."""
    _, mine, theirs = np.intersect1d(one[0], other[0], assume_unique=True, return_indices=True)
    matched = np.stack([one[1][mine], other[1][theirs]], axis=1).astype(np.float64)
    matched = matched[~np.isnan(matched).any(axis=1)]
    return np.asarray(matched[np.argsort(matched[:, 0], kind="stable")])


def _is_one_time(matched: NDArray[np.float64], quantile: float = 0.9) -> bool:
    """Tell whether a straight line near the diagonal takes one file's times [M, 2] s to the other's: this many."""
    if not len(matched):
        return False
    quarter = max(1, len(matched) // 4)
    early, late = (_middle(part) for part in (matched[:quarter], matched[-quarter:]))
    passed = np.maximum(late - early, 1e-9)
    stretch = float(passed[1] / passed[0]) if passed.max() > LARGEST_DEVIATION else 1.0
    deviation = matched[:, 1] - stretch * matched[:, 0]
    spread = _middle(np.abs(deviation - _middle(deviation)), quantile)
    return bool(abs(stretch - 1) <= LARGEST_STRETCH and spread <= LARGEST_DEVIATION)


def _middle(values: NDArray[np.float64], quantile: float = 0.5) -> NDArray[np.float64]:
    """Give the value at this place in the order of each column: np.quantile takes twenty times as long on so few."""
    return np.asarray(np.sort(values, axis=0)[int(quantile * (len(values) - 1))])


def _short_repeats(pieces: Mapping[int, Notes]) -> Iterator[tuple[int, int]]:
    """Pairs of one performance among pieces that have too few passages: those with the same pitches in a row."""
    alike: dict[bytes, list[int]] = defaultdict(list)
    for index, notes in pieces.items():
        alike[notes.pitch[order_by_chord(notes)].tobytes()].append(index)
    for group in alike.values():
        for later in group[1:]:
            if is_same_performance(pieces[group[0]], pieces[later]):
                yield group[0], later
