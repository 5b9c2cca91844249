"""What a piece shares with a corpus: which passages, of which work, and where.

    index = open_index("index")
    overlap = find_passages(notes, index)
    overlap.passages[0].piece.name, overlap.longest, overlap.share

After the originality report of Yin, Reuben, Stepney and Collins (2022, SN Computer Science 3:340): what a piece shares
is held against what works of people share with other works of people (`baseline`), so it says how common the overlap
is, and leaves judging to the reader. Theirs compares by translation of points or by triples of notes; here n-grams of
six pitches (`music.ngrams`) are looked up in an index, and those at one interval and one offset make a passage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..music.chords import order_by_chord
from ..music.ngrams import NGRAM_LENGTH, ngrams
from ..music.notes import Notes
from .index import IndexedPiece, IntArray, PassageIndex

AT_ONCE = 1 << 14  # notes looked up at once, to bound memory
GAP = 80  # notes between two n-grams of a passage
SLACK = 10  # notes by which the offset may change between n-grams: an ornament here, a note left out there
FEWEST_NGRAMS = 4
LEAST_ALIKE = 0.3  # where a fifth of the notes are changed, half of them are still in some n-gram that is the same
COST_OF_OTHERS = 0.2  # a note that differs costs this much of what a note that is the same gains
MOST_UNEVEN = 1.5  # ratio of lengths: a figure repeated here that occurs once there makes no passage
SHORTEST = 16  # notes


@dataclass(frozen=True)
class Passage:
    """Notes [start, stop) of a piece, which are notes [there_start, there_stop) of `piece`, `semitones` higher there.

    Notes are counted from 0, to within a chord; the times in seconds are the onsets of the first and the last.
    `alike` is the share of the notes that are in n-grams of both, which most equal notes are. `elsewhere` counts the
    other occurrences of the passage in the corpus.
    """

    piece: IndexedPiece
    start: int
    stop: int
    there_start: int
    there_stop: int
    semitones: int
    alike: float
    seconds: tuple[float, float] = (0.0, 0.0)
    there_seconds: tuple[float, float] = (0.0, 0.0)
    elsewhere: int = 0

    @property
    def shared(self) -> int:
        """How many notes are in n-grams of both: at least so many are the same."""
        return round(self.alike * (self.stop - self.start))


@dataclass(frozen=True)
class Overlap:
    """What a piece shares with a corpus: `passages`, the longest first; `is_covered` bool [N], the notes in any."""

    is_covered: NDArray[np.bool_]
    passages: tuple[Passage, ...]

    @property
    def share(self) -> float:
        """Share of the notes in shared passages, 0 to 1."""
        return float(self.is_covered.mean()) if len(self.is_covered) else 0.0

    @property
    def longest(self) -> int:
        """Notes of the longest shared passage."""
        return max((passage.shared for passage in self.passages), default=0)


@dataclass(frozen=True)
class _Tolerance:
    """How far apart the n-grams of one passage may lie: further in a thinned index, which has fewer of them."""

    gap: int
    slack: int
    fewest: int

    @classmethod
    def of(cls, index: PassageIndex) -> _Tolerance:
        return cls(3 * GAP, 2 * SLACK, FEWEST_NGRAMS - 1) if index.is_thinned else cls(GAP, SLACK, FEWEST_NGRAMS)


@dataclass(frozen=True)
class _Matches:
    """N-grams that a piece and the corpus share, a row each [M]: note numbers in both, how much higher it is there."""

    here: IntArray
    there: IntArray
    semitones: IntArray

    def __len__(self) -> int:
        return len(self.here)

    @property
    def offset(self) -> IntArray:
        """How far behind the corpus's note is: constant along an exact copy."""
        return self.there - self.here

    def select(self, rows: NDArray[np.bool_] | IntArray) -> _Matches:
        return _Matches(self.here[rows], self.there[rows], self.semitones[rows])


