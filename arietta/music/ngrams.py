"""What identifies a passage of music, whatever its key and tempo: hashed n-grams of its pitches.

The notes of a chord are put in order of pitch (`chords.order_by_chord`), since no two performances strike them in the
same order; the intervals between successive pitches are then hashed. Figures that everybody writes (trills, scales,
broken chords: intervals that soon repeat) identify nothing and are left out.

    landmarks   n-grams of 12 pitches, to find duplicates and works in a corpus: on MAESTRO two performances under one
                title share 34 % of theirs (median; 5 % without the ordering), two pieces by different composers
                never 1 %. A piece's different landmarks, sorted, are its fingerprint.
    ngrams      n-grams of 6 pitches, to find copied passages in a take: of a copy with a fifth of its notes changed a
                quarter of them are left, and 7 % of the landmarks. A single one tells nothing, rows of them do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .chords import Indices, order_by_chord
from .notes import Notes

LANDMARK_LENGTH, NGRAM_LENGTH = 12, 6  # pitches
LONGEST_FIGURE = 7  # intervals, those of a major scale
LONGEST_FIGURE_OF_AN_NGRAM = 3  # five intervals repeat after four of them one time in ten, by chance

Hashes = NDArray[np.uint64]

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio, an odd number
_MIXER = np.uint64(0xBF58476D1CE4E5B9)  # splitmix64's first (Steele, Lea and Flood 2014)


def ngrams(notes: Notes) -> tuple[Hashes, Indices]:
    """Hash every n-gram but trills, broken triads and repeated notes: uint64 [G], and where it begins, int64 [G].

    It begins at that note in the order that `order_by_chord` gives; the numbers rise.
    """
    intervals = _intervals(notes, order_by_chord(notes))
    count = max(0, len(notes) - NGRAM_LENGTH + 1)
    starts = np.flatnonzero(~_is_figure(intervals, count, NGRAM_LENGTH, LONGEST_FIGURE_OF_AN_NGRAM))
    return _hash(intervals, count, NGRAM_LENGTH)[starts], starts


def landmarks(notes: Notes) -> tuple[Hashes, NDArray[np.float32]]:
    """Find a piece's different landmarks, uint64 [G], rising, and when each begins, float32 [G] s.

    A landmark that comes again begins at nan. Common figures are left out; fewer than 12 notes have none.
    """
    order = order_by_chord(notes)
    intervals = _intervals(notes, order)
    count = max(0, len(notes) - LANDMARK_LENGTH + 1)
    starts = np.flatnonzero(~_is_figure(intervals, count))
    unsorted = _hash(intervals, count)[starts]
    rank = np.argsort(
        unsorted
    )  # three times as fast as np.unique's stable sort; which of equals is first tells nothing
    hashes, first, counts = np.unique(unsorted[rank], return_index=True, return_counts=True)
    onset = notes.onset[order[starts[rank[first]]]]
    return hashes, np.where(counts == 1, onset, np.nan).astype(np.float32)


def count_shared(parts: Sequence[Hashes], frequent: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count the landmarks that each two of many fingerprints share: pairs int64 [P, 2] (i < j), counts int64 [P].

    `parts[i]` is the fingerprint of piece i, or its hashes in one range when a caller goes range by range to save
    memory. Landmarks that more than `frequent` pieces have (scales, trills, repeated notes) tell nothing: left out.
    The low bits of a hash make room for its owner (14 for 10,000 pieces), so that one plain sort finds what is shared.
    """
    bits = np.uint64(max(1, (len(parts) - 1).bit_length()))
    owners = (np.uint64(1) << bits) - np.uint64(1)
    tagged = [np.empty(0, dtype=np.uint64)]
    tagged += [part & ~owners | np.uint64(index) for index, part in enumerate(parts)]
    rows = _shared(np.sort(np.concatenate(tagged)), bits, frequent)
    hashes, same = rows >> bits, np.arange(len(rows))
    keys = [np.empty(0, dtype=np.int64)]
    for lag in range(1, frequent):
        same = same[: np.searchsorted(same, len(rows) - lag)]  # sorted: what differs here differs farther on too
        same = same[hashes[same] == hashes[same + lag]]
        lower, higher = (rows[at] & owners for at in (same, same + lag))
        keys.append((lower * np.uint64(len(parts)) + higher).astype(np.int64))
    pair_keys, counts = np.unique(np.concatenate(keys), return_counts=True)
    return np.stack(np.divmod(pair_keys, max(1, len(parts))), axis=1), counts


def _shared(rows: Hashes, bits: np.uint64, frequent: int) -> Hashes:
    """Keep of sorted rows those whose hash stands in 2 to `frequent` of them."""
    begins = np.ones(len(rows), dtype=np.bool_)
    begins[1:] = rows[1:] >> bits != rows[:-1] >> bits
    lengths = np.diff(np.append(np.flatnonzero(begins), len(rows)))
    return rows[np.repeat((lengths > 1) & (lengths <= frequent), lengths)]


def _intervals(notes: Notes, order: Indices) -> NDArray[np.int64]:
    return np.asarray(np.diff(notes.pitch[order].astype(np.int64)), dtype=np.int64)


def _hash(intervals: NDArray[np.int64], count: int, length: int = LANDMARK_LENGTH) -> Hashes:
    digits = (intervals + 128).astype(np.uint64)
    hashes = np.zeros(count, dtype=np.uint64)
    for step in range(length - 1):  # a polynomial of the intervals modulo 2^64, for all n-grams at once
        hashes = hashes * _MULTIPLIER + digits[step : step + count]
    # Mixed, so that equal low bits (see `count_shared`, and an index's slots) are chance.
    hashes = (hashes ^ hashes >> np.uint64(29)) * _MIXER
    return hashes ^ hashes >> np.uint64(32)


def _is_figure(
    intervals: NDArray[np.int64], count: int, length: int = LANDMARK_LENGTH, longest: int = LONGEST_FIGURE
) -> NDArray[np.bool_]:
    """Return for each n-gram whether its intervals repeat after 1 to `longest` of them: bool [count]."""
    is_figure = np.zeros(count, dtype=np.bool_)
    for period in range(1, longest + 1):
        differs = np.cumsum(np.concatenate([[0], intervals[period:] != intervals[:-period]]))
        compared = length - 1 - period
        is_figure |= differs[compared : compared + count] == differs[:count]
    return is_figure
