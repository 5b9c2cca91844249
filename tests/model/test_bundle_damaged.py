"""Models of strangers: whatever stands in their descriptions, it is a sentence and never a traceback or a long wait."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arietta.errors import AriettaError, BundleError
from arietta.model.bundle import load_bundle
from arietta.model.engine import load_engine

DESCRIPTIONS: dict[str, Any] = {
    "brackets": "[" * 400_000,
    "a list": "[]",
    "a number": "5",
    "not text": b"\xff\xfe",
    "not a number": '{"format": NaN}',
}
UNNAMED = {"name": "composer", "size": 2, "values": [1], "thresholds": []}
SETTINGS: dict[str, Any] = {
    "layers": [10**9, 0, -1, "2", 1.5, None, [2], True],
    "width": [10**9, "x", 33],
    "heads": [10**6, 0, None],
    "context": [10**12, 3, "w"],
    "field_sizes": [[], [1], "abc", 5, [10**9] * 4],
    "conditions": [5, [5], [{"name": "composer"}], [{"name": 5, "size": "x", "values": 1, "thresholds": 2}], [UNNAMED]],
    "kind": [5, [], "gpt"],
    "positions": [[], {}],
}


@pytest.fixture
def copied(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))


@pytest.mark.parametrize("name", ["model.json", "card.json"])
@pytest.mark.parametrize("content", DESCRIPTIONS.values(), ids=DESCRIPTIONS)
def test_a_description_that_is_none_is_refused_by_name(copied: Path, name: str, content: str | bytes) -> None:
    (copied / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BundleError, match="copy"):
        load_bundle(copied)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in SETTINGS.items() for value in values])
@pytest.mark.timed
def test_an_impossible_setting_is_refused_in_a_moment(copied: Path, name: str, value: Any) -> None:
    description = json.loads((copied / "model.json").read_text())
    description["model"][name] = value
    (copied / "model.json").write_text(json.dumps(description))
    begun = time.monotonic()
    with pytest.raises(AriettaError):
        load_engine(load_bundle(copied))
    assert time.monotonic() - begun < 10


@pytest.mark.posix
def test_a_pipe_in_a_models_folder_is_not_waited_for(copied: Path) -> None:
    import os

    (copied / "card.json").unlink()
    os.mkfifo(copied / "card.json")
    with pytest.raises(BundleError, match="not a file but a folder, a pipe or a device"):
        load_bundle(copied)


def test_a_graph_that_fails_while_it_runs_is_a_sentence(copied: Path, capfd: pytest.CaptureFixture[str]) -> None:
    engine = load_engine(load_bundle(copied))
    no_tokens = np.full((1, 4), 10**6)
    with pytest.raises(BundleError, match=r"copy: ONNX Runtime cannot run it \(.*fetch or export the model again"):
        engine.prefill(no_tokens, engine.start([engine.bundle.model.condition_ids()]))
    assert capfd.readouterr().err == ""


def test_a_graph_with_other_inputs_than_described_is_a_sentence(copied: Path) -> None:
    description = json.loads((copied / "model.json").read_text())
    description["model"]["layers"] += 1
    (copied / "model.json").write_text(json.dumps(description))
    engine = load_engine(load_bundle(copied))
    with pytest.raises(BundleError, match="copy: ONNX Runtime cannot run it"):
        engine.score(np.zeros((2, len(engine.bundle.model.field_sizes)), dtype=np.int64))


def test_a_damaged_golden_piece_is_a_sentence(copied: Path) -> None:
    bundle = load_bundle(copied)
    (copied / "golden.npz").write_bytes(b"PK nothing")
    with pytest.raises(BundleError, match=r"golden\.npz: is damaged"):
        bundle.golden()
