"""The best of several pieces ordered together: marked when the last of them is over, as the library would choose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from arietta.evaluation.ranking import rank_takes
from arietta.generation.loop import generate
from arietta.generation.request import Request
from arietta.music.notes import Notes
from arietta.serve.jobs.event_log import events_of
from arietta.serve.jobs.history.pieces import open_history
from arietta.serve.jobs.history.records import JobOutcome, Record
from arietta.serve.jobs.job import State
from arietta.serve.jobs.models import Models
from arietta.serve.jobs.selection import mark_best
from arietta.serve.jobs.service import Service
from tests.support.indexes import knowing
from tests.support.servers import finish, opened, submit, until
from tests.support.tunes import tune


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def service(models: Models, data: Path) -> Iterator[Service]:
    with opened(models, data) as service:
        yield service


def seeds(first_seed: int, count: int, notes: int) -> list[Request]:
    return [Request(notes=notes, seed=first_seed + index) for index in range(count)]


def marks(service: Service, pieces: Sequence[Record]) -> list[Any]:
    """The marks of pieces as they are now, None where there is none."""
    return [(service.find(piece.id).outcome.figures or {}).get("choice") for piece in pieces]


def chosen(service: Service, pieces: Sequence[Record]) -> list[bool]:
    return [bool(mark and mark["is_chosen"]) for mark in marks(service, pieces)]


def test_the_best_are_those_that_the_library_chooses(service: Service, models: Models) -> None:
    requests = seeds(41, 4, notes=120)
    pieces = finish(service, *requests, best=2)
    ranking = rank_takes([generate(request, models.engine("tiny")) for request in requests], 2)
    expected = {ranked.take.request.seed: (ranked.is_chosen, ranked.score, ranked.parts) for ranked in ranking}
    for piece, mark in zip(pieces, marks(service, pieces), strict=True):
        assert (mark["is_chosen"], mark["score"], mark["parts"]) == expected[piece.asked["seed"]]
    assert sum(chosen(service, pieces)) == 2
    assert all(len(service.notes(piece.id)) == 120 for piece in pieces)  # none is deleted


def test_without_the_wish_nothing_is_marked(service: Service) -> None:
    assert marks(service, finish(service, *seeds(0, 2, notes=20))) == [None, None]


def test_nothing_is_marked_before_all_are_over(service: Service) -> None:
    pieces = submit(service, *seeds(1, 2, notes=10_000), best=1)
    finish(service, Request(notes=5))
    assert marks(service, pieces) == [None, None]
    for piece in pieces:
        service.delete(piece.id)
    until(lambda: not any(service.job(piece.id) for piece in pieces))
    assert marks(service, pieces) == [None, None]


def test_of_an_order_of_which_one_is_cancelled_the_others_are_marked(service: Service) -> None:
    pieces = submit(service, *seeds(1, 3, notes=300), best=3)
    service.delete(pieces[2].id)
    until(lambda: not any(service.job(piece.id) for piece in pieces))
    finished = [piece for piece in pieces if service.find(piece.id).state is State.DONE]
    assert finished and all(chosen(service, finished))


def test_a_copy_is_not_the_best(tiny_bundle: Path, tmp_path: Path, data: Path) -> None:
    model = knowing(tmp_path / "tiny", tiny_bundle, Request(notes=100, seed=7))
    with opened(Models([model]), data) as service:
        pieces = finish(service, *seeds(7, 2, notes=100), best=1)
        assert chosen(service, pieces) == [False, True]
        assert [mark["parts"]["originality"] for mark in marks(service, pieces)] == [0.1, 1.0]


def test_a_prompt_is_not_judged(service: Service) -> None:
    beats = range(64)
    ostinato = Notes.of([0.25 * beat for beat in beats], [0.2] * 64, [40 + beat % 2 for beat in beats], [64] * 64)
    pieces = finish(service, *(Request(notes=20, seed=seed, prompt=ostinato) for seed in range(2)), best=1)
    assert [mark["parts"]["loops"] for mark in marks(service, pieces)] == [1.0, 1.0]


def test_an_order_that_a_server_leaves_is_marked_by_the_next(models: Models, data: Path) -> None:
    with opened(models, data) as service:
        pieces = submit(service, *seeds(3, 2, notes=600), best=1)
    with opened(models, data) as service:
        until(lambda: all(marks(service, pieces)))
        assert sum(chosen(service, pieces)) == 1


def test_pieces_are_stored_where_choosing_fails(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr("arietta.serve.jobs.selection.rank_takes", fail)
        pieces = finish(service, *seeds(0, 2, notes=20), best=1)
    assert [piece.state for piece in pieces] == [State.DONE] * 2 and marks(service, pieces) == [None, None]
    assert sum(chosen(service, finish(service, *seeds(0, 2, notes=20), best=1))) == 1


def test_the_choice_waits_for_the_last_and_takes_what_is_done(tmp_path: Path) -> None:
    history, events = open_history(tmp_path), events_of(tune(1, 40))
    asked = {"notes": 40, "seed": 7, "bundle": "0" * 16, "order": "a", "best": 2}
    records = [Record(key, key, State.WAITING, 1.5e9, asked, key, []) for key in "abc"]
    history.add(records, [[]] * 3)
    states = {"b": State.DONE, "a": State.CANCELLED, "c": State.DONE}
    for key, state in states.items():
        assert all("choice" not in (piece.outcome.figures or {}) for piece in history.order("a"))
        figures = {"notes": 40, "nll_per_note": 9.0} if state == State.DONE else None
        history.end(key, state, JobOutcome(figures=figures), events if state == State.DONE else [])
        mark_best(history, history.order("a")[0], None)
    figures_of = {piece.id: piece.outcome.figures for piece in history.order("a")}
    assert figures_of["a"] is None and history.events("b") == events
    mark = {"is_chosen": True, "score": 1.0, "parts": {"loops": 1.0}}
    assert figures_of["b"] == figures_of["c"] == {"notes": 40, "nll_per_note": 9.0, "choice": mark}
    history.close()
