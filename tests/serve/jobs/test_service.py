"""The service without HTTP: orders in, stored pieces out, whatever happens in between."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from arietta.errors import RequestError
from arietta.generation.loop import generate
from arietta.generation.request import Request
from arietta.music.notes import Notes, first
from arietta.serve.jobs.composing.order import Order
from arietta.serve.jobs.history.database import StorageError
from arietta.serve.jobs.history.pieces import History
from arietta.serve.jobs.job import State, UnfinishedError, UnknownPieceError
from arietta.serve.jobs.limits import Limits
from arietta.serve.jobs.models import Models
from arietta.serve.jobs.problem import SERVER_FAILURE, problem_json
from arietta.serve.jobs.scheduler import FullError
from tests.support.servers import finish, opened, submit, until

ROOT = Path(__file__).parents[3]
LONG = Request(notes=10_000)
WITHOUT_WEB_FRAMEWORK = """
import pkgutil, sys, time
for name in ("fastapi", "starlette", "pydantic", "uvicorn"):
    sys.modules[name] = None
import arietta.serve.jobs
for module in pkgutil.walk_packages(arietta.serve.jobs.__path__, "arietta.serve.jobs."):
    __import__(module.name)
from pathlib import Path
from arietta.generation.request import Request
from arietta.serve.jobs.history.pieces import open_history
from arietta.serve.jobs.limits import Limits
from arietta.serve.jobs.models import Models
from arietta.serve.jobs.composing.order import Order
from arietta.serve.jobs.service import Service
service = Service(Models([sys.argv[1]]), open_history(Path(sys.argv[2])), Limits())
service.open()
(record,) = service.submit([Order(Request(notes=7))], "")
while service.job(record.id):
    time.sleep(0.01)
