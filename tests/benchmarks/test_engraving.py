"""The benchmark of engraving: a score that is written as it was is right in all, and one under other beats is not."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from arietta.music.meter import Meter, Tempo, TimeSignature
from arietta.music.midi import write_midi
from arietta.music.notation import read_score
from arietta.music.notes import Notes
from arietta.render.score import score_musicxml
from benchmarks.quality import engraving

METER = Meter((TimeSignature(0.0, 3, 4),), (Tempo(0.0, 0.5),), is_exact=True)


def waltz() -> Notes:
    """A low note on each first beat and high ones on the others, so that the hands are plain."""
    beats = np.arange(48)
    pitch = np.where(beats % 3 == 0, 40 + beats // 3 % 5, 72 + beats % 2)
    return Notes.of(0.5 * beats, np.full(48, 0.5), pitch, np.full(48, 64))


@pytest.fixture
def asap(tmp_path: Path) -> Path:
    """A data set of one score, and of one performance that is half as fast, as ASAP and MAESTRO have them."""
    folder = tmp_path / "asap" / "Composer" / "Piece"
    folder.mkdir(parents=True)
    (folder / "xml_score.musicxml").write_text(score_musicxml(waltz(), meter=METER))
    slow = Notes.of(waltz().onset * 2 + 1, waltz().duration * 2, waltz().pitch, waltz().velocity)
    (tmp_path / "maestro" / "2004").mkdir(parents=True)
    write_midi(tmp_path / "maestro" / "2004" / "a.midi", slow)
    (tmp_path / "maestro" / "maestro-v3.0.0.csv").write_text("midi_filename,split\n2004/a.midi,test\n")
    beats = "".join(f"{1.0 + number}\t{1.0 + number}\tb\n" for number in range(48))
    (folder / "a_annotations.txt").write_text(beats)
    name = "Composer/Piece/a"
    columns = "maestro_midi_performance,midi_performance,performance_annotations,start,end\n"
    (tmp_path / "asap" / "metadata.csv").write_text(
        f"{columns}{{maestro}}/2004/a.midi,{name}.mid,{name}_annotations.txt,0.5,\n"
    )
    return tmp_path


def test_a_score_that_is_engraved_again_is_what_it_was(
    asap: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["engraving", "--asap", str(asap / "asap"), "--maestro", str(asap / "maestro")]
    monkeypatch.setattr(sys, "argv", words)
    engraving.main()
    rows = {row["name"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    for case in ("written", "performance"):
        row = rows[f"engraving/{case}"]
        names = ("files", "duration", "onset", "spelling", "voices", "matched")
        assert [row[name] for name in names] == [1] * 6, case
        assert row["hand"] > 0.9
    assert rows["engraving/found"]["spelling"] == 1


def test_other_lengths_and_places_count_against_a_score() -> None:
    score = read_score(score_musicxml(waltz(), meter=METER).encode())
    twice = Meter((TimeSignature(0.0, 3, 4),), (Tempo(0.0, 0.25),), is_exact=True)
    figures = engraving.engraved(waltz(), twice, score, engraving.Written.of(score, waltz()))
    assert figures["duration"] == 0 and figures["onset"] < 0.1 and figures["matched"] == 1


def test_voices_are_alike_as_far_as_notes_follow_the_same_ones() -> None:
    start = np.array([0.0, 0.0, 1.0, 1.0, 2.0, 2.0])
    two, one, crossed = np.array([0, 1, 0, 1, 0, 1]), np.zeros(6, dtype=np.int64), np.array([0, 1, 1, 0, 0, 1])
    assert engraving.voices_alike((two, start), (two + 3, start)) == 1
    assert engraving.voices_alike((one, start), (two, start)) == pytest.approx(2 / 3)  # one of two followers is right
    assert engraving.voices_alike((crossed, start), (two, start)) == 0
