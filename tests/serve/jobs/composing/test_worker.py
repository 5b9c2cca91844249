"""A process that composes, by itself: what it answers, and that it ends with its pipe."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from arietta.generation.loop import generate
from arietta.generation.request import Request
from arietta.model.engine import OnnxEngine
from arietta.music.notes import Notes
from arietta.serve.jobs.composing.worker import Answer, Asked, Cancelled, Stopped, run_worker

PATIENCE = 60.0


@pytest.fixture(scope="module")
def started(tiny_bundle: Path) -> Iterator[tuple[BaseProcess, Connection]]:
    context = multiprocessing.get_context("spawn")
    connection, other = context.Pipe()
    process = context.Process(target=run_worker, args=(other, [str(tiny_bundle)], 1), daemon=True)
    process.start()
    other.close()
    assert connection.poll(PATIENCE) and connection.recv() == []
    yield process, connection
    connection.close()
    process.join(PATIENCE)
    assert process.exitcode == 0


def asked(number: int, request: Request, engine: OnnxEngine) -> Asked:
    return Asked(number, request, engine.bundle.name, engine.bundle.fingerprint, "")


def answers_of(connection: Connection, number: int) -> Iterator[Answer]:
    """The answers about a piece, until it is over."""
    while True:
        assert connection.poll(PATIENCE)
        for answer in connection.recv():
            if answer.number == number:
                yield answer
                if answer.take is not None or answer.is_failed:
                    return


def test_events_and_the_take_are_those_of_one_process(
    started: tuple[BaseProcess, Connection], tiny_engine: OnnxEngine
) -> None:
    _, connection = started
    request = Request(notes=40, seed=3)
    connection.send(asked(1, request, tiny_engine))
    answers = list(answers_of(connection, 1))
    take = generate(request, tiny_engine)
    assert answers[-1].take is not None and answers[-1].take.notes == take.notes
    assert sum(len(answer.events) for answer in answers) == len(take.notes) + len(take.notes.pedal)


def test_pieces_are_stopped_and_cancelled_by_their_numbers(
    started: tuple[BaseProcess, Connection], tiny_engine: OnnxEngine
) -> None:
    _, connection = started
    for number in (2, 3):
        connection.send(asked(number, Request(notes=10_000, seed=number), tiny_engine))
    connection.send(Cancelled(2))
    answers = answers_of(connection, 3)
    next(answers)
    connection.send(Stopped(3))
    connection.send(Stopped(2))  # which is no more
    last = list(answers)[-1]
    assert last.take is not None and last.take.request.stopped_at == last.take.note_count < 10_000


def test_a_piece_that_is_stopped_while_it_waits_has_its_first_note(
    started: tuple[BaseProcess, Connection], tiny_engine: OnnxEngine, waltz: Notes
) -> None:
    _, connection = started
    connection.send(asked(4, Request(notes=100, prompt=sum([waltz] * 30, start=waltz)), tiny_engine))
    connection.send(Stopped(4))
    last = list(answers_of(connection, 4))[-1]
    assert last.take is not None and last.take.request.stopped_at == 1


def test_a_piece_that_cannot_be_begun_fails_and_the_next_is_composed(
    started: tuple[BaseProcess, Connection], tiny_engine: OnnxEngine
) -> None:
    _, connection = started
    request = Request(notes=5)
    connection.send(Asked(5, request, "gone", "", ""))
    connection.send(Asked(6, request, tiny_engine.bundle.name, "of other weights", ""))
    connection.send(asked(7, request, tiny_engine))
    assert [answer.is_failed for answer in (*answers_of(connection, 5), *answers_of(connection, 6))] == [True, True]
    assert list(answers_of(connection, 7))[-1].take is not None