print(service.find(record.id).state, len(service.notes(record.id)))
service.close()
"""


def test_an_order_whose_storing_had_no_answer_is_not_composed_all_the_same(
    models: Models, place: Path | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(models, place) as service:
        add = service.history.add

        def lose_the_answer(*given: Any) -> None:
            add(*given)
            raise StorageError("the connection was lost")

        monkeypatch.setattr(service.history, "add", lose_the_answer)
        with pytest.raises(StorageError):
            submit(service, Request(notes=5))
        assert not service.page(9)


def test_jobs_need_no_web_framework(tiny_bundle: Path, tmp_path: Path) -> None:
    call = [sys.executable, "-c", WITHOUT_WEB_FRAMEWORK, str(tiny_bundle), str(tmp_path)]
    done = subprocess.run(call, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.stdout, done.returncode) == ("done 7\n", 0), done.stderr


def test_a_stored_piece_is_that_of_the_library(models: Models, place: Path | str, waltz: Notes) -> None:
    request = Request(notes=20, seed=3, style="grieg", prompt=first(waltz, 5))
    with opened(models, place) as service:
        (record,) = finish(service, request)
        take = generate(request, models.engine("tiny"))
        assert service.notes(record.id) == take.notes
        assert (record.title, record.texts, record.name) == (take.title, take.texts(), take.title)
        assert record.asked == take.describe()
        assert record.outcome.figures is not None and record.outcome.figures["notes"] == 20


def test_a_piece_that_is_not_stored_leaves_nothing_behind(models: Models, tmp_path: Path) -> None:
    with opened(models, tmp_path) as service:
        job = service.compose(Order(Request(notes=5, seed=1)), "")
        until(lambda: job.is_over)
        assert job.take is not None and job.take.note_count == 5
        assert service.page(10) == []


def test_orders_beyond_the_limits_are_refused_all_of_them_and_not_stored(models: Models, tmp_path: Path) -> None:
    with opened(models, tmp_path, Limits(seats=1, places=1)) as service:
        (running,) = submit(service, LONG)
        until(lambda: service.find(running.id).state is State.COMPOSING)
        with pytest.raises(FullError):
            submit(service, Request(notes=1), Request(notes=2))
        assert [record.id for record in service.page(10)] == [running.id]
        service.delete(running.id)


def test_orders_that_are_refused_late_are_deleted_again(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise FullError("another client was faster")

    with opened(models, tmp_path) as service:
        monkeypatch.setattr(service.scheduler, "submit", refuse)
        with pytest.raises(FullError):
            submit(service, Request(notes=1))
        assert service.page(10) == []


def test_a_piece_under_way_has_no_notes_yet_and_a_cancelled_one_never(models: Models, tmp_path: Path) -> None:
    with opened(models, tmp_path) as service:
        (record,) = submit(service, LONG)
        with pytest.raises(UnfinishedError, match="its files are there when it is done"):
            service.notes(record.id)
        job = service.delete(record.id)
        assert job is not None
        until(lambda: job.is_over)
        assert service.find(record.id).state is State.CANCELLED
        with pytest.raises(UnfinishedError, match="is cancelled, so it has no files"):
            service.notes(record.id)
        assert service.delete(record.id) is None
        with pytest.raises(UnknownPieceError):
            service.find(record.id)


def test_a_piece_that_a_server_leaves_is_composed_by_the_next_which_says_so(
    models: Models, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    request = Request(notes=600, seed=5)
    with opened(models, tmp_path) as service:
        (record,) = submit(service, request)
    assert not caplog.messages
    with opened(models, tmp_path) as service:
        assert caplog.messages == ["pieces that the last server left undone are composed first: 1"]
        until(lambda: service.find(record.id).state is State.DONE)
        assert service.notes(record.id) == generate(request, models.engine("tiny")).notes


def test_a_piece_whose_weights_have_changed_is_interrupted_with_a_problem(
    tiny_bundle: Path, tiny_bundle_32: Path, tmp_path: Path
) -> None:
    model = shutil.copytree(tiny_bundle, tmp_path / "mine")
    with opened(Models([model]), tmp_path / "data") as service:
        (record,) = submit(service, LONG)
    shutil.rmtree(model)
    shutil.copytree(tiny_bundle_32, model)
    with opened(Models([model]), tmp_path / "data") as service:
        interrupted = service.find(record.id)
    reason = "the server stopped before the piece was done, and cannot go on: mine has other weights now"
    assert (interrupted.state, interrupted.outcome.problem) == (State.INTERRUPTED, problem_json(409, reason))


def test_a_failure_is_stored_as_a_problem_that_gives_nothing_away(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arietta.serve.jobs.composing.batches.Batch.step", lambda self: 1 / 0)
    with opened(models, tmp_path) as service:
        (record,) = finish(service, Request(notes=5))
    assert (record.state, record.outcome.problem) == (State.FAILED, problem_json(500, SERVER_FAILURE))


@pytest.mark.parametrize("failure", [StorageError("the disk is full"), StorageError("too large", is_passing=False)])
def test_a_piece_that_is_not_stored_until_the_server_stops_is_composed_at_the_next_start(
    models: Models, place: Path | str, monkeypatch: pytest.MonkeyPatch, failure: StorageError
) -> None:
    failures = []

    def fail(*_: object, **__: object) -> None:
        failures.append(failure)
        raise failure

    with monkeypatch.context() as patched:
        patched.setattr(History, "end", fail)
        with opened(models, place) as service:
            (record,) = submit(service, Request(notes=5, seed=2))
            until(lambda: failures)
    with opened(models, place) as service:
        until(lambda: service.find(record.id).state is State.DONE)


def test_an_original_piece_needs_a_model_with_an_index(models: Models, tmp_path: Path) -> None:
    with opened(models, tmp_path) as service, pytest.raises(RequestError, match="tiny has no index of its training"):
        submit(service, Request(notes=5), original=True)


def test_names_and_favourites_change_by_themselves(models: Models, place: Path | str) -> None:
    with opened(models, place) as service:
        (record,) = finish(service, Request(notes=2), name="Evening")
        loved = service.change(record.id, name=None, is_favourite=True)
        assert (loved.name, loved.is_favourite) == ("Evening", True)
        assert service.page(5, only_favourites=True) == [loved]


def test_a_piece_that_ends_on_a_full_disk_is_under_way_until_it_can_be_stored(
    models: Models, place: Path | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arietta.serve.jobs.service.RETRY_SECONDS", 0.05)
    with opened(models, place) as service:
        end, failures = service.history.end, []

        def fail(*about: object) -> None:
            failures.append(about)
            raise StorageError("database or disk is full")

        monkeypatch.setattr(service.history, "end", fail)
        first_record, second = submit(service, Request(notes=5, seed=1), Request(notes=6, seed=2))
        until(lambda: len(failures) > 3)
        assert {service.find(record.id).state for record in (first_record, second)} <= {State.COMPOSING, State.WAITING}
        monkeypatch.setattr(service.history, "end", end)
        until(lambda: not service.job(first_record.id) and not service.job(second.id))
        for record, request in ((first_record, Request(notes=5, seed=1)), (second, Request(notes=6, seed=2))):
            assert service.find(record.id).state is State.DONE
            assert service.notes(record.id) == generate(request, models.engine("tiny")).notes


def test_a_server_starts_with_damaged_rows_and_what_it_cannot_go_on_with_is_interrupted(
    models: Models, tmp_path: Path
) -> None:
    with opened(models, tmp_path) as service:
        (whole,) = finish(service, Request(notes=3))
        records = submit(service, *[LONG] * 4)
    base = sqlite3.connect(tmp_path / "history.sqlite")
    with base:
        for record, asked in zip(records, ("{}", '{"model": "tiny"}', "[", '{"model": 5, "bundle": []}'), strict=True):
            base.execute("UPDATE pieces SET asked = ? WHERE id = ?", (asked, record.id))
    base.close()
    with opened(models, tmp_path) as service:
        assert whole.id in [record.id for record in service.page(9)]
        assert service.find(records[0].id).state is State.INTERRUPTED
