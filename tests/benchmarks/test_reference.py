"""The benchmarks behind reports: what real music is like, whether MusPy agrees, and the pages of shipped models."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from arietta.corpus.store import Store
from arietta.evaluation.likelihood import score_piece
from arietta.evaluation.report import report_on
from arietta.model.bundle import DEFAULT_MODEL, load_bundle
from arietta.model.engine import load_engine
from arietta.music.notes import Notes
from tests.support.corpora import make_store
from tests.support.tunes import tune, write

SPLITS = ("train", "validation", "test", "test", "test")


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    return import_module


@pytest.fixture
def reference(benchmark: Any, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module: ModuleType = benchmark("release.reference")
    monkeypatch.setattr(module, "TITLES", {"own": "Own"})
    monkeypatch.setattr(module, "WINDOWS", (120,))
    return module


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make_store(tmp_path / "corpus", pieces=[tune(k, 100 + 40 * k) for k in range(5)], splits=SPLITS)


def test_a_window_is_taken_of_every_held_out_piece_that_is_long_enough(reference: ModuleType, store: Store) -> None:
    found = list(reference.windows(store, "own", 180))
    assert [len(notes) for notes in found] == [180, 180, 180]  # of 100 and 140 notes there are none, the first trains
    assert found == list(reference.windows(store, "own", 180))


def test_bands_are_percentiles_over_the_windows(reference: ModuleType, store: Store) -> None:
    about = reference.measured(store, "own", 120)
    values = [report_on(notes).figures["polyphony"] for notes in reference.windows(store, "own", 120)]
    assert about["windows"] == 4
    assert about["figures"]["polyphony"][2] == pytest.approx(np.median(values), rel=1e-3)
    assert {"tempo", "groove_beats", "coming_back_2"} <= set(about["figures"])


@pytest.mark.posix
def test_models_known_by_their_fingerprint_are_not_scored_again(
    reference: ModuleType, store: Store, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / DEFAULT_MODEL).symlink_to(tiny_bundle)
    (tmp_path / "models").mkdir()
    monkeypatch.setattr(reference, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    out = tmp_path / "reference.json"
    monkeypatch.setattr(sys, "argv", ["reference.py", "--corpus", str(store.path), "--out", str(out)])
    reference.main()
    engine = load_engine(load_bundle(tiny_bundle))
    (about,) = json.loads(out.read_text())["models"].values()
    expected = [score_piece(notes, engine).per_note for notes in reference.windows(store, "own", 120)]
    assert about["bands"]["own/120"][2] == pytest.approx(np.median(expected), rel=1e-3)
    monkeypatch.setattr(reference, "scored", lambda *_: pytest.fail("scored again"))
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--models"])
    reference.main()


def test_our_statistics_are_muspys_where_the_formula_is_the_same(
    benchmark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("muspy", reason="needs MusPy: pip install '.[bench]'")
    bench = benchmark("benchmarks.quality.statistics")
    write(tmp_path / "chord.mid", Notes.of([0, 0, 1], [1, 2, 1], [60, 64, 66], [64] * 3))
    write(tmp_path / "tune.mid", tune(1, 60))
    monkeypatch.setattr(sys, "argv", ["statistics.py", str(tmp_path)])
    assert bench.main() == 0
    assert len(capsys.readouterr().out.splitlines()) == len(bench.PAIRS)


@pytest.mark.posix
def test_each_shipped_model_gets_its_page(
    benchmark: Any, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = benchmark("release.model_reports")
    (tmp_path / DEFAULT_MODEL).symlink_to(tiny_bundle)
    (tmp_path / "models").mkdir()
    monkeypatch.setattr(bench, "SHIPPED", tmp_path)
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["model_reports.py", "--pieces", "4", "--out", str(tmp_path / "reports")])
    assert bench.main() == 0
    page = (tmp_path / "reports" / f"{DEFAULT_MODEL}.html").read_text(encoding="utf-8")
    assert "4 takes of 300 notes" in page and page.count('class="player"') == 3
