"""Pieces that other processes compose: those of one process, to the byte, also where a process is killed meanwhile."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, cast

import pytest

from arietta.generation.loop import Generation, generate
from arietta.generation.request import Request
from arietta.model.engine import OnnxEngine
from arietta.music.notes import Notes, first
from arietta.serve.jobs.composing import workers as module
from arietta.serve.jobs.composing.workers import Workers
from arietta.serve.jobs.event_log import to_notes
from arietta.serve.jobs.job import Job
from arietta.serve.jobs.limits import Limits
from arietta.serve.jobs.metrics import Metrics
from arietta.serve.jobs.models import Models
from arietta.serve.jobs.scheduler import NoWorkerError, Scheduler

PATIENCE = 60.0


@pytest.fixture
def pool(tiny_bundle: Path, tiny_lstm: Path) -> Iterator[Workers]:
    workers = Workers(Models([tiny_bundle, tiny_lstm]), 2)
    yield workers
    workers.close()


@contextmanager
def scheduled(pool: Workers) -> Iterator[Scheduler]:
    def end(job: Job) -> None:
        job.is_over = True

    scheduler = Scheduler(Limits(), lambda: None, Metrics(), on_end=end, composer=pool)
    scheduler.open()
    yield scheduler
    scheduler.close()


def test_a_server_is_ready_when_a_process_is(pool: Workers) -> None:
    with scheduled(pool) as scheduler:
        until(lambda: pool.is_ready)
        scheduler.check_ready()
        for number in pool.process_ids:
            os.kill(number, signal.SIGKILL)
        until(lambda: not pool.is_ready)
        with pytest.raises(NoWorkerError, match="no process that composes is ready"):
            scheduler.check_ready()
        until(lambda: pool.is_ready)


def job(engine: Any, key: str = "", **asked: Any) -> Job:
    return Job(key, Generation(Request(**asked), engine.bundle), engine, "a client")


def until(claim: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def wait(*jobs: Job) -> None:
    until(lambda: all(piece.is_over for piece in jobs))


def kill(*numbers: int) -> None:
    for number in numbers:
        os.kill(number, signal.SIGKILL)


def assert_as_alone(piece: Job) -> None:
    alone = generate(piece.attempt.generation.request, piece.engine)
    assert piece.take is not None and piece.state == "done"
    assert piece.take.notes == alone.notes == to_notes(piece.events)
    assert (piece.take.nll, piece.take.request) == (alone.nll, alone.request)


def test_pieces_of_other_processes_are_what_they_are_alone(
    pool: Workers, tiny_engine: OnnxEngine, waltz: Notes
) -> None:
    jobs = [job(tiny_engine, notes=30, seed=seed, prompt=first(waltz, 6)) for seed in range(4)]
    jobs.append(job(tiny_engine, seconds=5.0, seed=9))
    with scheduled(pool) as scheduler:
        scheduler.submit(jobs)
        wait(*jobs)
    for piece in jobs:
        assert_as_alone(piece)
        assert piece.first_note is not None and piece.attempt.progress[0] == piece.attempt.progress[1]


@pytest.mark.posix
def test_a_killed_process_loses_nothing_and_no_event_comes_twice(pool: Workers, tiny_engine: OnnxEngine) -> None:
    jobs = [job(tiny_engine, notes=600, seed=seed) for seed in range(6)]
    with scheduled(pool) as scheduler:
        scheduler.submit(jobs)
        until(lambda: all(piece.attempt.event_log.note_count > 20 for piece in jobs))
        before = pool.process_ids
        seen = [list(piece.events) for piece in jobs]
        os.kill(before[0], signal.SIGKILL)
        wait(*jobs)
        until(lambda: len(pool.process_ids) == 2)
        assert set(pool.process_ids) & set(before) == {before[1]}
    for piece, events in zip(jobs, seen, strict=True):
        assert_as_alone(piece)
        assert piece.events[: len(events)] == events


@pytest.mark.posix
def test_a_stopped_piece_ends_with_its_next_note_also_where_its_process_is_killed(
    pool: Workers, tiny_engine: OnnxEngine
) -> None:
    pieces = [job(tiny_engine, notes=5_000, seed=seed) for seed in range(2)]
    with scheduled(pool) as scheduler:
        scheduler.submit(pieces)
        until(lambda: all(piece.attempt.event_log.note_count > 30 for piece in pieces))
        kill(*pool.process_ids)
        for piece in pieces:
            scheduler.stop(piece)
        wait(*pieces)
    for piece in pieces:
        assert piece.take is not None and 30 < piece.take.note_count < 5_000
        assert piece.take.request.stopped_at == piece.take.note_count
        assert_alone = generate(piece.take.request, tiny_engine)
        assert piece.take.notes == assert_alone.notes == to_notes(piece.events)


def test_who_is_cancelled_leaves_the_others_alone(pool: Workers, tiny_engine: OnnxEngine) -> None:
    long, short = job(tiny_engine, notes=10_000), job(tiny_engine, notes=50)
    with scheduled(pool) as scheduler:
        scheduler.submit([long, short])
        until(lambda: long.attempt.event_log.note_count > 5)
        scheduler.cancel(long)
        wait(long, short)
        assert scheduler.counts == (0, 0)
    assert (long.state, long.take) == ("cancelled", None)
    assert_as_alone(short)


@pytest.mark.posix
def test_where_processes_die_together_no_piece_goes_to_one_that_is_dying(
    pool: Workers, tiny_engine: OnnxEngine
) -> None:
    piece = job(tiny_engine, notes=5)
    piece.start()
    until(lambda: list(pool.step()) or all(worker.is_ready for worker in pool._workers))
    pool.add(piece)
    with_piece, other = sorted(pool._workers, key=lambda worker: not worker.pieces)
    kill(with_piece.process.pid or 0)
    assert list(pool._lose(with_piece)) == []
    pool._give_out()
    assert not other.pieces  # it may be about to die
    kill(other.process.pid or 0)
    other.process.join()
    pool._settled = 0.0
    pool._give_out()
    assert not other.pieces  # it is dead, which its pipe has not told yet
    until(lambda: any(step.take for step in pool.step()))
    assert pool._workers and not pool._pieces


@pytest.mark.posix
def test_a_piece_at_which_processes_die_again_and_again_is_composed_alone_then_fails_alone(
    tiny_bundle: Path, tiny_engine: OnnxEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "MOST_SHARED_LOSSES", 0)
    monkeypatch.setattr(module, "MOST_LOSSES", 2)
    pool = Workers(Models([tiny_bundle]), 1)
    poison, others = job(tiny_engine, "poison", notes=10_000), [job(tiny_engine, notes=300) for _ in range(2)]
    with scheduled(pool) as scheduler:
        scheduler.submit([poison, *others])
        until(lambda: all(piece.first_note for piece in (poison, *others)))
        before = pool.process_ids
        kill(*before)
        until(lambda: pool.process_ids not in (before, []) and pool._workers[0].pieces)
        assert [piece.job for piece in pool._workers[0].pieces.values()] == [poison]
        kill(*pool.process_ids)
        wait(poison, *others)
    assert poison.state == "failed" and "died at the piece poison" in caplog.text
    for piece in others:
        assert_as_alone(piece)


@pytest.mark.posix
def test_a_process_that_hangs_is_replaced_and_its_pieces_go_on(
    pool: Workers, tiny_engine: OnnxEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = [job(tiny_engine, notes=500, seed=seed) for seed in range(4)]
    with scheduled(pool) as scheduler:
        scheduler.submit(pieces)
        until(lambda: all(piece.first_note for piece in pieces))
        monkeypatch.setattr(module, "SILENT_SECONDS", 1.0)
        hung = max(pool._workers, key=lambda worker: len(worker.pieces)).process.pid or 0
        os.kill(hung, signal.SIGSTOP)
        wait(*pieces)
        assert hung not in pool.process_ids
    for piece in pieces:
        assert_as_alone(piece)


@pytest.mark.posix
def test_a_process_that_takes_no_orders_holds_up_nobody(pool: Workers) -> None:
    os.kill(pool.process_ids[0], signal.SIGSTOP)
    begun, long = time.monotonic(), cast(Any, bytes(10**6))  # far more than a pipe holds
    for _ in range(3):
        pool._workers[0].send(long)
    pool.close()
    assert time.monotonic() - begun < 2.0 and not pool._workers[0].process.is_alive()


def test_a_piece_waits_until_a_process_is_ready(pool: Workers, tiny_engine: OnnxEngine) -> None:
    piece = job(tiny_engine, notes=5)
    pool.add(piece)
    assert not any(worker.pieces for worker in pool._workers)
    piece.start()
    until(lambda: any(step.take for step in pool.step()))


@pytest.mark.posix
def test_a_process_that_dies_with_nothing_to_do_is_replaced(pool: Workers, tiny_engine: OnnxEngine) -> None:
    with scheduled(pool):
        until(lambda: all(worker.is_ready for worker in pool._workers))
        before = pool.process_ids
        kill(*before)
        until(lambda: len(pool.process_ids) == 2 and not set(pool.process_ids) & set(before))


def test_what_cannot_be_started_is_started_later(
    tiny_bundle: Path, tiny_engine: OnnxEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: SpawnProcess) -> None:
        raise OSError("no memory")

    monkeypatch.setattr(module, "RETRY_SECONDS", 0.2)
    with monkeypatch.context() as patch:
        patch.setattr(SpawnProcess, "start", fail)
        pool = Workers(Models([tiny_bundle]), 1)
        assert list(pool.step()) == [] and pool.process_ids == []
    piece = job(tiny_engine, notes=5)
    with scheduled(pool) as scheduler:
        scheduler.submit([piece])
        wait(piece)
    assert_as_alone(piece)


@pytest.mark.posix
def test_a_process_that_dies_while_it_starts_is_replaced_after_a_pause_but_never_while_the_server_stops(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.5)
    stopping = threading.Event()
    pool = Workers(Models([tiny_bundle]), 1, is_stopping=stopping.is_set)
    kill(*pool.process_ids)
    until(lambda: list(pool.step()) or not pool.process_ids)
    begun = time.monotonic()
    until(lambda: list(pool.step()) or pool.process_ids)
    assert time.monotonic() - begun > 0.3
    stopping.set()
    kill(*pool.process_ids)
    until(lambda: list(pool.step()) or not pool.process_ids)
    begun = time.monotonic()
    until(lambda: list(pool.step()) or time.monotonic() - begun > 1.0)
    assert pool.process_ids == []
    pool.close()


def test_processes_end_with_the_pool(tiny_bundle: Path) -> None:
    pool = Workers(Models([tiny_bundle]), 1)
    process = pool._workers[0].process
    pool.close()
    assert not process.is_alive()
