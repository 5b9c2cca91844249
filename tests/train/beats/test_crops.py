"""What the beat network learns from: beats stay on their notes, however a stretch is altered."""

from __future__ import annotations

import numpy as np
import pytest

from arietta.music.beats.decoding import pace_of
from arietta.music.beats.frames import COLUMNS, REGISTERS
from arietta.music.beats.network import PACKED, PERIOD_COUNT
from arietta.train.beats.crops import alter, draw_lesson, targets
from tests.support.annotated import annotated_march
from tests.support.beats import march


def test_targets_lie_on_beats_and_about_them() -> None:
    performance = annotated_march(beats=24, size=3)
    beat, downbeat, is_known, period, size, compound = targets(performance, performance.beats, 400)
    assert np.flatnonzero(beat == 1).tolist() == (25 + 25 * np.arange(24)).tolist()
    assert np.flatnonzero(downbeat == 1).tolist() == (25 + 75 * np.arange(8)).tolist()
    assert beat[24] == beat[26] == 0.5 and beat[28] == 0
    assert np.flatnonzero(is_known)[[0, -1]].tolist() == [20, 605]
    assert set(period[50:250].argmax(axis=1)) == set(pace_of(np.array([0.5])).tolist())
    assert period.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert set(size[20:290].tolist()) == {1} and not compound.any()


def test_a_drawn_stretch_has_beats_where_its_notes_are() -> None:
    lesson = draw_lesson([annotated_march(), annotated_march(size=3)], 6, 400, np.random.default_rng(1))
    assert lesson.columns.shape == (6, 400, PACKED * COLUMNS) and lesson.period.shape == (6, 400, PERIOD_COUNT)
    struck = lesson.columns.reshape(6, -1, COLUMNS)[:, :, :REGISTERS].sum(axis=2) > 0
    for row in range(6):
        beats = np.flatnonzero((lesson.beat[row] == 1) & (lesson.is_known[row] == 1))
        assert len(beats) > 5
        near = [struck[row, max(frame - 2, 0) : frame + 3].any() for frame in beats if 3 < frame < 790]
        assert np.mean(near) > 0.8  # a stretch may be thinned out


def test_lessons_are_drawn_alike_by_the_same_generator() -> None:
    first, second = (draw_lesson([annotated_march()], 2, 100, np.random.default_rng(5)) for _ in range(2))
    assert (first.columns == second.columns).all() and (first.beat == second.beat).all()


def test_altered_music_keeps_its_time_within_hundredths() -> None:
    notes, rng = march(), np.random.default_rng(3)
    for _ in range(20):
        altered = alter(notes, rng)
        assert 0.7 * len(notes) < len(altered) <= len(notes)
        nearest = np.abs(altered.onset[:, None] - notes.onset[None]).min(axis=1)
        assert nearest.max() < 0.06 and altered.pitch.min() >= 21
