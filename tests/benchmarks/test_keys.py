"""The benchmark of keys: a piece in two keys is right by section, and half right under one signature."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from arietta.music.meter import Meter, Tempo, TimeSignature
from arietta.music.midi import write_midi
from arietta.music.notes import Notes
from benchmarks.quality import keys

METER = Meter((TimeSignature(0.0, 4, 4),), (Tempo(0.0, 0.5),))


@pytest.fixture
def corpora(tmp_path: Path) -> tuple[Path, Path]:
    """A score of 64 bars, half in C and half in E major, and a performance of it, as ASAP and MAESTRO have them."""
    steps = np.array([0, 2, 4, 5, 7, 9, 11, 0])
    pitch = 60 + np.concatenate([np.tile(steps, 16), np.tile((steps + 4) % 12, 16)])
    count = len(pitch)
    notes = Notes.of(0.5 * np.arange(count), np.full(count, 0.5), pitch, np.full(count, 64))
    asap, maestro = tmp_path / "asap", tmp_path / "maestro"
    folder = asap / "Composer" / "Piece"
    for path in (folder, maestro):
        path.mkdir(parents=True)
    write_midi(folder / "midi_score.mid", notes, grid=METER)
    write_midi(maestro / "a.midi", notes)
    for name in ("midi_score_annotations.txt", "a_annotations.txt"):
        (folder / name).write_text("0.0\t0.0\tdb,4/4,0\n0.5\t0.5\tb\n64.0\t64.0\tdb,,4\n")
    columns = "folder,maestro_midi_performance,performance_annotations,start,end\n"
    row = "Composer/Piece,{maestro}/a.midi,Composer/Piece/a_annotations.txt,0.5,\n"
    (asap / "metadata.csv").write_text(columns + row)
    (maestro / "maestro-v3.0.0.csv").write_text("midi_filename,split\na.midi,test\n")
    return asap, maestro


def test_two_keys_are_right_by_section_and_half_right_under_one(
    corpora: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["keys", "--asap", str(corpora[0]), "--maestro", str(corpora[1]), "--change", "20"]
    monkeypatch.setattr(sys, "argv", words)
    keys.main()
    rows = {row["name"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert len(rows) == 6
    for kind in ("scores", "performances"):
        row = rows[f"keys/{kind}, test, by section at 20"]
        assert (row["files"], row["changes"], row["written_changes"]) == (1, 1, 1) and row["right"] > 0.95
        assert rows[f"keys/{kind}, test, one, the likeliest"]["right"] <= 0.5


def test_a_side_without_pieces_has_no_scores(corpora: tuple[Path, Path]) -> None:
    rows = keys.read_rows(*corpora)
    assert list(keys.scores(corpora[0], rows, "train")) == []
