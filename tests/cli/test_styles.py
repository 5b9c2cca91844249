"""`arietta styles`: whom a model knows, who is offered, and which model knows whom."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from arietta.cli import main
from arietta.model.bundle import load_bundle
from arietta.model.composers import may_be_living


def test_the_composers_of_a_model_are_listed_with_their_years(
    tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["styles", "--model", str(tiny_bundle)]) == 0
    out = capsys.readouterr().out
    assert "Edvard Grieg" in out and "1907" in out


def test_the_living_are_listed_only_where_all_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    living = [name for name in load_bundle("piano").model.composers if may_be_living(name)]
    assert living, "or this test says nothing"
    assert main(["styles"]) == 0
    out = capsys.readouterr().out
    assert not any(name in out for name in living)
    assert f"{len(living)} more, who may be living: --all lists them." in out
    assert main(["styles", "--all"]) == 0
    assert all(name in capsys.readouterr().out for name in living[:1])


def test_how_well_a_composer_is_recognised_comes_from_the_card(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(tiny_bundle, tmp_path / "tiny")
    card = json.loads((copy / "card.json").read_text(encoding="utf-8"))
    card["recognised"] = {"Edvard Grieg": {"first": 0.25, "among_five": 0.5, "takes": 8}}
    (copy / "card.json").write_text(json.dumps(card), encoding="utf-8")
    assert main(["styles", "--model", str(copy)]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "Edvard Grieg" in line]
    assert line.split()[-2:] == ["25%", "50%"]
    assert main(["styles", "--model", str(copy), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"composer": "Edvard Grieg", "died": 1907, "recognised": card["recognised"]["Edvard Grieg"]} in lines


def test_the_models_that_know_a_composer_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["styles", "JS Bach"]) == 0
    out = capsys.readouterr().out
    assert "Johann Sebastian Bach" in out and "piano" in out and "Carl Philipp" not in out


def test_a_composer_whom_no_model_knows_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["styles", "greig"]) == 2
    assert "no model knows 'greig'; nearest: Edvard Grieg" in capsys.readouterr().err


def test_a_model_without_composers_has_one_style(tiny_lstm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if load_bundle(tiny_lstm).model.composers:
        pytest.skip("this model knows composers")
    assert main(["styles", "--model", str(tiny_lstm)]) == 2
    assert "was trained without composers: it has one style" in capsys.readouterr().err
