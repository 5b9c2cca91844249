"""Prompts that were prefilled: what is taken from them, and that it changes no byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arietta.generation.loop import generate
from arietta.generation.request import Request
from arietta.generation.verbs import regenerate
from arietta.model.cache import Cache
from arietta.model.engine import OnnxEngine, load_engine
from arietta.model.prompts import Prefilled, PrefilledPrompts
from tests.model.test_engine import CONDITION, KINDS, NOTE_CODEC, grammatical_rows, step_through
from tests.model.test_engine_prompts import caches
from tests.support.bundles import TINY, engine_of, graphs_of, random_model


@pytest.fixture
def prefills(monkeypatch: pytest.MonkeyPatch) -> Callable[[OnnxEngine], list[int]]:
    """Count what an engine prefills from now on: a list of how many tokens at a time."""

    def count(engine: OnnxEngine) -> list[int]:
        lengths, prefill = [], engine.prefill
        monkeypatch.setattr(
            engine, "prefill", lambda tokens, *others: (lengths.append(len(tokens)), prefill(tokens, *others))[1]
        )
        return lengths

    return count


@given(cut=st.integers(1, 64), length=st.integers(1, 100), other_length=st.integers(1, 100))
@settings(max_examples=15, deadline=None)
def test_what_was_prefilled_before_changes_no_bit(tiny_bundle: Path, cut: int, length: int, other_length: int) -> None:
    rows, other = grammatical_rows(110), grammatical_rows(110, seed=1)
    prompt, earlier = rows[:length], np.concatenate([rows[:cut], other])[:other_length]
    used, fresh = engine_of(tiny_bundle), engine_of(tiny_bundle)
    used.start_after(CONDITION, earlier)
    taken, alone = used.start_after(CONDITION, prompt), fresh.start_after(CONDITION, prompt)
    assert all(np.array_equal(left, right) for left, right in zip(caches(taken), caches(alone), strict=True))
    assert np.array_equal(used.score(prompt[:64], CONDITION), fresh.score(prompt[:64], CONDITION))
    after = [step_through(engine, cache, other[:3])[1] for engine, cache in ((used, taken), (fresh, alone))]
    assert np.array_equal(*after)


def test_a_state_that_cannot_go_back_is_shared_as_a_whole_or_not(
    prefills: Callable[[OnnxEngine], list[int]], tmp_path: Path
) -> None:
    config, _ = KINDS["lstm"]
    engine = load_engine(graphs_of(tmp_path, config, random_model(config), NOTE_CODEC))
    lengths, rows = prefills(engine), grammatical_rows(12)
    for count in (12, 9, 12):
        engine.start_after(CONDITION, rows[:count])
    assert lengths == [12, 9]


def test_a_window_that_has_slid_is_shared_as_a_whole_or_not(
    prefills: Callable[[OnnxEngine], list[int]], tiny_bundle: Path
) -> None:
    engine, rows = engine_of(tiny_bundle), grammatical_rows(100)
    lengths = prefills(engine)
    for count in (100, 40, 100):
        engine.start_after(CONDITION, rows[:count])
    assert lengths == [100, 40]


def test_all_takes_of_a_passage_share_a_prefill_for_each_stream(
    prefills: Callable[[OnnxEngine], list[int]], filling_engine: OnnxEngine, waltz: Any
) -> None:
    lengths = prefills(filling_engine)
    (once,) = regenerate(waltz, 1.0, 3.0, seed=3, model=filling_engine)
    assert len(lengths) == 2, "what is given, and the piece with the take to be scored"
    takes = regenerate(waltz, 1.0, 3.0, n=4, seed=3, model=filling_engine)
    assert len(lengths) == 2 + 3, "three more takes to be scored"
    (again,) = (take for take in takes if take.request.seed == 3)
    assert again.notes == once.notes and again.nats == once.nats


def test_a_guided_prompt_is_prefilled_once_in_the_style_and_once_in_none(
    prefills: Callable[[OnnxEngine], list[int]], tiny_bundle: Path, waltz: Any
) -> None:
    engine = engine_of(tiny_bundle)
    style = engine.bundle.model.composers[0]
    lengths = prefills(engine)
    for seed in range(4):
        generate(Request(notes=3, prompt=waltz, style=style, seed=seed), engine)
    assert len(lengths) == 2


def test_prompts_under_other_conditions_share_nothing() -> None:
    rows = grammatical_rows(40)
    prompts, conditions = PrefilledPrompts(8), np.zeros((40, 2), dtype=np.int64)
    prompts.add(Prefilled(rows, conditions, Cache(TINY, 1), np.zeros((40, 4), dtype=np.float32)))
    assert prompts.begin(rows, conditions + 1) is None
    assert prompts.begin(grammatical_rows(40, seed=1), conditions) is None
    shared = prompts.begin(rows[:20], conditions[:20])
    assert shared is not None
    assert len(shared.tokens) == 16, "whole chunks"
