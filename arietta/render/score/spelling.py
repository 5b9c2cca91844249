"""Key signatures and note names: which of its names each pitch is written by.

Names lie on the line of fifths: ... B♭ -2, F -1, C 0, G 1, D 2, ... F♯ 6, C♯ 7; names of one pitch are 12 apart.
"""

from __future__ import annotations

from collections.abc import Iterable

from numpy.typing import ArrayLike

from ...music.keys import find_key

LOWEST = 12  # C0: the octaves of MusicXML are 0 to 9, and the key below it would need -1
FLATTEST, SHARPEST = -8, 12  # F flat to B sharp: no double accidentals
STEPS = "FCGDAEB"  # letters in the order of fifths, which is the order in which signatures gain sharps
MEMORY = 12  # notes over which the centre of the names moves
KEY_WEIGHT = 0.5  # how much of the centre is the key's own; the rest follows the names before


def signature(pitch: ArrayLike, weight: ArrayLike) -> tuple[int, bool]:
    """Find the key that pitches, weighted by their lengths, fit best: its sharps, -5 to 6, and whether it is minor.

    C major where they fit all keys alike.
    """
    key = find_key(pitch, weight)
    if key is None:
        return 0, False
    # A semitone is seven fifths; the signature of a minor key is that of the major key three fifths flatter.
    return (key.tonic * 7 + 5 - 3 * key.is_minor) % 12 - 5, key.is_minor


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
