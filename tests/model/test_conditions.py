"""Levels: what tokens measure up to, block by block, and nothing where too little is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from arietta.codecs.note import NoteCodec
from arietta.model.conditions import (
    FEW_NOTES,
    KEYS,
    LEVELS,
    block_figures,
    level_thresholds,
    measure_levels,
    measured_conditions,
)
from arietta.model.config import style_conditions
from arietta.music.notes import Notes

CODEC = NoteCodec()
CONDITIONS = measured_conditions((2.0, 4.0, 8.0), (40.0, 80.0))
G_MAJOR = np.array([67, 69, 71, 72, 74, 76, 78, 79, 78, 76, 74, 72, 71, 69])


def melody(note_count: int, interval: float, velocity: int, pitch: NDArray[np.int64] = G_MAJOR) -> Notes:
    onset = interval * np.arange(note_count)
    return Notes.of(
        onset, np.full(note_count, 0.9 * interval), np.resize(pitch, note_count), np.full(note_count, velocity)
    )


def tokens_of(*parts: Notes) -> NDArray[np.uint16]:
    return np.concatenate([CODEC.encode(part, is_complete=False)[1:] for part in parts])


def test_density_loudness_and_key_are_of_the_block_that_a_token_is_in() -> None:
    slow, fast = melody(40, 0.4, 30), melody(40, 0.1, 100, G_MAJOR + 1)
    tokens = tokens_of(slow, fast)
    block = (np.arange(len(tokens)) >= 40).astype(np.int64)
    ids = measure_levels(tokens, block, CONDITIONS)
    g_major, a_flat_major = 1 + KEYS.index("G major"), 1 + KEYS.index("A flat major")
    assert {tuple(row) for row in ids[:40].tolist()} == {(2, 1, g_major)}
    assert {tuple(row) for row in ids[40:].tolist()} == {(4, 3, a_flat_major)}


def test_figures_are_notes_a_second_and_mean_velocity_rests_included() -> None:
    tokens = tokens_of(Notes.of([0.0, 0.5, 4.0], [0.2] * 3, [60, 62, 64], [42, 42, 82]))
    figures = block_figures(tokens, np.zeros(len(tokens), dtype=np.int64))
    assert figures.notes.tolist() == [3] and figures.density[0] == pytest.approx(3 / 4, rel=0.05)
    assert figures.loudness[0] == pytest.approx((42 + 42 + 82) / 3, abs=2)


def test_a_block_with_few_notes_has_no_level_and_an_unclear_one_no_key() -> None:
    few = tokens_of(melody(FEW_NOTES - 1, 0.2, 60))
    assert not measure_levels(few, np.zeros(len(few), dtype=np.int64), CONDITIONS).any()
    chromatic = tokens_of(melody(60, 0.2, 60, np.arange(60, 72)))
    ids = measure_levels(chromatic, np.zeros(len(chromatic), dtype=np.int64), CONDITIONS)
    assert ids[:, :2].all() and not ids[:, 2].any()


def test_conditions_that_nothing_measures_stay_any() -> None:
    tokens = tokens_of(melody(40, 0.2, 60))
    conditions = (*style_conditions(("Edvard Grieg",), ()), CONDITIONS[1])
    ids = measure_levels(tokens, np.zeros(len(tokens), dtype=np.int64), conditions)
    assert not ids[:, :2].any() and ids[:, 2].all()


def test_no_tokens_have_no_ids() -> None:
    nothing = np.zeros((0, 4), dtype=np.uint16)
    assert measure_levels(nothing, np.zeros(0, dtype=np.int64), CONDITIONS).shape == (0, 3)


def test_thresholds_put_equally_many_blocks_in_each_level() -> None:
    pieces = [tokens_of(melody(600, interval, velocity)) for interval, velocity in zip(
        np.geomspace(0.05, 0.5, 40), np.linspace(20, 110, 40).round(), strict=True)]  # fmt: skip
    density, loudness = level_thresholds(pieces, 200)
    assert len(density) == len(loudness) == LEVELS - 1
    levels = []
    for tokens in pieces:
        block = np.arange(len(tokens)) // 200
        levels.append(measure_levels(tokens, block, measured_conditions(density, loudness)))
    counts = np.bincount(np.concatenate(levels)[:, 0], minlength=LEVELS + 1)[1:]
    assert counts.min() > 0.6 * counts.mean()


def test_keys_are_named_majors_first() -> None:
    assert len(KEYS) == 24 and KEYS[0] == "C major" and KEYS[12] == "C minor" and KEYS[21] == "A minor"
