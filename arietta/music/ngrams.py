"""What identifies a passage of music: 12 pitches in a row, whatever their key and tempo.

Notes struck together (each within 40 ms of the one before) are put in order of pitch, since no two performances
strike a chord's notes in the same order; the 11 intervals between 12 successive pitches are then hashed. Figures that
everybody writes (trills, scales, broken chords: intervals that repeat after at most seven) are left out of a
fingerprint. On MAESTRO two performances under one title share 34 % of their passages (median; 5 % without the
ordering), two pieces by different composers never 1 %. Used to find duplicates and works in a corpus.

Words are the same thing with 6 pitches: of a copy with a fifth of its notes changed a quarter of the words are left,
and 7 % of the passages. Single words tell nothing, rows of them do; used to find copied passages in a take.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .chords import Indices, order_by_chord
from .notes import Notes

PASSAGE_LENGTH, NGRAM_LENGTH = 12, 6  # pitches
LONGEST_FIGURE = 7  # intervals, those of a major scale
LONGEST_FIGURE_OF_A_WORD = 3  # a word of five intervals repeats after four of them one time in ten, by chance

Hashes = NDArray[np.uint64]

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio, an odd number
_MIXER = np.uint64(0xBF58476D1CE4E5B9)  # splitmix64's first (Steele, Lea and Flood 2014)


def passages(notes: Notes) -> tuple[Hashes, Indices]:
    """Hash every passage: uint64 [max(0, N - 11)], and the index in `notes` of each passage's first note."""
    order = order_by_chord(notes)
    count = max(0, len(notes) - PASSAGE_LENGTH + 1)
    return _hash(_intervals(notes, order), count), order[:count]


def ngrams(notes: Notes) -> tuple[Hashes, Indices]:
    """Hash every word but trills, broken triads and repeated notes: uint64 [W], and its first note's place, int64 [W].

    Places count the notes in the order that `order_by_chord` gives; they rise.
    """
    intervals = _intervals(notes, order_by_chord(notes))
    count = max(0, len(notes) - NGRAM_LENGTH + 1)
    places = np.flatnonzero(~_is_figure(intervals, count, NGRAM_LENGTH, LONGEST_FIGURE_OF_A_WORD))
    return _hash(intervals, count, NGRAM_LENGTH)[places], places


def fingerprint(notes: Notes) -> Hashes:
    """Give the piece's different passages, without common figures, sorted: uint64 [G]; empty below 12 notes."""
    return landmarks(notes)[0]


def landmarks(notes: Notes) -> tuple[Hashes, NDArray[np.float32]]:
    """Give a fingerprint, uint64 [G], and when each passage sounds, float32 [G] s: nan where it sounds repeatedly."""
    order = order_by_chord(notes)
    intervals = _intervals(notes, order)
    count = max(0, len(notes) - PASSAGE_LENGTH + 1)
    telling = np.flatnonzero(~_is_figure(intervals, count))
    found = _hash(intervals, count)[telling]
    rank = np.argsort(found)  # three times as fast as np.unique's stable sort; which of equals is first tells nothing
    hashes, first, counts = np.unique(found[rank], return_index=True, return_counts=True)
    onset = notes.onset[order[telling[rank[first]]]]
    return hashes, np.where(counts == 1, onset, np.nan).astype(np.float32)


def share(one: Hashes, other: Hashes) -> float:
    """Give the share of the smaller fingerprint that is in the larger, 0 to 1; 0 when either is empty."""
    smaller = min(len(one), len(other))
    return len(np.intersect1d(one, other, assume_unique=True)) / smaller if smaller else 0.0


def count_shared(parts: Sequence[Hashes], frequent: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count the passages that each two of many fingerprints share: pairs int64 [P, 2] (i < j), counts int64 [P].

    `parts[i]` is the fingerprint of piece i, or its hashes in one range when a caller goes range by range to save
    memory. Passages that more than `frequent` pieces have (scales, trills, repeated notes) tell nothing: left out.
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
        one, other = (rows[at] & owners for at in (same, same + lag))
        keys.append((one * np.uint64(len(parts)) + other).astype(np.int64))
    found, counts = np.unique(np.concatenate(keys), return_counts=True)
    return np.stack(np.divmod(found, max(1, len(parts))), axis=1), counts


def _shared(rows: Hashes, bits: np.uint64, frequent: int) -> Hashes:
    """Keep of sorted rows those whose hash stands in 2 to `frequent` of them."""
    begins = np.ones(len(rows), dtype=np.bool_)
    begins[1:] = rows[1:] >> bits != rows[:-1] >> bits
    lengths = np.diff(np.append(np.flatnonzero(begins), len(rows)))
    return rows[np.repeat((lengths > 1) & (lengths <= frequent), lengths)]


def _intervals(notes: Notes, order: Indices) -> NDArray[np.int64]:
    return np.asarray(np.diff(notes.pitch[order].astype(np.int64)), dtype=np.int64)


def _hash(intervals: NDArray[np.int64], count: int, length: int = PASSAGE_LENGTH) -> Hashes:
    digits = (intervals + 128).astype(np.uint64)
    hashes = np.zeros(count, dtype=np.uint64)
    for place in range(length - 1):
        hashes = hashes * _MULTIPLIER + digits[place : place + count]
    hashes = (hashes ^ hashes >> np.uint64(29)) * _MIXER
    return hashes ^ hashes >> np.uint64(32)


def _is_figure(
    intervals: NDArray[np.int64], count: int, length: int = PASSAGE_LENGTH, longest: int = LONGEST_FIGURE
) -> NDArray[np.bool_]:
    """Tell for each passage whether its intervals repeat after 1 to `longest` of them: bool [count]."""
    found = np.zeros(count, dtype=np.bool_)
    for period in range(1, longest + 1):
        differs = np.cumsum(np.concatenate([[0], intervals[period:] != intervals[:-period]]))
        compared = length - 1 - period
        found |= differs[compared : compared + count] == differs[:count]
    return found
