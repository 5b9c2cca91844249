"""The comparison of optimisers: every case is trained alike but for its optimiser and rate, and told in one line."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.quality import optimisers
from tests.support.corpora import make_store

pytestmark = pytest.mark.usefixtures("single_torch_thread")
SMALL = {"model.heads": 2, "data.length": 32, "train.batch": 2}


def test_each_optimiser_is_scored_at_each_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = make_store(tmp_path / "corpus")
    maestro = store.with_pieces([replace(piece, corpus="maestro") for piece in store.pieces])
    monkeypatch.setattr(optimisers, "open_store", lambda _: maestro)
    monkeypatch.setattr(optimisers, "ALIKE", optimisers.ALIKE | SMALL)
    words = ["optimisers", "--corpus", "corpus", "--runs", str(tmp_path / "runs"), "--steps", "3", "--windows", "4"]
    words += ["--width", "16", "--layers", "1"]
    monkeypatch.setattr(sys, "argv", words)
    optimisers.main()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 6 and {line["name"] for line in lines} >= {
        "optimiser/muon at 0.025",
        "optimiser/adamw at 0.003",
    }
    assert all(line["parameters"] < 100_000 for line in lines), "a network of 3.6 million was not asked for"
    assert {line["updates"] for line in lines} == {3} and len({line["rows_trained"] for line in lines}) == 1
    assert len({line["nats_per_note"] for line in lines}) == 6 and all(line["pieces"] == 1 for line in lines)
