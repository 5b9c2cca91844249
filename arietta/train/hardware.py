"""Where training runs: the device, the precision that is fast on it, and this process's rank among others.

One process is the rule. Under `torchrun` each process takes its share of every step; gloo joins them on CPUs and
nccl on GPUs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed

from ..errors import ConfigError
from ..machine import processor_name
from .data.batches import TokenBatch


@dataclass(frozen=True)
class Hardware:
    """A device ("cpu" or "cuda:0"), whether matrices are multiplied in bfloat16, and process `rank` of `world`.

    The processes of a run are numbered from 0; `world` is how many they are, in torch's word for it.
    """

    device: str = "cpu"
    is_bfloat16: bool = False
    rank: int = 0
    world: int = 1

    @property
    def is_first(self) -> bool:
        """True in the one process that writes files and reports."""
        return self.rank == 0

    @property
    def is_cuda(self) -> bool:
        return self.device.startswith("cuda")

    def autocast(self) -> AbstractContextManager[Any]:
        """Open the context in which the network multiplies in this precision."""
        if not self.is_bfloat16:
            return nullcontext()
        return torch.autocast("cuda" if self.is_cuda else "cpu", torch.bfloat16)

    def tensors(self, batch: TokenBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Return a batch's tokens (int64), counted and conditions (int64) on the device."""
        columns = (batch.tokens, batch.counted, batch.conditions)
        tokens, counted, conditions = (
            torch.from_numpy(column).to(self.device, non_blocking=True) for column in columns
        )
        return tokens.long(), counted, conditions.long()

    def sum_number(self, number: float) -> float:
        """Add up a number over all processes; every process gets the same sum."""
        if self.world == 1:
            return number
        return float(self.sum_tensor(torch.tensor(number, dtype=torch.float64)))

    def sum_tensor(self, values: Tensor) -> Tensor:
        """Add up a tensor over all processes; every process gets the same sum."""
        if self.world == 1:
            return values
        summed = values.to(self.device)
        distributed.all_reduce(summed)
        return summed.to(values.device)


LAPTOP = Hardware()


@contextmanager
def use_hardware(device: str = "auto", precision: str = "auto", *, threads: int = 0) -> Iterator[Hardware]:
    """Choose the hardware of a run and join the other processes, if `torchrun` started any; leave them at the end.

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
    name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if is_cuda else "cpu"
    is_bfloat16 = precision == "bfloat16" or (precision == "auto" and has_fast_bfloat16(is_cuda=is_cuda))
    if is_cuda:
        torch.cuda.set_device(name)
    if world == 1:
        yield Hardware(name, is_bfloat16)
        return
    distributed.init_process_group("nccl" if is_cuda else "gloo")
    try:
        yield Hardware(name, is_bfloat16, distributed.get_rank(), world)
    finally:
        distributed.destroy_process_group()


def has_fast_bfloat16(*, is_cuda: bool) -> bool:
    """True where the hardware multiplies bfloat16 itself, and steps are 2.9 times as fast (benchmarks/speed/train)."""
    if is_cuda:
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def describe_machine(device: str) -> dict[str, Any]:
    """Describe what a figure of speed depends on: processor, threads, GPU; never the machine's name."""
    description = {"processor": processor_name(), "threads": torch.get_num_threads(), "cores": os.cpu_count()}
    if device.startswith("cuda"):
        description["gpu"] = torch.cuda.get_device_name(device)
    return description
