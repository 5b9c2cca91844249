"""A job by itself: its states, and its attempts to be original."""

from __future__ import annotations

from dataclasses import replace

import pytest

from arietta.generation.loop import Generation, generate
from arietta.generation.original import MAX_ATTEMPTS, Attempts, Originality
from arietta.generation.request import Request
from arietta.model.engine import OnnxEngine
from arietta.serve.jobs.job import Job, State

COPY = Originality(61, 0.4, 99.0, 98.0, is_inside=False, work="X")
REQUEST = Request(notes=5, seed=7)


def make_job(engine: OnnxEngine, *, original: bool = False) -> Job:
    retries = Attempts(REQUEST) if original else None
    return Job("0" * 16, Generation(REQUEST, engine.bundle), engine, retries=retries)


def compose(job: Job) -> None:
    """Compose the present attempt as the scheduler would."""
    job.start()
    take = generate(job.attempt.generation.request, job.engine)
    job.attempt.event_log.add([take.notes[index] for index in range(len(take.notes))])
    job.attempt.take = take
    job.end(State.DONE)


@pytest.mark.parametrize("state", State)
def test_states_are_the_words_that_are_stored_and_nothing_follows_a_final_one(state: State) -> None:
    assert state == str(state) == state.value
    assert state.is_final is (state.value not in ("waiting", "composing"))


def test_the_events_of_a_job_that_may_be_tried_again_are_withheld_until_it_is_settled(tiny_engine: OnnxEngine) -> None:
    plain, original = make_job(tiny_engine), make_job(tiny_engine, original=True)
    compose(plain)
    compose(original)
    assert len(plain.events) == 5 and original.events == ()
    assert not original.settle(COPY)
    assert (original.state, original.take, original.events) == (State.WAITING, None, ())
    compose(original)
    assert original.settle(replace(COPY, is_inside=True))
    assert len(original.events) == 5
    assert original.take is not None and original.take.request.seed == 107
    assert original.attempt.originality is not None
    assert [rejected.seed for rejected in original.attempt.originality.rejected] == [7]


def test_where_all_attempts_are_rejected_the_most_original_one_is_accepted(tiny_engine: OnnxEngine) -> None:
    job = make_job(tiny_engine, original=True)
    longest = [60, 50, 40, 30, 45, 55, 65, 75]  # of each attempt; the fourth shares least
    for index in range(MAX_ATTEMPTS):
        compose(job)
        assert job.settle(replace(COPY, longest=longest[index])) == (index == MAX_ATTEMPTS - 1)
    assert job.take is not None and job.take.request.seed == 7 + 3 * 100
    assert [event.pitch for event in job.events if hasattr(event, "pitch")] == job.take.notes.pitch.tolist()


def test_a_job_without_a_search_is_settled_whatever_it_shares(tiny_engine: OnnxEngine) -> None:
    job = make_job(tiny_engine)
    compose(job)
    assert job.settle(COPY) and job.attempt.originality == COPY


def test_the_time_of_a_later_attempt_counts_from_the_first(tiny_engine: OnnxEngine) -> None:
    job = make_job(tiny_engine, original=True)
    assert set(job.timing().values()) == {None}
    compose(job)
    started = job.started
    job.settle(COPY)
    assert job.ended is None
    compose(job)
    assert job.started == started and job.ended is not None
    timing = job.timing()
    assert timing["waited"] is not None and timing["composing"] is not None and timing["composing"] > 0
