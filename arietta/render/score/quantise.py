"""Where notes are written: onsets and releases in seconds to places in the metre, 24 to a quarter note.

Positions are multiples of 3 (thirty-second notes) or of 4 (triplets of sixteenths); within a quarter note one hand
keeps to one of the two. Notes of an exact metre go to the nearest position. Otherwise each beat takes the division
that fits the onsets in it at the least cost, where finer divisions cost more (Cemgil, Desain and Kappen 2000, "Rhythm
quantization for transcription", in its simplest form), and releases become the usual values.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...music.chords import number_chords_by_span
from ...music.meter import LATTICE, Bar, Meter
from ...music.notes import Notes, Seconds

SPREAD = 0.06  # of a beat: how far onsets stray from where they are written
EARLY = 0.12  # of a beat: an onset so little before a beat belongs to it
CRAMMED = 6.0  # cost of two chords at one place
# Divisions of a beat and what they cost, in squares of SPREAD.
SIMPLE = {1: 0.0, 2: 0.5, 3: 2.5, 4: 1.5, 6: 5.0, 8: 6.0}
COMPOUND = {1: 0.0, 3: 0.5, 6: 2.0, 9: 6.0, 12: 6.0}
HABIT = 0.5  # a division costs so much of that where the beat before had it too
LEGATO, PEDALLED, OVERLAP = 0.6, 0.35, 1.35  # of the time to the hand's next onset: held so long, a note reaches it
SHORTEST_REST, STACCATO = LATTICE // 2, LATTICE  # a rest is not shorter; a gap up to this is a short touch, not a rest
VALUES = 0.9  # share of releases at some onset or on an eighth, below which they tell of touch and not of note values

Positions = NDArray[np.int64]


def quantise_notes(
    notes: Notes, meter: Meter, bars: list[Bar], is_right: NDArray[np.bool_]
) -> tuple[Positions, Positions]:
    """Find the lattice places of onsets and ends, int64 [N] each; every note keeps a place of its own on its key."""
    onset, release = meter.quarters(notes.onset) * LATTICE, meter.quarters(notes.release) * LATTICE
    start = _nearest(onset) if meter.is_exact else _divide(notes, onset, bars)
    start = np.maximum(start, bars[0].start)
    is_written = meter.is_exact & _are_values(start, release)
    end = np.where(is_written, _nearest(release), 0)
    cells = _Cells(bars, start, end, is_right)
    start = _apart(notes, cells.settle(start, is_right), cells, is_right)
    for hand in (False, True):
        chosen = is_right == hand
        open_ends = _values(start[chosen], release[chosen], _is_pedalled(notes)[chosen])
        end[chosen] = np.where(is_written[chosen], end[chosen], open_ends)
        if not meter.is_exact:
            end[chosen] = _even(start[chosen], end[chosen])
    end = np.minimum(cells.settle(end, is_right), _next_on_key(notes, start))
    return start, np.maximum(end, start + cells.steps(start, is_right))


def _nearest(positions: Seconds) -> Positions:
    """The nearest places, thirty-seconds before triplets."""
    straight, triple = 3 * np.rint(positions / 3), 4 * np.rint(positions / 4)
    is_triple = np.abs(positions - triple) < np.abs(positions - straight) - 1e-6
    return np.where(is_triple, triple, straight).astype(np.int64)


# Onsets that have to be rounded


def _divide(notes: Notes, onset: Seconds, bars: list[Bar]) -> Positions:
    """Give every chord a place in its beat, by the division that costs the beat least."""
    chord, position = _chords(notes, onset)
    beats = np.array([[at, bar.beat] for bar in bars for at in range(bar.start, bar.start + bar.length, bar.beat)])
    early = EARLY * beats[:, 1]
    owner = np.maximum(np.searchsorted(beats[:, 0] - early, position, side="right") - 1, 0)
    places, before = np.zeros(len(position), dtype=np.int64), 1
    for beat in np.unique(owner):
        inside = owner == beat
        at, length = beats[beat]
        within = (position[inside] - at) / length
        before = _division(within, COMPOUND if length % 9 == 0 else SIMPLE, before)
        places[inside] = at + np.rint(np.maximum(within, 0) * before).astype(np.int64) * length // before
    return np.maximum.accumulate(places)[chord] if len(places) else places


def _chords(notes: Notes, onset: Seconds) -> tuple[Positions, Seconds]:
    """Number the chord of each note, and give each chord's mean position."""
    chord = number_chords_by_span(notes.onset)
    return chord, np.bincount(chord, onset) / np.maximum(np.bincount(chord), 1) if len(notes) else onset


def _division(within: Seconds, costs: dict[int, float], before: int) -> int:
    def cost(parts: int) -> float:
        rounded = np.rint(within * parts)
        crammed = len(rounded) - len(np.unique(rounded))
        strays = float(np.sum(((within - rounded / parts) / SPREAD) ** 2))
        return strays + CRAMMED * crammed + costs[parts] * (HABIT if parts == before else 1)

    return min(costs, key=cost)


