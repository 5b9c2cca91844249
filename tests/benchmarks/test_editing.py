"""What the verbs' benchmark counts: ranks, common notes, dissonances, and time."""

from __future__ import annotations

import json

import numpy as np
import pytest

from arietta.generation.passage import Edit
from arietta.model.engine import OnnxEngine
from arietta.music.notes import Notes, select
from benchmarks.quality.editing import common, dissonance, likeness, print_speed, print_varied, spearman


def scale(count: int = 60) -> Notes:
    return Notes.of(np.arange(count) * 0.25, np.full(count, 0.2), 50 + np.arange(count) % 24, np.full(count, 64))


def test_ranks_correlate_whatever_the_distances_are() -> None:
    assert spearman([1, 2, 3, 4], [1, 10, 11, 1000]) == pytest.approx(1)
    assert spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert spearman([1, 1, 2, 2], [5, 5, 9, 9]) == pytest.approx(1)


def test_notes_in_common_are_counted_once() -> None:
    music = scale()
    assert common(music, music) == 1 and likeness(music, music) == pytest.approx(1)
    assert common(music, select(music, np.arange(60) < 30)) == pytest.approx(2 * 30 / 90)


def test_dissonances_are_those_with_what_sounds() -> None:
    line = Notes.of([0.0, 2.0], [1.0, 1.0], [72, 74], [64, 64])
    notes = Notes.of([0.5, 0.5, 1.5, 2.0], [0.1] * 4, [60, 61, 61, 64], [64] * 4)
    assert dissonance(line, notes) == (2, 3)  # C with C, D flat with C, E with D


def test_speed_and_variations_are_printed(filling_engine: OnnxEngine, capsys: pytest.CaptureFixture[str]) -> None:
    print_speed([Edit(scale(), 4.0, 5.0)], filling_engine)
    line = json.loads(capsys.readouterr().out)
    assert line["first_note_over_prefill"] > 0 and line["eight_takes_over_one"] > 0
    print_varied("scales", [scale()], filling_engine)
    line = json.loads(capsys.readouterr().out)
    assert line["name"] == "editing/vary/scales" and len(line["notes"]) == len(line["notes_over"]) == 5