def find_passages(notes: Notes, index: PassageIndex, *, exclude_work: str | None = None) -> Overlap:
    """Find the passages of 16 notes and more that a piece shares with the corpus, but for the work `exclude_work`."""
    matches, is_known = _match(notes, index, exclude_work)
    passages = [
        passage
        for chain in _chains(matches, index)
        if (passage := _passage(chain, is_known, index)) and passage.shared >= SHORTEST
    ]
    is_covered = np.zeros(len(notes), dtype=np.bool_)
    for passage in passages:
        is_covered[passage.start : passage.stop] = True
    listed = []
    for passage in _longest_first(passages):
        onset = notes.onset[[passage.start, passage.stop - 1]].tolist()
        there = [index.seconds(passage.piece, number) for number in (passage.there_start, passage.there_stop - 1)]
        listed.append(replace(passage, seconds=(onset[0], onset[1]), there_seconds=(there[0], there[1])))
    return Overlap(is_covered, tuple(listed))


def _match(notes: Notes, index: PassageIndex, exclude_work: str | None) -> tuple[_Matches, NDArray[np.bool_]]:
    """Look up all n-grams: the matches that have others near them, and bool [N], whose n-grams the index knows."""
    tolerance = _Tolerance.of(index)
    hashes, starts = ngrams(notes)
    pitch = notes.pitch[order_by_chord(notes)].astype(np.int64)
    is_known = np.zeros(len(notes), dtype=np.bool_)
    is_included = np.array([piece.work != exclude_work for piece in index.pieces], dtype=np.bool_)
    blocks = [_Matches(*np.empty((3, 0), dtype=np.int64))]
    for first in range(0, len(hashes), AT_ONCE):
        here = starts[first : first + AT_ONCE]
        counts, there, pitches = index.look_up(hashes[first : first + AT_ONCE])
        is_known[here[counts >= 0]] = True
        here = np.repeat(here, np.maximum(counts, 0))
        # The index has six bits of pitch: intervals are told apart within a range of 64 semitones.
        matches = _Matches(here, there, (pitches - pitch[here] + 32) % 64 - 32)
        if exclude_work is not None:
            matches = matches.select(is_included[index.piece_at(there)])
        # This bounds memory: of the matches by chance one in a thousand has enough others at its offset and interval.
        group = _split_by_gap(matches.semitones, matches.offset, tolerance.slack)
        blocks.append(_without_small_groups(matches, group, tolerance.fewest)[0])
    columns = (np.concatenate([getattr(block, name) for block in blocks]) for name in ("here", "there", "semitones"))
    return _Matches(*columns), is_known


def _chains(matches: _Matches, index: PassageIndex) -> Iterator[_Matches]:
    """Yield the matches of each passage, in order: one piece, one interval, no large shift and no long pause."""
    tolerance = _Tolerance.of(index)
    group = index.piece_at(matches.there) * 64 + matches.semitones + 32
    # Twice: where a pause divides a group, its parts may lie at offsets that only the other part had connected, and
    # matches left out may have bridged a pause.
    for _ in range(2):
        group = _split_by_gap(group, matches.offset, tolerance.slack)
        matches, group = _without_small_groups(matches, group, tolerance.fewest)
        group = _split_by_gap(group, matches.here, tolerance.gap)
        matches, group = _without_small_groups(matches, group, tolerance.fewest)
    order = np.lexsort((matches.here, group))
    cuts = np.flatnonzero(np.diff(group[order])) + 1
    yield from (matches.select(rows) for rows in np.split(order, cuts) if len(rows))


def _without_small_groups(matches: _Matches, group: IntArray, fewest: int) -> tuple[_Matches, IntArray]:
    is_large = np.bincount(group)[group] >= fewest
    return matches.select(is_large), group[is_large]


def _split_by_gap(group: IntArray, position: IntArray, largest_gap: int) -> IntArray:
    """Number groups [M] anew, splitting them where sorted positions are further apart than `largest_gap`."""
    order = np.lexsort((position, group))
    is_new = np.zeros(len(group), dtype=np.bool_)
    is_new[1:] = (np.diff(group[order]) != 0) | (np.diff(position[order]) > largest_gap)
    split = np.empty(len(group), dtype=np.int64)
    split[order] = np.cumsum(is_new)
    return split


