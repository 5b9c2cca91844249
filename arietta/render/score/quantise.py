"""Quantising: onsets and releases in seconds to positions in the metre, 24 to a quarter note.

Positions are multiples of 3 (thirty-second notes) or of 4 (triplets of sixteenths); within a quarter note one hand
keeps to one of the two. Notes of an exact metre go to the nearest position. Otherwise each beat takes the division
that fits the onsets in it at the least cost, where finer divisions cost more (Cemgil, Desain and Kappen 2000, "Rhythm
quantization for transcription", in its simplest form), and releases become the usual note values.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...music.chords import number_chords_by_span
from ...music.meter import LATTICE, Bar, Meter
from ...music.notes import Notes, Seconds

SPREAD = 0.06  # of a beat: how far onsets stray from where they are written
EARLY = 0.12  # of a beat: an onset so little before a beat belongs to it
CRAMMED = 6.0  # cost of two chords at one position
# Divisions of a beat and what they cost, in squares of SPREAD.
SIMPLE = {1: 0.0, 2: 0.5, 3: 2.5, 4: 1.5, 6: 5.0, 8: 6.0}
COMPOUND = {1: 0.0, 3: 0.5, 6: 2.0, 9: 6.0, 12: 6.0}
REPEATED = 0.5  # a division costs so much of that where the beat before had it too: rhythms go on
# A note that lasts this share of the time to its hand's next onset is written up to that onset.
LEGATO = 0.6
PEDALLED = 0.35  # under the pedal fingers leave early, since the tone goes on
OVERLAP = 1.35  # beyond this share a note is held over the next onset
SHORTEST_REST = LATTICE // 2  # an eighth; a shorter gap is part of the note before it
STACCATO = LATTICE  # a gap up to a quarter after a short note is a short touch, not a rest
VALUES = 0.9  # share of releases at some onset or on an eighth, below which they tell of touch and not of note values
NEAR = 0.15  # of a position: how far from one a release may lie that is written there
# What is too fast to be written, in positions. The trill of thirty-seconds comes back to a key after 6 and repeated
# thirty-seconds after 3; a quarter less allows for uneven fingers and tempo.
FASTEST_TRILL, FASTEST_REPEAT = 4.5, 2.25
OFF_PLACE = 1.0  # how far from its position a note of an exact metre may lie: a sixty-fourth is 1.5 off

Positions = NDArray[np.int64]


def quantise_notes(
    notes: Notes, meter: Meter, bars: list[Bar], is_right: NDArray[np.bool_]
) -> tuple[Positions, Positions]:
    """Find the positions of onsets and ends, int64 [N] each; no two notes of a key share one."""
    onset, release = meter.quarters(notes.onset) * LATTICE, meter.quarters(notes.release) * LATTICE
    cells = _Cells(bars, is_right)
    start = cells.nearest(onset) if meter.is_exact else _divide_beats(notes, onset, bars)
    start = np.maximum(start, bars[0].start)
    end = cells.nearest(release)
    # Ends are kept as they are written only in an exact piece whose releases mostly are note values.
    is_written = (np.abs(release - end) < NEAR) & meter.is_exact
    is_value = is_written & (np.isin(end, start) | (end % (LATTICE // 2) == 0))
    is_written &= len(start) > 0 and np.mean(is_value) >= VALUES
    cells.choose(start, np.where(is_written, end, bars[0].start))
    start = cells.separate(notes, cells.settle(start))
    # A note is pedalled where its key is released under the pedal; the last entry stands for "before any press".
    presses, lifts = np.append(notes.pedal[:, 0], np.inf), np.append(notes.pedal[:, 1], -np.inf)
    is_pedalled = notes.release < lifts[np.searchsorted(presses, notes.release, side="right") - 1]
    for hand in (is_right, ~is_right):
        ends = _readable_ends(start[hand], release[hand], is_pedalled[hand])
        ends = np.where(is_written[hand], end[hand], ends)
        end[hand] = ends if meter.is_exact else _align_ends(start[hand], ends)
    end = cells.settle(end)
    order = np.lexsort((start, notes.pitch))
    is_same_key = notes.pitch[order][1:] == notes.pitch[order][:-1]
    earlier, later = order[:-1][is_same_key], order[1:][is_same_key]
    # A note ends where its key is struck again. The other hand may strike it off the lattice of this one, whose note
    # then ends just before; where there is no room for that, the two overlap by less than a thirty-second.
    end[earlier] = np.minimum(end[earlier], cells.floor(start[later], is_right[earlier]))
    return start, np.maximum(end, cells.following(start, is_right))


def find_too_fast(notes: Notes, meter: Meter, start: Positions, is_right: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Find the notes that come faster than thirty-seconds, bool [N]: their rhythm is not the one that is written.

    They share a position with the next ones, or are written later than they sound. `start` [N] has the positions. In a
    performance they are known only where they come back to a key, as trills do; a fast run may be a rolled chord.
    """
    onset = meter.quarters(notes.onset) * LATTICE
    is_too_fast = np.abs(start - onset) > OFF_PLACE if meter.is_exact else np.zeros(len(notes), dtype=np.bool_)
    for hand in (np.flatnonzero(is_right), np.flatnonzero(~is_right)):
        times = onset[hand].tolist()
        last: dict[int, int] = {}  # pitch -> which note of the hand struck it last
        for index, pitch in enumerate(notes.pitch[hand].tolist()):
            before = last.get(pitch)
            last[pitch] = index
            if before is None:
                continue
            period = times[index] - times[before]
            # In a trill one other key comes between, at about half the time; in a repeated chord close to an end of it.
            is_trill = index - before == 2 and abs(times[before + 1] - times[before] - period / 2) < period / 4
            if period < (FASTEST_TRILL if is_trill else FASTEST_REPEAT):
                is_too_fast[hand[before : index + 1]] = True
    return is_too_fast


