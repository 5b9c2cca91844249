"""release/pieces.py: the pieces to hear in README.md are those that its commands compose with the models that ship."""

from __future__ import annotations

import json
from argparse import ArgumentParser

import pytest

import arietta
from arietta.cli.compose import add_arguments
from arietta.generation.request import DEFAULT_NOTES, Request
from arietta.model.bundle import DEFAULT_MODEL, list_bundles, load_bundle
from arietta.music.midi import read_texts
from release import pieces


def test_the_readme_begins_with_five_pieces() -> None:
    names = [name for name, _ in pieces.commands()]
    assert len(names) == len(set(names)) == 5


@pytest.mark.parametrize(("name", "words"), [pytest.param(*each, id=each[0]) for each in pieces.commands()])
def test_a_piece_is_what_its_command_composes(name: str, words: list[str]) -> None:
    parser = ArgumentParser()
    add_arguments(parser)
    asked = parser.parse_args(words[1:])
    model = asked.model or DEFAULT_MODEL
    if model not in list_bundles():
        pytest.skip(f"needs the model `{model}`, which is not in this checkout")
    bundle = load_bundle(model)
    request = Request(asked.notes or DEFAULT_NOTES, style=asked.style, seed=asked.seed).resolve(bundle)
    path = pieces.PIECES / f"{name}.mid"
    (text,) = (text for text in read_texts(path) if text.startswith("arietta {"))
    made = {"model": model, "bundle": bundle.fingerprint} | request.describe()
    assert json.loads(text.removeprefix("arietta ")) == made, "run python -m release.pieces"
    assert len(arietta.read_midi(path)) == request.notes
    assert all(path.with_suffix(ending).stat().st_size > 10_000 for ending in (".mp3", ".png"))
