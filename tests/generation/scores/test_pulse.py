"""A tempo and a metre: what they may be, how music is stretched to them, and when its bars are written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import arietta.generation.scores.pulse as module
from arietta.errors import RequestError
from arietta.generation.scores.pulse import Pulse
from arietta.music.notes import Notes

NINETY = Pulse.read(90, "3/4")


def waltz(period: float = 0.7, bars: int = 16) -> Notes:
    """Low loud notes on the first of three beats, high soft ones on the others."""
    beats = np.arange(3 * bars)
    is_first = beats % 3 == 0
    pitch = np.where(is_first, 40 + beats // 3 % 5, 67 + beats % 2)
    return Notes.of(beats * period, np.full(len(beats), 0.5), pitch, np.where(is_first, 90, 45))


def test_music_is_stretched_to_the_tempo_and_its_bars_are_found() -> None:
    assert NINETY is not None
    notes, meter, fit = NINETY.fit(waltz())
    assert fit.factor == pytest.approx(60 / 90 / 0.7, abs=0.02) and fit.has_bars and meter is not None
    assert notes.onset[3] == pytest.approx(2.0, abs=0.05)
    assert meter.bar_lines(8.0)[:3] == pytest.approx([0.0, 2.0, 4.0], abs=0.1)
    assert meter.signatures[-1].beats == 3


def test_a_length_in_bars_ends_on_a_bar_line() -> None:
    pulse = Pulse.read(90, "3/4", 4)
    assert pulse is not None and pulse.length() == (None, pytest.approx(1.1 * 5 * 2.0 * 1.25))
    notes, meter, fit = pulse.fit(waltz())
    assert fit.bars == 4 and meter is not None and notes.seconds <= meter.bar_lines(60.0)[4] + 1e-6
    assert len(notes) == 12
    too_many = Pulse.read(90, "3/4", 40)
    assert too_many is not None and too_many.fit(waltz())[2].bars == 16


def test_numbers_of_numpy_are_numbers() -> None:
    assert Pulse.read(np.float32(90), "3/4", np.int64(4)) == Pulse.read(90, "3/4", 4)


def test_where_beats_are_unsure_no_bars_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    assert NINETY is not None
    monkeypatch.setattr(module, "SURE", 1.1)
    notes, meter, fit = NINETY.fit(waltz())
    assert meter is None and not fit.has_bars and notes.onset[3] == pytest.approx(2.0, abs=0.05)
    pulse = Pulse.read(90, "3/4", 4)
    assert pulse is not None and pulse.fit(waltz())[0].seconds == pytest.approx(8.0, abs=0.5)
    few, meter, fit = NINETY.fit(waltz(bars=1))
    assert (len(few), meter, fit.sureness, fit.factor) == (3, None, 0.0, 1.0)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ((0, "3/4"), "bpm must lie in 40-200 beats a minute, not 0"),
        ((10_000, "3/4"), "not 10000"),
        ((float("nan"), "3/4"), "not nan"),
        ((90, "0/4"), "not 0/4"),
        ((90, "3/5"), "not 3/5"),
        ((90, "waltz"), "such as 3/4, not 'waltz'"),
        ((90, None), "bpm and metre go together"),
        ((None, "3/4"), "bpm and metre go together"),
        (("fast", "3/4"), "bpm must be a number"),
        ((90, "3/4", 0), "bars must lie in 1-2000"),
    ],
)
def test_what_is_no_tempo_or_no_metre_is_refused(asked: tuple[Any, ...], sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        Pulse.read(*asked)


def test_a_length_is_notes_or_bars() -> None:
    pulse = Pulse.read(60, "4/4", 2000)
    assert NINETY is not None and pulse is not None and NINETY.length(20) == (20, None)
    for ask, sentence in (
        (lambda: NINETY.length(seconds=9.0), "for notes or bars, not for seconds"),
        (lambda: pulse.length(20), "one of them alone"),
        (lambda: NINETY.length(original=True), "leave it out"),
        (lambda: Pulse.read(40, "16/4", 2000).length(), "too long"),  # type: ignore[union-attr]
    ):
        with pytest.raises(RequestError, match=sentence):
            ask()
    assert Pulse.read(None, None) is None
    compound = Pulse.read(60, "6/8")
    assert compound is not None and compound.bar_seconds == 2.0
