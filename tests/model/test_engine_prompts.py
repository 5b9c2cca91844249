"""A prompt is prefilled once: begun again, under the same conditions, it costs a copy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from arietta.model.cache import Cache
from arietta.model.engine import OnnxEngine
from arietta.model.prompts import MAX_PROMPT_CACHES
from tests.model.test_engine import CONDITION, grammatical_rows, step_through
from tests.support.bundles import engine_of


@pytest.fixture(scope="module", params=["tiny_bundle", "tiny_bundle_32"])
def engine(request: pytest.FixtureRequest) -> OnnxEngine:
    folder: Path = request.getfixturevalue(request.param)
    return engine_of(folder)


def caches(cache: Cache) -> list[np.ndarray]:
    """What one piece goes on from: of its cache the rows in use."""
    used = int(cache.filled[0, 0, 0])
    return [cache.last, cache.filled, cache.position, *(value[:, :, :used] for value in cache.buffers.values())]


def test_a_prompt_begun_again_is_not_fed_again(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, rows, fed_rows = engine_of(tiny_bundle), grammatical_rows(70), []
    prefill = engine.prefill
    monkeypatch.setattr(
        engine, "prefill", lambda events, *others: (fed_rows.append(len(events)), prefill(events, *others))[1]
    )
    first, second = (engine.start_after(CONDITION, rows) for _ in range(2))
    assert fed_rows == [70]
    engine.start_after((0, 0), rows)
    engine.start_after(CONDITION, rows[:-1])
    engine.start_after(CONDITION, rows[:0])
    engine.start_after(CONDITION, rows, np.tile((1, 1), (70, 1)))
    assert fed_rows == [70, 70, 69, 70]
    plain = engine.start([CONDITION])
    prefill(rows, plain)
    for taken in (first, second):
        assert all(np.array_equal(left, right) for left, right in zip(caches(taken), caches(plain), strict=True))


def test_what_is_composed_after_a_prompt_does_not_reach_the_kept_one(engine: OnnxEngine) -> None:
    prompt, after = np.split(grammatical_rows(60), [40])
    gone_on, beside = engine.start_after(CONDITION, prompt), engine.start_after(CONDITION, prompt)
    step_through(engine, gone_on, after)
    again = engine.start_after(CONDITION, prompt)
    assert all(np.array_equal(left, right) for left, right in zip(caches(beside), caches(again), strict=True))


def test_only_the_prompts_used_latest_are_kept(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, rows, fed_rows = engine_of(tiny_bundle), grammatical_rows(MAX_PROMPT_CACHES + 2), []
    monkeypatch.setattr(engine, "prefill", lambda rows, *_: (fed_rows.append(len(rows)), np.zeros(rows.shape))[1])
    for length in [*range(1, MAX_PROMPT_CACHES + 1), 1, MAX_PROMPT_CACHES + 1]:  # 1 is used again, so 2 has to leave
        engine.start_after(CONDITION, rows[:length])
    assert fed_rows == list(range(1, MAX_PROMPT_CACHES + 2))
    for length in (1, 3, 2):
        engine.start_after(CONDITION, rows[:length])
    assert fed_rows[MAX_PROMPT_CACHES + 1 :] == [2]
