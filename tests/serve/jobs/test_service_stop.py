"""Stopping a piece keeps it: finished with its notes, told truly, there after a restart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from arietta.generation.loop import generate
from arietta.generation.request import Request
from arietta.serve.jobs.job import State
from arietta.serve.jobs.limits import Limits
from arietta.serve.jobs.models import Models
from arietta.serve.jobs.service import Service
from tests.support.servers import opened, submit, until

LONG = Request(notes=10_000, seed=7)


def stop(service: Service, key: str) -> None:
    until(lambda: service.find(key).state is State.COMPOSING)
    job = service.stop(key)
    assert job is not None
    until(lambda: job.is_over)


def test_a_stopped_piece_is_done_and_the_same_from_request_and_stopped_at_after_a_restart(
    models: Models, tmp_path: Path
) -> None:
    with opened(models, tmp_path) as service:
        (record,) = submit(service, LONG)
        stop(service, record.id)
        stopped = service.finished(record.id)
        count = stopped.asked["stopped_at"]
        assert 1 <= count < 10_000 and len(service.notes(record.id)) == count
        assert stopped.asked == record.asked | {"stopped_at": count}
        assert (stopped.outcome.figures or {})["notes"] == stopped.outcome.done == count
        assert service.stop(record.id) is None
    with opened(models, tmp_path) as service:
        assert service.finished(record.id) == stopped
        take = generate(replace(LONG, stopped_at=count), models.engine("tiny"))
        assert (service.notes(record.id), stopped.title, stopped.texts) == (take.notes, take.title, take.texts())
        assert stopped.name == take.title


def test_a_piece_that_has_not_begun_is_cancelled(models: Models, tmp_path: Path) -> None:
    with opened(models, tmp_path, Limits(seats=1)) as service:
        running, waiting = submit(service, LONG, LONG)
        until(lambda: service.find(running.id).state is State.COMPOSING)
        job = service.stop(waiting.id)
        assert job is not None
        until(lambda: job.is_over)
        assert service.find(waiting.id).state is State.CANCELLED
        service.delete(running.id)
