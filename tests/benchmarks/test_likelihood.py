"""The benchmark of likelihood: whole pieces of a side, the engine's figure beside torch's, codecs of one field too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from arietta.codecs.codec import Codec
from arietta.codecs.note import NoteCodec
from arietta.codecs.performance import PerformanceCodec
from tests.support.bundles import CARD, TINY, random_model, write_checkpoint
from tests.support.corpora import make_store
from tests.support.tunes import tune


@pytest.fixture
def bench() -> Iterator[ModuleType]:
    import torch

    from benchmarks.quality import likelihood as bench_likelihood

    threads = torch.get_num_threads()
    yield bench_likelihood
    torch.set_num_threads(threads)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    splits = ("train", "validation", "test", "test")
    return make_store(tmp_path / "corpus", pieces=[tune(seed, 40 + 10 * seed) for seed in range(4)], splits=splits).path


def bundle_that_speaks(codec: Codec, folder: Path) -> Path:
    from arietta.train.onnx.export import export

    config = replace(TINY, field_sizes=codec.field_sizes)
    export(write_checkpoint(folder.with_suffix(".pt"), config, random_model(config), codec), folder, CARD, bits=32)
    return folder


def line_of(
    bench: ModuleType, corpus: Path, model: Path, *more: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> dict[str, Any]:
    words = ["likelihood", "--corpus", str(corpus), "--model", str(model), "--on", "own", *more]
    monkeypatch.setattr("sys.argv", words)
    capsys.readouterr()
    bench.main()
    line: dict[str, Any] = json.loads(capsys.readouterr().out)
    return line


@pytest.mark.parametrize("codec", [NoteCodec(), PerformanceCodec()], ids=lambda codec: codec.name)
def test_torch_and_the_engine_agree_on_the_pieces_of_a_side(
    codec: Codec,
    bench: ModuleType,
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = bundle_that_speaks(codec, tmp_path / "mine")
    line = line_of(bench, corpus, model, monkeypatch=monkeypatch, capsys=capsys)
    assert line["name"] == "likelihood/mine, own test" and line["pieces"] == 2
    assert line["engine_apart"] < 1e-4
    assert line["interval_95"][0] <= line["nats_per_note"] <= line["interval_95"][1]
    assert len(line["nats_per_note_by_field"]) == len(codec.field_sizes)
    # Where a token is an event, not a note, which of them are keys is not told.
    assert (line["next_key_accuracy"] is None) == (len(codec.field_sizes) == 1)

    one = line_of(bench, corpus, model, "--pieces", "1", "--context", "8", monkeypatch=monkeypatch, capsys=capsys)
    assert one["name"] == "likelihood/mine, own test (1 pieces), context 8"
    assert one["interval_95"] is None and "engine_apart" not in one
