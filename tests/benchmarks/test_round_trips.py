"""The benchmark of round trips: what moved is counted, and two editions differ by what they differ in."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from arietta.music.meter import KeySignature, Meter, Tempo, TimeSignature
from arietta.music.midi import write_midi
from arietta.music.notes import Notes
from arietta.render.score import score_musicxml
from benchmarks.quality import round_trips
from benchmarks.quality.round_trips import differences, placed, violations

METER = Meter((TimeSignature(0.0, 4, 4),), (Tempo(0.0, 0.5),), is_exact=True)


def scale(count: int = 16) -> Notes:
    return Notes.of(0.5 * np.arange(count), np.full(count, 0.5), 60 + np.arange(count), np.full(count, 64))


def test_what_moves_by_more_than_a_millisecond_is_a_violation() -> None:
    notes = scale()
    assert violations(notes, notes) == (0, 0.0)
    near = Notes.of(notes.onset + 0.0009, notes.duration, notes.pitch, notes.velocity)
    far = Notes.of(notes.onset + 0.0011, notes.duration, notes.pitch, notes.velocity)
    assert violations(notes, near)[0] == 0
    assert violations(notes, far)[0] == 32
    assert violations(notes, scale(15))[0] == 1


def test_notes_of_two_editions_differ_by_kind() -> None:
    written = placed(scale(), METER)
    onset = scale().onset.copy()
    onset[3] += 0.1  # a fifth of a quarter late
    trill = Notes.of([0.25, 1.0], [0.1, 0.1], [62, 100], [64, 64])
    played = placed(Notes.of(onset[:15], np.full(15, 0.5), scale(15).pitch, np.full(15, 64)) | trill, METER)
    kinds, share = differences(written, played)
    assert dict(kinds) == {"notes": 17, "same": 14, "moved": 1, "ornaments": 1, "midi": 1, "score": 1}
    assert share == 14 / 17
    assert differences(written, written)[1] == 1.0


def test_files_are_drawn_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "maestro").mkdir()
    for name in ("a", "b"):
        write_midi(tmp_path / "maestro" / f"{name}.midi", scale(40))
        folder = tmp_path / "asap" / name
        folder.mkdir(parents=True)
        (folder / "xml_score.musicxml").write_text(score_musicxml(scale(), meter=METER))
        write_midi(folder / "midi_score.mid", scale(), grid=METER)
    words = ["round_trips", "--maestro", str(tmp_path / "maestro"), "--asap", str(tmp_path / "asap")]
    monkeypatch.setattr(sys, "argv", words)
    round_trips.main()
    rows = {row["name"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    for grid in ("found", "90", "none"):
        row = rows[f"tempo map/{grid}"]
        assert (row["files"], row["notes"], row["violations"]) == (2, 80, 0) and row["worst_ms"] <= 0.5
    row = rows["scores read"]
    assert (row["files"], row["other"], row["notes"], row["exact"], row["same"]) == (2, 0, 32, 2, 1)


def test_the_bars_of_a_written_waltz_are_kept_when_it_is_gone_on_from(
    tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    waltz = Meter(
        (TimeSignature(0.0, 3, 4),), (Tempo(0.0, 0.6),), (KeySignature(0.0, -1, is_minor=True),), is_exact=True
    )
    onset = 0.6 * np.arange(60)
    notes = Notes.of(onset, np.full(60, 0.6), 62 + np.arange(60) % 3, np.full(60, 64))
    write_midi(tmp_path / "waltz.mid", notes, grid=waltz)
    write_midi(tmp_path / "plain.mid", notes)
    monkeypatch.setattr(sys, "argv", ["round_trips", "--written", str(tmp_path), "--model", str(tiny_bundle)])
    round_trips.main()
    rows = {row["name"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    for name in ("bars/all", "bars/in 3/4"):
        assert (rows[name]["pieces"], rows[name]["kept"], rows[name]["whole"]) == (1, 1, 1)
