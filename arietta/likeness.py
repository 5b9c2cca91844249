"""Which files of a corpus sound alike: the passages they share, and whether two files are one performance.

Two performances of a work share passages but not their timing; two encodings of one performance, or two
transcriptions of one recording, share both. So the onsets of shared passages are laid side by side: where a straight
line takes one to the other within 30 ms, it is one performance. On 11,346 files of MAESTRO, GiantMIDI and
piano-midi.de nine in ten passages lie within 20 ms of that line for the same performance, and over 45 ms for others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .fingerprint import Hashes, by_chord, count_shared, passages
from .notes import Notes, Seconds
from .store import ColumnReader

FREQUENT = 100  # a passage in more files than this is a figure; the most recorded work here has 41 files
PARTITIONS = 16  # of the hashes, to bound memory: 10,000 files' passages are 0.3 GB
SHARE_OF_A_PERFORMANCE = 0.3  # of the smaller file: two transcriptions of one recording share 0.4 to 0.8
LENGTH_RATIO = 0.8
FEWEST_MATCHES = 20  # passages, so that the line is not drawn through a coincidence
LARGEST_DEVIATION = 0.03  # seconds
LARGEST_STRETCH = 0.05  # a recording may run a little faster, a performance given again does not fit at all


@dataclass(frozen=True)
class Shares:
    """Passages that files share: `pairs` int64 [P, 2] (i < j), `counts` int64 [P], `sizes` int64 [files]."""

    pairs: NDArray[np.int64]
    counts: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def at_least(self, share: float, fewest: int) -> list[tuple[int, int]]:
        """List the pairs that share this much of the smaller file, and no fewer passages than `fewest`."""
        smaller = self.sizes[self.pairs].min(axis=1, initial=np.iinfo(np.int64).max)
        chosen = (self.counts >= share * smaller) & (self.counts >= fewest)
        return [(int(one), int(other)) for one, other in self.pairs[chosen]]


def measure_shares(column: ColumnReader, ranges: Sequence[tuple[int, int]]) -> Shares:
    """Count the passages that files share; `ranges[i]` is where file i's sorted fingerprint stands in `column`."""
    bounds = np.arange(PARTITIONS, dtype=np.uint64) << np.uint64(60)
    cuts = [np.append(np.searchsorted(column.rows(*span), bounds), span[1] - span[0]) for span in ranges]
    keys, counts = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for part in range(PARTITIONS):
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


def find_repeats(shares: Shares, read: Callable[[int], Notes], note_counts: Sequence[int]) -> dict[int, int]:
    """Find the files that repeat an earlier file's performance: {later: earlier}; `read(i)` gives a file's notes."""
    repeats: dict[int, int] = {}
    candidates = shares.at_least(SHARE_OF_A_PERFORMANCE, FEWEST_MATCHES)
    for one, other in sorted({*candidates, *_same_pitches(note_counts, shares.sizes, read)}):
        fewer, more = sorted((note_counts[one], note_counts[other]))
        if other not in repeats and fewer >= LENGTH_RATIO * more and is_same_performance(read(one), read(other)):
            repeats[other] = repeats.get(one, one)
    return repeats


def is_same_performance(one: Notes, other: Notes) -> bool:
    """Tell whether two files hold one performance, up to its beginning, its speed, its key and its encoding."""
    matched = _match(one, other)
    if len(matched) < min(FEWEST_MATCHES, len(one), len(other)):
        return False
    quarter = max(1, len(matched) // 4)
    early, late = np.median(matched[:quarter], axis=0), np.median(matched[-quarter:], axis=0)
    passed = np.maximum(late - early, 1e-9)
    stretch = float(passed[1] / passed[0]) if passed.max() > LARGEST_DEVIATION else 1.0
    deviation = matched[:, 1] - stretch * matched[:, 0]
    spread = np.quantile(np.abs(deviation - np.median(deviation)), 0.9)
    return bool(abs(stretch - 1) <= LARGEST_STRETCH and spread <= LARGEST_DEVIATION)


def _match(one: Notes, other: Notes) -> NDArray[np.float64]:
    """Onsets of what both have, float64 [M, 2] s, in order: all notes where the pitches are the same ones, else the
    passages that each has once."""
    order, others = by_chord(one), by_chord(other)
    if np.array_equal(one.pitch[order], other.pitch[others]):
        return np.stack([one.onset[order], other.onset[others]], axis=1)
    (hashes, onsets), (other_hashes, other_onsets) = _unique_passages(one), _unique_passages(other)
    _, mine, theirs = np.intersect1d(hashes, other_hashes, assume_unique=True, return_indices=True)
    matched = np.stack([onsets[mine], other_onsets[theirs]], axis=1)
    return np.asarray(matched[np.argsort(matched[:, 0], kind="stable")], dtype=np.float64)


def _unique_passages(notes: Notes) -> tuple[Hashes, Seconds]:
    hashes, places = passages(notes)
    unique, first, counts = np.unique(hashes, return_index=True, return_counts=True)
    return unique[counts == 1], notes.onset[places[first[counts == 1]]]


def _same_pitches(
    note_counts: Sequence[int], sizes: NDArray[np.int64], read: Callable[[int], Notes]
) -> Iterator[tuple[int, int]]:
    """Pairs of files with the same pitches in a row, among those that have too few passages to be found by them."""
    alike: dict[bytes, list[int]] = defaultdict(list)
    for index in np.flatnonzero(sizes < FEWEST_MATCHES):
        notes = read(int(index))
        alike[notes.pitch[by_chord(notes)].tobytes()].append(int(index))
    for group in alike.values():
        yield from ((group[0], later) for later in group[1:])
