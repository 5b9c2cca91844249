"""Pieces that shall be original: composed again before anybody gets a note, and stored with what they share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from arietta.generation.loop import generate
from arietta.generation.original import MAX_ATTEMPTS
from arietta.generation.request import Request
from arietta.model.engine import OnnxEngine
from arietta.serve.jobs.history.records import Record
from arietta.serve.jobs.job import State
from arietta.serve.jobs.models import Models
from arietta.serve.jobs.service import Service
from tests.support.indexes import knowing
from tests.support.servers import finish, opened, submit, until

REQUEST = Request(notes=100, seed=7)


@pytest.fixture(scope="module")
def service(model_knowing_two: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with opened(Models([model_knowing_two]), tmp_path_factory.mktemp("data")) as service:
        yield service


def originality(record: Record) -> dict[str, Any]:
    assert record.outcome.figures is not None
    figures: dict[str, Any] = record.outcome.figures["originality"]
    return figures


def test_a_piece_that_borrows_is_composed_again_before_it_is_done(service: Service, tiny_engine: OnnxEngine) -> None:
    (record,) = finish(service, REQUEST, original=True)
    assert record.asked["seed"] == 207 and "original" not in record.asked
    take = generate(Request(notes=100, seed=207), tiny_engine)
    assert service.notes(record.id) == take.notes
    assert (record.name, record.title, record.texts) == (take.title, take.title, take.texts())
    shares = originality(record)
    assert (shares["is_inside"], shares["work"], shares["longest"], shares["share"]) == (True, None, 0, 0)
    rejected = [(attempt["seed"], attempt["work"]) for attempt in shares["rejected"]]
    assert rejected == [(7, "Nobody: Tune 0"), (107, "Nobody: Tune 1")]


def test_every_piece_is_stored_with_what_it_shares(service: Service) -> None:
    (record,) = finish(service, REQUEST)
    shares = originality(record)
    assert (shares["is_inside"], shares["work"], shares["rejected"]) == (False, "Nobody: Tune 0", [])
    assert shares["longest"] > 80 and shares["share"] > 0.8
    assert shares["longest_percentile"] == shares["share_percentile"] == 100


def test_a_name_of_ones_own_stays(service: Service) -> None:
    (record,) = finish(service, REQUEST, original=True, name="Evening")
    assert record.name == "Evening"


def test_where_all_attempts_borrow_the_most_original_one_is_stored(
    tiny_bundle: Path, tiny_engine: OnnxEngine, tmp_path: Path
) -> None:
    requests = [Request(notes=60, seed=7 + 100 * attempt) for attempt in range(MAX_ATTEMPTS)]
    model = knowing(tmp_path / "tiny", tiny_bundle, *requests)
    with opened(Models([model]), tmp_path / "data") as service:
        (record,) = finish(service, requests[0], original=True)
        notes = service.notes(record.id)
    rejected = originality(record)["rejected"]
    assert not originality(record)["is_inside"]
    assert [attempt["seed"] for attempt in rejected] == [request.seed for request in requests]
    assert record.asked["seed"] == min(rejected, key=lambda attempt: attempt["longest"])["seed"]
    assert notes == generate(Request(notes=60, seed=record.asked["seed"]), tiny_engine).notes


def test_the_next_server_resumes_the_attempts(
    model_knowing_two: Path, tiny_bundle: Path, tiny_engine: OnnxEngine, tmp_path: Path
) -> None:
    with opened(Models([model_knowing_two]), tmp_path) as service:
        (record,) = submit(service, REQUEST, original=True)
    with opened(Models([model_knowing_two]), tmp_path) as service:
        until(lambda: service.find(record.id).state is State.DONE)
        assert service.notes(record.id) == generate(Request(notes=100, seed=207), tiny_engine).notes
        (record,) = submit(service, Request(notes=10_000, seed=7), original=True)  # too long to end before the server
    with opened(Models([tiny_bundle]), tmp_path) as service:
        problem = service.find(record.id).outcome.problem
        assert problem is not None and "tiny has no index of its training music here" in problem["detail"]


def test_a_piece_is_cancelled_between_its_attempts_and_gives_no_notes(service: Service) -> None:
    (record,) = submit(service, Request(notes=10_000, seed=7), original=True)
    job = service.delete(record.id)
    assert job is not None
    until(lambda: job.is_over)
    assert job.state is State.CANCELLED and not job.events


def test_attempts_are_not_counted_as_pieces(service: Service) -> None:
    def count() -> float:
        done = service.metrics.pieces.labels("done").collect()[0].samples
        return float(next(sample.value for sample in done if sample.name.endswith("_total")))

    finish(service, REQUEST)
    before = count()
    finish(service, REQUEST, original=True)
    assert count() == before + 1
