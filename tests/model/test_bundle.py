"""A model's folder: what is read from it, and what is said of one that is missing, altered or of another kind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arietta import files
from arietta.errors import BundleError
from arietta.model import bundle as bundles
from arietta.model.bundle import FILES, find_bundle, list_bundles, load_bundle, write_description
from arietta.model.registry import known_models
from arietta.program import command
from tests.support.bundles import CARD, TINY

Description = dict[str, Any]


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A bundle that a test may damage."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))


def redescribe(folder: Path, change: Callable[[Description], object]) -> None:
    description = json.loads((folder / "model.json").read_text())
    change(description)
    (folder / "model.json").write_text(json.dumps(description))


def refusal(folder: Path | str) -> str:
    """What is said instead of loading, on one line."""
    with pytest.raises(BundleError) as refused:
        load_bundle(folder)
    assert "\n" not in str(refused.value)
    return str(refused.value)


# What a bundle says


def test_a_bundle_tells_model_codec_card_and_bits(tiny_bundle: Path, tiny_bundle_32: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    assert (bundle.name, bundle.model, bundle.codec.name, bundle.card) == ("tiny", TINY, "note", CARD)
    assert (bundle.bits, load_bundle(str(tiny_bundle_32)).bits) == (8, 32)


def test_the_fingerprint_tells_weights_apart_and_not_copies(
    copy: Path, tiny_bundle: Path, tiny_bundle_32: Path
) -> None:
    fingerprints = [load_bundle(path).fingerprint for path in (tiny_bundle, copy, tiny_bundle_32)]
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]
    assert len(fingerprints[0]) == 16 and int(fingerprints[0], 16)


def test_a_card_may_be_completed_after_export(copy: Path, tiny_bundle: Path) -> None:
    (copy / "card.json").write_text(json.dumps({"title": "Étude"}))
    assert load_bundle(copy).card == {"title": "Étude"}
    assert load_bundle(copy).fingerprint == load_bundle(tiny_bundle).fingerprint


def test_the_golden_piece_is_a_closed_one_of_the_codec(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    golden = bundle.golden()
    assert golden.tokens.dtype == np.uint16 and golden.nll.dtype == np.float32
    assert golden.tokens.shape == golden.nll.shape
    assert len(bundle.codec.decode(golden.tokens)) == 160
    assert golden.condition == (1, 1)


def test_a_bundle_in_the_working_folder_has_its_folders_name(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(copy)
    assert load_bundle(".").name == "copy"


# Finding one


def test_shipped_models_are_listed_by_name_and_found_by_it(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "aside").mkdir()
    monkeypatch.setattr(bundles, "model_folders", lambda: [tmp_path / "aside", tmp_path])
    assert list_bundles() == ["copy"]
    assert find_bundle("copy") == copy
    shutil.copytree(copy, tmp_path / "aside" / "copy")
    assert list_bundles() == ["copy"]
    assert find_bundle("copy") == tmp_path / "aside" / "copy", "the first model folder wins"


def test_models_are_looked_for_in_the_package_its_checkout_and_on_the_users_shelf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "CHECKOUT", tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("ARIETTA_MODELS", raising=False)
    assert bundles.model_folders() == [bundles.SHIPPED, tmp_path / "data" / "arietta" / "models"], (
        "installed, not checked out"
    )
    (tmp_path / "pyproject.toml").touch()
    assert bundles.model_folders()[1] == tmp_path / "models"
    monkeypatch.setenv("ARIETTA_MODELS", str(tmp_path / "mine"))
    assert bundles.model_folders()[2] == tmp_path / "mine"


def test_the_models_of_this_checkout_are_the_ones_this_version_knows() -> None:
    known = {name: model.fingerprint for name, model in known_models().items()}
    here = [folder for shelf in bundles.model_folders()[:2] for folder in shelf.glob("*") if folder.is_dir()]
    assert {folder.name: load_bundle(folder).fingerprint for folder in here} == known
    assert bundles.DEFAULT_MODEL in known


def test_a_model_that_is_to_be_fetched_is_said_to_be_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "_installed", dict)
    assert "it is one to be fetched: see `arietta models grieg-lstm` and `arietta download`" in refusal("grieg-lstm")


def test_an_unknown_name_is_answered_with_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "list_bundles", lambda: ["concert", "grieg-lstm"])
    assert refusal("conzert") == "conzert: no model of that name and no such folder; did you mean concert?"
    assert refusal("xyz") == "xyz: no model of that name and no such folder; the models here are: concert, grieg-lstm"


def test_where_no_model_came_with_the_program_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "model_folders", list)
    assert refusal("concert").endswith("the models here are: none")


@pytest.mark.parametrize("name", ["", "no/such/folder", "a\0b", "x" * 5000])
def test_names_that_can_be_no_folder_are_refused_too(name: str) -> None:
    assert "model" in refusal(name or "nowhere")


def test_a_file_is_no_model(copy: Path) -> None:
    assert "no such folder" in refusal(copy / "model.json")


# Damage


@pytest.mark.parametrize("name", [*FILES, "model.json", "card.json"])
def test_a_missing_file_is_named(name: str, copy: Path) -> None:
    (copy / name).unlink()
    assert refusal(copy) == f"{copy / name}: missing, so the model is incomplete; fetch or export it again"


def test_a_folder_that_is_no_model_is_called_what_it_is(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"{tmp_path}: a folder without a model; `arietta models` lists those that there are"
    (run := tmp_path / "my run").mkdir()
    (run / "run.json").touch()
    said = refusal(run)
    assert said.startswith(f"{run}: a training run, not a model; `{command('export', run)}` makes ")
    assert f"{run}`" not in said  # which a shell would take for two words


@pytest.mark.parametrize("name", FILES)
def test_one_altered_byte_is_noticed(name: str, copy: Path) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    assert refusal(copy) == f"{copy / name}: altered since it was exported; fetch or export the model again"


@pytest.mark.parametrize("name", ["model.json", "card.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b'{"format": 1'])
def test_a_damaged_description_is_named(name: str, content: bytes, copy: Path) -> None:
    (copy / name).write_bytes(content)
    assert "model.json or card.json is damaged" in refusal(copy)


@pytest.mark.parametrize("content", ["[]", "3", "null", '"model"', "{}"])
def test_a_description_of_another_shape_is_damaged(content: str, copy: Path) -> None:
    (copy / "model.json").write_text(content)
    assert "damaged" in refusal(copy)


@pytest.mark.parametrize("key", ["format", "files", "model", "codec", "bits", "feed_rows"])
@pytest.mark.parametrize("value", [None, [], "x", -1])
def test_a_description_with_an_impossible_value_is_refused_in_a_sentence(key: str, value: object, copy: Path) -> None:
    redescribe(copy, lambda description: description.update({key: value}))
    assert str(copy) in refusal(copy)


def test_a_prefill_of_more_tokens_than_the_window_is_refused(copy: Path) -> None:
    redescribe(copy, lambda description: description.update(feed_rows=10**12))
    assert "damaged" in refusal(copy)


def test_another_format_is_told_from_damage(copy: Path) -> None:
    redescribe(copy, lambda description: description.update(format=99))
    known = f"this version of Arietta reads formats 3 to {bundles.FORMAT}"
    assert refusal(copy) == f"{copy}: format 99, {known}; export the model again, or install a newer version"


def test_another_version_of_the_codec_is_refused(copy: Path) -> None:
    redescribe(copy, lambda description: description["codec"].update(version=99))
    assert "the note codec of this version" in refusal(copy) and "99" in refusal(copy)


def test_an_unknown_codec_is_refused(copy: Path) -> None:
    redescribe(copy, lambda description: description["codec"].update(name="runes"))
    assert "unknown codec 'runes'" in refusal(copy)


def test_a_model_that_the_codec_does_not_fit_is_refused(copy: Path) -> None:
    redescribe(copy, lambda description: description["model"].update(field_sizes=[1, 2, 3, 4]))
    assert "field sizes" in refusal(copy)


KEY = {"name": "key", "size": 25, "values": [], "thresholds": []}


@pytest.mark.parametrize(
    "change",
    [
        {"heads": 0},
        {"width": "wide"},
        {"kind": "gru"},
        {"depth": 3},
        {"conditions": None},
        {"conditions": 7},
        {"conditions": ["composer"]},
        {"conditions": [{"name": "composer"}]},
        {"conditions": [KEY | {"size": "many"}]},
        {"conditions": [KEY | {"size": 2, "values": ["C major", "C minor"]}]},
        {"conditions": [KEY, KEY]},
    ],
)
def test_an_impossible_network_is_refused(change: Description, copy: Path) -> None:
    redescribe(copy, lambda description: description["model"].update(change))
    assert str(copy) in refusal(copy)


def test_a_folder_in_a_files_place_is_refused(copy: Path) -> None:
    (copy / "golden.npz").unlink()
    (copy / "golden.npz").mkdir()
    assert (
        refusal(copy)
        == f"{copy / 'golden.npz'}: cannot be read (not a file but a folder, a pipe or a device); name another file"
    )


def test_a_description_is_the_same_text_for_the_same_model(copy: Path) -> None:
    before, bundle = (copy / "model.json").read_bytes(), load_bundle(copy)
    write_description(copy, bundle.model, bundle.codec, bits=bundle.bits, prefill_chunk=bundle.prefill_chunk)
    assert (copy / "model.json").read_bytes() == before
