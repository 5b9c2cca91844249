"""The benchmark of scores: heads, clefs, octave signs and pedal signs are counted as a reader meets them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from arietta.music.meter import Meter, Tempo, TimeSignature
from arietta.music.midi import write_midi
from arietta.music.notes import Notes
from arietta.render.score import score_musicxml
from benchmarks.quality import notation
from benchmarks.quality.notation import Inspection

METER = Meter((TimeSignature(0.0, 4, 4),), (Tempo(0.0, 0.5),), is_exact=True)


def written(pitches: list[int], pedal: list[tuple[float, float]] | None = None) -> str:
    """A score of bars with four notes of a pitch each."""
    count = 4 * len(pitches)
    notes = Notes.of(
        0.5 * np.arange(count), np.full(count, 0.5), np.repeat(pitches, 4), np.full(count, 64), pedal or []
    )
    return score_musicxml(notes, meter=METER)


def test_heads_beyond_four_ledger_lines_are_far_unless_an_octave_sign_brings_them_near() -> None:
    text = written([76, 96, 96, 76])
    signed = Inspection.of(text)
    assert (signed.heads, signed.far, signed.octave_signs, signed.brief) == (16, 0, 1, 0)
    lines = [line for line in text.splitlines() if "octave-shift" not in line]
    assert Inspection.of("\n".join(lines)).far == 8


def test_a_short_octave_sign_and_a_soon_change_of_clef_are_told() -> None:
    text = written([76, 96, 96, 76])
    stop = next(line for line in text.splitlines() if '"stop"' in line)
    early = text.replace(stop, "").replace('<measure number="3">', f'<measure number="3">{stop}')
    start = next(line for line in text.splitlines() if '"down"' in line)
    assert Inspection.of(early.replace(start, start + stop + start)).brief == 1
    clef = '<attributes><clef number="1"><sign>{}</sign><line>4</line></clef></attributes>'
    twice = text.replace('<measure number="2">', f'<measure number="2">{clef.format("F")}')
    twice = twice.replace('<measure number="3">', f'<measure number="3">{clef.format("G")}')
    assert (Inspection.of(twice).clef_changes, Inspection.of(twice).soon) == (2, 1)


def test_pedal_signs_that_share_a_position_collide() -> None:
    text = written([60] * 2, [(0.0, 1.0), (1.0, 2.0)])
    assert (Inspection.of(text).pedal_signs, Inspection.of(text).collisions) == (3, 0)
    sign = '<direction-type><pedal type="{}" sign="yes" line="no"/></direction-type><staff>2</staff>'
    stop, start = (sign.format(kind) for kind in ("stop", "start"))
    both = f"{stop}</direction><direction>{start}"
    assert Inspection.of(text.replace(sign.format("change"), both)).collisions == 1
    assert Inspection.of(text.replace(sign.format("change"), start)).collisions == 1


def test_performances_are_drawn_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = Notes.of(0.5 * np.arange(40), np.full(40, 0.5), np.full(40, 60), np.full(40, 64))
    rows = []
    for name, side in (("a", "test"), ("b", "train"), ("c", "test")):
        write_midi(tmp_path / f"{name}.midi", notes)
        rows.append(f"{name}.midi,{side}\n")
    (tmp_path / "maestro-v3.0.0.csv").write_text("midi_filename,split\n" + "".join(rows))
    monkeypatch.setattr(sys, "argv", ["notation", "--maestro", str(tmp_path), "--notes", "20"])
    notation.main()
    row = json.loads(capsys.readouterr().out)
    assert (row["name"], row["files"], row["notes"]) == ("notation/performances, MAESTRO test", 2, 40)
    assert (row["far"], row["soon"], row["brief"], row["collisions"]) == (0, 0, 0, 0)


def test_what_a_program_says_is_a_complaint() -> None:
    pytest.importorskip("verovio")
    text = written([60])
    complaints, pitches = notation.verovio(text)
    assert complaints == [] and pitches == {60: 4}
    assert "not loaded" in notation.verovio("no score")[0]


def test_a_score_is_held_against_the_schema() -> None:
    for package in ("musicxml", "xmlschema", "lxml"):
        pytest.importorskip(package)
    read = notation.schema()
    assert read(written([60, 96]))[0] == []
    assert read(written([60]).replace("<duration>24", "<duration>x"))[0]
