"""The scheduler by itself: who is stepped, in which order, and what becomes of them; with a network, without HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from arietta.generation.batch import Batch
from arietta.generation.loop import Generation, generate, start
from arietta.generation.original import Attempts, Originality
from arietta.generation.request import Request
from arietta.model.cache import slot_bytes
from arietta.model.config import ConditionIds
from arietta.model.engine import OnnxEngine
from arietta.model.sampling import Sampling
from arietta.music.notes import Notes, first
from arietta.serve.jobs.composing.batches import Batches
from arietta.serve.jobs.composing.composer import Step
from arietta.serve.jobs.event_log import to_notes
from arietta.serve.jobs.job import Job, State
from arietta.serve.jobs.limits import Limits
from arietta.serve.jobs.metrics import Metrics
from arietta.serve.jobs.notifier import Notifier
from arietta.serve.jobs.scheduler import FullError, Scheduler, StoppingError
from tests.support.bundles import engine_of

PATIENCE = 60.0


@contextmanager
def staged(limits: Limits | None = None, is_stopping: Callable[[], bool] = lambda: False) -> Iterator[Scheduler]:
    """Run a scheduler, on which what ends is over at once."""

    def end(job: Job) -> None:
        job.is_over = True

    scheduler = Scheduler(limits or Limits(), Notifier().notify, Metrics(), on_end=end, is_stopping=is_stopping)
    scheduler.open()
    yield scheduler
    scheduler.close()


def job(engine: Any, client: str = "", **asked: Any) -> Job:
    return Job("", Generation(Request(**asked), engine.bundle), engine, client)


def wait(*jobs: Job) -> None:
    until(lambda: all(piece.is_over for piece in jobs))


def until(claim: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_pieces_of_two_models_share_the_stage_and_are_what_they_are_alone(
    tiny_engine: OnnxEngine, tiny_lstm: Path, waltz: Notes
) -> None:
    lstm = engine_of(tiny_lstm)
    prompt = first(waltz, 6)
    jobs = [job(engine, notes=30, seed=seed, prompt=prompt) for seed in range(3) for engine in (tiny_engine, lstm)]
    jobs.append(job(tiny_engine, seconds=5.0, seed=9))
    with staged() as scheduler:
        scheduler.submit(jobs)
        wait(*jobs)
    for piece in jobs:
        assert piece.take is not None and piece.state == "done"
        alone = generate(piece.attempt.generation.request, piece.engine)
        assert piece.take.notes == alone.notes == to_notes(piece.attempt.event_log.events)
        assert piece.take.nll == alone.nll


def test_times_are_told_in_their_order(tiny_engine: OnnxEngine) -> None:
    piece = job(tiny_engine, notes=20)
    assert piece.timing() == dict.fromkeys(("waited", "first_note", "composing", "notes_per_second"))
    with staged() as scheduler:
        scheduler.submit([piece])
        wait(piece)
    assert piece.started is not None and piece.first_note is not None and piece.ended is not None
    assert piece.submitted <= piece.started <= piece.first_note <= piece.ended
    assert piece.attempt.progress == (20, 20)


def test_seats_are_given_in_the_order_of_coming(tiny_engine: OnnxEngine) -> None:
    jobs = [job(tiny_engine, notes=10, seed=seed) for seed in range(6)]
    with staged(Limits(seats=1)) as scheduler:
        scheduler.submit(jobs)
        wait(*jobs)
    seated = [piece.started for piece in jobs]
    assert seated == sorted(seated)
    assert all(before.ended <= after.started for before, after in pairwise(jobs))


def test_pieces_wait_where_their_caches_do_not_fit_and_one_alone_goes_on(
    tiny_engine: OnnxEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = slot_bytes(tiny_engine.bundle.model, tiny_engine.bundle.bits)
    style = tiny_engine.bundle.model.composers[0]
    for room, guidance, together in ((slot * 2, 1.0, 2), (slot * 5, 3.0, 2), (1, 3.0, 1)):
        monkeypatch.setattr(Limits, "cache_bytes", room)
        jobs = [
            job(tiny_engine, notes=2_000, seed=seed, style=style, sampling=Sampling(guidance=guidance))
            for seed in range(4)
        ]
        with staged(Limits()) as scheduler:
            scheduler.submit(jobs)
            for piece in jobs[:together]:
                until(lambda piece=piece: piece.first_note)
            assert scheduler.counts == (4 - together, together)
            for piece in jobs:
                scheduler.cancel(piece)
            wait(*jobs)


def test_many_pieces_of_one_client_keep_no_other_client_waiting(tiny_engine: OnnxEngine) -> None:
    crowd = [job(tiny_engine, client="much", notes=1_000, seed=seed) for seed in range(12)]
    guests = [job(tiny_engine, client=client, notes=5) for client in ("one", "two", "three")]
    with staged(Limits(seats=4, guest_seats=2)) as scheduler:
        scheduler.submit(crowd)
        until(lambda: scheduler.counts == (8, 4))
        for guest in guests:
            scheduler.submit([guest])
        wait(*guests)
        assert not any(piece.is_over for piece in crowd)
        assert scheduler.counts == (8, 4)  # a guest's seat is no seat of the crowd
        for piece in crowd:
            scheduler.cancel(piece)
        wait(*crowd)


def test_a_seat_that_becomes_free_goes_to_the_client_with_the_fewest(tiny_engine: OnnxEngine) -> None:
    much = [job(tiny_engine, client="much", notes=40, seed=seed) for seed in range(8)]
    little = job(tiny_engine, client="little", notes=1_200)  # too long for a guest's seat
    with staged(Limits(seats=4, guest_seats=2)) as scheduler:
        scheduler.submit(much)
        until(lambda: scheduler.counts[1] == 4)
        scheduler.submit([little])
        until(lambda: little.started is not None)
        assert sum(piece.started is None for piece in much) >= 1
        scheduler.cancel(little)
        wait(little, *much)


def test_a_prompt_that_takes_long_to_hear_holds_nobody_up(
    tiny_engine: OnnxEngine, waltz: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_after, heard = tiny_engine.start_after, threading.Event()

    def slowly(condition: ConditionIds, prompt: Any, conditions: Any = None) -> Any:
        if len(prompt):
            heard.wait(PATIENCE)
        return start_after(condition, prompt, conditions)

    monkeypatch.setattr(tiny_engine, "start_after", slowly)
    slow, quick = job(tiny_engine, notes=5, prompt=waltz), job(tiny_engine, notes=5)
    with staged() as scheduler:
        scheduler.submit([slow, quick])
        wait(quick)
        assert slow.started is None and scheduler.counts == (1, 0)
        heard.set()
        wait(slow)
    assert slow.state == "done"


def test_a_prompt_in_a_style_is_heard_in_it_and_in_none_before_its_piece_is_seated(
    tiny_engine: OnnxEngine, waltz: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefill, hearers = tiny_engine.prefill, list[str]()

    def recorded_prefill(*arguments: Any) -> Any:
        hearers.append(threading.current_thread().name)
        return prefill(*arguments)

    monkeypatch.setattr(tiny_engine, "prefill", recorded_prefill)
    guided = job(tiny_engine, notes=5, prompt=first(waltz, 7), style="grieg", sampling=Sampling(guidance=3.0))
    with staged() as scheduler:
        scheduler.submit([guided])
        wait(guided)
    assert guided.state == "done" and len(hearers) == 2
    assert not any(name.startswith("scheduler") for name in hearers)


def test_pieces_go_on_while_many_join(tiny_engine: OnnxEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    add, step, doings = Batch.add, Batch.step, list[str]()

    def add_slowly(batch: Batch, generation: Generation) -> None:
        doings.append("add")
        time.sleep(0.03)
        add(batch, generation)

    def step_and_tell(batch: Batch) -> Any:
        doings.append("step")
        return step(batch)

    monkeypatch.setattr(Batch, "add", add_slowly)
    monkeypatch.setattr(Batch, "step", step_and_tell)
    jobs = [job(tiny_engine, notes=8, seed=seed) for seed in range(8)]
    with staged() as scheduler:
        scheduler.submit(jobs)
        wait(*jobs)
    assert doings.count("add") == 8
    assert "add add add" not in " ".join(doings)


def test_clients_take_turns_in_having_their_prompts_heard_and_who_leaves_is_not_heard(
    tiny_engine: OnnxEngine, waltz: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, heard = threading.Event(), list[int | None]()

    def start_and_tell(generation: Generation, engine: Any) -> None:
        assert gate.wait(PATIENCE)
        heard.append(generation.request.seed)
        start(generation, engine)

    monkeypatch.setattr("arietta.serve.jobs.composing.batches.start", start_and_tell)
    many = [job(tiny_engine, "much", notes=3, seed=seed, prompt=first(waltz, 7)) for seed in range(4)]
    one = job(tiny_engine, "little", notes=3, seed=9, prompt=first(waltz, 5))
    with staged() as scheduler:
        scheduler.submit(many)
        scheduler.submit([one])
        scheduler.cancel(many[1])
        wait(many[1])
        gate.set()
        wait(*many, one)
    assert heard == [0, 9, 2, 3] and many[1].state == "cancelled"


def test_a_prompt_that_cannot_be_heard_fails_alone(
    tiny_engine: OnnxEngine, waltz: Notes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    start_after = tiny_engine.start_after

    def fail(condition: ConditionIds, prompt: Any, conditions: Any = None) -> Any:
        if len(prompt):
            raise RuntimeError("deaf")
        return start_after(condition, prompt, conditions)

    monkeypatch.setattr(tiny_engine, "start_after", fail)
    deaf, well = job(tiny_engine, notes=5, prompt=waltz), job(tiny_engine, notes=40)
    with staged() as scheduler:
        scheduler.submit([well, deaf])
        wait(deaf, well)
    assert (deaf.state, well.state) == ("failed", "done")
    assert "deaf" in caplog.text


def test_who_waits_is_cancelled_at_once_and_who_is_composed_within_a_step(tiny_engine: OnnxEngine) -> None:
    long, waiting = job(tiny_engine, notes=10_000), job(tiny_engine, notes=10_000)
    with staged(Limits(seats=1)) as scheduler:
        scheduler.submit([long, waiting])
        until(lambda: long.attempt.event_log.note_count > 5)
        scheduler.cancel(waiting)
        wait(waiting)
        assert scheduler.counts == (0, 1) and waiting.started is None
        scheduler.cancel(long)
        wait(long)
        count = long.attempt.event_log.note_count
        assert scheduler.counts == (0, 0)
        assert (long.state, long.take) == ("cancelled", None)
        time.sleep(0.05)
        assert long.attempt.event_log.note_count == count
        scheduler.cancel(long)  # once more does nothing


def test_what_is_beyond_the_limits_is_refused_whole_and_what_is_resumed_is_not(tiny_engine: OnnxEngine) -> None:
    def long(client: str) -> Job:
        return job(tiny_engine, client, notes=10_000)

    with staged(Limits(seats=2, places=1, short_notes=10_000, most_per_client=2)) as scheduler:
        first_two = [long("a"), long("a")]
        scheduler.submit(first_two)
        until(lambda: scheduler.counts == (0, 2))
        with pytest.raises(FullError, match="you have 2 pieces under way"):
            scheduler.submit([long("a")])
        with pytest.raises(FullError, match="the server has 2 pieces to compose"):
            scheduler.submit([long("b"), long("b")])
        assert scheduler.counts == (0, 2)
        resumed = [long("") for _ in range(5)]
        scheduler.submit(resumed, is_resumed=True)
        assert scheduler.counts == (5, 2)
        for unwanted in (*resumed, *first_two):
            scheduler.cancel(unwanted)
        wait(*resumed, *first_two)


def test_a_piece_that_may_be_composed_again_tells_nothing_until_it_is_settled(tiny_engine: OnnxEngine) -> None:
    borrowed = Originality(61, 0.4, 99.0, 98.0, False, "X")
    request = Request(notes=20, seed=7)
    piece = Job("", Generation(request, tiny_engine.bundle), tiny_engine, retries=Attempts(request))
    with staged() as scheduler:
        scheduler.submit([piece])
        wait(piece)
        assert piece.state == State.DONE and piece.attempt.event_log.note_count == 20 and not piece.events
        assert not piece.settle(borrowed)
        assert (
            piece.take is None
            and piece.state == State.WAITING
            and piece.attempt.progress == (0, 20)
            and not piece.events
        )
        began, piece.is_over = piece.started, False
        scheduler.submit([piece])
        wait(piece)
        assert piece.settle(replace(borrowed, is_inside=True))
    assert piece.take is not None and piece.take.request.seed == 107 and piece.started == began
    assert to_notes(piece.events) == piece.take.notes == generate(replace(request, seed=107), tiny_engine).notes


def test_a_stage_that_stops_takes_nothing_more_and_leaves_what_is_unfinished_as_it_is(tiny_engine: OnnxEngine) -> None:
    stop = threading.Event()
    with staged(is_stopping=stop.is_set) as scheduler:
        long = job(tiny_engine, notes=10_000)
        scheduler.submit([long])
        until(lambda: long.attempt.event_log.note_count > 5)
        assert scheduler.is_running
        stop.set()
        until(lambda: not scheduler._thread.is_alive())
        assert not scheduler.is_running
        with pytest.raises(StoppingError, match="the server is stopping"):
            scheduler.submit([job(tiny_engine, notes=1)])
    assert long.state == "composing" and not long.is_over and long.take is None


def test_one_short_piece_beside_anothers_many_takes_as_many_steps_of_its_own(
    tiny_engine: OnnxEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []
    step = Batch.step

    def record(batch: Batch) -> Any:
        steps.append(len(batch))
        return step(batch)

    monkeypatch.setattr(Batch, "step", record)
    many = [job(tiny_engine, "many", notes=400, seed=seed) for seed in range(6)]
    single = job(tiny_engine, "one", notes=20, seed=7)
    with staged() as scheduler:
        scheduler.submit(many)
        until(lambda: scheduler.counts == (0, 6))
        scheduler.submit([single])
        wait(single)
        assert all(piece.state is State.COMPOSING for piece in many)
        assert steps.count(1) > 0 and 7 not in steps  # never in one batch with the many
        for piece in many:
            scheduler.cancel(piece)
        wait(*many)
    alone = generate(Request(20, seed=7), tiny_engine)
    assert to_notes(single.events) == alone.notes


def test_pieces_of_one_client_are_stepped_together(tiny_engine: OnnxEngine) -> None:
    jobs = [job(tiny_engine, "one", notes=20, seed=seed) for seed in range(4)]
    with staged() as scheduler:
        scheduler.submit(jobs)
        wait(*jobs)
    assert not any(piece.is_apart for piece in jobs)


def test_closing_does_not_wait_for_a_step_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging(Batches):
        def step(self) -> Iterator[Step]:
            stepping.set()
            assert gate.wait(PATIENCE)
            return iter(())

        def close(self) -> None:
            gate.set()
            super().close()

    stepping, gate = threading.Event(), threading.Event()
    monkeypatch.setattr("arietta.serve.jobs.scheduler.CLOSE_SECONDS", 0.1)
    scheduler = Scheduler(Limits(), lambda: None, Metrics(), on_end=lambda _: None, composer=Hanging())
    scheduler.open()
    assert stepping.wait(PATIENCE)
    begun = time.monotonic()
    scheduler.close()
    assert gate.is_set() and time.monotonic() - begun < PATIENCE / 2
