"""What a piece shares with a corpus: which passages, of which work, where, and whether people share as much.

    index = open_index("index")
    report = find_passages(notes, index)
    report.passages[0].piece.name, report.longest, report.share

After the originality report of Yin, Reuben, Stepney and Collins (2022, SN Computer Science 3:340): what a piece shares
is held against what works of people share with other works of people, so it says how usual the likeness is, and leaves
judging to the reader. Theirs compares by translation of points or by triples of notes; here words of six pitches
(`fingerprint.words`) are found in an index, and those that lie on one line, in one key, make a passage.
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
GAP = 80  # notes between two words of a passage
SLACK = 10  # notes by which the two sides may shift between words: an ornament here, a note left out there
FEWEST_WORDS = 4
LEAST_ALIKE = 0.3  # where a fifth of the notes are changed, half of them still stand in whole words
COST_OF_OTHERS = 0.2  # of a note that is the same
MOST_UNEVEN = 1.5  # a figure that comes again and again here may stand there once: no passage
SHORTEST = 16  # notes


@dataclass(frozen=True)
class Passage:
    """Notes [start, stop) of a piece, which are notes [there_start, there_stop) of `piece`, `semitones` higher there.

    Counted from 0, to within a chord; times are seconds of the two onsets. `alike` is the share of the notes
    that stand in words which both have: of those that are the same, most. `elsewhere` counts other places that have
    the passage too.
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
        """How many notes stand in words which both have: at least so many are the same."""
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
class _Reach:
    """How far apart the words of one passage may stand: further in a thinned index, which has fewer of them."""

    gap: int
    slack: int
    fewest: int

    @classmethod
    def of(cls, index: PassageIndex) -> _Reach:
        return cls(3 * GAP, 2 * SLACK, FEWEST_WORDS - 1) if index.is_thinned else cls(GAP, SLACK, FEWEST_WORDS)


@dataclass(frozen=True)
class _Matches:
    """Words that a piece and the corpus share, a row each [M]: their places in both, how much higher it is there."""

    here: IntArray
    there: IntArray
    semitones: IntArray

    def __len__(self) -> int:
        return len(self.here)

    def of(self, chosen: NDArray[np.bool_] | IntArray) -> _Matches:
        return _Matches(self.here[chosen], self.there[chosen], self.semitones[chosen])


