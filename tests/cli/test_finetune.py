"""`arietta finetune` as a user meets it: a folder of MIDI files in, a model that composes out."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from arietta.cli import main
from arietta.corpus.store import open_store
from arietta.model.bundle import load_bundle
from arietta.music.midi import write_midi
from tests.support.corpora import scale
from tests.support.tunes import tune, write

pytestmark = pytest.mark.usefixtures("single_torch_thread")
QUICK = ["--steps", "2", "--threads", "1", "--device", "cpu"]
QUICK += ["--set", "train.batch=1", "--set", "train.validate_every=1", "--set", "train.warm_up=0"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine").mkdir()
    for seed in range(4):
        write_midi(tmp_path / "mine" / f"{'ABCD'[seed]}.mid", scale(5 * seed, 120 + 31 * seed))
    return tmp_path / "mine"


def finetune(folder: Path, start: Path, out: Path, *more: str) -> int:
    return main(["finetune", str(folder), "--from", str(start), "--out", str(out), *QUICK, *more])


def test_a_folder_becomes_a_model_that_composes_in_its_style(
    folder: Path, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    words = ("--composer", "Clara Schumann", "--licence", "CC0 1.0")
    assert finetune(folder, tiny_bundle, out, *words) == 0
    said = capsys.readouterr()
    assert "are few" in said.err
    assert (
        "How much held-out pieces surprise the model: " in said.out
        and "nats per note before" in said.out
        and f"arietta compose --model {out / 'bundle'}" in said.out
    )
    bundle = load_bundle(out / "bundle")
    assert "Clara Schumann" in bundle.model.composers
    card = json.loads((out / "bundle" / "card.json").read_text())
    assert card["began_from"]["fingerprint"] == load_bundle(tiny_bundle).fingerprint
    assert card["licence"] == "Apache-2.0 and CC0 1.0"
    piece = tmp_path / "piece.mid"
    assert (
        main(["compose", "--model", str(out / "bundle"), "--style", "schumann", "--notes", "5", "-o", str(piece)]) == 0
    )
    assert piece.exists()


@pytest.mark.posix
def test_numbered_files_in_a_folder_of_any_name_are_works_that_can_be_held_out(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    folder, out = tmp_path / os.fsdecode(b"m\xfe"), tmp_path / "r"
    for number in range(1, 21):
        write(folder / f"clara_{number:02}.mid", tune(number, 100))
    assert finetune(folder, tiny_bundle, out, "--composer", "Clara Schumann") == 0
    assert len({piece.work for piece in open_store(out / "corpus").pieces}) == 20


def test_a_folder_without_music_is_refused_in_a_sentence(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert finetune(tmp_path / "empty", tiny_bundle, tmp_path / "run") == 2
    assert "no MIDI file" in capsys.readouterr().err


def test_a_model_that_is_not_there_is_refused_before_the_folder_is_read(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetune(folder, tmp_path / "nothing", tmp_path / "run") == 2
    assert "nothing" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_train_can_begin_from_a_model_too(tiny_bundle: Path, tmp_path: Path) -> None:
    from arietta.train.log import read_metrics
    from tests.support.corpora import make_store

    corpus = make_store(tmp_path / "corpus").path
    words = ["train", "configs/tiny.toml", "--corpus", str(corpus), "--out", str(tmp_path / "run"), *QUICK]
    shape = {"width": 64, "layers": 2, "heads": 4, "kv_heads": 2, "context": 64}
    words += [word for name, value in shape.items() for word in ("--set", f"model.{name}={value}")]
    assert main([*words, "--from", str(tiny_bundle)]) == 0
    assert read_metrics(tmp_path / "run")[0]["kind"] == "validation"
