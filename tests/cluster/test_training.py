"""Training by workers on several machines: the losses of torchrun, and of an unbroken run where one is lost."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from arietta.cluster import training
from arietta.cluster.connection import open_cluster
from arietta.cluster.training import ClusterRun, train_on_cluster
from arietta.errors import AriettaError, ConfigError, CorpusError
from arietta.train.checkpoint import RUN
from arietta.train.config import DataSettings, ModelSettings, RunSettings, TrainSettings
from arietta.train.log import read_metrics
from arietta.train.loop import TrainingProgress
from tests.support.corpora import make_store

# Without dropout, which each process draws by its rank: then a step is the same however many share it.
SETTINGS = RunSettings(
    ModelSettings(width=16, layers=1, heads=2, kv_heads=1, context=32, dropout=0.0),
    DataSettings(length=32, min_composer_pieces=1),
    TrainSettings(
        steps=30,
        batch=2,
        accumulate=2,
        rate=0.01,
        warm_up=2,
        validate_every=30,
        validation_windows=4,
        log_every=1,
        precision="float32",
        workers=0,
        checkpoint_minutes=1e-9,
    ),
)
UNDER_TORCHRUN = """
import sys
from pathlib import Path
from arietta.corpus.store import open_store
from arietta.train.hardware import use_hardware
from arietta.train.loop import train
from arietta.train.plan import plan_run
from tests.cluster.test_training import SETTINGS
with use_hardware("cpu", "float32") as hardware:
    train(plan_run(SETTINGS, open_store(sys.argv[1])), Path(sys.argv[2]), hardware)
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("made") / "corpus").path


@pytest.fixture(scope="module")
def expected(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """The losses of two processes under torchrun."""
    folder = tmp_path_factory.mktemp("torchrun")
    (folder / "run.py").write_text(UNDER_TORCHRUN)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run(
        [*torchrun, folder / "run.py", corpus, folder / "out"],
        check=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    return losses(folder / "out")


def losses(folder: Path) -> list[float]:
    return [line["loss"] for line in read_metrics(folder) if line["kind"] == "training"]


def test_a_run_that_loses_a_machine_has_the_losses_of_torchrun(
    cluster: Any,
    corpus: Path,
    expected: list[float],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(training, "GATHER_SECONDS", 15.0)
    monkeypatch.setattr(training, "REPORT_SECONDS", 0.05)
    machines, seen = [cluster.add_node(num_cpus=1)], list[int]()

    def report(progress: TrainingProgress) -> None:
        seen.append(progress.step)
        if progress.step >= 3 and machines:
            monkeypatch.setattr(training, "GATHER_SECONDS", 3.0)
            cluster.remove_node(machines.pop(), allow_graceful=False)

    run = ClusterRun(SETTINGS, corpus, tmp_path / "out", device="cpu")
    outcome = train_on_cluster(run, cluster.address, workers=2, report=report)
    assert (outcome.reason, outcome.step) == ("finished", 30)
    assert "a worker was lost" in caplog.text and caplog.text.count("1 of 2 workers are there") == 1
    assert json.loads((tmp_path / "out" / RUN).read_text())["processes"] == 1
    assert seen == sorted(seen)
    assert losses(tmp_path / "out") == pytest.approx(expected, rel=1e-5)


def test_workers_that_stay_end_together(cluster: Any, corpus: Path, expected: list[float], tmp_path: Path) -> None:
    second = cluster.add_node(num_cpus=1)
    run = ClusterRun(SETTINGS, corpus, tmp_path / "out", device="cpu")
    outcome = train_on_cluster(run, cluster.address, workers=2)
    assert (outcome.reason, outcome.step) == ("finished", 30)
    assert json.loads((tmp_path / "out" / RUN).read_text())["processes"] == 2
    assert losses(tmp_path / "out") == pytest.approx(expected, rel=1e-5)
    cluster.remove_node(second, allow_graceful=False)


@pytest.mark.posix
def test_a_run_that_is_asked_to_stop_goes_on_later(
    cluster: Any, corpus: Path, expected: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "REPORT_SECONDS", 0.05)
    run = ClusterRun(SETTINGS, corpus, tmp_path / "out", device="cpu")

    asked = []

    def report(progress: TrainingProgress) -> None:
        if not asked:
            asked.append(progress.step)
            os.kill(os.getpid(), signal.SIGTERM)

    outcome = train_on_cluster(run, cluster.address, workers=1, report=report)
    assert outcome.reason == "interrupted" and outcome.step < 30
    assert train_on_cluster(run, cluster.address, workers=1).reason == "finished"
    assert losses(tmp_path / "out") == pytest.approx(expected, rel=1e-5)


def test_a_run_that_waits_for_workers_can_be_stopped(
    cluster: Any, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "REPORT_SECONDS", 0.1)
    monkeypatch.setattr(training, "GATHER_SECONDS", 0.2)
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    run = ClusterRun(SETTINGS, corpus, tmp_path / "out", device="cpu", threads=64)  # more than there are
    with pytest.raises(AriettaError, match="stopped before the workers had started"):
        train_on_cluster(run, cluster.address, workers=1)


def test_a_worker_without_a_share_is_let_go(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "REPORT_SECONDS", 0.05)
    with open_cluster(cluster.address) as ray:
        actors = [ray.remote(training._Worker).options(num_cpus=0).remote() for _ in range(3)]
        ready, _ = training._gather(ray, actors, 4, lambda: False)
        (surplus,) = [actor for actor in actors if actor not in ready]
        assert [ray.get(actor.progress.remote()) for actor in ready] == [None, None]
        with pytest.raises(ray.exceptions.RayActorError):
            ray.get(surplus.progress.remote())


def test_what_a_worker_refuses_is_a_sentence(cluster: Any, tmp_path: Path) -> None:
    run = ClusterRun(SETTINGS, tmp_path / "nowhere", tmp_path / "out", device="cpu")
    with pytest.raises(CorpusError, match="nowhere"):
        train_on_cluster(run, cluster.address, workers=1)
    with pytest.raises(ConfigError, match="no CUDA device in the cluster"):
        train_on_cluster(ClusterRun(SETTINGS, tmp_path, tmp_path, device="cuda"), cluster.address, workers=1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("workers", [0, 3])
def test_workers_that_cannot_share_a_step_are_refused(tmp_path: Path, workers: int) -> None:
    with pytest.raises(ConfigError, match=f"--workers {workers}: .* cannot be shared evenly"):
        train_on_cluster(ClusterRun(SETTINGS, tmp_path, tmp_path), "auto", workers=workers)