def _passage(chain: _Matches, is_known: NDArray[np.bool_], index: PassageIndex) -> Passage | None:
    """Make a passage of a chain; None where it has too few different n-grams, or too few of those known."""
    begin, end = int(chain.here[0]), int(chain.here[-1]) + NGRAM_LENGTH
    is_shared = _notes_of(chain.here - begin, end - begin)
    is_comparable = _notes_of(np.flatnonzero(is_known[begin : end - NGRAM_LENGTH + 1]), end - begin)
    start, stop = _densest(is_shared, is_comparable)
    alike = float(is_shared[start:stop].sum() / is_comparable[start:stop].sum())
    start, stop = start + begin, stop + begin
    chain = chain.select((chain.here >= start) & (chain.here < stop))
    if len(np.unique(chain.here)) < _Tolerance.of(index).fewest or alike < LEAST_ALIKE:
        return None
    first, last = (_counterpart(chain, number) for number in (start, stop - NGRAM_LENGTH))
    if not 1 / MOST_UNEVEN <= (last + NGRAM_LENGTH - first) / (stop - start) <= MOST_UNEVEN:
        return None
    piece = index.pieces[int(index.piece_at(chain.there[:1])[0])]
    first, last = first - piece.start, last - piece.start
    return Passage(piece, start, stop, first, last + NGRAM_LENGTH, int(chain.semitones[0]), alike)


def _notes_of(starts: IntArray, note_count: int) -> NDArray[np.bool_]:
    """Mark the notes [N] of the n-grams that start at these notes."""
    changes = np.zeros(note_count + 1, dtype=np.int64)
    np.add.at(changes, starts, 1)
    np.add.at(changes, starts + NGRAM_LENGTH, -1)
    return np.asarray(np.cumsum(changes[:-1]) > 0)


def _densest(is_shared: NDArray[np.bool_], is_comparable: NDArray[np.bool_]) -> tuple[int, int]:
    """Leave stray n-grams at the ends off: return the range [start, stop) of the largest sum of gains.

    A shared note gains 1, a note that differs costs COST_OF_OTHERS, one in no n-gram that the index knows is free.
    """
    gains = np.where(is_shared, 1.0, np.where(is_comparable, -COST_OF_OTHERS, 0.0))
    # The maximum subarray by prefix sums: the largest rise from a lowest sum before it.
    sums = np.concatenate([[0.0], np.cumsum(gains)])
    lowest = np.minimum.accumulate(sums)
    stop = int(np.argmax(sums - lowest))
    start = int(np.flatnonzero(sums[:stop] == lowest[stop])[-1])
    return start, stop


def _counterpart(chain: _Matches, number: int) -> int:
    """Return the corpus's note that matches note `number` at an end of the chain."""
    # A figure may occur there repeatedly: of its notes, the one whose offset agrees with the nine matches around.
    around = np.argsort(np.abs(chain.here - number), kind="stable")[:9]
    choices = np.flatnonzero(chain.here == number)
    distance = np.abs(chain.offset[choices] - np.median(chain.offset[around]))
    return int(chain.there[choices[np.argmin(distance)]])


def _longest_first(passages: Sequence[Passage]) -> Iterator[Passage]:
    """Yield passages but those that a longer one mostly covers, which count as its occurrences elsewhere."""
    waiting = sorted(passages, key=lambda passage: (-passage.shared, -passage.alike, passage.start))
    while waiting:
        longest, *shorter = waiting
        waiting = [
            passage
            for passage in shorter
            if (min(longest.stop, passage.stop) - max(longest.start, passage.start)) / (passage.stop - passage.start)
            < 0.5
        ]
        yield replace(longest, elsewhere=len(shorter) - len(waiting))
