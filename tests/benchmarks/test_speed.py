"""The benchmarks of a step, of company and of all together, and the guard, on models that take no time."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from arietta.generation.request import Request
from arietta.model.bundle import INDEX, load_bundle
from arietta.music.notes import Notes
from arietta.originality.index import extend_description, open_index
from tests.support.bundles import TINY, TINY_LSTM, bundle_of, engine_of
from tests.support.indexes import knowing
from tests.support.tunes import write


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import a benchmark by its name, as it runs from its own folder."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    return import_module


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {line["name"]: line["median"] for line in lines}


# A step and its floor


@pytest.mark.parametrize("kind", ["tiny_bundle", "tiny_lstm"])
def test_a_step_is_told_with_its_floor_and_its_parts(
    kind: str, benchmark: Any, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = benchmark("benchmarks.speed.step")
    bundle = load_bundle(request.getfixturevalue(kind))
    bench.measure(bundle, 2, 1)
    found = printed(capsys)
    assert all(value > 0 for value in found.values())
    for at in bench.ROWS:
        names = (f"row {at}", f"floor of row {at}", f"row {at} against its floor")
        assert {f"step/{bundle.name}, {name}" for name in names} <= set(found)
    whole = found[f"step/{bundle.name}, row {bench.SHOWN}: graph"]
    parts = [value for name, value in found.items() if ": graph, " in name]
    assert sum(parts) == pytest.approx(whole, rel=0.01)


def test_the_floor_counts_every_weight_and_the_rows_in_the_cache(benchmark: Any) -> None:
    bench = benchmark("benchmarks.speed.step")
    weights, kept, operations = bench.needs(TINY, 10)
    width, sizes = 64, sum(TINY.field_sizes)
    layer = width * (4 + 2 * 2) * 16 + width * width + 2 * 4 * width * width
    assert weights == 2 * layer + 3 * width * width + width * sizes
    assert kept == 2 * 10 * (2 * 2 * 16 + 16)  # keys, values and distances of two layers
    assert operations == 2 * (weights + 2 * 10 * width * 3)
    assert bench.needs(replace(TINY, positions="rotary"), 10)[1] == 2 * 10 * 2 * 2 * 16
    assert bench.needs(TINY, 10, bits=4)[0] == weights - 2 * 4 * width * width  # half of what feed-forward layers have
    assert bench.needs(TINY, 10, bits=4)[1:] == (kept, operations)
    assert bench.needs(TINY_LSTM, 10) == bench.needs(TINY_LSTM, 900) == bench.needs(TINY_LSTM, 10, bits=4)


def test_beyond_the_window_a_row_stands_anywhere_in_its_newer_half(benchmark: Any) -> None:
    bench = benchmark("benchmarks.speed.step")
    assert [bench.filled_at(TINY, at, 0) for at in (5, 63)] == [5, 63]
    beyond = [bench.filled_at(TINY, 2048, step) for step in range(bench.STEPS)]
    assert min(beyond) == 32 and max(beyond) < 64 and beyond == sorted(beyond)


def test_the_budget_tells_steps_batches_prompts_and_memory(
    benchmark: Any, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = benchmark("benchmarks.speed.budget")
    monkeypatch.setattr(bench, "BATCHES", (1, 3))
    monkeypatch.setattr(bench, "PROMPT", 96)
    engine = engine_of(tiny_bundle)
    bench.measure_steps(engine, 2)
    bench.measure_prompt(engine, 2, str(tiny_bundle))
    bench.measure_memory(engine.bundle)
    name, found = f"budget/{tiny_bundle.name}", printed(capsys)
    assert all(value > 0 for value in found.values())
    assert found[f"{name}, 1 together against one by one"] == 1
    parts = [found.get(f"{name}, prompt of 96, {part}", 0) for part in {*bench.PARTS.values(), "the rest"}]
    assert sum(map(bool, parts)) >= 3, "products, attention and the rest"
    assert sum(parts) == pytest.approx(found[f"{name}, prompt of 96"], rel=0.01)
    assert 0.2 < found[f"{name}, prompt of 96, against the other export's"] < 5
    memory = [value for each, value in found.items() if "own memory" in each]
    assert memory == sorted(memory) and memory[0] > 5


# Company and prompts


def test_company_is_told_and_changes_no_piece(
    benchmark: Any, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = benchmark("benchmarks.speed.batch")
    monkeypatch.setattr(bench, "BATCHES", (1, 3))
    monkeypatch.setattr(bench, "NOTES", 8)
    monkeypatch.setattr(bench, "PROMPT_NOTES", 70)
    engine = engine_of(tiny_bundle)
    bench.measure_batches(engine, 1, 1)
    bench.measure_prompts(engine, 2, 1)
    found = printed(capsys)
    assert len(found) == 8 and all(value > 0 for value in found.values())
    assert found["batch/the same prompt again, of 70 notes"] < found["batch/a prompt of 70 notes"]


def test_a_piece_that_its_company_changed_ends_the_run(benchmark: Any, tiny_bundle: Path) -> None:
    from arietta.generation.loop import generate
    from arietta.generation.request import Request

    bench, engine = benchmark("benchmarks.speed.batch"), engine_of(tiny_bundle)
    take, other = (generate(Request(notes=5, seed=seed), engine) for seed in (0, 1))
    bench.assert_same(take, take)
    with pytest.raises(SystemExit, match="seed 0"):
        bench.assert_same(take, other)


def test_a_long_piece_tells_its_memory_and_what_its_end_costs(
    benchmark: Any, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = benchmark("benchmarks.speed.compose")
    for name, value in (("LONG_NOTES", 60), ("EARLY", 20), ("SPAN", 10)):
        monkeypatch.setattr(bench, name, value)
    bench.measure_long(engine_of(tiny_bundle), 1)
    found = printed(capsys)
    assert len(found) == 5 and found["compose/60 notes, memory at the end"] > 1
    assert found["compose/60 notes, cost of the last 10 against notes 20-30"] > 0


# The guard


@pytest.fixture
def guard(benchmark: Any) -> ModuleType:
    module: ModuleType = benchmark("benchmarks.speed.guard")
    return module


def test_the_guard_knows_the_ratios_that_are_expected(guard: ModuleType) -> None:
    expected = json.loads(guard.EXPECTED.read_text())
    assert set(expected) == set(guard.RATIOS)
    assert all(0 < kept["tolerance"] < 1 and kept["expected"] > 0 for kept in expected.values())


def test_a_ratio_may_fall_within_its_tolerance_and_no_further(guard: ModuleType) -> None:
    expected = {"a": {"expected": 2.0, "tolerance": 0.25}, "b": {"expected": 10.0, "tolerance": 0.5}}
    assert guard.judge({"a": 1.5, "b": 5.0}, expected) == []
    assert guard.judge({"a": 90.0, "b": 5.0}, expected) == []
    assert guard.judge({"a": 1.49, "b": 5.0}, expected) == ["a: 1.49, expected 2, at least 1.5"]


def test_a_ratio_on_one_side_only_is_told(guard: ModuleType) -> None:
    sentences = guard.judge({"new": 1.0}, {"old": {"expected": 1.0, "tolerance": 0.5}})
    assert [sentence.split(":")[0] for sentence in sentences] == ["new", "old"]


def test_a_ratio_is_that_of_the_best_times(guard: ModuleType) -> None:
    assert guard.ratio([(6.0, 9.0), (8.0, 2.0)]) == 3.0


def test_every_ratio_of_the_guard_can_be_measured(
    guard: ModuleType, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_of(tiny_bundle)
    monkeypatch.setattr(
        guard, "_steps_seconds", lambda engine, filled, pieces=1: float(filled)
    )  # 900 rows do not fit here
    assert all(np.min(timed(engine)) > 0 for timed in guard.RATIOS.values())


# All together


def made_package(folder: Path, monkeypatch: pytest.MonkeyPatch, run_all: ModuleType) -> None:
    """Let a package of the test's own stand for the benchmarks."""
    (folder / "made").mkdir()
    (folder / "made" / "__init__.py").touch()
    monkeypatch.setattr(run_all, "PACKAGE", "made")
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_what_benchmarks_print_becomes_one_file(
    benchmark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = benchmark("benchmarks.shared.run_all")
    made_package(tmp_path, monkeypatch, together)
    (tmp_path / "made" / "a.py").write_text("import sys\nprint('words')\nprint('{\"name\": \"' + sys.argv[1] + '\"}')")
    monkeypatch.setattr(sys, "argv", ["run_all", str(tmp_path / "out.json"), "a 'one two'", "a 3"])
    assert together.main() == 0
    content = json.loads((tmp_path / "out.json").read_text())
    assert [line["name"] for line in content["figures"]] == ["one two", "3"] and content["machine"]


def test_a_benchmark_that_fails_leaves_no_file(benchmark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    together = benchmark("benchmarks.shared.run_all")
    made_package(tmp_path, monkeypatch, together)
    (tmp_path / "made" / "a.py").write_text("raise SystemExit(3)")
    monkeypatch.setattr(sys, "argv", ["run_all", str(tmp_path / "out.json"), "a"])
    with pytest.raises(subprocess.CalledProcessError):
        together.main()
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize("positions", ["relative", "rotary"])
def test_the_peer_in_eager_torch_is_the_same_network(benchmark: Any, positions: str, tmp_path: Path) -> None:
    import torch

    from arietta.train.network.fields import shift_right

    folder = bundle_of(tmp_path / "mine", replace(TINY, positions=positions))
    eager = benchmark("benchmarks.speed.peers").Eager(load_bundle(folder))
    sizes, anything = torch.tensor(TINY.field_sizes), torch.zeros(1, len(TINY.conditions), dtype=torch.int64)
    rows = eager.generate(20)
    found = torch.stack([eager.step(row, place) for place, row in enumerate([sizes, *rows[:-1]])])
    hidden = eager.model.embedding(shift_right(rows[None], TINY.field_sizes), anything)
    for block in eager.model.blocks:
        hidden = block(hidden)
    torch.testing.assert_close(found, eager.model.norm(hidden)[0], atol=1e-4, rtol=1e-4)


def test_a_peer_that_is_not_installed_is_left_out_with_its_reason(
    benchmark: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = benchmark("benchmarks.speed.peers")
    for name in ("midigpt", "midigpt.inference", "midigpt.inference.model"):
        monkeypatch.setitem(sys.modules, name, None)
    assert bench.midigpt_of(TINY, 500) == {}
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith("midigpt is left out: ") and told.err.count("\n") == 1


def test_the_tokens_midigpt_makes_are_told_in_notes_of_maestro(benchmark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = benchmark("benchmarks.speed.peer_midigpt")
    session = SimpleNamespace(gen_count=0)
    session.run = lambda: setattr(session, "gen_count", 200)  # so the tokens are those after the run
    monkeypatch.setattr(peer, "seconds", lambda work: work() or 4.0)
    monkeypatch.setattr(peer, "TOKENS_A_NOTE", 2.5)
    assert peer.seconds_of(30, session) == pytest.approx(30 * 2.5 * 4.0 / 200)


def test_midigpt_composes_and_its_encoder_counts(benchmark: Any, tmp_path: Path) -> None:
    pytest.importorskip("midigpt", reason="needs midigpt: pip install '.[peers]'")
    peer = benchmark("benchmarks.speed.peer_midigpt")
    session = peer.open_session(peer.load_midigpt(TINY), 20)
    assert peer.seconds_of(20, session) > 0 and not session.truncated
    assert session.gen_count / peer.BARS == pytest.approx(peer.NOTES_A_BAR * peer.TOKENS_A_NOTE, rel=0.3)
    count = 4 * peer.BARS + 3  # quarters of a window, and three more, which are left out
    quarters = Notes.of(0.48 * np.arange(count), [0.4] * count, [60] * count, [64] * count)
    write(tmp_path / "quarters.mid", quarters)
    found = peer.count([str(tmp_path / "quarters.mid")] * 2)
    assert (found["notes"], found["bars"]) == (2 * 4 * peer.BARS, 2 * peer.BARS)
    assert 2 * found["notes"] < found["tokens"] < 5 * found["notes"]


# Originality


def test_takes_are_told_with_how_many_are_as_original_as_works_of_people(
    tiny_bundle: Path, tmp_path: Path, benchmark: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = benchmark("benchmarks.quality.originality")
    requests = [Request(notes=bench.TAKE, seed=seed) for seed in (1, 2)]
    model = knowing(tmp_path / "knowing", tiny_bundle, *requests)
    other = knowing(tmp_path / "other", tiny_bundle, requests[1])
    index = extend_description(open_index(model / INDEX), {"recall": {"exact": {"100": {"found": 0.5, "right": 1.0}}}})
    bench.measure_takes(str(model), open_index(other / INDEX), 3)
    lines = {line["name"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    first, own = lines["originality/takes of knowing"], lines["originality/takes of knowing, by its own index"]
    assert (first["inside"], own["inside"], first["pieces"], first["notes"]) == (2, 1, 3, 300)
    assert first["interval_95"][0] < first["inside_human_interval"] < first["interval_95"][1]
    assert first["longest_most"] > 250 and first["bundle"] == load_bundle(model).fingerprint
    recall = lines["originality/index of knowing, exact copy of 100 notes"]
    assert (recall["recall"], recall["precision"], recall["pieces"]) == (0.5, 1.0, len(index.pieces))
