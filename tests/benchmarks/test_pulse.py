"""The benchmark of the pulse: a minute that keeps its metre is right, and a regression finds what was put in."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from arietta.music.midi import write_midi
from arietta.music.notes import Notes
from benchmarks.quality import pulse
from benchmarks.quality.pulse import Judged, judge, minutes, regress


def waltz(count: int) -> Notes:
    """A deep loud note on each first beat of three, half a second apart, and softer high ones on the others."""
    beat = np.arange(count)
    is_first = beat % 3 == 0
    pitch = np.where(is_first, 40 + 5 * (beat // 3 % 3), 72)
    return Notes.of(1 + 0.5 * beat, np.full(count, 0.4), pitch, np.where(is_first, 95, 50))


def annotation(count: int, metre: str = "3/4") -> str:
    labels = [f"db,{metre},0" if not number else "db" if number % 3 == 0 else "b" for number in range(count)]
    return "".join(f"{1 + 0.5 * number}\t{1 + 0.5 * number}\t{label}\n" for number, label in enumerate(labels))


def test_a_minute_of_a_waltz_has_its_bars() -> None:
    found = list(minutes(waltz(300), annotation(300)))
    assert [(one.signature.beats, one.period, len(one.downbeats)) for one in found] == [(3, 0.5, 40)] * 2
    assert [one.is_right for one in judge(found)] == [True, True]


def test_beats_that_are_not_the_metres_own_are_left_out() -> None:
    assert list(minutes(waltz(300), annotation(300, "6/8"))) == []


def test_a_regression_finds_the_weights_that_made_its_data() -> None:
    rng = np.random.default_rng(0)
    unsteadiness, contrast = np.exp(rng.normal(-3, 1, 5000)), rng.normal(1, 0.5, 5000)
    odds = -3.0 - 1.0 * np.log(unsteadiness + pulse.LEAST_UNSTEADY) + 2.0 * contrast
    right = rng.random(5000) < 1 / (1 + np.exp(-odds))
    rows = [Judged(0.5, bool(is_right), *pair) for is_right, *pair in zip(right, unsteadiness, contrast, strict=True)]
    assert regress(rows) == pytest.approx((-3.0, -1.0, 2.0), abs=0.4)


def test_minutes_are_told_by_how_sure_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a_annotations.txt").write_text(annotation(300))
    write_midi(tmp_path / "a.midi", waltz(300))
    columns = "folder,maestro_midi_performance,performance_annotations,start,end\n"
    (tmp_path / "metadata.csv").write_text(columns + "Piece,{maestro}/a.midi,a_annotations.txt,0.5,\n")
    (tmp_path / "maestro-v3.0.0.csv").write_text("midi_filename,split\na.midi,test\n")
    words = ["pulse", "--asap", str(tmp_path), "--maestro", str(tmp_path), "--fit"]
    monkeypatch.setattr(sys, "argv", words)
    pulse.main()
    rows = {row["name"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert (rows["pulse/test, 0"]["minutes"], rows["pulse/test, 0"]["right"]) == (2, 2)
    assert set(rows["pulse/test, fit"]) >= {"bias", "steady", "contrast"}
