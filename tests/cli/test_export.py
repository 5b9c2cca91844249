"""`arietta export`: a run becomes a model that composes, with the words of its card, or a sentence says why not."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from arietta.cli import main
from arietta.model.bundle import INDEX, load_bundle
from arietta.originality.index import extend_description
from tests.support.bundles import TINY, random_model, write_checkpoint
from tests.support.indexes import indexed

pytestmark = pytest.mark.usefixtures("single_torch_thread")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run whose newest weights are not its best ones."""
    folder = tmp_path / "run"
    write_checkpoint(folder / "best.pt", TINY, random_model(TINY))
    write_checkpoint(folder / "last.pt", TINY, random_model(TINY, seed=1))
    (folder / "run.json").write_text(json.dumps({"store": "0" * 16, "settings": {"data": {"corpora": ["own"]}}}))
    (folder / "metrics.jsonl").write_text("")
    return folder


def test_a_run_is_exported_beside_itself_in_few_bits_and_the_next_command_is_named(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(run)]) == 0
    bundle = load_bundle(run / "bundle")
    assert bundle.bits == 4 and bundle.card["training"]["store"] == "0" * 16
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"Exported {run / 'bundle'} (") and lines[0].endswith(" MB, 4 and 8 bits).")
    assert lines[1].startswith("Try it:") and f"compose --model {run / 'bundle'}" in lines[1]


def test_the_newest_weights_are_exported_where_they_are_asked_for(run: Path, tmp_path: Path) -> None:
    for name, flags in (("best", []), ("last", ["--last"])):
        assert main(["export", str(run), "--bits", "32", "--out", str(tmp_path / name), *flags]) == 0
    best, last = (load_bundle(tmp_path / name) for name in ("best", "last"))
    assert best.bits == last.bits == 32 and best.fingerprint != last.fingerprint


def test_what_a_run_learned_from_and_under_which_licences_stands_in_the_model(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "36 pieces, 9,000 notes: Franz Liszt. Licences of the files: CC BY-NC-SA 4.0."
    (run / "run.json").write_text(json.dumps({"store": "0" * 16, "corpus": {"data": said}}))
    assert main(["export", str(run)]) == 0 and main(["models", str(run / "bundle")]) == 0
    assert said in " ".join(capsys.readouterr().out.split())


def test_a_card_in_toml_stands_in_the_model(run: Path, tmp_path: Path) -> None:
    (tmp_path / "card.toml").write_text('title = "Mine"\nlicence = "CC0"\n')
    assert main(["export", str(run), "--bits", "32", "--card", str(tmp_path / "card.toml")]) == 0
    card = load_bundle(run / "bundle").card
    assert (card["title"], card["licence"]) == ("Mine", "CC0") and set(card) == {"title", "licence", "training"}


@pytest.mark.parametrize("word", ["licens", "training"])
def test_a_word_that_no_card_has_is_refused_with_those_it_has(
    word: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "card.toml").write_text(f'{word} = "x"\n')
    assert main(["export", str(run), "--card", str(tmp_path / "card.toml")]) == 2
    message = capsys.readouterr().err
    assert f"a card has no '{word}'; it has title, summary, data" in message and message.count("\n") == 1
    assert not (run / "bundle").exists()


def test_a_run_without_weights_is_refused_in_one_sentence(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "best.pt").unlink()
    assert main(["export", str(run)]) == 2
    message = capsys.readouterr().err
    assert "best.pt" in message and message.count("\n") == 1
    assert not (run / "bundle").exists()


def test_safetensors_of_a_run_say_what_to_export_first(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", str(run), "--safetensors", "--out", str(tmp_path / "hub")]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "a training run" in said and f"export {run}` first" in said and f"export {run / 'bundle'} --saf" in said
    assert main(["export", str(run)]) == 0 and main(words) == 2
    assert "first" not in capsys.readouterr().err


def test_without_torch_it_says_what_to_install(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "arietta.train.onnx.export", None)
    assert main(["export", str(run)]) == 2
    assert "exporting needs torch and onnx" in capsys.readouterr().err


def test_the_command_says_where_an_older_index_was_left_out(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = run / "bundle"
    for corpora, is_kept in ((["own"], True), (["other"], False)):
        assert main(["export", str(run), "--bits", "32"]) == 0
        capsys.readouterr()
        extend_description(indexed(bundle / INDEX), {"corpora": corpora})
        assert main(["export", str(run), "--bits", "32"]) == 0
        printed = capsys.readouterr().out
        assert (bundle / INDEX).exists() == is_kept
        assert ("is of other music, and was left out" in printed) != is_kept
