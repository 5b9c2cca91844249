"""What few bits cost is measured against the same weights in 32, and against no others."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.quality import bits
from tests.support.corpora import make_store


def measured(monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    monkeypatch.setattr(sys, "argv", ["bits", *map(str, words)])
    bits.main()


def test_rounding_moves_the_likelihood_a_little(
    tiny_bundle: Path,
    tiny_bundle_32: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = make_store(tmp_path / "corpus")
    corpus = next(piece.corpus for piece in store.pieces if piece.split == "test")
    common = ("--corpus", store.path, "--on", corpus, "--model", tiny_bundle, "--tokens", 60)
    measured(monkeypatch, *common, "--float", tiny_bundle_32)
    line = json.loads(capsys.readouterr().out)
    assert line["ratio"] != 1 and abs(line["ratio"] - 1) < 0.02 and line["notes"] > 0
    assert line["interval_95"][0] <= line["ratio"] <= line["interval_95"][1]
    with pytest.raises(SystemExit):
        measured(monkeypatch, *common, "--float", tiny_bundle)
    assert "no model of the same network in 32 bits" in capsys.readouterr().err
