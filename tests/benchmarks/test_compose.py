"""The benchmark of composing runs on any bundle and prints what the tables read."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.support.bundles import engine_of


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    from benchmarks.speed import compose as bench_compose

    monkeypatch.setattr(bench_compose, "LENGTHS", (10, 40, 60, 240))
    monkeypatch.setattr(bench_compose, "COMPARED", 40)
    monkeypatch.setattr(bench_compose, "LAST", 8)
    return bench_compose


@pytest.mark.parametrize("kind", ["tiny_bundle", "tiny_lstm"])
def test_it_prints_a_line_a_case(
    kind: str, bench: ModuleType, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.measure(engine_of(request.getfixturevalue(kind)), repeats=2, threads=1)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 8
    for line in lines:
        assert line["name"].startswith("compose/") and line["median"] > 0 and line["p95"] > 0
        assert (line["repeats"], line["threads"]) == (2, 1)
        assert {"unit", "commit"} <= set(line)


def test_recomputing_costs_more_for_each_row_up_to_the_window(
    bench: ModuleType, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "_prefix_seconds", lambda engine, events: float(len(events)))
    engine, events = engine_of(tiny_bundle), np.zeros((500, 4), dtype=np.uint16)
    assert bench.uncached_seconds(engine, events, 40) == pytest.approx(sum(range(1, 41)))
    assert bench.uncached_seconds(engine, events, 300) == pytest.approx(sum(range(1, 65)) + 236 * 64)


def test_p95_is_what_nearly_all_repeats_reach(bench: ModuleType) -> None:
    from benchmarks.shared import report as measure

    values = [float(value) for value in range(1, 101)]
    assert measure.line("a", values, "ms", threads=1)["p95"] > 94
    assert measure.line("a", values, "notes/s", threads=1)["p95"] < 7
    assert measure.line("a", values, "times", threads=1)["median"] == 50.5
