"""Weights trained elsewhere become models: the numbers are the file's, the card says what the run says of itself."""

from __future__ import annotations

import io
import json
import lzma
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from arietta.codecs.note import NoteCodec
from arietta.model.bundle import load_bundle
from arietta.model.config import Condition, ModelConfig
from arietta.train.onnx.weights import read_weights
from release import import_weights
from release.cards import trained
from tests.support.bundles import TINY, random_model

pytestmark = pytest.mark.usefixtures("single_torch_thread")
CONTROLS = {"density": 9, "loudness": 9, "key": 25, "role": 4, "left": 33}
EDGES = {"density": [5.0, 6.8, 8.2, 9.6, 11.2, 13.1, 16.1], "loudness": [57.8, 63.6, 67.5, 70.9, 74.5, 78.3, 84.0]}
RUN = {"edges": EDGES, "controls": CONTROLS, "settings": {"transpose": [-3, 3]}, "args": {"lr": 0.015}, "torch": "2.11"}
RUN |= {"device": "Abacus", "steps": 5414, "rows": 354811904, "seconds": 370.4}
RUN |= {"validation": {"nats_per_row": 6.5, "nats_per_note": 7.7, "fields": [1.0]}}


def network() -> ModelConfig:
    conditions = (*TINY.conditions, *(Condition(name, size) for name, size in CONTROLS.items()))
    return replace(TINY, field_sizes=NoteCodec().field_sizes, positions="rotary", conditions=conditions)


def write_weights(path: Path, weights: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
    """A weights file as a run writes it, one matrix in 8 bits."""
    arrays: dict[str, Any] = {"meta": np.frombuffer(json.dumps(meta).encode(), np.uint8)}
    for name, weight in weights.items():
        renamed = name.replace(".conditions.composer", ".composer").replace(".conditions.source", ".source")
        renamed = renamed.replace(".conditions.", ".controls.")
        if name == "blocks.0.up.weight":
            arrays[f"{renamed}.int8"] = np.rint(weight * 100).astype(np.int8).reshape(len(weight), -1, 64)
            arrays[f"{renamed}.scale"] = np.full((len(weight), weight.shape[1] // 64), 0.01, np.float16)
        else:
            arrays[renamed] = weight.astype(np.float16)
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    path.write_bytes(lzma.compress(content.getvalue(), preset=0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, config = tmp_path_factory.mktemp("weights"), network()
    described = config.describe()
    del described["conditions"]
    described |= {"composers": list(config.composers), "sources": list(config.sources)}
    weights = {name: weight.numpy() for name, weight in random_model(config).state_dict().items()}
    write_weights(folder / "piano.npz.xz", weights, {"config": described, "extra": RUN})
    difference = {name: np.full_like(weight, 0.0078125) for name, weight in weights.items()}
    later = RUN | {"steps": 2065, "begun_from": RUN | {"name": "piano"}}
    meta = {"config": described, "extra": later, "mean": {"the earlier run": 0.2, "this one": 0.8}}
    write_weights(folder / "concert-from-piano.npz.xz", difference, meta)
    return folder


def imported(folder: Path, out: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    words = ["import_weights", str(folder), "--name", name, "--out", str(out), "--bits", "32"]
    monkeypatch.setattr(sys, "argv", words)
    import_weights.main()
    return out / name


def test_a_model_has_the_files_weights_and_the_conditions_with_their_thresholds(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = load_bundle(imported(folder, tmp_path, "piano", monkeypatch))
    conditions = {condition.name: condition for condition in bundle.model.conditions}
    assert list(conditions) == ["composer", "source", "density", "loudness", "key", "role", "left"]
    assert conditions["density"].ids_of([4.0, 5.0, 20.0]).tolist() == [1, 2, 8]
    assert conditions["key"].values[:2] == ("C major", "D flat major") and conditions["key"].values[12] == "C minor"
    assert conditions["role"].values == ("after", "kept", "passage")
    weights, trained_weights = read_weights(bundle), random_model(network()).state_dict()
    assert set(weights) == set(trained_weights)
    for name, weight in trained_weights.items():
        torch.testing.assert_close(weights[name], weight, atol=6e-3, rtol=1e-3, msg=name)


def test_names_without_music_are_not_offered(folder: Path) -> None:
    weights, meta = import_weights.read_weights(folder / "piano.npz.xz")
    table = weights["embedding.conditions.source.weight"]
    table[1] = np.random.default_rng(0).normal(0, 0.02, table.shape[1])
    expected = table[[0, 2]]
    config = import_weights.drop_untrained(weights, import_weights.model_config(meta))
    assert config.sources == ("sequenced",) and config.composers == TINY.composers
    assert np.array_equal(weights["embedding.conditions.source.weight"], expected)


def test_the_time_left_has_the_ids_of_the_training() -> None:
    steps = np.arange(1, 7000)
    edges = np.unique(np.rint(np.geomspace(1, 6000, 32)).astype(np.int64))
    expected = 1 + np.clip(np.searchsorted(edges, steps, side="right") - 1, 0, len(edges) - 1)
    left = Condition("left", 33, thresholds=import_weights.LEFT_THRESHOLDS)
    assert np.array_equal(left.ids_of(steps), expected)


def test_a_difference_is_added_and_its_card_says_of_what_it_is_the_mean(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    piano, concert = (load_bundle(imported(folder, tmp_path, name, monkeypatch)) for name in ("piano", "concert"))
    before, after = read_weights(piano), read_weights(concert)
    assert torch.allclose(after["norm.weight"], before["norm.weight"] + 0.0078125, atol=1e-3)
    assert piano.card["licence"] == "CC BY 4.0" and concert.card["licence"] == "CC BY-NC-SA 4.0"
    assert trained(piano.card["training"]) == (
        "5,414 updates, 354,811,904 tokens in 370 seconds (957,916 per second) on one Abacus, bfloat16."
    )
    said = trained(concert.card["training"])
    assert "one Abacus, after 5,414 updates and 354,811,904 tokens in 370 seconds, bfloat16" in said
    assert said.endswith("The weights are a mean: 0.2 of the earlier run and 0.8 of this one.")
