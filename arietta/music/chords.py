"""Which notes are struck together.

Pianists never strike the notes of a chord at quite the same time, so two rules say where one chord ends:

    by gap    a note belongs to the chord of the note before it when it follows within 40 ms. A chord that is rolled
              slowly stays one chord, however long the roll is.
    by span   a note belongs to a chord when it follows the chord's first note within 40 ms. A fast run stays a row
              of notes: nothing longer than 40 ms is ever one chord.

The order of notes that identifies a passage (`order_by_chord`) goes by gap, since it has to be the same for every
performance of a chord; a score and the hands that play it go by span, since a run is not written as a chord.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .notes import Notes, Seconds

STRUCK_TOGETHER = 0.04  # seconds

Indices = NDArray[np.int64]


def number_chords_by_gap(onset: Seconds) -> Indices:
    """Number the chord of each onset from 0, int64 like `onset` [..., N], which rises along its last axis."""
    gaps = np.diff(onset, axis=-1, prepend=onset[..., :1])
    return np.cumsum(gaps > STRUCK_TOGETHER, axis=-1, dtype=np.int64)


def number_chords_by_span(onset: Seconds) -> Indices:
    """Number the chord of each onset from 0, int64 [N]; `onset` [N] rises."""
    numbers = np.zeros(len(onset), dtype=np.int64)
    chord_onset, number = -np.inf, -1
    # A plain loop: where a chord begins depends on where the one before it began.
    for index, seconds in enumerate(onset.tolist()):
        if seconds - chord_onset > STRUCK_TOGETHER:
            chord_onset, number = seconds, number + 1
        numbers[index] = number
    return numbers


def order_by_chord(notes: Notes) -> Indices:
    """Order notes by chord (by gap), and within it by pitch: indices into `notes`, int64 [N]."""
    chord = number_chords_by_gap(notes.onset)
    return np.argsort(chord * 128 + notes.pitch, kind="stable")  # nearly in order, which a stable sort is quick with
