"""`arietta lead-in` writes what comes before a piece."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from arietta.cli import main
from arietta.model.engine import OnnxEngine
from arietta.music.midi import midi_bytes, read_midi
from arietta.music.notes import Notes


def test_a_piece_begins_so_much_later(
    tmp_path: Path, waltz: Notes, filling_engine: OnnxEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.mid").write_bytes(midi_bytes(waltz))
    words = ["lead-in", str(tmp_path / "a.mid"), "--seed", "1", "--model", str(filling_engine.bundle.path)]
    assert main([*words, "--seconds", "3", "-o", str(tmp_path / "b.mid")]) == 0
    notes = read_midi(tmp_path / "b.mid")
    assert all(np.abs(notes.onset - 3 - onset).min() < 0.002 for onset in waltz.onset.tolist())
    assert f" new notes of {len(notes)}, seed 1" in capsys.readouterr().out
    assert main([*words, "--seconds", "0.2"]) == 2
