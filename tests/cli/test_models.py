"""`arietta models`: those that are here, those that can be fetched, and what each may be used for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from arietta.cli import main
from arietta.model import bundle as bundles
from arietta.model.registry import known_models
from tests.support.beats import random_weights, write_network


@pytest.fixture
def folder(tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the user's own model folder, the only one, with a model `mine` in it."""
    shutil.copytree(tiny_bundle, tmp_path / "models" / "mine")
    monkeypatch.setattr(bundles, "model_folders", lambda: [tmp_path / "models"])
    monkeypatch.delenv("ARIETTA_MODELS_URL", raising=False)
    return tmp_path / "models"


def test_models_that_are_here_and_that_can_be_fetched_are_listed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (mine,) = [line for line in lines if line.startswith("  mine ") and "MB" not in line and "yours" not in line]
    assert "your models" in mine
    (concert,) = [line for line in lines if line.startswith("  concert ") and "to be fetched" in line]
    assert known_models()["concert"].licence in concert
    assert any("a model of yours" in line for line in lines)
    assert "download NAME`, once somebody publishes them: --url or $ARIETTA_MODELS_URL says where." in " ".join(lines)


def test_the_address_of_a_mirror_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ARIETTA_MODELS_URL", "https://example.org/models")
    assert main(["models"]) == 0
    assert capsys.readouterr().out.endswith("from https://example.org/models.\n")


def test_programs_get_a_line_of_json_for_each(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    models = {model["name"]: model for model in map(json.loads, capsys.readouterr().out.splitlines())}
    assert models["mine"]["path"] == str(folder / "mine")
    assert models["mine"]["fingerprint"] == bundles.load_bundle(folder / "mine").fingerprint
    assert models["piano"]["path"] is None and models["piano"]["bytes"] > 1e6


def test_a_damaged_model_is_listed_with_its_fault(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mine" / "weights.bin").write_bytes(b"other")
    assert main(["models"]) == 0
    assert "damaged: " in capsys.readouterr().out


def test_a_model_says_whether_it_may_be_used_and_what_it_learned_from(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = {"summary": "a model of waltzes", "licence": "CC0", "allows": "anything", "items": {"waltzes": {"train": 9}}}
    (folder / "mine" / "card.json").write_text(json.dumps(card))
    assert main(["models", "mine"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "mine: a model of waltzes"
    asked = [line.split("  ")[1] for line in lines[2:] if not line.startswith("   ")]
    assert asked == ["licence", "may I use it", "your pieces", "every item"]
    assert "9 of waltzes (train): docs/use/models/items.jsonl.xz" in " ".join(lines)


def test_a_model_that_is_not_here_is_known_by_its_licence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "concert"]) == 0
    assert "CC BY-NC-SA 4.0 (https://creativecommons.org/licenses/by-nc-sa/4.0/)" in capsys.readouterr().out
    assert main(["models", "nobody"]) == 2


def test_it_is_said_by_what_beats_are_found(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models"]) == 0
    assert "Beats and bars are found by accents" in capsys.readouterr().out
    write_network(folder / "mine" / "beats", random_weights())
    monkeypatch.setattr("arietta.files.CHECKOUT", tmp_path / "nowhere")
    monkeypatch.setenv("ARIETTA_MODELS", str(folder))
    monkeypatch.delenv("ARIETTA_BEATS")
    assert main(["models"]) == 0
    assert "the network that comes with `mine` (CC BY-NC-SA 4.0)" in capsys.readouterr().out