def _apart(notes: Notes, start: Positions, cells: _Cells, is_right: NDArray[np.bool_]) -> Positions:
    """Move a note to the next place where its key is struck at its own already."""
    start = start.copy()
    last: dict[int, int] = {}
    for note in np.lexsort((notes.onset, start)).tolist():
        pitch = int(notes.pitch[note])
        while start[note] <= last.get(pitch, -(10**9)):
            start[note] = last[pitch]
            start[note] += cells.steps(start[[note]], is_right[[note]])[0]
        last[pitch] = int(start[note])
    return start


# Ends


def _are_values(start: Positions, release: Seconds) -> NDArray[np.bool_]:
    """Tell which releases end written values, bool [N]: those on the lattice, in a piece whose releases mostly do."""
    places = _nearest(release)
    is_placed = np.abs(release - places) < 0.15
    is_value = is_placed & (np.isin(places, start) | (places % (LATTICE // 2) == 0))
    return is_placed & (len(start) > 0 and np.mean(is_value) >= VALUES)


def _values(start: Positions, release: Seconds, is_pedalled: NDArray[np.bool_]) -> Positions:
    """Give the notes of one hand, whose ends have to be rounded, ends that are read easily."""
    onsets = np.unique(start)
    after = np.searchsorted(onsets, start, side="right")
    following = np.append(onsets, onsets[-1:] + 4 * LATTICE)[after]
    gap, length = following - start, release - start
    reaches = length >= np.where(is_pedalled, PEDALLED, LEGATO) * gap
    is_held = (length > OVERLAP * gap) & (length - gap > LATTICE / 4)
    short = start + np.array([12, 24, 48, 96])[np.searchsorted([15, 30, 60], length)]
    is_touch = (gap <= STACCATO) | (following - short < SHORTEST_REST)
    ends = np.where(is_touch, following, short)
    ends = np.where(reaches & (after < len(onsets)), following, ends)
    return np.where(is_held, _held_until(start, release, onsets), ends)


def _held_until(start: Positions, release: Seconds, onsets: Positions) -> Positions:
    """Let notes held over others end with one of those, or on a quarter, whichever is nearer."""
    quarter = LATTICE * np.maximum(np.rint(release / LATTICE), np.floor(start / LATTICE) + 1).astype(np.int64)
    near = np.clip(np.searchsorted(onsets, release), 1, max(len(onsets) - 1, 1))
    choices = np.stack([onsets[near - 1], onsets[np.minimum(near, len(onsets) - 1)], quarter])
    far = np.where(choices > start, np.abs(choices - release), np.inf)
    return np.asarray(np.take_along_axis(choices, far.argmin(axis=0)[None], axis=0)[0], dtype=np.int64)


def _even(start: Positions, end: Positions) -> Positions:
    """Let the notes of a chord that end before the hand's next onset end together."""
    onsets, group = np.unique(start, return_inverse=True)
    following = np.append(onsets[1:], end.max(initial=0) + 1)[group]
    is_inside = end <= following
    latest = np.zeros(len(onsets), dtype=np.int64)
    np.maximum.at(latest, group[is_inside], end[is_inside])
    return np.where(is_inside, latest[group], end)


def _is_pedalled(notes: Notes) -> NDArray[np.bool_]:
    if not len(notes.pedal):
        return np.zeros(len(notes), dtype=np.bool_)
    press = np.searchsorted(notes.pedal[:, 0], notes.release, side="right") - 1
    return np.asarray((press >= 0) & (notes.release < notes.pedal[np.maximum(press, 0), 1]), dtype=np.bool_)


def _next_on_key(notes: Notes, start: Positions) -> Positions:
    following = np.full(len(notes), 2**40, dtype=np.int64)
    order = np.lexsort((start, notes.pitch))
    is_same = notes.pitch[order][1:] == notes.pitch[order][:-1]
    following[order[:-1][is_same]] = start[order[1:][is_same]]
    return following


class _Cells:
    """Which lattice each hand keeps to in each cell of each bar: thirds of it, or halves."""

    def __init__(self, bars: list[Bar], start: Positions, end: Positions, is_right: NDArray[np.bool_]) -> None:
        self.edges = np.array([at for bar in bars for at in range(bar.start, bar.start + bar.length, bar.cell)])
        self.is_triple = np.zeros((len(self.edges), 2), dtype=np.bool_)
        votes = np.zeros((len(self.edges), 2))
        for places, weight in ((start, 8), (end, 1)):
            offset = places - self.edges[self._of(places)]
            for rest, sign in ((3, 1), (4, -1)):
                off = offset % rest != 0
                np.add.at(votes, (self._of(places)[off], is_right[off].astype(int)), sign * weight)
        self.is_triple = votes > 0

    def _of(self, places: Positions) -> Positions:
        return np.maximum(np.searchsorted(self.edges, places, side="right") - 1, 0)

    def steps(self, places: Positions, is_right: NDArray[np.bool_]) -> Positions:
        """The finest step at each place: 3, or 4 in triplets."""
        return np.where(self.is_triple[self._of(places), is_right.astype(int)], 4, 3)

    def settle(self, places: Positions, is_right: NDArray[np.bool_]) -> Positions:
        """Move places that are not on their hand's lattice to the nearest ones that are."""
        edge, step = self.edges[self._of(places)], self.steps(places, is_right)
        return np.asarray(edge + np.rint((places - edge) / step).astype(np.int64) * step, dtype=np.int64)
