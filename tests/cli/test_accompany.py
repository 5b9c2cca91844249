"""`arietta accompany` keeps a part of a piece and writes what goes with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from arietta.cli import main
from arietta.model.engine import OnnxEngine
from arietta.music.midi import midi_bytes, read_midi
from arietta.music.notes import Notes


def test_what_is_kept_stays_and_what_is_not_goes(
    tmp_path: Path, waltz: Notes, filling_engine: OnnxEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.mid").write_bytes(midi_bytes(waltz))
    words = ["accompany", str(tmp_path / "a.mid"), "--seed", "2", "--model", str(filling_engine.bundle.path)]
    assert main([*words, "--keep", "0,3,6", "-o", str(tmp_path / "b.mid")]) == 0
    notes = read_midi(tmp_path / "b.mid")
    kept = {(round(waltz[index].onset, 2), waltz[index].pitch) for index in (0, 3, 6)}
    assert kept <= {(round(notes[index].onset, 2), notes[index].pitch) for index in range(len(notes))}
    assert main([*words, "--keep", "1-2"]) == 2
    assert "nothing to accompany" in capsys.readouterr().err
