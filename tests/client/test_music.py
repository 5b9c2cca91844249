"""What is sent of music comes back as it was."""

from __future__ import annotations

import json

import numpy as np

from arietta.client.music import received_meter, received_notes, sent_given, sent_keep, sent_music
from arietta.music.meter import KeySignature, Meter, Tempo, TimeSignature
from arietta.music.notes import Notes
from arietta.music.reading import ReadPiece

METER = Meter((TimeSignature(0.0, 3, 4),), (Tempo(0.0, 0.5), Tempo(1.5, 0.6)), (KeySignature(0.0, -3, is_minor=True),))


def test_notes_and_metre_come_back_from_json(waltz: Notes) -> None:
    sent = json.loads(json.dumps(sent_music(waltz, METER)))
    assert received_notes(sent) == waltz and received_meter(sent) == METER
    assert received_meter(sent_music(waltz)) is None


def test_a_stored_piece_is_sent_by_its_id_and_other_music_whole(waltz: Notes) -> None:
    assert sent_given("0123456789abcdef") == {"piece": "0123456789abcdef"}
    assert sent_given(ReadPiece(waltz, METER, ())) == sent_music(waltz, METER)


def test_a_range_of_pitches_is_sent_as_a_text() -> None:
    assert (sent_keep((48, 60)), sent_keep("left"), sent_keep([1, 2]), sent_keep(None)) == (
        "48-60",
        "left",
        [1, 2],
        None,
    )


def test_an_array_of_notes_to_keep_is_sent_as_their_numbers() -> None:
    assert sent_keep(np.array([3, 0])) == [3, 0] and sent_keep(np.array([True, False, True])) == [0, 2]
