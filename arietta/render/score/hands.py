"""Which hand plays which note: the split that costs two hands least, over the whole piece.

At each onset the struck notes are divided into a lower and an upper part. A division costs what it asks of the hands:
a wide grip (keys still held count), a leap from where the hand was, crossing, more than five fingers. The cheapest
course is found by dynamic programming over the divisions, each keeping where its own hands are (after Kilian and Hoos
2002, "Voice separation: a local optimisation approach", with hands for voices).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...music.chords import STRUCK_TOGETHER, number_chords_by_span
from ...music.notes import Notes

COURSES = 12  # kept at each onset
HOME = (50.0, 70.0)  # where a hand rests before it has played
EASE, COMFORT, REACH, FINGERS = (
    4,
    9,
    12,
    5,
)  # semitones that cost nothing to move, to grip; that can be gripped; keys at once
# Costs, chosen on eight sequenced pieces whose tracks name the hand (88 % of their notes told right, 88 % in eight
# others; a fixed split at middle C: 78 %): a semitone of grip, of stretch and of leap, a key too many, crossing, and a
# semitone from home.
GRIP, STRETCH, LEAP, CROWD, CROSS, STRAY = 0.6, 6.0, 0.15, 8.0, 6.0, 0.01
SETTLE = 2.0  # seconds (a time constant) in which a hand that rests forgets where it was

Grip = tuple[tuple[int, float], ...]  # keys and when they are let go


@dataclass(frozen=True)
class _Hand:
    """Where a hand is: the middle of its last grip, since when, and what it holds."""

    place: float
    since: float
    held: Grip = ()


@dataclass(frozen=True)
class _Course:
    """One way to have divided all grips so far: its cost, its hands, and the divisions, last first."""

    cost: float
    left: _Hand
    right: _Hand
    divisions: tuple[int, object] | None


def split_hands(notes: Notes) -> NDArray[np.bool_]:
    """Tell for each note whether the right hand plays it, bool [N]."""
    grips = _grips(notes)
    courses = [_Course(0.0, _Hand(HOME[0], -10.0), _Hand(HOME[1], -10.0), None)]
    for grip in grips:
        courses = _go_on(courses, notes, grip)
    is_right = np.zeros(len(notes), dtype=np.bool_)
    division = min(courses, key=lambda course: course.cost).divisions
    for grip in reversed(grips):
        assert division is not None
        lower, division = division  # type: ignore[assignment]
        is_right[grip[lower:]] = True
    return is_right


def _grips(notes: Notes) -> list[NDArray[np.int64]]:
    """Notes struck together, each grip by rising pitch."""
    breaks = np.flatnonzero(np.diff(number_chords_by_span(notes.onset))) + 1
    groups = np.split(np.arange(len(notes)), breaks) if len(notes) else []
    return [group[np.argsort(notes.pitch[group], kind="stable")] for group in groups]


def _go_on(courses: list[_Course], notes: Notes, grip: NDArray[np.int64]) -> list[_Course]:
    now = float(notes.onset[grip[0]])
    keys = tuple(zip(notes.pitch[grip].tolist(), notes.release[grip].tolist(), strict=True))
    best: dict[tuple[int, Grip], _Course] = {}
    for course in courses:
        left, right = _let_go(course.left, now), _let_go(course.right, now)
        for lower in range(len(keys) + 1):
            cost = course.cost + _cost(left, keys[:lower], now) + _cost(right, keys[lower:], now)
            after = _move(left, keys[:lower], now), _move(right, keys[lower:], now)
            cost += CROSS * _is_crossed(*after)
            name = lower, after[0].held
            if name not in best or cost < best[name].cost:
                best[name] = _Course(cost, *after, (lower, course.divisions))
    return sorted(best.values(), key=lambda course: course.cost)[:COURSES]


def _let_go(hand: _Hand, now: float) -> _Hand:
    held = tuple(key for key in hand.held if key[1] > now + STRUCK_TOGETHER)
    return hand if len(held) == len(hand.held) else _Hand(hand.place, hand.since, held)


def _cost(hand: _Hand, struck: Grip, now: float) -> float:
    if not struck:
        return 0.0
    keys = [key for key, _ in (*struck, *hand.held)]
    span = max(keys) - min(keys)
    middle = sum(key for key, _ in struck) / len(struck)
    cost = GRIP * max(span - COMFORT, 0) + STRETCH * max(span - REACH, 0) + CROWD * max(len(keys) - FINGERS, 0)
    cost += LEAP * max(abs(middle - hand.place) - EASE, 0) * math.exp((hand.since - now) / SETTLE)
    home = HOME[0] if hand.place < sum(HOME) / 2 else HOME[1]
    return cost + STRAY * abs(middle - home)


def _move(hand: _Hand, struck: Grip, now: float) -> _Hand:
    if not struck:
        return hand
    return _Hand(sum(key for key, _ in struck) / len(struck), now, hand.held + struck)


def _is_crossed(left: _Hand, right: _Hand) -> bool:
    return bool(left.held and right.held) and max(left.held)[0] > min(right.held)[0]
