"""Of a take in a tempo it is said how well it fits, and either what its bars are or how to get some."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from arietta.cli import main
from arietta.cli.fit import fit_sentences
from arietta.generation.request import Request, Take
from arietta.generation.scores.pulse import Fit, Pulse
from arietta.music.meter import Meter, Tempo, TimeSignature
from arietta.music.midi import read_meter
from arietta.music.notes import Notes

WALTZ = Meter((TimeSignature(0.0, 2, 4), TimeSignature(1.0, 3, 4)), (Tempo(0.0, 0.5), Tempo(4.0, 0.75)))


def take(fit: Fit, *, meter: Meter | None = None, seconds: float = 8.0) -> Take:
    """A take in four bars of 3/4 at 90, which last 8 s."""
    notes = Notes.of([0.0, seconds - 1], [1.0, 1.0], [60, 62], [64, 64])
    request = Request(seconds=20.0, seed=1, pulse=Pulse.read(90, "3/4", 4), meter=meter)
    return Take(notes, np.zeros((2, 4), np.uint16), 0, 0, request, "m", "b", 1.0, 0.5, np.ones(2, np.bool_), fit=fit)


def test_where_bars_are_unsure_the_command_that_lays_the_tempo_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, unsure = tmp_path / "cue.mid", take(Fit(0.338, 1.05))
    unsure.save(made)
    first, second = fit_sentences(unsure, made)
    assert first == (
        "Fit to 90 beats a minute in 3/4: 0.33 of 1, stretched by 1.05; bars are written from 0.6: other seeds may be "
        "surer."
    )
    words = shlex.split(second.partition(": ")[2])
    assert main(words[words.index("render") :]) == 0
    laid = read_meter(tmp_path / "cue-bars.mid")
    assert laid is not None and laid.bar_lines(5.0)[:3].tolist() == pytest.approx([0.0, 2.0, 4.0], abs=0.001)
    assert len(fit_sentences(unsure, tmp_path / "cue.wav")) == 1
    assert "0.59 of 1" in fit_sentences(take(Fit(0.5999, 1.0)), made)[0], "what is below the threshold reads so"


def test_a_length_that_is_not_that_of_the_bars_is_told_with_its_reason() -> None:
    first, second = fit_sentences(take(Fit(0.7, 1.0, 4), meter=WALTZ, seconds=9.0), Path("cue.mid"))
    assert first.endswith("0.70 of 1, stretched by 1.00; its bars are written.")
    assert second == "9.0 s: a pickup of 2 beats and 4 bars; the tempo varies from 80 to 120."
    steady = replace(WALTZ, signatures=WALTZ.signatures[1:], tempos=WALTZ.tempos[:1])
    (only,) = fit_sentences(take(Fit(0.7, 1.0, 4), meter=steady), Path("cue.mid"))
    assert only == first
    assert fit_sentences(take(Fit(0.7, 1.0, 3), meter=steady, seconds=4.5), Path("a.mid"))[1] == "4.5 s: 3 bars."


def test_of_a_take_without_a_tempo_nothing_is_said() -> None:
    plain = take(Fit(0.7, 1.0))
    assert fit_sentences(replace(plain, request=Request(notes=2), fit=None), Path("a.mid")) == []
