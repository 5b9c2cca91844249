"""A continuation is put into a passage and nowhere else."""

from __future__ import annotations

import numpy as np

from arietta.generation.passage import Edit
from arietta.music.notes import Notes
from benchmarks.quality.fills import filled


def test_only_what_begins_in_the_passage_is_taken_of_a_continuation() -> None:
    def notes(pitch: int, onset: list[float]) -> Notes:
        count = len(onset)
        return Notes.of(np.array(onset), np.full(count, 0.2), np.full(count, pitch), np.full(count, 64))

    edit = Edit(notes(60, [0.0, 1.0, 2.0, 3.0]), 1.0, 3.0)
    whole = filled(edit, notes(70, [0.0, 0.5, 1.5, 2.5, 3.5]))
    assert whole.onset.tolist() == [0.0, 1.5, 2.5, 3.0]
    assert whole.pitch.tolist() == [60, 70, 70, 60]
