"""Pieces that other processes compose: those of one process, to the byte, also where a process is killed meanwhile."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
from arietta.serve.jobs.scheduler import Scheduler

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


def job(engine: Any, key: str = "", **asked: Any) -> Job:
    return Job(key, Generation(Request(**asked), engine.bundle), engine, "a client")


def until(claim: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def wait(*jobs: Job) -> None:
    until(lambda: all(piece.is_over for piece in jobs))


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
        assert pool.process_ids[0] != before[0] and pool.process_ids[1] == before[1]
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
        for number in pool.process_ids:
            os.kill(number, signal.SIGKILL)
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
def test_a_piece_at_which_processes_die_again_and_again_fails(
    pool: Workers, tiny_engine: OnnxEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "MOST_LOSSES", 1)
    piece = job(tiny_engine, "poison", notes=10_000)
    with scheduled(pool) as scheduler:
        scheduler.submit([piece])
        until(lambda: piece.first_note)
        for number in pool.process_ids:
            os.kill(number, signal.SIGKILL)
        wait(piece)
    assert piece.state == "failed" and "died at the piece poison" in caplog.text


def test_processes_end_with_the_pool(tiny_bundle: Path) -> None:
    pool = Workers(Models([tiny_bundle]), 1)
    process = pool._workers[0].process
    pool.close()
    assert process.exitcode == 0