def _divide_beats(notes: Notes, onset: Seconds, bars: list[Bar]) -> Positions:
    """Give every chord a position in its beat, by the division that costs the beat least."""
    if not len(notes):
        return np.zeros(0, dtype=np.int64)
    chord = number_chords_by_span(notes.onset)
    position = np.bincount(chord, onset) / np.bincount(chord)  # the mean of each chord's onsets
    beats = np.array([[at, bar.beat] for bar in bars for at in range(bar.start, bar.start + bar.length, bar.beat)])
    owner = np.maximum(np.searchsorted(beats[:, 0] - EARLY * beats[:, 1], position, side="right") - 1, 0)
    quantised, before = np.zeros(len(position), dtype=np.int64), 1
    for beat in np.unique(owner):
        inside = owner == beat
        start, length = beats[beat]
        phase = (position[inside] - start) / length
        cost = {}
        for parts, surcharge in (COMPOUND if length % 9 == 0 else SIMPLE).items():
            rounded = np.rint(phase * parts)
            crammed = len(rounded) - len(np.unique(rounded))
            misfit = float(np.sum(((phase - rounded / parts) / SPREAD) ** 2)) + CRAMMED * crammed
            cost[parts] = misfit + surcharge * (REPEATED if parts == before else 1)
        before = min(cost, key=cost.__getitem__)
        quantised[inside] = start + np.rint(np.maximum(phase, 0) * before).astype(np.int64) * length // before
    return np.maximum.accumulate(quantised)[chord]  # a later chord is never written before an earlier one


def _readable_ends(start: Positions, release: Seconds, is_pedalled: NDArray[np.bool_]) -> Positions:
    """Give the notes of one hand, whose ends have to be rounded, ends that are read easily."""
    onsets = np.unique(start)
    after = np.searchsorted(onsets, start, side="right")
    following = np.append(onsets, onsets[-1:] + 4 * LATTICE)[after]
    gap, length = following - start, release - start
    # What is neither legato nor held becomes an eighth, quarter, half or whole note, whichever is nearer.
    short = start + np.array([12, 24, 48, 96])[np.searchsorted([15, 30, 60], length)]
    is_touch = (gap <= STACCATO) | (following - short < SHORTEST_REST)
    ends = np.where(is_touch, following, short)
    is_legato = (length >= np.where(is_pedalled, PEDALLED, LEGATO) * gap) & (after < len(onsets))
    ends = np.where(is_legato, following, ends)
    # Notes held over others end with one of those, or on a quarter, whichever is nearer.
    quarter = LATTICE * np.maximum(np.rint(release / LATTICE), np.floor(start / LATTICE) + 1).astype(np.int64)
    near = np.clip(np.searchsorted(onsets, release), 1, max(len(onsets) - 1, 1))
    choices = np.stack([onsets[near - 1], onsets[np.minimum(near, len(onsets) - 1)], quarter])
    distance = np.where(choices > start, np.abs(choices - release), np.inf)
    held = np.take_along_axis(choices, distance.argmin(axis=0)[None], axis=0)[0]
    is_held = (length > OVERLAP * gap) & (length - gap > LATTICE / 4)
    return np.where(is_held, held, ends)


