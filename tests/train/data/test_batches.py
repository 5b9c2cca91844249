"""Training crops: always the same for a seed, true slices of the piece, with its edges where they belong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.codecs.codec import Tokens
from arietta.codecs.grid import AFTER, BACK, FILL, KEPT, TIME_STEPS
from arietta.codecs.note import CODA, END, KEY_COUNT, START, NoteCodec
from arietta.corpus.store import Piece, Store
from arietta.errors import ConfigError, CorpusError
from arietta.generation.given import LEFT_THRESHOLDS, ROLES
from arietta.model.conditions import measured_conditions
from arietta.model.config import Condition, ModelConfig, style_conditions
from arietta.music.notes import Notes, trim
from arietta.train.config import DataSettings
from arietta.train.data.batches import (
    SHORTER,
    Augmentation,
    Crops,
    TokenBatch,
    _crop_chances,
    pad,
    pieces_of,
    tokens_per_note,
)
from tests.support.corpora import make_store, scale
from tests.support.strategies import pieces

CODEC = NoteCodec()
MODEL = ModelConfig(
    kind="lstm",
    field_sizes=CODEC.field_sizes,
    width=8,
    layers=1,
    conditions=style_conditions(("Edvard Grieg", "Frédéric Chopin"), ("sequenced",)),
)
STILL = DataSettings(length=48, transpose=(0, 0), stretch=(1.0, 1.0), any_share=0.0)


def crops_of(store: Store, settings: DataSettings = STILL, seed: int = 1) -> Crops:
    return Crops(store, CODEC, MODEL, settings, seed=seed)


def many_crops(store: Store, count: int = 200, settings: DataSettings = STILL) -> list[Tokens]:
    crops, rng = crops_of(store, settings), np.random.default_rng(0)
    return [crops.crop(store.pieces[0], rng, settings.length) for _ in range(count)]


def test_a_batch_is_a_function_of_the_seed_and_its_number(store: Store) -> None:
    settings = DataSettings(length=48)
    first, again = crops_of(store, settings), crops_of(store, settings)
    again.batch(3, 4)  # drawing others in between changes nothing
    for number in (0, 7):
        batch, same = first.batch(number, 4), again.batch(number, 4)
        for name in ("tokens", "counted", "conditions"):
            assert np.array_equal(getattr(batch, name), getattr(same, name))


def test_batches_of_other_numbers_and_seeds_differ(store: Store) -> None:
    batch = crops_of(store).batch(0, 4).tokens
    assert not np.array_equal(batch, crops_of(store).batch(1, 4).tokens)
    assert not np.array_equal(batch, crops_of(store, seed=2).batch(0, 4).tokens)


def test_an_unaugmented_crop_from_the_middle_is_a_slice_of_the_whole_piece(store: Store) -> None:
    whole = CODEC.encode(trim(store.notes(0))).tolist()
    middles = [rows.tolist() for rows in many_crops(store, 60) if not np.isin(rows[:, 1], (START, CODA, END)).any()]
    assert len(middles) > 20
    for rows in middles:
        assert len(rows) == STILL.length
        # the crop's own clock rounds onsets from another zero: times may differ by a step, all else may not
        places = [k for k in range(len(whole)) if [row[1:] for row in whole[k : k + 48]] == [row[1:] for row in rows]]
        times = np.array([[row[0] for row in whole[k : k + 48]] for k in places])
        assert (abs(times - np.array([row[0] for row in rows])).max(axis=1) <= 1).any()


def test_openings_have_their_start_row_and_only_they(store: Store) -> None:
    crops = many_crops(store)
    opening = [rows for rows in crops if (rows[:, 1] == START).any()]
    assert 10 < len(opening) < 100
    for rows in opening:
        assert rows[0, 1] == START and (rows[1:, 1] != START).all()
        assert rows[1, 0] == 0, "the first event of a piece is at 0"


def test_endings_close_with_the_end_row_and_only_they(store: Store) -> None:
    ending = [rows for rows in many_crops(store) if (rows[:, 1] == END).any()]
    assert 10 < len(ending) < 100
    for rows in ending:
        assert rows[-1, 1] == END and (rows[:-1, 1] != END).all()


def test_a_coda_says_how_many_notes_remain(store: Store) -> None:
    counts = []
    for rows in many_crops(store, 300, DataSettings(length=96)):
        for place in np.flatnonzero(rows[:, 1] == CODA):
            assert 16 <= rows[place, 2] <= 64
            after = int((rows[place:, 1] < KEY_COUNT).sum())
            counts.append((int(rows[place, 2]), after))
            assert after == rows[place, 2] if rows[-1, 1] == END else after <= rows[place, 2]
    assert len({coda for coda, _ in counts}) > 10


def test_most_endings_are_announced_and_some_are_not(store: Store) -> None:
    ending = [rows for rows in many_crops(store, 600, DataSettings(length=96)) if rows[-1, 1] == END]
    announced = sum((rows[:, 1] == CODA).any() for rows in ending) / len(ending)
    assert 0.75 < announced < 1


def test_a_piece_shorter_than_a_crop_is_given_whole(tmp_path: Path) -> None:
    short = make_store(tmp_path, pieces=[scale(0, 12)], splits=("train",))
    rows = many_crops(short, 1)[0]
    assert rows.tolist() == CODEC.encode(trim(short.notes(0))).tolist()
    batch = crops_of(short).batch(0, 3)
    assert batch.token_count == 3 * (len(rows) - 1), "the start row is placed, not predicted"
    assert not batch.counted[:, len(rows) :].any() and not batch.tokens[:, len(rows) :].any()


def test_every_part_of_a_piece_is_seen(store: Store) -> None:
    pitches = trim(store.notes(0)).pitch
    seen = np.concatenate([rows[rows[:, 1] < KEY_COUNT, 1] for rows in many_crops(store, 100)])
    assert set(seen + 21) == set(pitches)


def test_pieces_are_drawn_in_proportion_to_their_notes(tmp_path: Path) -> None:
    store = make_store(tmp_path, pieces=[scale(0, 900), scale(1, 100)], splits=("train", "train"))
    crops = crops_of(store, DataSettings(length=16, any_share=0.0))
    composers = np.concatenate([crops.batch(k, 8).conditions[:, 0, 0] for k in range(100)])
    assert 0.85 < (composers == 1).mean() < 0.95


def test_shares_say_how_many_crops_come_from_each_corpus(tmp_path: Path) -> None:
    store = make_store(tmp_path, pieces=[scale(0, 900), scale(1, 100)], splits=("train", "train"))
    pieces = [replace(piece, corpus=name) for piece, name in zip(store.pieces, ("large", "small"), strict=True)]
    settings = DataSettings(length=16, any_share=0.0, corpora=("small", "large"), shares=(3.0, 1.0))
    crops = crops_of(store.with_pieces(pieces), settings)
    composers = np.concatenate([crops.batch(k, 8).conditions[:, 0, 0] for k in range(100)])
    assert 0.7 < (composers == 2).mean() < 0.8, "the small corpus is the second composer's"


def test_shares_without_their_corpora_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"data\.shares must be a number above 0 for each of data\.corpora"):
        DataSettings(shares=(1.0,))


def test_conditions_are_the_pieces_own_or_any(store: Store) -> None:
    crops = crops_of(store, DataSettings(length=16, any_share=0.25))
    batches = [crops.batch(k, 8) for k in range(60)]
    composer, source = np.concatenate([batch.conditions[:, 0] for batch in batches]).T
    assert set(composer) == {0, 1, 2} and set(source) == {0, 1}
    assert 0.18 < (composer == 0).mean() < 0.32
    assert ((composer == 0) != (source == 0)).any(), "each is replaced by itself"


@given(pieces(), st.floats(0, 1, exclude_max=True), st.integers(-12, 0), st.integers(0, 12))
def test_transposing_keeps_every_key_on_the_keyboard(notes: Notes, chance: float, low: int, high: int) -> None:
    moved = Augmentation(chance, 1.0).apply(notes, (low, high))
    inside = notes.pitch[(notes.pitch >= 21) & (notes.pitch <= 108)]
    assert len(moved) == len(inside)
    if len(inside):
        shift = int(np.sort(moved.pitch)[0]) - int(np.sort(inside)[0])
        assert low <= shift <= high
        assert moved.pitch.min() >= 21 and moved.pitch.max() <= 108


@given(pieces(), st.floats(0.9, 1.1))
def test_stretching_scales_all_times_from_zero(notes: Notes, factor: float) -> None:
    before, after = Augmentation(0.5, 1.0).apply(notes, (0, 0)), Augmentation(0.5, factor).apply(notes, (0, 0))
    assert np.allclose(after.onset, factor * before.onset)
    assert np.allclose(after.duration, factor * before.duration)
    assert np.allclose(after.pedal, factor * before.pedal)


def test_transpositions_take_every_value_of_their_range() -> None:
    notes = Notes.of([0.0], [1.0], [60], [80])
    found = {int(Augmentation(chance, 1.0).apply(notes, (-3, 3)).pitch[0]) for chance in np.linspace(0, 0.99, 50)}
    assert found == set(range(57, 64))


def test_a_split_without_pieces_is_refused_by_name(store: Store) -> None:
    with pytest.raises(CorpusError, match=r"no piece in the tset split \(the corpus has test, train, validation\)"):
        pieces_of(store, "tset")


def test_rows_per_note_counts_the_pedal_too(store: Store) -> None:
    assert 1.0 < tokens_per_note(CODEC, store, store.pieces) < 1.2


def test_padding_never_counts() -> None:
    rows = CODEC.encode(Notes.of([0.0], [1.0], [60], [80]))
    events, counted = pad([rows, rows[:1]], CODEC, 8)
    assert events.shape == counted.shape == (2, 8, 4)
    assert counted.sum(axis=(1, 2)).tolist() == [4 + 2, 0], (
        "a note has four fields that count, an end two, a start none"
    )


def test_known_composers_get_at_least_their_share_of_a_corpus(store: Store) -> None:
    named = tuple(sorted({piece.composer for piece in store.pieces if piece.split == "train"}))[:1]
    model = replace(MODEL, conditions=style_conditions(named, ("sequenced",)))
    settings = replace(STILL, known_share=0.8, any_share=0.0)

    def share(settings: DataSettings) -> float:
        crops = Crops(store, CODEC, model, settings, seed=1)
        return float(np.mean([crops.batch(number, 8).conditions[:, 0, 0] > 0 for number in range(60)]))

    assert share(settings) == pytest.approx(0.8, abs=0.06)
    natural = share(STILL)
    assert share(replace(settings, known_share=natural / 2)) == pytest.approx(natural, abs=0.06)


def test_known_composers_take_their_share_from_others_of_their_corpus_and_from_no_other_corpus() -> None:
    counts = [("a", "known", 31), ("a", "other", 69), ("b", "known", 80), ("b", "other", 20), ("c", "other", 50)]
    pieces = [
        Piece("", "", "", "", index, notes, 1.0, composer, "", "", "train", "", corpus, "")
        for index, (corpus, composer, notes) in enumerate(counts)
    ]
    chances = _crop_chances(pieces, DataSettings(known_share=0.6), ["known"])
    assert chances * 250 == pytest.approx([60, 40, 80, 20, 50])


def test_short_batches_hold_more_crops_that_are_as_much_shorter(store: Store) -> None:
    crops = crops_of(store, replace(STILL, short_share=0.3))
    shapes = [crops.batch(number, 2).tokens.shape[:2] for number in range(100)]
    assert set(shapes) == {(2, 48), (2 * SHORTER, 48 // SHORTER)}
    assert 15 <= shapes.count((16, 6)) <= 45


MIXED = DataSettings(length=96, any_share=0.0, fill=0.2, keep=0.2, accompany=0.2, touch=0.2, measured=True)
ALL_CONDITIONS = (
    *MODEL.conditions,
    *measured_conditions((3.0, 5.0), (64.0,)),
    Condition("role", 4, ROLES),
    Condition("left", len(LEFT_THRESHOLDS) + 2, thresholds=LEFT_THRESHOLDS),
)
KNOWING = replace(MODEL, conditions=ALL_CONDITIONS)


def mixed_batches(store: Store, settings: DataSettings = MIXED, count: int = 40) -> list[TokenBatch]:
    crops = Crops(store, CODEC, KNOWING, settings, seed=1)
    return [crops.batch(number, 8) for number in range(count)]


def test_crops_are_laid_out_in_their_shares_and_the_rest_is_plain(store: Store) -> None:
    symbols = [set(crop.ravel().tolist()) for batch in mixed_batches(store) for crop in batch.tokens[..., 1]]
    assert np.mean([FILL in crop for crop in symbols]) == pytest.approx(0.8, abs=0.07)
    assert np.mean([KEPT in crop for crop in symbols]) == pytest.approx(0.6, abs=0.08)
    assert np.mean([BACK in crop for crop in symbols]) == pytest.approx(0.4 + 0.4 * 0.3, abs=0.12)
    plain = [set(crop.ravel().tolist()) for batch in mixed_batches(store, STILL, 5) for crop in batch.tokens[..., 1]]
    assert not any({AFTER, KEPT, FILL, BACK} & crop for crop in plain)


def test_marks_are_given_and_what_returns_is_learned(store: Store) -> None:
    for batch in mixed_batches(store, count=10):
        symbol, role = batch.tokens[..., 1], batch.conditions[..., 5]
        assert not batch.counted[np.isin(symbol, (AFTER, KEPT, FILL))].any()
        assert not batch.counted[role == ROLES.index("kept") + 1].any()
        back = batch.counted[symbol == BACK]
        assert back[:, :2].all() and not back[:, 2:].any(), "time and symbol"
        written = (role == ROLES.index("passage") + 1) & (symbol < KEY_COUNT)
        assert batch.counted[written].all(), "kept notes are said again in the passage"


def test_conditions_go_with_their_tokens(store: Store) -> None:
    seen = np.zeros((len(ALL_CONDITIONS), 40), dtype=np.int64)
    for batch in mixed_batches(store):
        symbol, role, left = batch.tokens[..., 1], batch.conditions[..., 5], batch.conditions[..., 6]
        assert (role[symbol == BACK] == 3).all() and (left[symbol == BACK] > 0).all()
        assert (left[role != 3] == 0).all()
        for index in range(len(ALL_CONDITIONS)):
            seen[index] += np.bincount(batch.conditions[..., index].ravel(), minlength=40)
    assert seen[2, 2] > 0 and seen[2, 4:].sum() == 0, "scales of four notes a second"
    assert seen[4, 1:13].sum() > 0 and (seen[5, :4] > 0).all() and (seen[6, 1:31] > 0).sum() > 10


def test_levels_are_left_out_of_many_crops(store: Store) -> None:
    settings = replace(MIXED, fill=0.0, keep=0.0, accompany=0.0, touch=0.0)
    ids = np.concatenate([batch.conditions[:, 40, 2:4] for batch in mixed_batches(store, settings)])
    assert (ids > 0).mean(axis=0) == pytest.approx([0.39, 0.39], abs=0.1)


def test_long_silences_are_cut_where_the_settings_say_so(tmp_path: Path) -> None:
    notes = scale(0, 120)
    onset = notes.onset + np.where(np.arange(120) >= 60, 30.0, 0.0)
    store = make_store(tmp_path, pieces=[replace(notes, onset=onset, pedal=notes.pedal[:0])], splits=("train",))
    for longest, pause in ((0.0, 30), (3.0, 3)):
        settings = replace(STILL, length=200, longest_silence=longest)
        tokens = Crops(store, CODEC, MODEL, settings, seed=1).crop(store.pieces[0], np.random.default_rng(0), 200)
        assert TIME_STEPS[tokens[:, 0]].sum() == pytest.approx(100 * (0.25 * 119 + pause), abs=60)
