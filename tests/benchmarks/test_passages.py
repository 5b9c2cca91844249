"""Seams are told from what is no seam where they differ, and not where they do not."""

from __future__ import annotations

import numpy as np
import pytest

from arietta.codecs.grid import KEY_COUNT
from arietta.codecs.note import NoteCodec
from arietta.generation.given import lay_out
from arietta.model.engine import OnnxEngine
from arietta.music.notes import Notes
from benchmarks.quality.passages import BESIDE, beside, classify, ks, passage_nats


def test_what_differs_is_told_apart_and_what_does_not_is_not() -> None:
    rng = np.random.default_rng(0)
    features, fold = rng.normal(size=(200, 5)), np.tile(np.arange(100) % 5, 2)
    is_seam = np.arange(200) < 100
    assert 70 <= classify(features, is_seam, fold) <= 130
    features[is_seam, 2] += 4
    assert classify(features, is_seam, fold) >= 190


def test_the_distance_of_distributions_is_that_of_kolmogorov_and_smirnov() -> None:
    assert ks([1, 2, 3], [1, 2, 3]) == 0
    assert ks([1, 2], [3, 4]) == 1
    assert ks([1, 2, 3, 4], [3, 4, 5, 6]) == 0.5


def test_features_begin_with_the_gap_and_the_jump_at_the_seam() -> None:
    count = 2 * BESIDE
    onset = np.where(np.arange(count) < BESIDE, 0.1, 0.15) * np.arange(count)
    notes = Notes.of(onset, np.full(count, 0.1), np.full(count, 60), np.where(np.arange(count) < BESIDE, 40, 70))
    row = beside(notes, BESIDE)
    assert row[:2] == pytest.approx([onset[BESIDE] - onset[BESIDE - 1], 30])


def test_nats_are_those_of_the_passage_alone(filling_engine: OnnxEngine) -> None:
    onset = np.arange(60) * 0.1
    tokens = NoteCodec(version=2).encode(Notes.of(onset, np.full(60, 0.1), 40 + np.arange(60) % 30, np.full(60, 64)))
    before, passage, after = tokens[1:20], tokens[20:30], tokens[30:40]
    assert (passage[:, 1] < KEY_COUNT).all()
    left = passage_nats(filling_engine, None, before, passage)
    both = passage_nats(filling_engine, lay_out(before, passage, after), before, passage)
    assert left.shape == both.shape == (len(passage),)
    assert (left > 0).all() and (both > 0).all() and left.sum() != both.sum()
    assert passage_nats(filling_engine, None, before, passage[:5]) == pytest.approx(left[:5], rel=1e-4)
    led = lay_out(before[:-4], tokens[16:30], after)
    nats = passage_nats(filling_engine, led, before, tokens[16:30])
    assert passage_nats(filling_engine, led, before, passage, 4) == pytest.approx(nats[4:])
