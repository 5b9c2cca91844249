"""Everything is read and held against its checksum; what was altered is named and counted, with exit code 2."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from arietta.cli import main
from arietta.cli.checksums import verify_checksums
from tests.support.bundles import TINY_LSTM, random_model, write_checkpoint
from tests.support.corpora import make_store


def test_a_sound_corpus_is_told_with_its_pieces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = make_store(tmp_path / "corpus")
    assert main(["inspect", "--verify", str(tmp_path / "corpus")]) == 0
    assert f"6 pieces are as they were read; manifest.jsonl has the fingerprint {store.fingerprint}" in (
        capsys.readouterr().out
    )


def test_altered_pieces_are_named_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_store(tmp_path / "corpus")
    pitch = np.load(tmp_path / "corpus" / "pitch.npy")
    pitch[[310, 700]] ^= 1
    np.save(tmp_path / "corpus" / "pitch.npy", pitch)
    assert main(["inspect", "--verify", str(tmp_path / "corpus")]) == 2
    said = capsys.readouterr().err
    assert "the notes of 1.mid were altered" in said and "and so were 1 more of 6 pieces" in said


def test_a_model_and_its_files_are_read(tiny_lstm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert any("4 files are those that model.json names" in line for line in verify_checksums(tiny_lstm))
    shutil.copytree(tiny_lstm, tmp_path / "altered")
    weights = tmp_path / "altered" / "weights.bin"
    weights.write_bytes(b"?" + weights.read_bytes()[1:])
    assert main(["inspect", "--verify", str(tmp_path / "altered")]) == 2
    assert "weights.bin: altered since it was exported" in capsys.readouterr().err


def test_a_run_has_its_checkpoints_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.json").write_text("{}")
    path = write_checkpoint(tmp_path / "best.pt", TINY_LSTM, random_model(TINY_LSTM))
    assert list(verify_checksums(tmp_path)) == ["best.pt is sound, at step 0"]
    path.write_bytes(path.read_bytes()[:-100])
    assert main(["inspect", "--verify", str(tmp_path)]) == 2
    assert "best.pt: not a checkpoint" in capsys.readouterr().err


def test_what_has_no_checksums_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.mid").touch()
    assert main(["inspect", "--verify", str(tmp_path / "a.mid")]) == 2
    assert main(["inspect", "--verify", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "a MIDI file has no checksum" in said and "neither a corpus" in said
