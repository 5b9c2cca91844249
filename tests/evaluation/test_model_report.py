"""A model's report: takes by seed, nothing chosen, summed up beside real music."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from arietta.cli import main
from arietta.errors import RequestError
from arietta.evaluation.model_report import ModelReport, against_set, report_on_model
from arietta.evaluation.reference import is_inside, references
from arietta.evaluation.report import report_on
from arietta.evaluation.words import model_words
from arietta.generation.loop import generate
from arietta.generation.request import Request
from arietta.model.engine import OnnxEngine
from arietta.music.midi import write_midi
from arietta.music.notes import Notes
from tests.support.indexes import indexed
from tests.support.tunes import tune

TAKES, NOTES = 4, 100


@pytest.fixture(scope="module")
def judged(tiny_engine: OnnxEngine, tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelReport, list[Notes]]:
    index = indexed(tmp_path_factory.mktemp("index") / "index")
    return report_on_model(tiny_engine, takes=TAKES, note_count=NOTES, index=index)


def test_its_takes_are_those_of_the_first_seeds(
    judged: tuple[ModelReport, list[Notes]], tiny_engine: OnnxEngine
) -> None:
    report, takes = judged
    assert takes == [generate(Request(NOTES, seed=seed), tiny_engine).notes for seed in range(1, TAKES + 1)]
    assert [(seed, notes) for seed, notes, _ in report.shown] == [(seed, takes[seed - 1]) for seed in (1, 2, 3)]


def test_its_bands_and_shares_are_those_of_its_takes(
    judged: tuple[ModelReport, list[Notes]], tiny_engine: OnnxEngine
) -> None:
    report, takes = judged
    found = [report_on(notes, engine=tiny_engine).figures for notes in takes]
    polyphony = [one["polyphony"] for one in found]
    assert report.bands["polyphony"][2] == pytest.approx(np.median(polyphony))
    for real in references(300):
        inside = np.mean([is_inside(value, real.figures["polyphony"]) for value in polyphony])
        assert report.inside[real.corpus]["polyphony"] == inside
    assert report.loops == sum(bool(report_on(notes).loops) for notes in takes)
    assert report.original is None  # that index has no baseline of people's works


def test_it_is_summed_up_in_words(judged: tuple[ModelReport, list[Notes]]) -> None:
    assert set(model_words(judged[0])) == {"beside MAESTRO", "beside GiantMIDI-Piano", "loops"}


def test_takes_are_held_against_a_set_beside_real_against_real() -> None:
    windows = [tune(seed, NOTES) for seed in range(10, 20)]
    found = against_set([tune(seed, NOTES) for seed in range(5)], windows, "tunes")
    assert found.windows == 10 and set(found.takes.statistics) == set(found.real.statistics)
    mine, theirs = found.takes.mean_overlap, found.real.mean_overlap
    assert mine is not None and theirs is not None and 0.3 < mine <= 1


@pytest.mark.parametrize(("takes", "notes"), [(3, 100), (100_000, 100), (4, 99)])
def test_too_few_takes_or_notes_are_refused(takes: int, notes: int, tiny_engine: OnnxEngine) -> None:
    with pytest.raises(RequestError, match=r"--(pieces|notes) must"):
        report_on_model(tiny_engine, takes=takes, note_count=notes)


def test_the_command_writes_the_page_of_a_model(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "set").mkdir()
    for seed in range(8):
        write_midi(tmp_path / "set" / f"{seed}.mid", tune(seed, 120))
    words = ["judge", "--model", str(tiny_bundle), "--pieces", "4", "--notes", "100"]
    assert main([*words, "--against", str(tmp_path / "set"), "--report", str(tmp_path / "out.html")]) == 0
    said = capsys.readouterr().out
    assert "4 takes of 100 notes" in said and "mean overlapped area" in said
    assert "Against" in (tmp_path / "out.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "name the MIDI files"),
        (["a.mid", "--pieces", "9"], "name the MIDI files"),
        (["--pieces", "9", "--model", "none"], "name one with --model"),
        (["--pieces", "9", "--report", "x.svg"], "is a page, .html"),
        (["--pieces", "9", "--roll", "x.svg"], "one piece at a time"),
        (["--pieces", "9", "--against", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_sentence(
    words: list[str],
    sentence: str,
    tiny_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["judge", "--model", str(tiny_bundle), *words]) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
