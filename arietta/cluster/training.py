"""Train on the machines of a Ray cluster: the processes that `torchrun` would start, begun again where one is lost.

    train_on_cluster(run, "auto", workers=4)

Each worker is a process that runs the loop of `train`, joined with the others by gloo or nccl as under `torchrun`. The
first writes checkpoints into a folder that all machines see; where a worker is lost, as many as there then are go on
from the last one, and each takes more of a step's batches, so a step is the same step. Ray Train does as much with a
quarter of a gigabyte more on every machine, and its own form of checkpoints (benchmarks/speed/cluster.py).
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..corpus.store import open_store
from ..errors import AriettaError, ConfigError
from ..train.checkpoint import LAST
from ..train.config import RunSettings
from ..train.hardware import use_hardware
from ..train.loop import TrainingOutcome, TrainingProgress, stop_requests, train
from ..train.plan import plan_run
from ..train.pretrained import read_pretrained
from .connection import last_line, machine_address, open_cluster

LOG = logging.getLogger(__name__)
GATHER_SECONDS = 60.0  # to wait for all workers before those that are there begin
REPORT_SECONDS = 1.0
SETTLE_SECONDS = 10.0  # in which a lost worker shows, after its neighbours have failed for want of it
ATTEMPTS = 5  # without a new checkpoint


@dataclass(frozen=True)
class ClusterRun:
    """What to train on what, into which folder, and each worker's device and threads (0: one)."""

    settings: RunSettings
    corpus: Path
    folder: Path
    pretrained: str | None = None
    device: str = "auto"
    threads: int = 0


class _LostWorkerError(Exception):
    """A worker is gone, and the run with it."""


def train_on_cluster(
    run: ClusterRun, address: str, *, workers: int, report: Callable[[TrainingProgress], None] = lambda progress: None
) -> TrainingOutcome:
    """Train to the end with so many workers, fewer where the cluster has no more; raises as `train` does.

    ConfigError also where the batches of a step cannot be shared evenly, where workers are lost again and again
    without a new checkpoint between, and where a machine does not see the folders; AriettaError where no cluster
    answers.
    """
    accumulate = run.settings.train.accumulate
    if workers < 1 or accumulate % workers:
        raise ConfigError(
            f"--workers {workers}: train.accumulate ({accumulate}) batches cannot be shared evenly; make it a multiple"
        )
    run = replace(run, corpus=run.corpus.absolute(), folder=run.folder.absolute())
    attempts = 0
    with open_cluster(address) as ray, stop_requests() as is_asked_to_stop:
        while True:
            before = _saved_at(run.folder)
            try:
                return _attempt(ray, run, workers, report, is_asked_to_stop)
            except _LostWorkerError as error:
                attempts = 0 if _saved_at(run.folder) != before else attempts + 1
                if attempts == ATTEMPTS:
                    raise ConfigError(
                        f"workers were lost {ATTEMPTS} times without a new checkpoint ({error}); see that the machines "
                        "stay up, or lower train.checkpoint_minutes; the same command goes on"
                    ) from error
                LOG.info("%s: a worker was lost; the others go on from the last checkpoint", run.folder)


def _saved_at(folder: Path) -> int:
    path = folder / LAST
    return path.stat().st_mtime_ns if path.exists() else 0


def _attempt(
    ray: Any,
    run: ClusterRun,
    workers: int,
    report: Callable[[TrainingProgress], None],
    is_asked_to_stop: Callable[[], bool],
) -> TrainingOutcome:
    """Train until the end or until a worker is lost, which raises _LostWorkerError."""
    # Threads beside the one that trains answer how far it is, and take the request to stop.
    per_worker = {"num_cpus": max(run.threads, 1), "num_gpus": _gpus(ray, run.device), "max_concurrency": 3}
    actors = [ray.remote(_Worker).options(**per_worker).remote() for _ in range(workers)]
    try:
        ready, address = _gather(ray, actors, run.settings.train.accumulate, is_asked_to_stop)
        calls = [
            actor.train.remote(run, rank=rank, world=len(ready), address=address) for rank, actor in enumerate(ready)
        ]
        reported = -1
        while True:
            ended, _ = ray.wait(calls, num_returns=len(calls), timeout=REPORT_SECONDS)
            if len(ended) == len(calls) or any(_failed(ray, call) for call in ended):
                return _outcome(ray, calls)
            progress = ray.get(ready[0].progress.remote())
            if progress is not None and progress.step != reported:
                reported = progress.step
                report(progress)
            if is_asked_to_stop():
                ray.get(ready[0].stop.remote())  # the loop's own sum over the processes stops the others
    except ray.exceptions.RayActorError as error:
        raise _LostWorkerError(last_line(error)) from error
    finally:
        for actor in actors:
            ray.kill(actor)


