"""Two workers of a Ray cluster against one process: reading a folder of MIDI files, and the whole of ingest.

    python -m benchmarks.speed.cluster midis [--files 2000] [--repeats 1]
    python -m benchmarks.speed.cluster --train                            also needs ray[train] and the train extra

Simulates a cluster of two machines of one processor each here, and prints a JSON line a case. Efficiency is what one
process takes over what two workers take, times two: 1 where two halve the time. By the clock it needs two idle cores;
by the processor, seconds of one process over those of all processes of the cluster, it needs none. What the cluster
takes to start, for which calls that do nothing stand, is a line of its own and taken off. `--train` compares how long
two workers take to join for training, ours and those of Ray Train.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from arietta.cluster.ingest import ingest_on_cluster
from arietta.cluster.tasks import cluster_map
from arietta.corpus.ingest import IngestConfig, ingest
from arietta.corpus.reader import find_files
from benchmarks.shared.report import report, seconds

WORKERS = 2


@dataclass(frozen=True)
class Spent:
    """Seconds that reading and all of ingest took, and seconds of the processor that reading took."""

    reading: float
    whole: float
    processor: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--files", type=int, default=2000, help="the first so many (default %(default)s)")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--train", action="store_true")
    arguments = parser.parse_args()
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(Path(__file__).parents[2])}
    with machines() as (cluster, cpu):
        if arguments.folder is not None:
            measure(arguments.folder, arguments.files, arguments.repeats, cluster.address, cpu)
        if arguments.train:
            measure_joining(cluster.address)


@contextmanager
def machines() -> Iterator[tuple[Any, Callable[[], float]]]:
    """Give a cluster, and what tells the seconds of the processor that it and this process have used."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=WORKERS - 1)

    def cpu() -> float:
        this = psutil.Process()
        nodes = (
            info.process.pid
            for node in cluster.list_all_nodes()
            for infos in node.all_processes.values()
            for info in infos
        )
        roots = [this, *(psutil.Process(number) for number in nodes)]
        processes = {process for root in roots for process in (root, *root.children(recursive=True))}
        return sum(sum(process.cpu_times()[:2]) for process in processes if process.is_running())

    try:
        yield cluster, cpu
    finally:
        cluster.shutdown()


def measure(folder: Path, files: int, repeats: int, address: str, cpu: Callable[[], float]) -> None:
    """Print the seconds of one process and of two workers, and how efficient the two are."""
    with tempfile.TemporaryDirectory() as scratch:
        part = Path(scratch, "part")
        for source in find_files([folder])[:files]:
            copy = part / source.file
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source.path, copy)
        config, out = IngestConfig(workers=1, largest_failure_share=1.0), Path(scratch, "corpus")
        alone, starts, two = list[Spent](), list[Spent](), list[Spent]()
        for _ in range(repeats):
            alone.append(spent(cpu, lambda progress: ingest([part], out, config, progress)))
            shutil.rmtree(out)
            starts.append(spent(cpu, lambda progress: start(address, progress)))
            two.append(spent(cpu, lambda progress: ingest_on_cluster([str(part)], out, config, address, progress)))
            shutil.rmtree(out)
    case = f"cluster/{folder.name}, {files} files"
    for name, runs in (("one process", alone), ("two workers", two)):
        report(f"{case}/{name}, reading", [run.reading for run in runs], "s", threads=1)
        report(f"{case}/{name}, all", [run.whole for run in runs], "s", threads=1)
    report(f"{case}/two workers, starting", [run.whole for run in starts], "s", threads=1)
    rows = list(zip(alone, starts, two, strict=True))
    for name, values in (
        ("reading", [one.reading / (both.reading - begun.whole) / WORKERS for one, begun, both in rows]),
        ("all", [one.whole / (both.whole - begun.whole) / WORKERS for one, begun, both in rows]),
        ("reading by the processor", [one.processor / (both.processor - begun.processor) for one, begun, both in rows]),
    ):
        report(f"{case}/efficiency of two workers, {name}", values, "times", threads=WORKERS)


def spent(cpu: Callable[[], float], work: Callable[[Callable[[int, int], None]], object]) -> Spent:
    """Run what tells its progress in reading."""
    begun, used, read = time.perf_counter(), cpu(), list[float]()

    def progress(done: int, total: int) -> None:
        if done == total:  # the workers are there still: they end with the driver that they work for
            read[:] = [time.perf_counter() - begun, cpu() - used]

    work(progress)
    return Spent(read[0], time.perf_counter() - begun, read[1])


def start(address: str, progress: Callable[[int, int], None]) -> None:
    """Connect, and have each worker begin with what reading needs."""
    with cluster_map(address) as map_calls:
        list(map_calls(rest, range(2 * WORKERS)))
        progress(1, 1)


def rest(number: int) -> int:
    """Do nothing for as long as another worker needs to start."""
    import arietta.cluster.ingest  # noqa: F401

    time.sleep(0.5)
    return number


def measure_joining(address: str) -> None:
    """Print how long two workers take to be joined by gloo: actors, as ours are, and Ray Train's."""
    import ray
    from ray.train import ScalingConfig
    from ray.train.torch import TorchTrainer

    ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    ours = ray.remote(max_concurrency=3)(_Joined)

    def join_actors() -> None:
        actors = [ours.remote() for _ in range(WORKERS)]
        port = ray.get(actors[0].port.remote())
        ray.get([actor.join.remote(rank, port) for rank, actor in enumerate(actors)])
        for actor in actors:
            ray.kill(actor)

    join_actors()  # the first reads torch from the disk
    report("cluster/two workers join, ours", [seconds(join_actors)], "s", threads=1)
    trainer = TorchTrainer(
        _sum_up, scaling_config=ScalingConfig(num_workers=WORKERS, resources_per_worker={"CPU": 0.4})
    )
    report("cluster/two workers join, Ray Train's", [seconds(trainer.fit)], "s", threads=1)
    ray.shutdown()


class _Joined:
    def port(self) -> int:
        import socket

        with socket.socket() as free:
            free.bind(("", 0))
            return int(free.getsockname()[1])

    def join(self, rank: int, port: int) -> None:
        from torch import distributed

        names = {"RANK": rank, "WORLD_SIZE": WORKERS, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        os.environ |= {name: str(value) for name, value in names.items()}
        distributed.init_process_group("gloo")
        _sum_up()
        distributed.destroy_process_group()


def _sum_up() -> None:
    import torch

    torch.distributed.all_reduce(torch.ones(1))


if __name__ == "__main__":
    main()
