"""Long silences cut: what a recording has between movements, and a transcriber where it hears noise, is no music."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...music.notes import Notes


def shorten_silences(notes: Notes, longest: float) -> Notes:
    """Return `notes` with at most `longest` seconds in a row without a key down, counted from 0 on.

    What follows a silence moves forward; the pedal moves with the note before it, and pedalling within what was cut
    is left out.
    """
    release = np.maximum.accumulate(notes.onset + notes.duration)
    silence = notes.onset - np.concatenate([[0.0], release[:-1]])[: len(notes)]
    removed = np.cumsum(np.maximum(silence - longest, 0.0))
    if not removed.any():
        return notes
    onset = notes.onset - removed

    def moved(times: NDArray[np.float64]) -> NDArray[np.float64]:
        last = np.searchsorted(notes.onset, times, side="right")  # notes begun by then
        shift = np.concatenate([[0.0], removed])[last]
        next_onset = np.concatenate([onset, [np.inf]])[last]
        end = np.concatenate([[0.0], release - removed])[last] + longest
        return np.asarray(np.minimum(times - shift, np.minimum(next_onset, end)))

    pedal = np.stack([moved(notes.pedal[:, 0]), moved(notes.pedal[:, 1])], axis=1)
    return replace(notes, onset=onset, pedal=pedal[pedal[:, 1] > pedal[:, 0]])
