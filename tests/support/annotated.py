"""A performance whose beats are known, in the form that the beat network learns from."""

from __future__ import annotations

import numpy as np

from arietta.train.beats.performances import AnnotatedPerformance
from tests.support.beats import march


def annotated_march(beats: int = 96, size: int = 4, beat: float = 0.5) -> AnnotatedPerformance:
    """A march, its beats from 0.5 s on."""
    number = np.arange(beats)
    notes = march(beat, beats, size, jitter=0.01)
    is_downbeat, is_compound = number % size == 0, np.zeros(beats, dtype=bool)
    return AnnotatedPerformance(f"march/{size}", "march", notes, 0.5 + beat * number, is_downbeat, is_compound)
