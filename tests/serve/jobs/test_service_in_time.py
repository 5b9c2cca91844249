"""Pieces in a tempo and a metre: the best of several takes is stored, each composed when it is its turn."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from arietta.generation.request import Request
from arietta.generation.scores import pulse
from arietta.generation.scores.in_time import generate_in_time
from arietta.generation.scores.pulse import Pulse
from arietta.model.engine import OnnxEngine
from arietta.serve.jobs.composing.order import Order
from arietta.serve.jobs.composing.workers import Workers
from arietta.serve.jobs.history.pieces import open_history
from arietta.serve.jobs.limits import Limits
from arietta.serve.jobs.models import Models
from arietta.serve.jobs.scheduler import FullError
from arietta.serve.jobs.service import Service
from tests.support.servers import finish, opened, submit, until

REQUEST = Request(notes=40, seed=7, pulse=Pulse.read(90, "3/4"))


@pytest.fixture(scope="module")
def service(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with opened(Models([tiny_bundle]), tmp_path_factory.mktemp("data")) as service:
        yield service


def test_the_piece_is_the_one_that_the_library_keeps(service: Service, tiny_engine: OnnxEngine) -> None:
    (record,) = finish(service, REQUEST)
    take = next(generate_in_time([REQUEST], tiny_engine))
    assert service.notes(record.id) == take.notes and service.meters.find(record.id) == take.meter
    assert (record.title, record.texts) == (take.title, take.texts())
    assert take.fit is not None and record.outcome.figures is not None
    assert record.outcome.figures["fit"] == take.fit.describe() | {"has_bars": take.fit.has_bars}
    assert record.outcome.done == 40


def test_bars_that_are_sure_are_kept_with_the_piece(
    service: Service, tiny_engine: OnnxEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "SURE", 0.0)
    in_time = Pulse.read(90, "3/4", 4, 2)
    assert in_time is not None
    request = Request(seconds=in_time.seconds_composed, seed=7, pulse=in_time)
    (record,) = finish(service, request)
    take = next(generate_in_time([request], tiny_engine))
    assert take.meter is not None and service.music(record.id).meter == take.meter
    assert service.notes(record.id) == take.notes and record.outcome.done == pytest.approx(8.0)


def test_one_that_is_stopped_is_the_best_of_the_takes_so_far(service: Service, tiny_engine: OnnxEngine) -> None:
    (record,) = submit(service, Request(notes=400, seed=7, pulse=Pulse.read(90, "3/4")))
    job = service.job(record.id)
    assert job is not None and job.fitting is not None
    until(lambda: job.attempt.before == 2)
    service.stop(record.id)
    until(lambda: job.is_over)
    stopped = service.find(record.id)
    assert 2 <= stopped.asked["takes"] < 8 and "stopped_at" not in stopped.asked
    again = Request.from_description(stopped.asked)
    assert next(generate_in_time([again], tiny_engine)).notes == service.notes(record.id)


def test_one_that_is_stopped_in_its_first_take_is_what_there_is_of_that(
    service: Service, tiny_engine: OnnxEngine
) -> None:
    (record,) = submit(service, Request(notes=1200, seed=7, pulse=Pulse.read(90, "3/4")))
    job = service.job(record.id)
    assert job is not None
    until(lambda: job.attempt.event_log.note_count > 20)
    service.stop(record.id)
    until(lambda: job.is_over)
    stopped = service.find(record.id)
    assert stopped.asked["takes"] == 1 and 20 < stopped.asked["stopped_at"] < 1200
    again = next(generate_in_time([Request.from_description(stopped.asked)], tiny_engine))
    assert again.notes == service.notes(record.id)
    assert stopped.outcome.done == stopped.asked["stopped_at"]


def test_its_takes_count_as_pieces_and_others_have_their_turn_between_them(tiny_bundle: Path, tmp_path: Path) -> None:
    limits = Limits(seats=1, guest_seats=1, places=20, most_per_client=10)
    with opened(Models([tiny_bundle]), tmp_path, limits) as service:
        (first,) = service.submit([Order(Request(notes=200, seed=1, pulse=Pulse.read(90, "3/4")))], "a")
        with pytest.raises(FullError, match=r"you have [78] pieces under way"):
            service.submit([Order(Request(notes=5, seed=2)) for _ in range(4)], "a")
        (other,) = service.submit([Order(Request(notes=5, seed=2))], "a")
        over: list[str] = []
        jobs = [service.job(record.id) for record in (first, other)]
        lock = threading.Lock()

        def all_over() -> bool:
            with lock:
                over.extend(job.key for job in jobs if job is not None and job.is_over and job.key not in over)
            return len(over) == 2

        until(all_over)
        assert over == [other.id, first.id]


def test_the_next_server_composes_it_anew(tiny_bundle: Path, tiny_engine: OnnxEngine, tmp_path: Path) -> None:
    request = Request(notes=300, seed=9, pulse=Pulse.read(90, "3/4", takes=3))
    with opened(Models([tiny_bundle]), tmp_path) as service:
        (record,) = submit(service, request)
    with opened(Models([tiny_bundle]), tmp_path) as service:
        until(lambda: service.find(record.id).state.is_final)
        assert service.notes(record.id) == next(generate_in_time([request], tiny_engine)).notes


def test_the_best_of_several_is_marked_and_each_says_what_it_shares(model_knowing_two: Path, tmp_path: Path) -> None:
    requests = [Request(notes=40, seed=seed, pulse=Pulse.read(90, "3/4", takes=2)) for seed in (7, 8)]
    with opened(Models([model_knowing_two]), tmp_path) as service:
        records = finish(service, *requests, best=1)
    figures = [record.outcome.figures or {} for record in records]
    assert sum(each["choice"]["is_chosen"] for each in figures) == 1
    assert all({"fit", "originality"} <= each.keys() for each in figures)


def test_processes_compose_its_takes_as_this_one_does(
    tiny_bundle: Path, tiny_engine: OnnxEngine, tmp_path: Path
) -> None:
    request = Request(notes=60, seed=9, pulse=Pulse.read(90, "3/4", takes=3))
    models = Models([tiny_bundle])
    service = Service(models, open_history(tmp_path), Limits(), composer=Workers(models, 1))
    service.open()
    try:
        (record,) = finish(service, request)
        assert service.notes(record.id) == next(generate_in_time([request], tiny_engine)).notes
    finally:
        service.close()