def _align_ends(start: Positions, end: Positions) -> Positions:
    """Let the notes of a chord that end before the hand's next onset end together."""
    onsets, chord = np.unique(start, return_inverse=True)
    following = np.append(onsets[1:], end.max(initial=0) + 1)[chord]
    is_inside = end <= following
    latest = np.zeros(len(onsets), dtype=np.int64)
    np.maximum.at(latest, chord[is_inside], end[is_inside])
    return np.where(is_inside, latest[chord], end)


class _Cells:
    """The stretches of the bars in which a hand keeps to one lattice: triplets (steps of 4), or straight (of 3)."""

    def __init__(self, bars: list[Bar], is_right: NDArray[np.bool_]) -> None:
        """Lay out the cells; all are straight until `choose`."""
        cells = [
            (at, min(bar.cell, bar.start + bar.length - at), bar.cell)
            for bar in bars
            for at in range(bar.start, bar.start + bar.length, bar.cell)
        ]
        self.edges, length, full_length = np.array(cells).T
        self.is_full = length == full_length  # the odd sixteenth of 5/16 has no room for three notes of a triplet
        self.is_right = is_right
        self.is_triplet = np.zeros((len(self.edges), 2), dtype=np.bool_)  # [cell, hand]

    def nearest(self, position: Seconds) -> Positions:
        """Round positions [N] to those that can be written, thirty-seconds before triplets."""
        cell = self._cell(position)
        offset = position - self.edges[cell]
        straight, triplet = 3 * np.rint(offset / 3), 4 * np.rint(offset / 4)
        # The margin keeps rounding errors of floats from deciding where both are as near.
        is_triplet = self.is_full[cell] & (np.abs(offset - triplet) < np.abs(offset - straight) - 1e-6)
        return np.asarray(self.edges[cell] + np.where(is_triplet, triplet, straight).astype(np.int64), dtype=np.int64)

    def choose(self, start: Positions, end: Positions) -> None:
        """Let the positions [N] that lie on only one of the two lattices vote for it, onsets more than ends."""
        votes = np.zeros(self.is_triplet.shape)
        for positions, weight in ((start, 8), (end, 1)):
            cell = self._cell(positions)
            offset = positions - self.edges[cell]
            for step, sign in ((3, 1), (4, -1)):  # what is off the straight lattice votes for triplets
                is_off = offset % step != 0
                np.add.at(votes, (cell[is_off], self.is_right[is_off].astype(int)), sign * weight)
        self.is_triplet = (votes > 0) & self.is_full[:, None]

    def settle(self, positions: Positions) -> Positions:
        """Move positions [N] that are not on their hand's lattice to the nearest ones that are."""
        edge, step = self._lattice(positions, self.is_right)
        return np.asarray(edge + np.rint((positions - edge) / step).astype(np.int64) * step, dtype=np.int64)

    def floor(self, positions: Positions, is_right: NDArray[np.bool_]) -> Positions:
        """The last positions of a hand's lattice that are not after `positions`."""
        edge, step = self._lattice(positions, is_right)
        return edge + (positions - edge) // step * step

    def following(self, positions: Positions, is_right: NDArray[np.bool_]) -> Positions:
        """The first positions of a hand's lattice that are after `positions`."""
        _, step = self._lattice(positions, is_right)
        return self.floor(positions, is_right) + step

    def separate(self, notes: Notes, start: Positions) -> Positions:
        """Move a note on along its hand's lattice where its key is already struck at its position."""
        start = start.copy()
        last: dict[int, int] = {}  # pitch -> position of its last strike, by either hand
        for note in np.lexsort((notes.onset, start)).tolist():
            pitch = int(notes.pitch[note])
            if start[note] <= last.get(pitch, start[note] - 1):
                start[note] = self.following(np.array([last[pitch]]), self.is_right[[note]])[0]
            last[pitch] = int(start[note])
        return start

    def _cell(self, positions: Positions | Seconds) -> NDArray[np.int64]:
        return np.maximum(np.searchsorted(self.edges, positions, side="right") - 1, 0)

    def _lattice(self, positions: Positions, is_right: NDArray[np.bool_]) -> tuple[Positions, Positions]:
        """Where the cells of positions begin, and their finest step: 3, or 4 in triplets."""
        cell = self._cell(positions)
        return self.edges[cell], np.where(self.is_triplet[cell, is_right.astype(int)], 4, 3)
