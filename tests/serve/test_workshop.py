"""Files made in processes that can be ended: what they return, and what becomes of those that take too long."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from multiprocessing.context import SpawnProcess
from pathlib import Path

import httpx
import psutil
import pytest

from arietta.errors import RequestError
from arietta.evaluation.page.piece import TitledReport, report_html
from arietta.evaluation.report import report_on
from arietta.evaluation.words import report_json
from arietta.music.correction import correct_meter
from arietta.music.meter import Meter, Tempo, TimeSignature
from arietta.music.notes import Notes
from arietta.render.roll import roll_svg
from arietta.render.score import score_musicxml
from arietta.render.score.engraving import engrave
from arietta.serve.jobs.models import Models
from arietta.serve.jobs.scheduler import StoppingError
from arietta.serve.workshop import (
    UnmadeError,
    Workshop,
    corrected_meter,
    engraved_file,
    report_document,
    report_page,
    roll_file,
    score_file,
)
from tests.support.endless import ending_its_process, failing_unspeakably, never_ending, pid, refusing
from tests.support.servers import Server, composed, until

SECONDS = 2.0  # by which the workshop of these tests ends what takes longer


@pytest.fixture(scope="module")
def workshop() -> Iterator[Workshop]:
    workshop = Workshop(SECONDS)
    workshop.make(pid)  # which starts its processes
    yield workshop
    workshop.close()


def test_what_it_makes_are_the_librarys_bytes(models: Models, waltz: Notes) -> None:
    workshop = Workshop(60.0)
    assert workshop.make(partial(score_file, waltz, "A")) == score_musicxml(waltz, title="A").encode()
    assert workshop.make(partial(roll_file, waltz, "A", 1.5)) == roll_svg(waltz, title="A", prompt_seconds=1.5).encode()
    if find_spec("verovio") is not None:
        assert workshop.make(partial(engraved_file, waltz, "A")) == engrave(score_musicxml(waltz, title="A"))
    for name in (None, models.default):
        engine, index = (models.engine(name), models.index(name)) if name else (None, None)
        report, bundle = report_on(waltz, engine=engine, index=index), models.bundle(name) if name else None
        judge = None if bundle is None else (bundle.path, bundle.fingerprint)
        assert json.loads(workshop.make(partial(report_document, waltz, model=judge))) == report_json(report)
        page = report_html([TitledReport("A", waltz, report)]).encode()
        assert workshop.make(partial(report_page, waltz, "A", model=judge)) == page
    workshop.close()


def test_bars_are_those_of_the_library_from_the_beginning_on(workshop: Workshop, waltz: Notes) -> None:
    early = Meter((TimeSignature(-0.1, 3, 4),), (Tempo(-0.1, 0.5),))
    meter, lines = workshop.make(partial(corrected_meter, waltz, early))
    assert meter == early and lines[:2] == pytest.approx([0.0, 1.4])
    halved, _ = workshop.make(partial(corrected_meter, waltz, early, beats="half"))
    assert halved == correct_meter(waltz, early, beats="half")
    with pytest.raises(RequestError, match="the bars cannot be corrected so: bars last"):
        workshop.make(partial(corrected_meter, waltz, replace(early, tempos=(Tempo(-0.1, 0.05),)), beats="double"))


def test_what_takes_too_long_is_ended_and_its_process_replaced(workshop: Workshop) -> None:
    before = {child.pid for child in psutil.Process().children()}
    begun = time.monotonic()
    with pytest.raises(UnmadeError, match="the file takes longer than 2 seconds to make"):
        workshop.make(never_ending)
    assert time.monotonic() - begun < SECONDS + 3
    until(lambda: before - {child.pid for child in psutil.Process().children()})
    assert workshop.make(pid)


def test_a_process_that_the_system_ends_is_told_and_replaced(workshop: Workshop) -> None:
    with pytest.raises(UnmadeError, match="the system ended what made the file"):
        workshop.make(ending_its_process)
    assert workshop.make(pid)


def test_a_process_that_the_system_ends_while_it_has_nothing_to_do_is_replaced(workshop: Workshop) -> None:
    for process in multiprocessing.active_children():
        process.kill()
    until(lambda: not multiprocessing.active_children())
    assert workshop.make(pid)


def test_what_the_work_raises_is_raised(workshop: Workshop) -> None:
    with pytest.raises(RequestError, match="impossible") as raised:
        workshop.make(refusing)
    assert "in refusing" in "".join(raised.value.__notes__)  # where it was raised
    with pytest.raises(RuntimeError, match=r"in failing_unspeakably[^$]*UnspeakableError: 7"):
        workshop.make(failing_unspeakably)
    assert workshop.make(pid)


def test_a_file_that_takes_too_much_memory_is_given_up(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arietta.serve.workshop.MOST_MEMORY", 2**23)  # less than an interpreter takes
    begun = time.monotonic()
    with pytest.raises(UnmadeError, match="too much memory"):
        workshop.make(never_ending)
    assert time.monotonic() - begun < SECONDS


def test_a_model_that_was_changed_meanwhile_judges_nothing(workshop: Workshop, models: Models, waltz: Notes) -> None:
    model = (models.bundle().path, "of other weights")
    with pytest.raises(UnmadeError, match=r"has other weights .* start the server again"):
        workshop.make(partial(report_document, waltz, model=model))


def test_beside_what_never_ends_others_are_made_and_closing_ends_it() -> None:
    workshop = Workshop(600.0)
    with ThreadPoolExecutor(1) as others:
        endless = others.submit(workshop.make, never_ending)
        until(endless.running)
        assert workshop.make(pid) and not endless.done()
        workshop.close()
        assert isinstance(endless.exception(), StoppingError)


def test_a_process_that_cannot_be_started_is_told_and_closing_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: SpawnProcess) -> None:
        raise OSError("no memory")

    workshop = Workshop(SECONDS)
    with monkeypatch.context() as patch:
        patch.setattr(SpawnProcess, "start", fail)
        with pytest.raises(UnmadeError, match="the system ended what made the file"):
            workshop.make(pid)
    workshop.close()
    with pytest.raises(StoppingError):
        workshop.make(pid)


def test_a_process_that_is_being_started_when_the_workshop_closes_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    started, gate, start = threading.Event(), threading.Event(), SpawnProcess.start

    def start_late(process: SpawnProcess) -> None:
        started.set()
        assert gate.wait(60.0)
        start(process)

    monkeypatch.setattr(SpawnProcess, "start", start_late)
    workshop, begun = Workshop(600.0), time.monotonic()
    with ThreadPoolExecutor(2) as others:
        file = others.submit(workshop.make, never_ending)
        assert started.wait(60.0)
        closing = others.submit(workshop.close)
        time.sleep(0.1)  # in which it comes as far as it can
        gate.set()
        closing.result(60.0)
        assert isinstance(file.exception(60.0), StoppingError)
    assert time.monotonic() - begun < 30.0


def test_its_processes_load_nothing_from_the_folder_of_the_server_and_end_with_it(
    tiny_lstm: Path, tmp_path: Path
) -> None:
    """As `arietta`, the script, which stands elsewhere, and killed as no program can prevent."""
    folder, script = tmp_path / "folder", tmp_path / "script.py"
    folder.mkdir()
    for name in ("types", "pickle", "numpy"):
        (folder / f"{name}.py").write_text("raise SystemExit('taken')\n")
    script.write_text("from arietta.cli import main\nif __name__ == '__main__':\n    raise SystemExit(main())\n")
    call = [sys.executable, str(script), "serve", "--port", "0", "--data", str(tmp_path), "--model", str(tiny_lstm)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(call, cwd=folder, text=True, **pipes) as process:
        server = Server(process)
        with httpx.Client(base_url=server.address, timeout=60) as client:
            assert client.get(composed(client, notes=5)["links"]["svg"]).status_code == 200
        workers = psutil.Process(process.pid).children()
        assert workers
        server.kill()
        _, alive = psutil.wait_procs(workers, timeout=20)
        assert not alive