def _gpus(ray: Any, device: str) -> int:
    has_gpus = ray.cluster_resources().get("GPU", 0) >= 1
    if device == "cuda" and not has_gpus:
        raise ConfigError("there is no CUDA device in the cluster; choose --device cpu or auto")
    return int(has_gpus and device != "cpu")


def _gather(
    ray: Any, actors: list[Any], accumulate: int, is_asked_to_stop: Callable[[], bool]
) -> tuple[list[Any], tuple[str, int]]:
    """Wait for workers; give as many as can share a step's batches evenly, and where they meet. The others end.

    Raises AriettaError where it is asked to stop meanwhile.
    """
    pending = {actor.address.remote(): actor for actor in actors}
    ready, deadline, has_said = list[Any](), time.monotonic() + GATHER_SECONDS, False
    while len(ready) < len(pending) and not (ready and time.monotonic() > deadline):
        if is_asked_to_stop():
            raise AriettaError("stopped before the workers had started; nothing was trained")
        if time.monotonic() > deadline and not has_said:
            LOG.info("no worker has started yet; waiting until the cluster has room for one")
            has_said = True
        ready, _ = ray.wait(list(pending), num_returns=len(pending), timeout=REPORT_SECONDS)
    world = max(count for count in range(1, len(ready) + 1) if accumulate % count == 0)
    if world < len(actors):
        LOG.info("%d of %d workers are there; each takes more of a step's batches", world, len(actors))
    workers = [pending[call] for call in ready[:world]]
    for surplus in [actor for actor in actors if actor not in workers]:
        ray.kill(surplus)  # its processors are others' again
    return workers, ray.get(ready[0])


def _failed(ray: Any, call: Any) -> bool:
    try:
        ray.get(call)
    except ray.exceptions.RayError:
        return True
    return False


def _outcome(ray: Any, calls: list[Any]) -> TrainingOutcome:
    """Return the first worker's outcome; of errors the one that the others follow from."""
    ended, _ = ray.wait(calls, num_returns=len(calls), timeout=SETTLE_SECONDS)
    failures = []
    for call in ended:
        try:
            ray.get(call)
        except ray.exceptions.RayTaskError as error:
            failures.append(error)
    for failure in failures:
        if isinstance(failure.cause, AriettaError):
            raise failure.cause from None
    if failures:
        raise ConfigError(f"a worker failed ({last_line(failures[0])}); see that all machines have the same Arietta")
    outcome: TrainingOutcome = ray.get(calls[0])
    return outcome


class _Worker:
    """A process of a run, on whatever machine."""

    def __init__(self) -> None:
        self._progress: TrainingProgress | None = None
        self._is_stopping = False

    def address(self) -> tuple[str, int]:
        """Return where the processes may meet on this machine."""
        with socket.socket() as free:
            free.bind(("", 0))
            return machine_address(), int(free.getsockname()[1])

    def train(self, run: ClusterRun, *, rank: int, world: int, address: tuple[str, int]) -> TrainingOutcome:
        """Run the loop as process `rank` of `world`."""
        # What torchrun tells its processes; Ray shows each the GPU that it has been given, and no other.
        host, port = address
        names = {"RANK": rank, "WORLD_SIZE": world, "LOCAL_RANK": 0, "MASTER_ADDR": host, "MASTER_PORT": port}
        os.environ |= {name: str(value) for name, value in names.items()}
        settings, store = run.settings, open_store(run.corpus)
        pretrained = read_pretrained(run.pretrained) if run.pretrained else None
        with use_hardware(run.device, settings.train.precision, threads=run.threads) as hardware:
            return train(
                plan_run(settings, store, pretrained),
                run.folder,
                hardware,
                report=self._keep,
                is_asked_to_stop=lambda: self._is_stopping,
            )

    def progress(self) -> TrainingProgress | None:
        """Return how far the run is, by its last report."""
        return self._progress

    def stop(self) -> None:
        """Let the update at hand be the last."""
        self._is_stopping = True

    def _keep(self, progress: TrainingProgress) -> None:
        self._progress = progress
