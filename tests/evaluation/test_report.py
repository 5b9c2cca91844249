"""A report holds what is known of a piece, and nothing that is not: whole, window by window, and as JSON."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from arietta.errors import RequestError
from arietta.evaluation.likelihood import score_piece
from arietta.evaluation.reference import MOST_WINDOWS, NATS
from arietta.evaluation.report import pitch_class_entropy, report_on
from arietta.evaluation.statistics import measure
from arietta.evaluation.words import MEANINGS, plain_words, report_json
from arietta.model.engine import OnnxEngine
from arietta.music.meter import Meter, Tempo, TimeSignature
from arietta.music.notes import Notes, excerpt, shift, window
from tests.support.indexes import TUNES, indexed
from tests.support.tunes import tune

METER = Meter((TimeSignature(0.0, 3, 4),), (Tempo(0.0, 0.5),))


def test_a_report_gathers_what_its_parts_say(tiny_engine: OnnxEngine) -> None:
    notes = tune(1, 200)
    report = report_on(notes, engine=tiny_engine)
    assert (report.profile.note_count, report.profile.seconds) == (200, notes.seconds)
    assert {name: value.tolist() for name, value in report.profile.statistics.items()} == {
        name: value.tolist() for name, value in measure(notes).items()
    }
    assert report.profile.nats_per_note == score_piece(notes, tiny_engine).per_note
    assert (report.model, report.bundle) == (tiny_engine.bundle.name, tiny_engine.bundle.fingerprint)
    assert len(report.surprises) == 10
    assert report.profile.beats is not None and not report.profile.beats.is_written
    assert report.shared is None


def test_a_written_metre_is_taken_before_one_that_is_found() -> None:
    notes = tune(1, 60)
    report = report_on(notes, meter=METER)
    assert (
        report.profile.beats is not None and report.profile.beats.is_written and report.profile.beats.signature == "3/4"
    )
    assert report.profile.beats.statistics["tempo"] == pytest.approx([120])


def test_a_wish_is_measured_where_it_held_and_music_was_composed() -> None:
    notes = Notes.of(np.arange(30) / 2, np.full(30, 0.5), np.full(30, 60), [40] * 10 + [80] * 20)
    steps = {"density": [[0, 2], [7.5, 2], [60, 9]]}

    def met(**request: Any) -> list[tuple[float, Any]]:
        return [(wish.second, wish.found) for wish in report_on(notes, request=request).wishes]

    assert met(**steps) == [(0, 2), (7.5, 2), (60, None)]
    assert met(loudness=80) == [(0, pytest.approx(200 / 3))]
    assert met(loudness=80, passage={"from": 5.0, "to": 8}) == [(5, 80)]
    assert met(loudness=[[0, 40], [3, 80]], prompt_notes=10) == [(5, 80)]
    for odd in ({"passage": {"from": "a", "to": None}}, {"passage": 3}, {"prompt_notes": 10**400}):
        assert met(loudness=80, **odd)[0][0] == 0


def test_surprises_are_told_at_the_files_own_time(tiny_engine: OnnxEngine) -> None:
    early, late = (report_on(shift(tune(2, 40), by), engine=tiny_engine).surprises for by in (0.0, 7.0))
    assert [one.note.onset + 7.0 for one in early] == pytest.approx([one.note.onset for one in late])


def test_a_style_that_the_model_does_not_know_is_refused(tiny_engine: OnnxEngine) -> None:
    with pytest.raises(RequestError, match="nearest"):
        report_on(tune(1, 20), engine=tiny_engine, style="nobody")


def test_figures_are_all_single_numbers_and_every_one_has_its_meaning(tiny_engine: OnnxEngine) -> None:
    found = report_on(tune(1, 400), engine=tiny_engine).figures
    assert set(found) <= set(MEANINGS)
    assert {NATS, "groove_beats", "coming_back_2", "pitch_class_entropy", "polyphony"} <= set(found)
    assert "note_count" not in found and "pitch_classes" not in found
    assert found["notes_per_second"] == pytest.approx(400 / tune(1, 400).seconds)


def test_entropy_of_pitch_classes_is_that_worked_out_by_hand() -> None:
    # Two C, one E, one G: 1/2 of 1 bit and twice 1/4 of 2 bits.
    chord = Notes.of([0, 1, 2, 3], [1] * 4, [48, 60, 64, 67], [64] * 4)
    assert pitch_class_entropy(chord) == pytest.approx(1.5)
    assert pitch_class_entropy(Notes.of([0], [1], [60], [64])) == 0
    assert pitch_class_entropy(Notes.of()) is None


# Windows


@pytest.mark.parametrize(("count", "size", "windows"), [(100, 300, 1), (449, 300, 1), (450, 300, 2), (1500, 1000, 2)])
def test_a_piece_is_held_against_windows_about_as_long(count: int, size: int, windows: int) -> None:
    sample = report_on(tune(1, count)).sample
    assert sample is not None and (sample.notes, sample.count) == (size, windows)


def test_a_short_piece_is_its_own_window_and_a_very_short_one_has_none() -> None:
    report = report_on(tune(1, 300))
    assert report.sample is not None and report.sample.figures == report.figures
    assert report_on(tune(1, 99)).sample is None


def test_figures_of_a_longer_piece_are_the_medians_of_its_windows() -> None:
    notes, starts = tune(1, 2600), (0, 800, 1600)
    slowing = Meter((TimeSignature(0.0, 3, 4),), (Tempo(0.0, 0.5), Tempo(300.0, 1.0)))
    sample = report_on(notes, meter=slowing).sample
    assert sample is not None and (sample.notes, sample.count) == (1000, 3)
    parts = [window(notes, start, start + 1000) for start in starts]
    assert sample.figures["polyphony"] == pytest.approx(np.median([measure(part)["polyphony"][0] for part in parts]))
    place = slowing.quarters(notes.onset)
    steps = [(place[start + 999] - place[start]) / 999 for start in starts]
    assert sample.figures["inter_onset_beats"] == pytest.approx(np.median(steps))


def test_of_a_very_long_piece_few_windows_are_taken() -> None:
    sample = report_on(tune(1, 20_000)).sample
    assert sample is not None and sample.count == MOST_WINDOWS


# As JSON, and of odd pieces


def test_the_values_are_json_with_real_music_beside(tiny_engine: OnnxEngine, tmp_path: Any) -> None:
    index = indexed(tmp_path / "index")
    report = report_on(excerpt(TUNES[3], 0, 200), engine=tiny_engine, index=index)
    values = json.loads(json.dumps(report_json(report), allow_nan=False))
    assert values["measured"]["note_count"] == 200 and len(values["measured"]["pitch_classes"]) == 12
    assert values["beats"]["is_written"] is False
    assert values["originality"]["longest"] == 200 and values["originality"]["index"]
    assert set(values["surprises"][0]["note"]) == {"onset", "duration", "pitch", "velocity"}
    assert [one["corpus"] for one in values["real"]] == ["maestro", "giantmidi"]
    assert set(values["sample"]["figures"]) > set(values["real"][0]["figures"]) - {NATS} - {"coming_back_30"}


@pytest.mark.parametrize(
    "notes",
    [
        Notes.of(),
        tune(1, 1),
        tune(1, 3),
        Notes.of([0.0, 86_399.0], [1, 1], [60, 64], [64, 64]),
        Notes.of([5.0] * 12, [1] * 12, range(60, 72), [64] * 12),
        Notes.of(pedal=[(0.0, 1.0)]),
    ],
    ids=["silence", "one", "three", "a day with two notes", "a cluster", "a pedal alone"],
)
def test_odd_pieces_have_reports_without_nan(notes: Notes, tiny_engine: OnnxEngine, tmp_path: Any) -> None:
    report = report_on(notes, engine=tiny_engine, index=indexed(tmp_path / "index"))
    json.dumps(report_json(report), allow_nan=False)
    assert all(math.isfinite(value) for value in report.figures.values())
    said = plain_words(report)
    assert bool(said) == bool(len(notes))
    assert "nan" not in " ".join(said.values()).split()
