"""`arietta vary` writes nothing anew at strength 0, and all of it at 1."""

from __future__ import annotations

from pathlib import Path

import pytest

from arietta.cli import main
from arietta.model.engine import OnnxEngine
from arietta.music.midi import midi_bytes, read_midi
from arietta.music.notes import Notes


def test_strength_says_how_much_is_new(
    tmp_path: Path, waltz: Notes, filling_engine: OnnxEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.mid").write_bytes(midi_bytes(waltz))
    words = ["vary", str(tmp_path / "a.mid"), "--seed", "2", "--model", str(filling_engine.bundle.path)]
    assert main([*words, "--strength", "0", "-o", str(tmp_path / "b.mid")]) == 0
    assert read_midi(tmp_path / "b.mid") == read_midi(tmp_path / "a.mid")
    assert "0 new notes" in capsys.readouterr().out
    assert main([*words, "--strength", "1", "--count", "2", "-o", str(tmp_path / "takes")]) == 0
    assert len(list((tmp_path / "takes").iterdir())) == 2
    assert main([*words, "--strength", "2"]) == 2
    assert "strength lies in 0-1, not 2" in capsys.readouterr().err
