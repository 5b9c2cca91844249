"""Given music drawn for training: what is to be written is whole, what stays is its own, and all fits."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.codecs.codec import Tokens
from arietta.codecs.grid import AFTER, BACK, DURATION_STEPS, FILL, KEPT, KEY_COUNT, START, TIME_STEPS
from arietta.codecs.note import NoteCodec
from arietta.generation.given import Layout
from arietta.music.notes import Notes
from arietta.train.data.layouts import SHORTEST_CROP, WAYS, choose_kept, draw_layout, forget, written_down

CODEC = NoteCodec()


def two_hands(seed: int, note_count: int = 150) -> Tokens:
    """Chords of a low and a high note, sometimes with a third between them, in even time."""
    rng = np.random.default_rng(seed)
    onset = np.repeat(0.25 * np.arange(note_count), 2)
    pitch = np.stack([rng.integers(36, 48, note_count), rng.integers(72, 84, note_count)], axis=1).ravel()
    return CODEC.encode(Notes.of(onset, np.full(len(onset), 0.2), pitch, rng.integers(40, 100, len(onset))))


def parts_of(layout: Layout) -> tuple[Tokens, Tokens, Tokens]:
    """The music after AFTER, what stands after KEPT, and the passage without BACK."""
    symbol, role = layout.tokens[:, 1], layout.role
    return (
        layout.tokens[(role == 1) & (symbol != AFTER)],
        layout.tokens[(role == 2) & (symbol != KEPT)],
        layout.tokens[(role == 3) & (symbol != FILL) & (symbol != BACK)],
    )


def notes_of(tokens: Tokens) -> Counter[tuple[int, int]]:
    """Notes as (steps since the beginning, pitch)."""
    is_note = tokens[:, 1] < KEY_COUNT
    return Counter(zip(TIME_STEPS[tokens[:, 0]].cumsum()[is_note].tolist(), tokens[is_note, 1].tolist(), strict=True))


@given(st.sampled_from(WAYS), st.integers(0, 10_000))
def test_every_way_gives_a_passage_that_fits_its_crop(way: str, seed: int) -> None:
    tokens, rng = two_hands(seed % 7), np.random.default_rng(seed)
    start = seed % 90
    crop = tokens[start : start + 200] if start else tokens[:200]
    layout = draw_layout(crop, way, length=208, rng=rng)
    after, kept, passage = parts_of(layout)
    assert len(layout.tokens) <= 208 and (layout.tokens[:, 1] == FILL).sum() == 1
    assert len(passage) and len(layout.origin) == len(layout.counted) == len(layout.tokens)
    assert (len(kept) > 0) <= (way != "fill")
    written = crop[layout.origin[(layout.role == 3) & layout.counted & (layout.tokens[:, 1] != BACK)]]
    assert np.array_equal(written, passage), "the passage is a slice of the crop"
    if way in ("keep", "accompany"):
        assert notes_of(kept) <= notes_of(passage)
    if len(after):
        assert layout.tokens[-1, 1] == BACK or len(layout.tokens) == 208


def test_a_pieces_start_is_given_and_never_written() -> None:
    tokens = two_hands(0)[:200]
    assert tokens[0, 1] == START
    for seed in range(60):
        for way in WAYS:
            _, _, passage = parts_of(draw_layout(tokens, way, length=208, rng=np.random.default_rng(seed)))
            assert (passage[:, 1] != START).all()


@pytest.mark.parametrize("way", WAYS)
def test_the_shortest_crop_that_is_laid_out_can_be(way: str) -> None:
    for seed in range(40):
        layout = draw_layout(two_hands(1)[:SHORTEST_CROP], way, length=80, rng=np.random.default_rng(seed))
        assert FILL in layout.tokens[:, 1]


def test_passages_with_both_sides_are_short_and_long_and_accompaniments_long() -> None:
    tokens = two_hands(2, 500)[:900]

    def size(way: str, seed: int) -> int:
        return len(parts_of(draw_layout(tokens, way, length=1500, rng=np.random.default_rng(seed)))[2])

    sizes = {way: [size(way, seed) for seed in range(150, 450)] for way in WAYS}
    assert min(sizes["fill"]) < 16 and 300 < max(sizes["fill"]) < 460
    assert np.median(sizes["fill"]) == pytest.approx(np.sqrt(12 * 450), rel=0.3), "even in the logarithm"
    assert min(sizes["accompany"]) > 200 and max(sizes["accompany"]) > 500
    assert max(sizes["touch"]) < 420


def test_what_stays_is_a_line_a_side_or_any_notes() -> None:
    tokens = two_hands(3)[1:201]
    pitch = tokens[:, 1]
    kinds = Counter()
    for seed in range(300):
        kept = choose_kept(tokens, np.random.default_rng(seed))
        assert kept[pitch >= KEY_COUNT].sum() == 0
        high, low = kept[(pitch > 40) & (pitch < KEY_COUNT)], kept[pitch < 30]
        kinds["above" if high.any() and not low.any() else "below" if low.any() and not high.any() else "both"] += 1
    assert all(kinds[kind] > 30 for kind in ("above", "below", "both")), kinds
    assert not choose_kept(tokens[:0], np.random.default_rng(0)).any()


def test_a_written_score_has_no_loudness_and_mostly_stands_on_a_grid() -> None:
    tokens = two_hands(4)[1:121]
    exact = 0
    for seed in range(200):
        score = written_down(tokens, np.random.default_rng(seed))
        notes = score[score[:, 1] < KEY_COUNT]
        assert not score[:, 3].any()
        steps = TIME_STEPS[score[:, 0]].cumsum()[score[:, 1] < KEY_COUNT]
        if notes_of(score) == notes_of(tokens) and np.array_equal(notes[:, 2], tokens[tokens[:, 1] < KEY_COUNT, 2]):
            exact += 1
            continue
        assert len(set(zip(steps.tolist(), notes[:, 1].tolist(), strict=True))) == len(notes)
        distinct = np.unique(steps)
        unit = np.diff(distinct).min()
        assert 7 <= unit <= 26 * 4 and (np.diff(distinct) >= 7).all()
        assert np.abs(steps[-1] - TIME_STEPS[tokens[:, 0]].cumsum()[-1]) <= 26
        assert DURATION_STEPS[notes[:, 2]].min() >= 7
    assert 50 < exact < 110
    assert len(written_down(tokens[:0], np.random.default_rng(0))) == 0


def test_levels_are_forgotten_together_and_by_themselves() -> None:
    rng, left = np.random.default_rng(0), []
    for _ in range(2000):
        ids = np.ones((5, 3), dtype=np.int64)
        forget(ids, rng)
        assert (ids == ids[0]).all(), "for the whole crop"
        left.append(ids[0])
    shares = np.mean(left, axis=0)
    assert shares == pytest.approx([0.65 * 0.6] * 3, abs=0.04)
    assert np.mean([not row.any() for row in left]) == pytest.approx(0.35 + 0.65 * 0.4**3, abs=0.04)
