"""Which hand plays which note: the split that costs two hands least, over the whole piece.

At each onset the chord is divided into a lower and an upper part. A division costs what it asks of the hands: a wide
span (keys still held count), a leap from where the hand was, crossing, more than five fingers. The cheapest path is
found by a beam search over the divisions, each path keeping where its own hands are (after Kilian and Hoos 2002,
"Voice separation: a local optimisation approach", with hands for voices).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...music.chords import STRUCK_TOGETHER, number_chords_by_span
from ...music.notes import Notes

BEAM = 12  # paths kept at each chord
HOME = (50.0, 70.0)  # pitches at which the left and the right hand rest before they have played
EASE = 7  # semitones that a hand moves without a leap: fingers reach them from where it is
COMFORT = 7  # semitones of span that cost nothing, a fifth: a triad stays in one hand
REACH = 12  # semitones that most hands can span, an octave
FINGERS = 5  # keys at once
# EASE, COMFORT and AWAY_COST were chosen on two fifths of ASAP's scores of works that MAESTRO's test and validation
# side have not, the first 700 notes of each (`python -m benchmarks.quality.engraving` measures what comes of them). The
# other costs were chosen on eight sequenced pieces whose tracks name the hand.
SPAN_COST = 0.6  # for a semitone of span beyond COMFORT
STRETCH_COST = 6.0  # for a semitone of span beyond REACH: such a chord is broken, or belongs to two hands
LEAP_COST = 0.15  # for a semitone of leap beyond EASE
FINGER_COST = 8.0  # for a key more than FINGERS
CROSSING_COST = 6.0  # for hands that cross
AWAY_COST = 0.06  # for a semitone away from HOME: an idle hand takes no notes that lie well in the other
SETTLE = 2.0  # seconds (a time constant) in which a resting hand forgets where it was, and leaps for nothing

Keys = tuple[tuple[int, float], ...]  # (pitch, when it is released)


@dataclass(frozen=True)
class _Hand:
    """Where a hand is: the mean pitch of its last chord, since when, and the keys it holds."""

    position: float
    since: float
    held: Keys = ()

    def released(self, now: float) -> _Hand:
        """The hand without the keys that it has let go of by `now`."""
        held = tuple(key for key in self.held if key[1] > now + STRUCK_TOGETHER)
        return self if len(held) == len(self.held) else _Hand(self.position, self.since, held)

    def cost(self, struck: Keys, now: float) -> float:
        """What it asks of the hand to strike keys while it holds its others."""
        if not struck:
            return 0.0
        pitches = [pitch for pitch, _ in (*struck, *self.held)]
        span = max(pitches) - min(pitches)
        mean = sum(pitch for pitch, _ in struck) / len(struck)
        cost = SPAN_COST * max(span - COMFORT, 0) + STRETCH_COST * max(span - REACH, 0)
        cost += FINGER_COST * max(len(pitches) - FINGERS, 0)
        cost += LEAP_COST * max(abs(mean - self.position) - EASE, 0) * math.exp((self.since - now) / SETTLE)
        home = HOME[0] if self.position < sum(HOME) / 2 else HOME[1]
        return cost + AWAY_COST * abs(mean - home)

    def struck(self, keys: Keys, now: float) -> _Hand:
        """The hand after it has struck keys."""
        if not keys:
            return self
        return _Hand(sum(pitch for pitch, _ in keys) / len(keys), now, self.held + keys)


@dataclass(frozen=True)
class _Path:
    """One way to have divided all chords so far: its cost, its hands, and how many notes of the last went left."""

    cost: float
    left: _Hand
    right: _Hand
    left_count: int = 0
    previous: _Path | None = None


def split_hands(notes: Notes) -> NDArray[np.bool_]:
    """Find for each note whether the right hand plays it, bool [N]."""
    # Indices of the notes struck together, each chord by rising pitch.
    edges = np.flatnonzero(np.diff(number_chords_by_span(notes.onset))) + 1
    chords = [chord[np.argsort(notes.pitch[chord], kind="stable")] for chord in np.split(np.arange(len(notes)), edges)]
    chords = [chord for chord in chords if len(chord)]  # no notes split into one empty chord
    # Ten seconds before the piece: far enough back that the first chord is no leap.
    paths = [_Path(0.0, _Hand(HOME[0], -10.0), _Hand(HOME[1], -10.0))]
    for chord in chords:
        keys = tuple(zip(notes.pitch[chord].tolist(), notes.release[chord].tolist(), strict=True))
        paths = _extend(paths, keys, float(notes.onset[chord[0]]))
    is_right = np.zeros(len(notes), dtype=np.bool_)
    path: _Path | None = min(paths, key=lambda path: path.cost)
    for chord in reversed(chords):
        assert path is not None
        is_right[chord[path.left_count :]] = True
        path = path.previous
    return is_right


def _extend(paths: list[_Path], keys: Keys, now: float) -> list[_Path]:
    """Divide one more chord in every way after every path; keep the BEAM cheapest that differ."""
    cheapest: dict[tuple[int, Keys], _Path] = {}
    for path in paths:
        left, right = path.left.released(now), path.right.released(now)
        for count in range(len(keys) + 1):
            lower, upper = keys[:count], keys[count:]
            cost = path.cost + left.cost(lower, now) + right.cost(upper, now)
            new_left, new_right = left.struck(lower, now), right.struck(upper, now)
            if new_left.held and new_right.held and max(new_left.held)[0] > min(new_right.held)[0]:
                cost += CROSSING_COST
            # Paths that hold the same keys have the same future, but for where their hands have been.
            state = count, new_left.held
            if state not in cheapest or cost < cheapest[state].cost:
                cheapest[state] = _Path(cost, new_left, new_right, count, path)
    return sorted(cheapest.values(), key=lambda path: path.cost)[:BEAM]
