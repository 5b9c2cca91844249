"""A model for hubs: other programs read its weights, and hubs its card's front matter."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from arietta.cli import main
from arietta.model.bundle import load_bundle
from arietta.model.config import ModelConfig
from arietta.train.network import build_model
from arietta.train.onnx.hub import hub_card, write_hub_folder
from arietta.train.onnx.weights import read_weights


def test_the_network_is_made_again_of_what_was_written(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    write_hub_folder(bundle, tmp_path / "hub")
    config = json.loads((tmp_path / "hub" / "config.json").read_text(encoding="utf-8"))
    assert config["bundle"] == bundle.fingerprint
    weights = load_file(tmp_path / "hub" / "model.safetensors")
    build_model(ModelConfig.from_description(config["model"])).load_state_dict(weights)
    read = read_weights(bundle)
    assert set(weights) == set(read) and all(np.array_equal(weights[name], read[name]) for name in weights)
    assert {weight.dtype for weight in weights.values()} == {torch.float32}


def front_matter(card: str) -> dict[str, object]:
    yaml = pytest.importorskip("yaml", reason="needs a reader of YAML")
    _, text, _ = card.split("---\n", 2)
    matter: dict[str, object] = yaml.safe_load(text)
    return matter


def test_a_card_has_front_matter_with_the_licence_as_hubs_name_it() -> None:
    card = {"title": "Mine", "summary": "waltzes", "licence": "CC BY-NC-SA 4.0", "limits": ["short"], "allows": "play"}
    card |= {"figures": {"own test": {"nats_per_note": 6.54321, "pieces": 1234}}}
    text = hub_card("mine", card)
    matter = front_matter(text)
    assert matter["license"] == "cc-by-nc-sa-4.0" and "midi" in matter["tags"] and matter["library_name"] == "arietta"
    assert "# Mine\n\nwaltzes\n\n## May I use it\n\nplay" in text and "- short" in text
    assert "| own test | 6.54 | 1,234 |" in text and text.endswith("arietta compose --model mine\n")


def test_a_licence_that_hubs_do_not_know_stands_with_its_address() -> None:
    matter = front_matter(hub_card("mine", {"licence": "CC BY-SA 3.0 DE", "licence_url": "https://example.org/de"}))
    assert matter["license"] == "other" and matter["license_name"] == "CC BY-SA 3.0 DE"
    assert matter["license_link"] == "https://example.org/de"
    assert front_matter(hub_card("mine", {}))["license_name"] == "not said"


def test_the_command_writes_it_and_asks_for_a_folder(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(tiny_bundle), "--safetensors", "--out", str(tmp_path / "hub")]) == 0
    assert capsys.readouterr().out == f"Wrote {tmp_path / 'hub'}: README.md, config.json, model.safetensors\n"
    assert main(["export", str(tiny_bundle), "--safetensors"]) == 2
    assert "--out FOLDER" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(["export", str(tiny_bundle), "--safetensors", "--out", str(tmp_path / "file" / "hub")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_card_that_says_little_has_no_empty_words() -> None:
    said = hub_card("mine", {"data": "36 pieces. Licences of the files: CC BY-NC-SA 4.0."})
    assert "license_link" not in said and "\n\n\n" not in said
    assert 'license_name: "not said"' in said and "CC BY-NC-SA 4.0" in said
