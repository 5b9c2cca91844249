"""`arietta perform` plays a score, written as MIDI or MusicXML, and the same seed writes the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

import arietta
from arietta.cli import main
from arietta.model.engine import OnnxEngine
from arietta.music.midi import read_midi, read_texts
from arietta.music.notes import Notes
from arietta.music.reading import read_piece
from arietta.render.formats import save_music
from tests.support.written import headed, note, score


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


def test_a_played_score_keeps_its_title_and_its_composer(tmp_path: Path, filling_engine: OnnxEngine) -> None:
    source = tmp_path / "a.musicxml"
    source.write_bytes(headed(score([note("C4", 2) + note("E4", 2)]), "Minuet", "Petzold"))
    words = ["perform", str(source), "--model", str(filling_engine.bundle.path), "--seed", "2", "-o"]
    assert main([*words, str(tmp_path / "played.musicxml")]) == 0
    assert read_piece(tmp_path / "played.musicxml").heading == ("Minuet", "Petzold")
    assert main([*words, str(tmp_path / "played.mid")]) == 0
    assert "Composer: Petzold" in read_texts(tmp_path / "played.mid")
    assert b"Minuet" in (tmp_path / "played.mid").read_bytes()


def test_music_that_goes_on_from_a_score_says_what_it_was_made_from(tmp_path: Path, filling_engine: OnnxEngine) -> None:
    source, model = tmp_path / "a.musicxml", str(filling_engine.bundle.path)
    source.write_bytes(headed(score([note("C4", 2) + note("E4", 2)]), "Minuet", "Petzold"))
    assert (
        main(["compose", "--prompt", str(source), "--notes", "5", "--model", model, "-o", str(tmp_path / "a.mid")]) == 0
    )
    take = arietta.compose(5, prompt=source, model=model, seed=1)
    (extended,) = arietta.extend(take, notes=5, model=model, seed=1)
    for texts in (read_texts(tmp_path / "a.mid"), take.texts(), extended.texts()):
        assert texts[1:2] == ["Made from: Minuet, Petzold"]