def find_passages(notes: Notes, index: PassageIndex, *, exclude_work: str | None = None) -> Overlap:
    """Find the passages of 16 notes and more that a piece shares with the corpus, except in the work `exclude_work`."""
    matches, told = _match(notes, index, exclude_work)
    passages = [
        passage
        for chain in _chains(matches, index)
        if (passage := _passage(chain, told, index)) and passage.shared >= SHORTEST
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
    """Look up all words, block by block, keeping those that have others near; and which words could be told [N]."""
    hashes, places = ngrams(notes)
    pitch = notes.pitch[order_by_chord(notes)].astype(np.int64)
    told = np.zeros(len(notes), dtype=np.bool_)
    is_other = np.array([piece.work != exclude_work for piece in index.pieces], dtype=np.bool_)
    kept = [_Matches(*np.empty((3, 0), dtype=np.int64))]
    for start in range(0, len(hashes), AT_ONCE):
        here = places[start : start + AT_ONCE]
        counts, there, pitches = index.look_up(hashes[start : start + AT_ONCE])
        told[here[counts >= 0]] = True
        here = np.repeat(here, np.maximum(counts, 0))
        matches = _Matches(here, there, (pitches - pitch[here] + 32) % 64 - 32)
        if exclude_work is not None:
            matches = matches.of(is_other[index.piece_at(there)])
        kept.append(_in_rows(matches, _Reach.of(index)))
    joined = (np.concatenate([getattr(one, name) for one in kept]) for name in ("here", "there", "semitones"))
    return _Matches(*joined), told


def _in_rows(matches: _Matches, reach: _Reach) -> _Matches:
    """Keep what lies on one line with others, in one key, anywhere: of the chance matches one in a thousand does."""
    label = _split(matches.semitones, matches.there - matches.here, reach.slack)
    return matches.of(np.bincount(label)[label] >= reach.fewest) if len(matches) else matches


def _chains(matches: _Matches, index: PassageIndex) -> Iterator[_Matches]:
    """Give the matches of each passage, in order: one piece, one key, neither side shifting or pausing for long."""
    reach = _Reach.of(index)
    group = index.piece_at(matches.there) * 64 + matches.semitones + 32
    for values, most in (("line", reach.slack), ("here", reach.gap)) * 2:
        if not len(matches):
            return
        column = matches.here if values == "here" else matches.there - matches.here
        group = _split(group, column, most)
        is_kept = np.bincount(group)[group] >= reach.fewest
        matches, group = matches.of(is_kept), group[is_kept]
    order = np.lexsort((matches.here, group))
    cuts = np.flatnonzero(np.diff(group[order])) + 1
    yield from (matches.of(chosen) for chosen in np.split(order, cuts) if len(chosen))


def _split(group: IntArray, values: IntArray, most: int) -> IntArray:
    """Label rows [M] anew: those of one group stay together as long as their values rise by `most` at a time."""
    order = np.lexsort((values, group))
    is_new = np.zeros(len(group), dtype=np.bool_)
    is_new[1:] = (np.diff(group[order]) != 0) | (np.diff(values[order]) > most)
    label = np.empty(len(group), dtype=np.int64)
    label[order] = np.cumsum(is_new)
    return label


def _passage(chain: _Matches, told: NDArray[np.bool_], index: PassageIndex) -> Passage | None:
    """What a chain says; None where too few different words say it, or too few of those that might."""
    begin, end = int(chain.here[0]), int(chain.here[-1]) + NGRAM_LENGTH
    is_covered = _stand_in(chain.here - begin, end - begin)
    is_told = _stand_in(np.flatnonzero(told[begin : end - NGRAM_LENGTH + 1]), end - begin)
    start, stop = _densest(is_covered, is_told)
    alike = float(is_covered[start:stop].sum() / is_told[start:stop].sum())
    start, stop = start + begin, stop + begin
    chain = chain.of((chain.here >= start) & (chain.here < stop))
    if len(np.unique(chain.here)) < _Reach.of(index).fewest or alike < LEAST_ALIKE:
        return None
    first, last = (_there(chain, edge) for edge in (start, stop - NGRAM_LENGTH))
    if not 1 / MOST_UNEVEN <= (last + NGRAM_LENGTH - first) / (stop - start) <= MOST_UNEVEN:
        return None
    piece = index.pieces[int(index.piece_at(chain.there[:1])[0])]
    first, last = first - piece.start, last - piece.start
    return Passage(piece, start, stop, first, last + NGRAM_LENGTH, int(chain.semitones[0]), alike)


def _stand_in(places: IntArray, note_count: int) -> NDArray[np.bool_]:
    """Mark the notes [N] of the words at these places."""
    changes = np.zeros(note_count + 1, dtype=np.int64)
    np.add.at(changes, places, 1)
    np.add.at(changes, places + NGRAM_LENGTH, -1)
    return np.asarray(np.cumsum(changes[:-1]) > 0)


def _densest(is_covered: NDArray[np.bool_], is_told: NDArray[np.bool_]) -> tuple[int, int]:
    """Leave stray words at the ends off: the stretch [start, stop) of the best sum, where notes that differ cost."""
    gains = np.where(is_covered, 1.0, np.where(is_told, -COST_OF_OTHERS, 0.0))
    heights = np.concatenate([[0.0], np.cumsum(gains)])
    lowest = np.minimum.accumulate(heights)
    stop = int(np.argmax(heights - lowest))
    start = int(np.flatnonzero(heights[:stop] == lowest[stop])[-1])
    return start, stop


def _there(chain: _Matches, end: int) -> int:
    """Where the word at one end of a chain stands there: of several places, the one in line with the words around."""
    line = chain.there - chain.here
    around = np.argsort(np.abs(chain.here - end), kind="stable")[:9]
    choices = np.flatnonzero(chain.here == end)
    return int(chain.there[choices[np.argmin(np.abs(line[choices] - np.median(line[around])))]])


def _longest_first(passages: Sequence[Passage]) -> Iterator[Passage]:
    """List passages, but those that a longer one mostly covers, which are counted with it."""
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
