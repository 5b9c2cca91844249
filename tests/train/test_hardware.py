"""Where training runs: what is asked for and not there is refused, and one process needs no others."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from arietta.errors import ConfigError
from arietta.train.data.batches import TokenBatch
from arietta.train.hardware import LAPTOP, Hardware, describe_machine, has_fast_bfloat16, use_hardware


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(ConfigError, match="choose auto, cpu or cuda"), use_hardware("tpu"):
        pass


def test_cuda_is_refused_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="no CUDA device"), use_hardware("cuda"):
        pass


@pytest.mark.parametrize(("precision", "expected"), [("float32", False), ("bfloat16", True)])
def test_a_precision_asked_for_is_used(precision: str, *, expected: bool) -> None:
    with use_hardware("cpu", precision) as hardware:
        assert (hardware.device, hardware.is_bfloat16, hardware.rank, hardware.world) == ("cpu", expected, 0, 1)


def test_precision_follows_the_processor_by_default() -> None:
    with use_hardware("cpu") as hardware:
        assert hardware.is_bfloat16 == has_fast_bfloat16(is_cuda=False)


def test_threads_are_as_many_as_asked_for() -> None:
    before = torch.get_num_threads()
    with use_hardware("cpu", threads=1):
        assert torch.get_num_threads() == 1
    torch.set_num_threads(before)


@pytest.mark.parametrize(("is_bfloat16", "dtype"), [(False, torch.float32), (True, torch.bfloat16)])
def test_matrices_are_multiplied_in_the_precision_chosen(dtype: torch.dtype, *, is_bfloat16: bool) -> None:
    with Hardware(is_bfloat16=is_bfloat16).autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


def test_a_batch_becomes_tensors_of_its_own_kinds() -> None:
    batch = TokenBatch(np.zeros((2, 3, 4), np.int64), np.ones((2, 3, 4), np.bool_), np.array([[0, 1], [1, 0]]))
    tokens, counted, conditions = LAPTOP.tensors(batch)
    assert (tokens.shape, tokens.dtype, counted.dtype) == ((2, 3, 4), torch.int64, torch.bool)
    assert conditions.tolist() == [[0, 1], [1, 0]]


def test_one_process_adds_up_to_itself() -> None:
    assert LAPTOP.sum_number(1.5) == 1.5
    values = torch.tensor([1.0, 2.0])
    assert LAPTOP.sum_tensor(values) is values


def test_a_machine_is_described_without_its_name() -> None:
    import platform

    described = describe_machine("cpu")
    assert set(described) == {"processor", "threads", "cores"}
    assert described["processor"] and platform.node() not in described.values()
