"""The n-th write fails, for every n: what was there stays to the byte, nothing is half-written, a sentence says so."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from arietta.cli import main
from arietta.codecs.note import NoteCodec
from arietta.errors import AriettaError, BundleError, CorpusError
from arietta.files import atomic_folder, write_file
from arietta.music.midi import write_midi
from arietta.originality.build import build_index
from arietta.render.audio import write_audio
from arietta.render.score import write_score
from arietta.train.checkpoint import Trained, write_checkpoint, write_json
from arietta.train.onnx.export import write_bundle
from tests.support.bundles import TINY_LSTM, bundle_of, random_model
from tests.support.corpora import scale
from tests.support.failing_disk import every_failure, files_of
from tests.support.indexes import about


def older(folder: Path) -> Path:
    """A folder with an older one in it, and a file beside."""
    (folder / "kept").mkdir(parents=True)
    (folder / "kept" / "a").write_bytes(b"older")
    for name in ("file", "file.ogg", "file.musicxml"):
        (folder / name).write_bytes(b"older" * 5_000)
    return folder


def build(folder: Path) -> None:
    with atomic_folder(folder) as unfinished:
        (unfinished / "a").write_bytes(b"newer" * 5_000)
        (unfinished / "b").write_text("newer")


WRITERS: dict[str, Callable[[Path], object]] = {
    "file": lambda folder: write_file(folder / "file", b"newer" * 5_000),
    "json": lambda folder: write_json(folder / "file", {"a": 1}),
    "folder": lambda folder: build(folder / "kept"),
    "checkpoint": lambda folder: write_checkpoint(folder / "file", {"model": {"a": torch.zeros(9_000)}, "step": 1}),
    "sound": lambda folder: write_audio(folder / "file.ogg", scale(0, 3)),
    "score": lambda folder: write_score(folder / "file.musicxml", scale(0, 60)),
    "midi": lambda folder: write_midi(folder / "file", scale(0, 5_000)),
}


@pytest.mark.parametrize("name", WRITERS)
def test_whichever_write_fails_what_was_there_stays(tmp_path: Path, name: str) -> None:
    folder = older(tmp_path)
    before, failures = files_of(folder), 0
    for disk in every_failure():
        with disk:
            try:
                WRITERS[name](folder)
            except (OSError, AriettaError):
                assert disk.has_failed
        if disk.has_failed:
            failures += 1
            assert files_of(folder) == before, f"write {disk.number}"
            assert not list(folder.glob(".*")), f"write {disk.number}"
    assert failures >= 3 and files_of(folder) != before


@pytest.fixture
def music(tmp_path: Path) -> Path:
    for seed in range(3):
        (tmp_path / "music" / str(seed)).mkdir(parents=True)
        write_midi(tmp_path / "music" / str(seed) / "a.mid", scale(seed, 400))
    return tmp_path / "music"


def complaint(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> tuple[int, str]:
    code = main(arguments)
    return code, capsys.readouterr().err


def test_ingest_is_whole_or_the_older_corpus_stays(
    music: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verb = ["ingest", str(music), "--out", str(tmp_path / "out" / "corpus"), "--workers", "1"]
    assert main(verb) == 0
    before, failures = files_of(tmp_path / "out"), 0
    shutil.rmtree(music / "2")
    capsys.readouterr()
    for disk in every_failure():
        with disk:
            code, said = complaint(capsys, verb)
        assert code == (2 if disk.has_failed else 0), f"write {disk.number}: {said}"
        if disk.has_failed:
            failures += 1
            lines = said.strip().splitlines()
            assert lines[-1].startswith("arietta: ") and "Traceback" not in said, said
            assert files_of(tmp_path / "out") == before, f"write {disk.number}"
    assert failures > 20 and files_of(tmp_path / "out") != before


def test_a_model_is_exported_whole_or_the_older_one_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arietta.train.onnx.export.PROOFS", 1)
    monkeypatch.setattr("arietta.train.onnx.export.PROOF_NOTES", 3)
    model, out = random_model(TINY_LSTM), tmp_path / "models"
    bundle_of(out / "small", TINY_LSTM, model, bits=32)
    before, failures = files_of(out), 0
    trained = Trained(model, TINY_LSTM, NoteCodec())
    for disk in every_failure():
        with disk:
            try:
                write_bundle(trained, out / "small", {"new": True}, bits=32)
            except BundleError as error:
                assert str(error).startswith(f"{out / 'small'}: cannot be written (")  # noqa: PT017
        if disk.has_failed:
            failures += 1
            assert files_of(out) == before, f"write {disk.number}"
    assert failures > 10 and files_of(out) != before


def test_an_index_is_whole_or_the_older_one_stays(tmp_path: Path) -> None:
    pieces = [about(number, scale(number, 300)) for number in range(2)]
    build_index(tmp_path / "index", pieces, lambda number: scale(number, 300), corpus="a")
    before, failures = files_of(tmp_path), 0
    for disk in every_failure():
        with disk:
            try:
                build_index(tmp_path / "index", pieces, lambda number: scale(number + 7, 300), corpus="b")
            except CorpusError as error:
                assert str(error).startswith(f"{tmp_path / 'index'}: cannot be written (")  # noqa: PT017
        if disk.has_failed:
            failures += 1
            assert files_of(tmp_path) == before, f"write {disk.number}"
    assert failures > 5 and files_of(tmp_path) != before
