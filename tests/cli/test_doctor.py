"""`arietta doctor`: what is installed, what is missing for which verb, and whether it composes."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from arietta.cli import VERBS, doctor, main

REQUIREMENTS = [
    "numpy>=2.0",
    "pillow>=10",
    "no-such-runtime; sys_platform == 'linux'",
    'no-such-extra; extra == "serve"',
]


@pytest.fixture
def lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: REQUIREMENTS)


def test_it_composes_and_says_so(tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--model", str(tiny_bundle)]) == 0
    out = capsys.readouterr().out
    assert "tiny was loaded in" in out and "composed 20 notes in" in out and "All is well." in out
    assert "Python" in out and "numpy" in out and "Models: " in out


def test_a_package_that_is_missing_is_named_with_its_verbs_and_a_command(
    lacking: None, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--model", str(tiny_bundle)]) == 0
    out = capsys.readouterr().out
    assert "no-such-extra missing, for serve: " in out and "pip install" in out
    assert "no-such-runtime missing, for compose, play" in out


def test_an_installation_that_cannot_compose_ends_with_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--model", str(tmp_path)]) == 2
    assert "It cannot compose: " in capsys.readouterr().out


def test_the_extras_it_tells_of_are_those_that_verbs_need() -> None:
    named = {word for verbs in doctor.VERBS.values() for word in verbs.replace(",", "").split()}
    assert {"serve", "train", "finetune", "export", "render"} <= named & set(VERBS)
