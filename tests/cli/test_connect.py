"""`arietta connect` writes so many seconds between two pieces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from arietta.cli import main
from arietta.model.engine import OnnxEngine
from arietta.music.midi import midi_bytes, read_midi
from arietta.music.notes import Notes


def test_two_pieces_lie_so_far_apart(
    tmp_path: Path, waltz: Notes, filling_engine: OnnxEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.mid", "b.mid"):
        (tmp_path / name).write_bytes(midi_bytes(waltz))
    words = ["connect", str(tmp_path / "a.mid"), str(tmp_path / "b.mid"), "--seed", "1"]
    words += ["--model", str(filling_engine.bundle.path), "-o", str(tmp_path / "c.mid")]
    assert main([*words, "--seconds", "3"]) == 0
    notes = read_midi(tmp_path / "c.mid")
    begin = [waltz.seconds + 3 + onset for onset in waltz.onset[:3].tolist()]
    assert all(np.abs(notes.onset - second).min() < 0.002 for second in begin)
    assert main([*words, "--seconds", "90"]) == 2
    assert "seconds lie in 1-60, not 90" in capsys.readouterr().err
