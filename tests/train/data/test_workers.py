"""Batches drawn by other processes: the same from any number of them, which end with the one that they work for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import numpy as np
import psutil
import pytest

from arietta.codecs.note import NoteCodec
from arietta.corpus.store import Store
from arietta.model.config import ModelConfig, style_conditions
from arietta.train.config import DataSettings
from arietta.train.data.batches import Crops
from arietta.train.data.workers import MOST_WORKERS, BatchNumbers, BatchStream, worker_count

CODEC = NoteCodec()
CONDITIONS = style_conditions(("Edvard Grieg",), ("sequenced",))
MODEL = ModelConfig(kind="lstm", field_sizes=CODEC.field_sizes, width=8, layers=1, conditions=CONDITIONS)
# What a process runs whose end is watched: it prints the workers' ids, and draws batches for ever.
SCRIPT = """
import signal, sys, time, psutil
from tests.train.data.test_workers import BatchNumbers, BatchStream, crops_of
from arietta.corpus.store import open_store
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background of a shell inherits none
    stream = BatchStream(crops_of(open_store(sys.argv[1])), BatchNumbers(0), size=2, workers=1)
    next(stream)
    print(*(child.pid for child in psutil.Process().children(recursive=True)), flush=True)
    while True:
        next(stream)
"""


def crops_of(store: Store) -> Crops:
    return Crops(store, CODEC, MODEL, DataSettings(length=32, min_composer_pieces=1), seed=1)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more workers than this machine has processors
def test_batches_are_the_same_from_any_number_of_workers(store: Store) -> None:
    expected = [crops_of(store).batch(number, 2) for number in range(5, 11)]
    for workers in (0, 1, 3):
        stream = BatchStream(crops_of(store), BatchNumbers(5), size=2, workers=workers)
        batches = list(islice(stream, 6))
        stream.close()
        for batch, same in zip(expected, batches, strict=True):
            for name in ("tokens", "counted", "conditions"):
                assert np.array_equal(getattr(batch, name), getattr(same, name)), (workers, name)


def test_workers_share_numbers_and_together_draw_each_once() -> None:
    numbers = BatchNumbers(first_step=3, per_step=4)
    assert list(islice(numbers.iterate(), 6)) == [12, 13, 14, 15, 16, 17]
    shared = [list(islice(numbers.iterate(worker, 3), 2)) for worker in range(3)]
    assert shared == [[12, 15], [13, 16], [14, 17]]


def test_processes_of_a_run_draw_different_batches_of_each_step() -> None:
    drawn = [list(islice(BatchNumbers(1, per_step=4, rank=rank, world=2).iterate(), 4)) for rank in (0, 1)]
    assert drawn == [[4, 6, 8, 10], [5, 7, 9, 11]]


def test_workers_are_for_gpus_and_leave_two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 10)
    assert worker_count(-1, is_cuda=False) == 0 and worker_count(3, is_cuda=False) == 3
    assert worker_count(-1, is_cuda=True) == 8 and worker_count(-1, is_cuda=True, world=4) == 2
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert worker_count(-1, is_cuda=True) == MOST_WORKERS


def test_closing_ends_the_workers(store: Store) -> None:
    stream = BatchStream(crops_of(store), BatchNumbers(0), size=2, workers=1)
    next(stream)
    workers = [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]
    assert workers
    stream.close()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_no_worker_outlives_the_process_that_it_works_for(store: Store, tmp_path: Path, kind: signal.Signals) -> None:
    """An interrupt goes to all processes of a terminal at once; a kill to one alone."""
    script = tmp_path / "watched.py"
    script.write_text(SCRIPT)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, str(script), str(store.path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        start_new_session=True,
    )
    assert process.stdout
    workers = [int(number) for number in process.stdout.readline().split()]
    assert workers
    if kind is signal.SIGINT:
        os.killpg(process.pid, kind)
    else:
        process.kill()
    process.wait(timeout=60)
    process.stdout.close()
    deadline = time.monotonic() + 30
    while any(psutil.pid_exists(number) for number in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [number for number in workers if psutil.pid_exists(number)]
