"""The models of a server: checked when it starts, each loaded once, chosen by name and never by path."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import arietta.serve.jobs.models
from arietta.errors import BundleError, CorpusError, RequestError
from arietta.generation.request import Request
from arietta.model.bundle import DEFAULT_MODEL, INDEX
from arietta.model.engine import OnnxEngine
from arietta.originality.index import POSTINGS
from arietta.serve.jobs.models import Models
from tests.support.indexes import knowing


def test_each_model_is_loaded_once_however_many_ask(
    tiny_bundle: Path, tiny_lstm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    load_engine = arietta.serve.jobs.models.load_engine

    def load_slowly(bundle: Any, *, threads: int) -> OnnxEngine:
        loaded.append(bundle.name)
        time.sleep(0.05)
        return load_engine(bundle, threads=threads)

    monkeypatch.setattr(arietta.serve.jobs.models, "load_engine", load_slowly)
    models = Models([tiny_bundle, tiny_lstm])
    assert loaded == ["tiny"]
    with ThreadPoolExecutor(6) as callers:
        engines = set(callers.map(models.engine, ["tiny", "tiny-lstm"] * 6))
    assert loaded == ["tiny", "tiny-lstm"]
    assert len(engines) == 2


def test_the_first_model_is_the_default_and_no_other_is_offered(tiny_bundle: Path, tiny_lstm: Path) -> None:
    models = Models([tiny_lstm, tiny_bundle, tiny_lstm])
    assert models.names == ["tiny-lstm", "tiny"]
    assert models.bundle().name == "tiny-lstm"
    with pytest.raises(RequestError, match="there is no model 'concert' here"):
        models.bundle("concert")


def test_two_models_of_one_name_are_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    second = shutil.copytree(tiny_bundle, tmp_path / "tiny")
    with pytest.raises(BundleError, match="have one name"):
        Models([tiny_bundle, second])


def test_a_damaged_model_is_refused_at_the_start_even_when_it_is_not_the_default(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    damaged = shutil.copytree(tiny_bundle, tmp_path / "damaged")
    (damaged / "weights.bin").write_bytes(b"")
    with pytest.raises(BundleError, match=r"weights\.bin: altered"):
        Models([tiny_bundle, damaged])


def test_the_program_without_models_asks_for_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arietta.serve.jobs.models, "list_bundles", list)
    with pytest.raises(BundleError, match="--model FOLDER"):
        Models()


def test_the_shipped_models_are_offered_with_the_default_first(
    tiny_bundle: Path, tiny_lstm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, source in (("chorale", tiny_lstm), (DEFAULT_MODEL, tiny_bundle)):
        shutil.copytree(source, tmp_path / name)
    monkeypatch.setattr(arietta.serve.jobs.models, "list_bundles", lambda: ["chorale", DEFAULT_MODEL])
    monkeypatch.setattr(arietta.serve.jobs.models, "find_bundle", lambda name: tmp_path / name)
    assert Models().names == [DEFAULT_MODEL, "chorale"]


def test_a_damaged_index_is_refused_when_the_server_starts(tiny_bundle: Path, tmp_path: Path) -> None:
    model = knowing(tmp_path / "tiny", tiny_bundle, Request(notes=20))
    (model / INDEX / POSTINGS).unlink()
    with pytest.raises(CorpusError, match="no index of passages here"):
        Models([model])
