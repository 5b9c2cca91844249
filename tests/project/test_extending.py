"""docs/use/extending.md: its codec, its network and its samplers work, as it says, from outside the package."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import arietta
from arietta.cli import main
from arietta.codecs import CODECS, READABLE
from arietta.codecs.codec import Losses
from arietta.model.bundle import load_bundle
from arietta.music.notes import Notes
from arietta.train.network import NETWORKS
from tests.support.corpora import make_store

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "use" / "extending.md").read_text(encoding="utf-8")
FILES = {
    block.split(":")[0].removeprefix("# "): block for block in re.findall(r"```python\n(# .*?)```", PAGE, re.DOTALL)
}
SAMPLERS = re.findall(r"```python\n(import .*?)```", PAGE, re.DOTALL)
SMALL = ["--set", "train.steps=2", "--set", "train.validation_windows=1", "--threads", "1", "--device", "cpu"]


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    """What the files add is gone after each test."""
    before = dict(CODECS), list(READABLE), dict(NETWORKS)
    yield
    for registry, entries in ((CODECS, before[0]), (NETWORKS, before[2])):
        registry.clear()
        registry.update(entries)
    READABLE[:] = before[1]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(name: str) -> None:
    """Run one of the page's files, as importing it would."""
    Path(name).write_text(FILES[name], encoding="utf-8")
    runpy.run_path(name, run_name=Path(name).stem)


@pytest.mark.parametrize("name", ["steps.py", "mingru.py"])
def test_the_commands_of_the_page_train_export_and_compose(name: str, here: Path) -> None:
    make_store(here / "corpus")
    run(name)
    commands = [line.split() for line in re.findall(rf"^    python {name} (.*)$", PAGE, re.MULTILINE)]
    commands += [line.split() for line in re.findall(r"^    arietta (.*)$", PAGE, re.MULTILINE) if name == "mingru.py"]
    assert [words[0] for words in commands] == ["train", "export", "compose"]
    train, export, compose = commands
    assert main(["train", str(ROOT / train[1]), *train[2:], *SMALL]) == 0
    assert main(export) == 0
    assert main([*compose[:-1], "40", "--seed", "7", "-o", "piece.mid"]) == 0
    assert len(arietta.read_midi("piece.mid")) == 40


def test_the_codec_keeps_its_laws_and_a_model_of_it_is_read_by_its_description(here: Path, waltz: Notes) -> None:
    run("steps.py")
    codec = CODECS["steps"]()
    tokens = codec.encode(waltz)
    assert codec.decode(tokens) == codec.quantise(waltz) and len(codec.quantise(waltz))
    assert np.array_equal(codec.encode(codec.decode(tokens)), tokens)
    assert codec.losses(codec.quantise(waltz)) == Losses()
    assert arietta.codecs.load_codec(codec.describe()).name == "steps"


def test_a_model_with_a_network_of_ones_own_composes_without_its_file(here: Path, tiny_lstm: Path) -> None:
    assert not NETWORKS
    description = (tiny_lstm / "model.json").read_text(encoding="utf-8")
    (here / "model").mkdir()
    for file in tiny_lstm.iterdir():
        if file.is_file():
            (here / "model" / file.name).write_bytes(file.read_bytes())
    (here / "model" / "model.json").write_text(
        description.replace('"kind": "lstm"', '"kind": "lstm", "network": "mine"')
    )
    assert load_bundle(here / "model").model.network == "mine"
    assert len(arietta.compose(20, model=here / "model", seed=1).notes) == 20


@pytest.mark.parametrize("block", SAMPLERS, ids=["by field", "masks and noise"])
def test_the_samplers_of_the_page_compose(block: str, here: Path) -> None:
    names: dict[str, object] = {}
    exec(compile(block, "a document", "exec"), names)  # noqa: S102 - our own document
    (path,) = here.glob("*.mid")
    notes = arietta.read_midi(path)
    assert len(notes) == 60
    if path.name == "white.mid":
        assert set((notes.pitch % 12).tolist()) <= {0, 2, 4, 5, 7, 9, 11}
