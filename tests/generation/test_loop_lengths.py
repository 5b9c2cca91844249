"""Exactly what was asked, from any engine: notes, seconds, an announced end, and no pattern for ever."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from arietta.codecs.grid import CODA, END, KEY_COUNT, PEDAL_DOWN, TIME_COUNT
from arietta.codecs.performance import PerformanceCodec
from arietta.errors import RequestError
from arietta.generation.batch import generate_all
from arietta.generation.loop import Generation, generate
from arietta.generation.request import Request
from arietta.model.bundle import load_bundle
from arietta.model.engine import OnnxEngine
from arietta.model.sampling import Sampling
from arietta.music.loops import LOOP_REPEATS
from arietta.music.notes import Notes
from tests.support.bundles import TINY, engine_of, graphs_of, random_model
from tests.support.engines import CODEC, Wilful, assert_closed, cycling
from tests.support.strategies import SEEDS

LAWS = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


# Exactly what was asked


@given(notes=st.integers(1, 300), seed=SEEDS)
@example(notes=1, seed=0)
@example(notes=300, seed=1)
@LAWS
def test_n_notes_are_n_notes(tiny_engine: OnnxEngine, notes: int, seed: int) -> None:
    take = generate(Request(notes=notes, seed=seed), tiny_engine)
    assert len(take.notes) == take.note_count == notes
    assert CODEC.decode(take.tokens) == take.notes
    assert_closed(take)


@given(seconds=st.floats(1, 120), seed=SEEDS)
@example(seconds=1.0, seed=7)
@example(seconds=120.0, seed=0)
@LAWS
def test_seconds_are_kept_within_two_hundredths_pedal_included(
    tiny_engine: OnnxEngine, seconds: float, seed: int
) -> None:
    take = generate(Request(seconds=seconds, seed=seed), tiny_engine)
    assert abs(take.notes.seconds - seconds) <= 0.02 * seconds + 1e-9
    assert CODEC.decode(take.tokens) == take.notes
    assert_closed(take)


@pytest.mark.parametrize("gap", range(1, 8))
@pytest.mark.parametrize("seconds", [1.0, 1.37, 2.0])
def test_a_short_piece_does_not_end_in_silence(gap: int, seconds: float, tiny_bundle: Path) -> None:
    last = round(100 * seconds) - gap - 1  # step of a note that lasts one step, after which nothing fits
    engine = Wilful(load_bundle(tiny_bundle), lambda field, row: (min(last, 99), 40, 0, 16)[field])
    take = generate(Request(seconds=seconds), engine)
    assert abs(take.notes.seconds - seconds) <= 0.02 * seconds + 1e-9


@given(seed=SEEDS, asked=st.sampled_from([{"notes": 40}, {"seconds": 20.0}]))
@LAWS
def test_any_sampling_gives_what_was_asked(tiny_engine: OnnxEngine, seed: int, asked: dict[str, Any]) -> None:
    rng = np.random.default_rng(seed)
    way = Sampling(float(rng.uniform(0.05, 3)), float(rng.uniform(0.05, 1)), float(rng.uniform(0, 0.9)))
    take = generate(Request(**asked, seed=seed, sampling=way), tiny_engine)
    assert len(take.notes) == 40 if "notes" in asked else abs(take.notes.seconds - 20) <= 0.4


@pytest.mark.parametrize("wish", [PEDAL_DOWN, PEDAL_DOWN + 1, PEDAL_DOWN + 2, END, 0, 87])
@pytest.mark.parametrize("time", [0, 30, TIME_COUNT])
@pytest.mark.parametrize("asked", [{"notes": 25}, {"seconds": 9.0}])
def test_the_most_stubborn_engine_gives_what_was_asked(
    tiny_bundle: Path, wish: int, time: int, asked: dict[str, Any]
) -> None:
    engine = Wilful(load_bundle(tiny_bundle), lambda field, row: (time, wish, 128, 0)[field])
    take = generate(Request(**asked), engine)
    assert_closed(take)
    if "notes" in asked:
        assert len(take.notes) == 25
    else:
        assert abs(take.notes.seconds - 9) <= 0.18


@pytest.mark.parametrize("notes", [1, 7, 120])
def test_a_codec_of_one_field_keeps_the_count_too(notes: int, tmp_path: Path) -> None:
    codec = PerformanceCodec()
    config = replace(TINY, field_sizes=codec.field_sizes)
    from arietta.model.engine import load_engine

    engine = load_engine(graphs_of(tmp_path, config, random_model(config), codec))
    take = generate(Request(notes=notes), engine)
    assert len(take.notes) == notes
    assert codec.decode(take.tokens) == take.notes
    assert_closed(take)


@pytest.mark.parametrize("asked", [{"seconds": 10.0}, {"notes": 5, "prompt": Notes.of([0], [1], [60], [64])}])
def test_what_a_codec_cannot_do_is_refused(asked: dict[str, Any], tiny_bundle: Path) -> None:
    bundle = replace(load_bundle(tiny_bundle), codec=PerformanceCodec())
    with pytest.raises(RequestError, match="composes a number of notes from the beginning"):
        Generation(Request(**asked), bundle)


def test_an_lstm_composes_as_well(tiny_lstm: Path) -> None:
    take = generate(Request(notes=80, style="grieg"), engine_of(tiny_lstm))
    assert len(take.notes) == 80
    assert_closed(take)


# Endings are announced


@given(notes=st.integers(16, 200), seed=SEEDS)
@LAWS
def test_a_coda_says_how_many_notes_remain(tiny_engine: OnnxEngine, notes: int, seed: int) -> None:
    request = Request(notes=notes, seed=seed)
    events = generate(request, tiny_engine).tokens
    (place,) = np.flatnonzero(events[:, 1] == CODA)
    remaining = int((events[place:, 1] < KEY_COUNT).sum())
    assert events[place].tolist() == [0, CODA, remaining, 0]
    assert remaining == min(notes, Generation(request, tiny_engine.bundle)._coda_at)
    assert 16 <= remaining <= 64


@pytest.mark.parametrize("notes", [1, 15])
def test_a_piece_shorter_than_a_coda_has_none(tiny_engine: OnnxEngine, notes: int) -> None:
    events = generate(Request(notes=notes), tiny_engine).tokens
    assert not (events[:, 1] == CODA).any()


def test_codas_of_many_pieces_differ_in_length(tiny_bundle: Path) -> None:
    lengths = {Generation(Request(notes=300, seed=seed), load_bundle(tiny_bundle))._coda_at for seed in range(200)}
    assert min(lengths) < 20 and max(lengths) > 60


def test_a_piece_in_seconds_announces_its_end_at_its_pace(tiny_engine: OnnxEngine) -> None:
    found = []
    for seed in range(6):
        events = generate(Request(seconds=120, seed=seed), tiny_engine).tokens
        for place in np.flatnonzero(events[:, 1] == CODA):
            found.append((int((events[place:, 1] < KEY_COUNT).sum()), int(events[place, 2])))
    assert len(found) >= 4
    assert all(0.3 < (after + 5) / (said + 5) < 3 for after, said in found)


# Loops


def longest_repeat(notes: Notes, period: int) -> float:
    """How often a pattern of `period` pitches comes in a row, at most."""
    same = notes.pitch[period:] == notes.pitch[:-period]
    runs, run = [0], 0
    for is_same in same.tolist():
        run = run + 1 if is_same else 0
        runs.append(run)
    return max(runs) / period + 1


@pytest.mark.parametrize("keys", [[40], [40, 47], [40, 44, 47], [40, 44, 47, 52, 47, 44, 42, 45]])
def test_a_pattern_comes_at_most_eight_times(keys: list[int], tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    guarded = generate(Request(notes=400), Wilful(bundle, cycling(keys))).notes
    assert longest_repeat(guarded, len(keys)) <= LOOP_REPEATS
    left_alone = next(generate_all([Request(notes=400)], Wilful(bundle, cycling(keys)), is_guarded=False)).notes
    assert longest_repeat(left_alone, len(keys)) == pytest.approx(400 / len(keys), abs=1)


def test_a_model_at_its_coldest_does_not_hammer_one_key(tiny_engine: OnnxEngine) -> None:
    for seed in range(3):
        take = generate(Request(notes=300, seed=seed, sampling=Sampling({"symbol": 0.05})), tiny_engine)
        assert longest_repeat(take.notes, 1) <= LOOP_REPEATS
