"""The benchmark of training runs on any model and prints what the tables read."""

from __future__ import annotations

import json
from dataclasses import replace
from types import ModuleType

import pytest
import torch

from arietta.train.config import DataSettings, ModelSettings, RunSettings, TrainSettings
from arietta.train.hardware import LAPTOP
from arietta.train.network.transformer import Attention

SMALL = RunSettings(
    ModelSettings(width=16, layers=1, heads=2, kv_heads=1, context=32),
    DataSettings(length=32),
    TrainSettings(batch=2, average=0.9),
)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    from benchmarks.speed import train as bench_train

    torch.set_num_threads(1)
    return bench_train


@pytest.mark.parametrize(("is_bfloat16", "count"), [(False, 6), (True, 7)])
def test_it_prints_a_line_a_case(
    bench: ModuleType, capsys: pytest.CaptureFixture[str], *, is_bfloat16: bool, count: int
) -> None:
    bench.measure(SMALL, replace(LAPTOP, is_bfloat16=is_bfloat16), repeats=2, threads=1)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == count
    for line in lines:
        assert line["name"].startswith("train/") and line["median"] > 0
        assert (line["repeats"], line["threads"]) == (2, 1)
    assert [line["name"] for line in lines][:3] == ["train/step, relative", "train/step, rotary", "train/step, plain"]


def test_attention_written_plainly_is_the_same_attention(bench: ModuleType) -> None:
    model = bench.trainer_of(SMALL, "relative", LAPTOP).model
    attention = next(part for part in model.modules() if isinstance(part, Attention))
    hidden = torch.randn(2, 32, 16)
    assert torch.allclose(attention(hidden), bench.attend_plainly(attention, hidden), atol=1e-6)


def test_each_case_trains_with_its_own_positions(bench: ModuleType) -> None:
    positions = [bench.trainer_of(SMALL, name, LAPTOP).plan.model.positions for name in bench.POSITIONS]
    assert positions == ["relative", "rotary", "absolute"]


def test_tokens_per_second_counts_all_tokens_of_a_step(bench: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def two_seconds(work: object) -> float:
        work()  # type: ignore[operator]
        return 2.0

    monkeypatch.setattr(bench, "seconds", two_seconds)
    trainer = bench.trainer_of(SMALL, "relative", LAPTOP)
    assert bench.tokens_per_second(trainer) == trainer.rows / 2 == 32


def test_peak_memory_is_that_of_a_process_with_torch(bench: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "LONG", 64)
    assert 100 < bench.peak_megabytes(SMALL, "relative", LAPTOP) < 20_000


def test_the_random_store_reads_like_one_on_disk(bench: ModuleType) -> None:
    notes = bench.random_store(1000).notes(0, 100, 200)
    assert len(notes) == 100 and len(notes.pedal) > 5
