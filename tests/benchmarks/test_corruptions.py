"""benchmarks/shared/corruptions.py: each spoiler spoils what it names, to the share that it names, and nothing else."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

import numpy as np
import pytest

from arietta.music.notes import Notes
from arietta.render.score.hands import split_hands
from tests.support.tunes import tune

NOTES = tune(3, 400)


@pytest.fixture
def spoiling(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return import_module("benchmarks.shared.corruptions")


def changed(before: Notes, after: Notes, column: str) -> float:
    return float(np.mean(getattr(before, column) != getattr(after, column)))


@pytest.mark.parametrize("share", [0.1, 0.3, 1.0])
@pytest.mark.parametrize(
    ("name", "column"),
    [("pitches drawn", "pitch"), ("velocities flattened", "velocity"), ("blocks of 2 s shuffled", "onset")],
)
def test_as_many_notes_are_spoiled_as_was_asked(spoiling: ModuleType, name: str, column: str, share: float) -> None:
    spoiled = spoiling.SPOILERS[name](NOTES, share, np.random.default_rng(0))
    assert len(spoiled) == len(NOTES)
    # Shuffled blocks take their notes' places in the order too, so onsets are counted as a set.
    told = 1 - np.isin(spoiled.onset, NOTES.onset).mean() if column == "onset" else changed(NOTES, spoiled, column)
    assert told == pytest.approx(share, abs=0.1)


def test_shuffled_blocks_keep_their_notes_together_and_fill_the_same_time(spoiling: ModuleType) -> None:
    spoiled = spoiling.shuffle_blocks(NOTES, 1.0, np.random.default_rng(0))
    block = np.floor((NOTES.onset - NOTES.onset[0]) / spoiling.BLOCK)
    moved = np.floor((spoiled.onset - NOTES.onset[0]) / spoiling.BLOCK + 1e-9)
    words = sorted(tuple(NOTES.pitch[block == one].tolist()) for one in np.unique(block))
    assert sorted(tuple(spoiled.pitch[moved == one].tolist()) for one in np.unique(moved)) == words
    assert not np.array_equal(spoiled.pitch, NOTES.pitch)


def test_only_the_left_hand_is_moved_and_only_by_what_was_said(spoiling: ModuleType) -> None:
    pairs = [(0.3 * step, pitch) for step in range(60) for pitch in (40, 76)]
    onset, pitch = zip(*pairs, strict=True)
    notes = Notes.of(onset, [0.2] * len(onset), pitch, [64] * len(onset))
    assert split_hands(notes).mean() == 0.5
    moved = spoiling.move_left_hand(6)(notes, 1.0, np.random.default_rng(0))
    assert set(moved.pitch.tolist()) == {46, 76}
    some = spoiling.move_left_hand(1)(notes, 0.3, np.random.default_rng(0))
    assert np.mean(some.pitch == 41) == pytest.approx(0.15, abs=0.05)


def test_jittered_onsets_stray_as_far_as_said_and_none_before_the_beginning(spoiling: ModuleType) -> None:
    keys = np.arange(21, 109)  # each once, so that a note is known again wherever it went
    notes = Notes.of(5 + 0.1 * np.arange(88), [0.1] * 88, keys, [64] * 88)
    spoiled = spoiling.jitter_onsets(notes, 1.0, np.random.default_rng(0))
    strayed = spoiled.onset[np.argsort(spoiled.pitch)] - notes.onset
    assert strayed.std() == pytest.approx(spoiling.JITTER, rel=0.25)
    assert np.count_nonzero(strayed) == 88
    assert spoiling.jitter_onsets(NOTES, 1.0, np.random.default_rng(0)).onset.min() >= 0


def test_spoiling_is_repeatable(spoiling: ModuleType) -> None:
    for spoiler in spoiling.SPOILERS.values():
        assert spoiler(NOTES, 0.3, np.random.default_rng(7)) == spoiler(NOTES, 0.3, np.random.default_rng(7))
