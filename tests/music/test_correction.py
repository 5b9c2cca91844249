"""A corrected metre has other beats or bars, and every note its second."""

from __future__ import annotations

import numpy as np
import pytest

from arietta.errors import RequestError
from arietta.music.correction import double_beats, halve_beats, move_downbeat
from arietta.music.meter import Meter, Tempo, TimeSignature
from arietta.music.midi import midi_bytes, read_meter, read_midi
from arietta.music.notes import Notes

WALTZ = Meter((TimeSignature(0.0, 1, 4), TimeSignature(0.5, 3, 4)), (Tempo(0.0, 0.5), Tempo(5.0, 0.4)))


def bars(meter: Meter) -> list[float]:
    return np.round(meter.bar_lines(6.0)[:4], 6).tolist()


def test_bars_move_by_beats_and_come_round() -> None:
    assert bars(WALTZ) == [0.5, 2.0, 3.5, 5.0]
    assert bars(move_downbeat(WALTZ, 1)) == [1.0, 2.5, 4.0, 5.4]
    assert bars(move_downbeat(WALTZ, 2))[0] == 0.0 and bars(move_downbeat(WALTZ, -1))[0] == 0.0
    assert bars(move_downbeat(WALTZ, 3)) == bars(WALTZ) == bars(move_downbeat(move_downbeat(WALTZ, 1), -1))
    assert move_downbeat(WALTZ, 2).signatures == (TimeSignature(0.0, 3, 4),)


def test_beats_are_doubled_and_halved_in_place() -> None:
    doubled, halved = double_beats(WALTZ), halve_beats(WALTZ)
    assert bars(doubled) == [0.5, 1.25, 2.0, 2.75] and doubled.signatures[0].quarters == 2
    assert bars(halved) == [0.5, 3.5, 6.2] and halved.signatures[0] == TimeSignature(0.0, 1, 8)
    assert bars(halve_beats(doubled)) == bars(WALTZ)
    assert doubled.quarters(6.0) == 2 * WALTZ.quarters(6.0) == 4 * halved.quarters(6.0)


@pytest.mark.parametrize("correct", [double_beats, halve_beats, lambda meter: move_downbeat(meter, 1)])
def test_a_corrected_metre_lies_under_the_same_seconds(correct: object) -> None:
    onset = np.arange(40) * 0.25
    notes = Notes.of(onset, np.full(40, 0.2), np.full(40, 60), np.full(40, 64))
    meter = correct(WALTZ)  # type: ignore[operator]
    data = midi_bytes(notes, grid=meter)
    assert np.abs(read_midi(data).onset - onset).max() <= 0.001
    kept = read_meter(data)
    assert kept is not None and kept.bar_lines(6.0)[:4] == pytest.approx(meter.bar_lines(6.0)[:4], abs=0.002)


def test_a_metre_that_changes_in_its_first_bar_is_not_moved() -> None:
    meter = Meter((TimeSignature(0.0, 4, 4), TimeSignature(0.5, 2, 4)), (Tempo(0.0, 0.5),))
    with pytest.raises(RequestError, match="changes in its first bar"):
        move_downbeat(meter, 2)
