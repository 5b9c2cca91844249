"""The benchmark of the embedding: real against real and spoiled, composers and styles, on a corpus made of tunes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from arietta.corpus.store import Store
from arietta.evaluation.embedding import known_composers
from arietta.model.engine import OnnxEngine
from tests.support.bundles import engine_of
from tests.support.corpora import COMPOSERS, make_store
from tests.support.tunes import tune

SPLITS = ("validation", "train", "test", "test") * 8  # two composers in turn
CORPORA = ("maestro",) * 16 + ("giantmidi",) * 16


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    from benchmarks.quality import embedding as bench_embedding

    monkeypatch.setattr(bench_embedding, "NOTES", 130)
    monkeypatch.setattr(bench_embedding, "SHARES", (0.1, 1.0))
    chosen = {name: bench_embedding.SPOILERS[name] for name in ("pitches drawn", "velocities flattened")}
    monkeypatch.setattr(bench_embedding, "SPOILERS", chosen)
    return bench_embedding


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    tunes = [tune(seed, 140) for seed in range(len(SPLITS))]
    made = make_store(tmp_path_factory.mktemp("made") / "corpus", pieces=tunes, splits=SPLITS)
    pieces = [replace(one, corpus=corpus) for one, corpus in zip(made.pieces, CORPORA, strict=True)]
    return Store(made.path, pieces, made.fingerprint, made._columns)


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {line["name"]: line for line in lines}


def test_real_music_is_held_against_real_music(
    bench: ModuleType, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.print_real(store)
    lines = printed(capsys)
    assert set(lines) >= {"frechet/maestro validation, maestro test", "frechet/giantmidi test, its halves"}
    for line in lines.values():
        assert (
            line["interval_95"][0] < line["distance"] < line["interval_95"][1]
            and line["distance"] < line["uncorrected"]
        )
    assert lines["frechet/giantmidi test, its halves"]["pieces"] == [4, 4]


def test_spoiled_music_is_told_with_its_rank(
    bench: ModuleType, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.print_spoiled(store)
    lines = printed(capsys)
    assert lines.pop("frechet/maestro train and validation, maestro test")["pieces"] == [8, 8]
    assert list(lines) == ["spoiled/pitches drawn", "spoiled/velocities flattened"]
    for line in lines.values():
        distances = [line[key] for key in ("unspoiled", "10%", "100%")]
        assert line["ranked"] == (distances == sorted(distances) and len(set(distances)) == 3)
        assert line["told_apart_from"] in ("10%", "100%", "never")


def test_composers_are_counted_by_piece_and_by_composer(
    bench: ModuleType, store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A classifier that always says Grieg is right in half of the pieces, and of the composers in one of two."""
    order = [COMPOSERS[0], *(name for name in known_composers() if name not in COMPOSERS), COMPOSERS[1]]
    monkeypatch.setattr(bench, "predict_composers", lambda _, most: [(name, 0.0) for name in order[:most]])
    bench.print_composers(store)
    lines = printed(capsys)
    whole = lines["heard/maestro test"]
    assert (whole["top_1"], whole["top_1_by_composer"], whole["commonest"], whole["pieces"]) == (0.5, 0.5, 0.5, 8)
    assert [lines[f"by-composer/{name}"]["top_1"] for name in COMPOSERS] == [1.0, 0.0]
    assert lines[f"by-composer/{COMPOSERS[1]}"]["top_5"] == 0.0


def test_styles_are_held_against_no_style_and_real_pieces(
    bench: ModuleType, store: Store, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine: OnnxEngine = engine_of(tiny_bundle)
    bench.print_styles(store, engine, 4)
    lines = printed(capsys)
    assert [name for name in lines if name.startswith("written/")] == [
        f"written/tiny, {kind}" for kind in ("as it is", "written by its codec", "its takes")
    ]
    styles = [line for name, line in lines.items() if name.startswith("style/")]
    assert styles, "the tiny model knows Grieg"
    for line in styles:
        assert line["told_heard_mostly_as"].endswith("%)")
        assert {"told_top_1", "not_told_top_5", "real_top_1", "takes", "real_pieces"} <= set(line)
