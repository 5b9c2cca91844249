"""Key signatures and note names: which of its names each pitch is written by.

Names lie on the line of fifths: ... B♭ -2, F -1, C 0, G 1, D 2, ... F♯ 6, C♯ 7; names of one pitch are 12 apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import numpy as np
from numpy.typing import ArrayLike

LOWEST = 12  # C0: the octaves of MusicXML are 0 to 9, and the key below it would need -1
FLATTEST, SHARPEST = -8, 12  # F flat to B sharp: no double accidentals
STEPS = "FCGDAEB"  # letters in the order of fifths, which is the order in which signatures gain sharps
MEMORY = 12  # notes over which the centre of the names moves
KEY_WEIGHT = 0.5  # how much of the centre is the key's own; the rest follows the names before
# How often each pitch class above the tonic is heard in a key: Albrecht and Shanahan 2013, "The use of large corpora to
# train a new type of key-finding algorithm", Music Perception 31.
MAJOR_SHARES = (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081)
MINOR_SHARES = (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052)
# What another signature must gain, in natural logarithms of likelihood times roots of quarter notes: of 30 to 80 among
# the best on ASAP's scores of MAESTRO's training side and of its validation side (benchmarks/quality/keys.py).
CHANGE = 45.0
LONGEST = 4.0  # quarter notes that a held note counts at most


def find_signatures(
    pitch: ArrayLike, length: ArrayLike, bar: ArrayLike, bar_count: int, *, price: float = CHANGE
) -> list[tuple[int, bool]]:
    """Find the key of each bar from its notes, columns [N]: its sharps, -5 to 6, and whether it is minor.

    Lengths are in quarter notes, bars counted from 0. A section has another signature where its notes are so much
    likelier under it that the `price` of a change is paid, and is major or minor as a whole. A bar counts by the root
    of its notes' lengths, for a thick texture tells little more than a thin one. C major where there are no notes.
    """
    weight = np.zeros((bar_count, 12))
    classes, owner = np.asarray(pitch, dtype=np.int64) % 12, np.asarray(bar, dtype=np.int64)
    np.add.at(weight, (owner, classes), np.minimum(np.asarray(length, dtype=np.float64), LONGEST))
    weight /= np.sqrt(np.maximum(weight.sum(axis=1, keepdims=True), 1e-9))
    gain = weight @ np.log([np.roll(shares, tonic) for shares in (MAJOR_SHARES, MINOR_SHARES) for tonic in range(12)]).T
    # A semitone is seven fifths; the signature of a minor key is that of the major key three fifths flatter.
    sharps = np.array([(tonic * 7 + 5 - 3 * is_minor) % 12 - 5 for is_minor in (0, 1) for tonic in range(12)])
    change = np.where(sharps[:, None] == sharps, 0.0, price)
    best, origins = gain[0], []
    for row in gain[1:]:
        reached = best[:, None] - change
        origins.append(reached.argmax(axis=0))
        best = reached.max(axis=0) + row
    keys = [int(best.argmax())]
    for origin in reversed(origins):
        keys.append(int(origin[keys[-1]]))
    found: list[tuple[int, bool]] = []
    for number, section in groupby(range(bar_count), key=lambda bar: int(sharps[keys[-1 - bar]])):
        bars = list(section)
        major, minor = (int(np.flatnonzero(sharps == number)[mode]) for mode in (0, 1))
        total = gain[bars].sum(axis=0)
        found += [(number, bool(total[minor] > total[major]))] * len(bars)
    return found


def spell(pitches: Iterable[int], sharps: int, *, is_minor: bool = False) -> list[int]:
    """Name pitches that follow one another in a key, as numbers on the line of fifths.

    Each takes the name nearest to a centre: that of the key, drawn towards the names before it (Temperley 2001, "The
    Cognition of Basic Musical Structures", chapter 5). No pitch may lie below LOWEST.
    """
    # The middle of B flat to G sharp in C major; in C minor F sharp is among them.
    home = sharps + (3.5 if is_minor else 2.5)
    centre, names = home, []
    for pitch in pitches:
        middle = KEY_WEIGHT * home + (1 - KEY_WEIGHT) * centre
        lowest = pitch * 7 % 12
        choices = [
            name
            for name in range(lowest - 12, SHARPEST + 1, 12)
            if name >= FLATTEST and octave(pitch, name) >= 0  # the lowest C cannot be called B sharp
        ]
        name = min(choices, key=lambda choice: (abs(choice - middle), choice))
        names.append(name)
        centre += (name - centre) / MEMORY
    return names


def step_and_alter(name: int) -> tuple[str, int]:
    """Split a name into a letter and the semitones that an accidental raises it by: 6 -> ("F", 1), -2 -> ("B", -1)."""
    return STEPS[(name + 1) % 7], (name + 1) // 7


def octave(pitch: int, name: int) -> int:
    """Find the octave that a named pitch is written in, C4 being middle C: B sharp below middle C is B3."""
    return (pitch - step_and_alter(name)[1]) // 12 - 1


def signature_alters(sharps: int) -> dict[str, int]:
    """Semitones by which a key signature raises each letter."""
    return {step: (index < sharps) - (index - 7 >= sharps) for index, step in enumerate(STEPS)}
