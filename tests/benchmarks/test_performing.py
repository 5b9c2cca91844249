"""What a pianist played is found for each written note, and equals are told as equal."""

from __future__ import annotations

import json

import numpy as np
import pytest

from arietta.music.notes import Notes
from benchmarks.quality.performing import Rendering, compare, match, mechanical, stretch


def test_each_written_note_has_the_nearest_of_its_key_once() -> None:
    score = Notes.of([0.2, 0.5, 0.6, 2.0], [0.3] * 4, [60, 60, 62, 60], [64] * 4)
    played = Notes.of([0.1, 0.25, 0.55, 0.7, 3.0], [0.3] * 5, [60, 60, 60, 62, 60], [70] * 5)
    assert match(score, played).tolist() == [1, 2, 3, -1]


def test_a_score_is_stretched_from_beat_to_beat() -> None:
    written, beats = np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 4.0])
    assert stretch(np.array([0.0, 0.5, 1.5, 3.0]), written, beats).tolist() == [1.0, 2.0, 3.5, 5.0]


def test_a_performance_is_as_loud_and_long_as_itself(capsys: pytest.CaptureFixture[str]) -> None:
    score = Notes.of(np.arange(9) * 0.5, np.full(9, 0.5), 60 + np.arange(9), np.full(9, 64))
    played = Notes.of(score.onset, np.full(9, 0.25), score.pitch, 40 + 5 * np.arange(9), [(0.0, 2.0)])
    pianist = Rendering.of(score, played)
    assert pianist.length.tolist() == [-1.0] * 9 and pianist.pedal == 0.5
    compare("itself", [(pianist, pianist)])
    compare("as written", [(pianist, mechanical(pianist))])
    same, flat = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (same["correlation"], same["error"], same["length_octaves"], same["pedal_error"]) == (1, 0, 0, 0)
    assert "correlation" not in flat and (flat["length_ratio"], flat["pedal_error"]) == (2, 0.5)
