"""`arietta lead-in` writes what comes before a piece."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from arietta.cli import main
from arietta.model.engine import OnnxEngine
from arietta.music.meter import Meter, Tempo, TimeSignature
from arietta.music.midi import midi_bytes, read_meter, read_midi
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


def test_the_bars_of_the_piece_stay_with_its_notes(tmp_path: Path, waltz: Notes, filling_engine: OnnxEngine) -> None:
    meter = Meter((TimeSignature(0.0, 3, 4),), (Tempo(0.0, 0.5),))
    (tmp_path / "a.mid").write_bytes(midi_bytes(waltz, grid=meter))
    words = ["lead-in", str(tmp_path / "a.mid"), "--seed", "1", "--model", str(filling_engine.bundle.path)]
    assert main([*words, "--seconds", "3.1", "-o", str(tmp_path / "b.mid")]) == 0
    kept = read_meter(tmp_path / "b.mid")
    assert kept is not None and kept.signatures[-1].beats == 3
    begin, bar_line = kept.quarters([3.1, kept.signatures[-1].seconds]).tolist()
    assert (begin - bar_line + 0.01) % 3 == pytest.approx(0.01, abs=0.01)
