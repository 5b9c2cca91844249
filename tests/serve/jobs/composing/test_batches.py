"""Jobs in the batches of one process: steps, parts, failures, and what is prefilled ahead."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from arietta.generation.batch import Batch
from arietta.generation.loop import Generation, generate, start
from arietta.generation.request import Request
from arietta.model.engine import OnnxEngine
from arietta.music.notes import Notes, first
from arietta.serve.jobs.composing.batches import Batches
from arietta.serve.jobs.composing.composer import Step
from arietta.serve.jobs.job import Job

PATIENCE = 60.0


def job(engine: OnnxEngine, client: str = "", **asked: Any) -> Job:
    piece = Job("", Generation(Request(**asked), engine.bundle), engine, client)
    piece.start()
    return piece


def test_steps_give_the_events_of_each_job_and_in_the_end_its_take(tiny_engine: OnnxEngine) -> None:
    batches, jobs = Batches(), [job(tiny_engine, notes=10 + 5 * seed, seed=seed) for seed in range(3)]
    for piece in jobs:
        batches.add(piece)
    steps: list[Step] = []
    while len([step for step in steps if step.take]) < 3:
        steps += batches.step()
    assert list(batches.step()) == []
    for piece in jobs:
        own = [step for step in steps if step.job is piece]
        assert [step.take is None for step in own] == [True] * (len(own) - 1) + [False]
        assert own[-1].take is not None
        assert own[-1].take.notes == generate(piece.attempt.generation.request, tiny_engine).notes
        assert own[-1].progress == (10 + 5 * jobs.index(piece), 10 + 5 * jobs.index(piece))
        assert [event for step in own for event in step.events] == piece.attempt.generation.events
    batches.close()


def test_what_fails_ends_the_jobs_of_its_batch_and_the_next_get_a_fresh_one(
    tiny_engine: OnnxEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(batch: Batch) -> Any:
        raise RuntimeError("broken")

    batches, jobs = Batches(), [job(tiny_engine, notes=10) for _ in range(2)]
    for piece in jobs:
        batches.add(piece)
    with monkeypatch.context() as patch:
        patch.setattr(Batch, "step", fail)
        assert [(step.job, step.is_failed) for step in batches.step()] == [(piece, True) for piece in jobs]
    assert "broken" in caplog.text
    batches.add(job(tiny_engine, notes=10))
    assert not any(step.is_failed for step in batches.step())


def test_one_prompt_at_a_time_is_prefilled_ahead(
    tiny_engine: OnnxEngine, waltz: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, started = threading.Event(), list[int]()

    def wait_and_start(generation: Generation, engine: Any) -> None:
        started.append(generation.request.seed)
        assert gate.wait(PATIENCE)
        start(generation, engine)

    monkeypatch.setattr("arietta.serve.jobs.composing.batches.start", wait_and_start)
    batches = Batches()
    for seed in range(3):
        batches.prefill(
            Generation(Request(notes=5, seed=seed, prompt=first(waltz, 6)), tiny_engine.bundle), tiny_engine
        )
    batches.prefill(Generation(Request(notes=5, seed=9), tiny_engine.bundle), tiny_engine)  # nothing to prefill
    gate.set()
    batches.close()
    assert started == [0]


def test_a_job_without_a_prompt_can_start_at_once(tiny_engine: OnnxEngine, waltz: Notes) -> None:
    batches, woken = Batches(), threading.Event()
    plain, prompted = job(tiny_engine, notes=5), job(tiny_engine, notes=5, prompt=first(waltz, 6))
    batches.prepare(plain, woken.set)
    assert plain.can_start and not woken.is_set()
    batches.prepare(prompted, woken.set)
    assert woken.wait(PATIENCE) and prompted.can_start
    batches.close()
