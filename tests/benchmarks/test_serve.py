"""The benchmark of the server runs on any bundle, and its figures mean what they say."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    pytest.importorskip("psutil")
    from benchmarks.speed import serve as bench_serve

    monkeypatch.setattr(bench_serve, "SAMPLE_SECONDS", 0.05)
    return bench_serve


def lines(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, float]]:
    return {line["name"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}


def test_it_prints_first_and_last_notes_rates_and_memory(
    bench: ModuleType, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with bench.serving(str(tiny_bundle), 1) as (address, pid):
        bench.measure(address, 20, (1, 3), repeats=2, threads=1)
        bench.measure_memory(address, pid, 20, minutes=0.02, threads=1)
    found = lines(capsys)
    assert len(found) == 5 * 2 + 1 + 2
    assert found["serve/1 clients, first note"]["repeats"] == 2
    assert found["serve/3 clients, first note"]["repeats"] == 6
    for count in (1, 3):
        first, last = found[f"serve/{count} clients, first note"], found[f"serve/{count} clients, last of 20 notes"]
        assert 0 < first["median"] <= last["median"]
        assert first["p95"] <= found[f"serve/{count} clients, first note, p99"]["median"] * 1.001
    assert found["serve/3 clients at once against one after the other"]["unit"] == "times"
    assert found["serve/memory, 0.02 minutes of 16 clients"]["median"] > 10


@pytest.mark.parametrize(("growth", "told"), [(0.0, 0.0), (1.0, 50.0)])
def test_memory_that_grows_is_told_and_warming_up_is_not(
    bench: ModuleType, capsys: pytest.CaptureFixture[str], growth: float, told: float
) -> None:
    warming = [100.0 + number for number in range(25)]
    bench.report_memory([*warming, *(200.0 + growth * number for number in range(75))], 1, 1)
    assert lines(capsys)["serve/memory grown in 1 minutes"]["median"] == told


def test_a_server_that_cannot_start_says_why(bench: ModuleType) -> None:
    with pytest.raises(SystemExit, match="no model of that name"), bench.serving("no-such-model", 1):
        pass
