"""Where training runs: the device, the precision that is fast on it, and this process's place among others.

One process is the rule. Under `torchrun` each process takes its share of every step; gloo joins them on CPUs and
nccl on GPUs.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed

from ..errors import ConfigError
from .batches import Batch


@dataclass(frozen=True)
class Hardware:
    """A device ("cpu" or "cuda:0"), whether matrices are multiplied in bfloat16, and process `rank` of `world`."""

    device: str = "cpu"
    is_bfloat16: bool = False
    rank: int = 0
    world: int = 1

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    @property
    def is_cuda(self) -> bool:
        return self.device.startswith("cuda")

    def autocast(self) -> AbstractContextManager[Any]:
        if not self.is_bfloat16:
            return nullcontext()
        return torch.autocast("cuda" if self.is_cuda else "cpu", torch.bfloat16)

    def tensors(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """A batch's events, counted, composer and source on the device."""
        columns = (batch.events, batch.counted, batch.composer, batch.source)
        events, counted, composer, source = (torch.from_numpy(c).to(self.device) for c in columns)
        return events, counted, composer, source

    def total(self, *values: float) -> list[float]:
        """Add up the values of all processes; every process gets the same sums."""
        if self.world == 1:
            return list(values)
        summed = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(summed)
        return [float(value) for value in summed]

    def add_up(self, values: Tensor) -> Tensor:
        """Add up a tensor over all processes."""
        if self.world == 1:
            return values
        summed = values.to(self.device)
        distributed.all_reduce(summed)
        return summed.to(values.device)


LAPTOP = Hardware()


@contextmanager
def hardware(device: str = "auto", precision: str = "auto", *, threads: int = 0) -> Iterator[Hardware]:
    """Find the hardware for a run and join the other processes, if `torchrun` started any; leave them at the end.

    `threads` 0 keeps torch's own choice. Raises ConfigError where the device is not there.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device {device!r} is unknown; choose auto, cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("there is no CUDA device here; choose --device cpu or auto")
    if threads:
        torch.set_num_threads(threads)
    is_cuda = device != "cpu" and torch.cuda.is_available()
    world = int(os.environ.get("WORLD_SIZE", "1"))
    place = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if is_cuda else "cpu"
    is_bfloat16 = precision == "bfloat16" or (precision == "auto" and has_fast_bfloat16(is_cuda=is_cuda))
    if is_cuda:
        torch.cuda.set_device(place)
    if world == 1:
        yield Hardware(place, is_bfloat16)
        return
    distributed.init_process_group("nccl" if is_cuda else "gloo")
    try:
        yield Hardware(place, is_bfloat16, distributed.get_rank(), world)
    finally:
        distributed.destroy_process_group()


def has_fast_bfloat16(*, is_cuda: bool) -> bool:
    """True where bfloat16 is multiplied by the hardware itself: a step then takes half as long (bench_train)."""
    if is_cuda:
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def describe_machine(device: str) -> dict[str, Any]:
    """What a figure depends on: processor, threads, GPU; never the machine's name."""
    description = {"processor": _processor(), "threads": torch.get_num_threads(), "cores": os.cpu_count()}
    if device.startswith("cuda"):
        description["gpu"] = torch.cuda.get_device_name(device)
    return description


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
