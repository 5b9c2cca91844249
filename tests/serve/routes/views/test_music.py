"""Music as clients send it becomes notes and a metre, or a sentence."""

from __future__ import annotations

import pytest

from arietta.errors import RequestError
from arietta.music.meter import Meter, Tempo, TimeSignature
from arietta.serve.routes.views.music import Given, MeasuredMusic, MeterFields, notes_of, piece_of

METER = Meter((TimeSignature(0.0, 3, 4),), (Tempo(0.0, 0.5),))


def test_music_is_read_with_its_metre() -> None:
    sent = {"notes": [[0.0, 0.5, 60, 70]], "meter": METER.describe()}
    for kind in (MeasuredMusic, Given):
        piece = piece_of(kind.model_validate(sent), "given")
        assert piece.meter == METER and piece.notes.pitch.tolist() == [60]
    assert piece_of(Given(notes=[(0.0, 0.5, 60, 70)]), "given").meter is None


def test_what_is_no_music_is_refused_by_its_name() -> None:
    with pytest.raises(RequestError, match="prompt: a duration must be above 0"):
        notes_of([[0.0, 0.0, 60, 70]], [], "prompt")
    with pytest.raises(RequestError, match="meter: a time signature"):
        _ = MeterFields(signatures=[(0.0, 3, 5)], tempos=[(0.0, 0.5)]).meter
