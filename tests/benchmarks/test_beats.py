"""The benchmark of beats: which beats are known, which files are held against them, and the measure itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from arietta.music.meter import Meter, Tempo, TimeSignature
from arietta.music.midi import write_midi
from arietta.music.notes import Notes

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
BEATS = 0.5 + 0.5 * np.arange(40)


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    from benchmarks.quality import beats

    return beats


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data set of one piece in ASAP's form: a performance that keeps its pace for twenty beats, and its score."""
    folder = tmp_path / "Composer" / "Piece"
    folder.mkdir(parents=True)
    onset = np.append(BEATS[:20], BEATS[19] + 0.83 * np.arange(1, 21))
    notes = Notes.of(onset, [0.3] * 40, [48, 60] * 20, [80, 60] * 20)
    for name in ("Player01M", "midi_score"):
        write_midi(folder / f"{name}.mid", notes)
        lines = [f"{beat}\t{beat}\t{'b' if number % 2 else 'db,2/4,0'}\n" for number, beat in enumerate(BEATS)]
        (folder / f"{name}_annotations.txt").write_text("".join(lines))
    return tmp_path


def told(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> Any:
    monkeypatch.setattr(sys, "argv", ["beats.py", *arguments])
    assert bench.main() == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_performances_are_held_against_their_annotations_and_scores_are_passed_over(
    bench: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one, every = told(bench, monkeypatch, capsys, str(data))
    assert (one["name"], every["name"]) == ("beats/accents/Player01M", "beats/accents, files")
    assert one["known a minute"] == pytest.approx(120)
    assert (every["pieces"], every["F"]) == (1, one["F"])


def test_the_first_beats_alone_are_judged_by_what_is_played_until_then(
    bench: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, _ = told(bench, monkeypatch, capsys, str(data))
    begun, _ = told(bench, monkeypatch, capsys, "--first", "20", str(data))
    assert begun["F"] > 0.9 > whole["F"]
    assert bench.measure(next(data.rglob("Player01M.mid")), 2) == []  # too few to have a pace


def test_a_performance_without_annotations_has_no_known_beats(bench: ModuleType, data: Path) -> None:
    path = next(data.rglob("Player01M.mid"))
    path.with_name("Player01M_annotations.txt").unlink()
    assert bench.known_beats(path) is None
    assert bench.measure(path) == []


def test_the_beats_of_a_written_metre_are_its_own_and_dotted_where_they_are(bench: ModuleType) -> None:
    meter = Meter((TimeSignature(0.0, 3, 4), TimeSignature(1.5, 6, 8)), (Tempo(0.0, 0.5), Tempo(1.5, 0.4)))
    assert bench.written_beats(meter, 3.0) == pytest.approx([0, 0.5, 1, 1.5, 2.1, 2.7])


def test_half_and_double_and_thirds_of_the_beats_are_levels(bench: ModuleType) -> None:
    known = np.arange(12.0)
    levels = bench.levels(known)
    for tapped in (known, known[1::2], known[2::3], np.arange(0, 11.1, 0.5), np.arange(34) / 3):
        assert max(bench.f_measure(tapped, level) for level in levels) == 1


def test_the_listed_performances_are_of_the_form_that_the_data_set_has() -> None:
    paths = (BENCHMARKS / "quality" / "beats.txt").read_text().splitlines()
    assert len(set(paths)) == len(paths) == 18
    assert len({Path(path).parts[0] for path in paths}) == 11
    assert all(path.endswith("M.mid") for path in paths)


def test_performances_of_a_side_of_maestro_count_from_half_a_second_before_their_start(
    bench: ModuleType, data: Path, tmp_path: Path
) -> None:
    maestro = tmp_path / "maestro"
    maestro.mkdir()
    write_midi(maestro / "a.midi", Notes.of([1.0, 5.5, 6.0], [0.3] * 3, [50, 60, 62], [64] * 3))
    (maestro / "maestro-v3.0.0.csv").write_text("split,midi_filename\ntest,a.midi\ntrain,b.midi\n")
    header = "midi_performance,performance_annotations,maestro_midi_performance,start,end\n"
    annotations = "Composer/Piece/Player01M_annotations.txt"
    row = "x/Player01M.mid,{},{{maestro}}/{},5.5,\n"
    (data / "metadata.csv").write_text(header + row.format(annotations, "a.midi") + row.format(annotations, "b.midi"))
    [(name, notes, known)] = bench.maestro_performances(data, maestro, "test")
    assert name == "x/Player01M"
    assert notes.onset.tolist() == pytest.approx([0.5, 1.0])
    assert known.tolist() == BEATS.tolist()
    [(*_, downbeats)] = bench.annotated_performances(data, maestro, "test")
    assert downbeats.tolist() == BEATS[::2].tolist()


def test_bars_are_right_where_most_downbeats_are(bench: ModuleType) -> None:
    beats = 0.5 * np.arange(48)
    found = bench.Found(beats, Meter((TimeSignature(0.0, 3, 4),), (Tempo(0.0, 0.5),)), is_sure=True)
    assert bench.compare_bars(found, 23.5, beats[::3])["bars right"] == 1
    assert bench.compare_bars(found, 23.5, beats[1::3])["bars right"] == 0


def test_of_what_is_given_the_share_that_is_right_is_told(bench: ModuleType) -> None:
    rows = [(0.9, 1.0, 1.0), (0.8, 1.0, 1.0), (0.5, 0.0, 1.0), (0.4, 0.0, 0.0)]
    figures = [
        {"F": 0.5, "F at any level": 0.5, "downbeats F": score, "bars right": right, "bars given": given}
        for score, right, given in rows
    ]
    summary = bench.summarise(figures)
    assert (summary["bars given"], summary["bars right"]) == (0.75, 0.5)
    assert summary["given right"] == pytest.approx(2 / 3, abs=0.001)
    assert summary["given right interval"][0] < 2 / 3 < summary["given right interval"][1]
