"""`arietta perform` plays a score, written as MIDI or MusicXML, and the same seed writes the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from arietta.cli import main
from arietta.model.engine import OnnxEngine
from arietta.music.midi import read_midi
from arietta.music.notes import Notes
from arietta.music.reading import read_piece
from arietta.render.formats import save_music


def test_a_score_is_played_and_the_seed_fixes_how(
    tmp_path: Path, waltz: Notes, filling_engine: OnnxEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "waltz.musicxml"
    save_music(source, waltz, title="Waltz", texts=[])
    words = ["perform", str(source), "--model", str(filling_engine.bundle.path)]
    assert main([*words, "--seed", "2", "-o", str(tmp_path / "a.mid")]) == 0
    assert "seed 2" in capsys.readouterr().out
    assert main([*words, "--seed", "2", "-o", str(tmp_path / "b.mid")]) == 0
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()
    assert sorted(read_midi(tmp_path / "a.mid").pitch) == sorted(read_piece(source).notes.pitch)
    assert main([*words, "--density", "4", "-o", str(tmp_path / "c.mid")]) == 2
    assert "no density" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["perform", "--help"])
    told = capsys.readouterr().out
    assert "--loudness" in told and "--density" not in told
