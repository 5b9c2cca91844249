from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.music.meter import Bar
from arietta.render.score.voices import STRAIGHT, TRIPLET, Value, write_voices

COMMON = Bar(0, 96, 24)


def written(*notes: tuple[int, int, int], bars: tuple[Bar, ...] = (COMMON,), most: int = 2) -> list[list[list[Value]]]:
    start, end, pitch = (
        (np.array(column, dtype=np.int64) for column in zip(*notes, strict=True)) if notes else ([], [], [])
    )
    return write_voices(
        np.array(start, dtype=np.int64), np.array(end, dtype=np.int64), np.array(pitch, np.uint8), bars, most
    )


def lengths(voice: list[Value]) -> list[int]:
    """Lengths of values, those of rests negative."""
    return [value.length if value.notes else -value.length for value in voice]


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(1, 40), st.integers(40, 80)), max_size=12), st.integers(1, 4))
def test_voices_fill_their_bars_and_keep_every_note(drawn: list[tuple[int, int, int]], most: int) -> None:
    notes = [(3 * start, 3 * (start + length), pitch) for start, length, pitch in dict.fromkeys(drawn)]
    bars = tuple(Bar(at, 96, 24) for at in range(0, 400, 96))
    heard = set()
    for bar, voices in zip(bars, written(*notes, bars=bars, most=most), strict=True):
        assert len(voices) <= most and voices[0]
        for voice in filter(None, voices):
            assert sum(value.length for value in voice) == bar.length
            assert voice[0].start == bar.start
            heard |= {note for value in voice for note in value.notes if not value.was_tied}
    assert heard == set(range(len(notes)))


@pytest.mark.parametrize(
    ("start", "end", "values"),
    [
        (0, 96, [96]),
        (0, 72, [72, -24]),
        (12, 36, [-12, 24, -12, -48]),
        (36, 60, [-24, -12, 12, 12, -12, -24]),
        (24, 72, [-24, 48, -24]),
        (12, 96, [-12, 12, 24, 48]),
        (6, 12, [-6, 6, -12, -24, -48]),
        (0, 60, [48, 12, -12, -24]),
        (0, 42, [24, 18, -6, -48]),
    ],
)
def test_values_show_the_beats(start: int, end: int, values: list[int]) -> None:
    ((voice,),) = written((start, end, 60))
    assert lengths(voice) == values


@pytest.mark.parametrize(
    ("start", "end", "values"),
    [(0, 72, [72]), (0, 36, [36, -36]), (24, 48, [-24, 12, 12, -12, -12]), (0, 60, [36, 24, -12])],
)
def test_values_show_the_beats_of_six_eighths(start: int, end: int, values: list[int]) -> None:
    ((voice,),) = written((start, end, 60), bars=(Bar(0, 72, 36),))
    assert lengths(voice) in (values, [*values[:-2], -24] if values[-2:] == [-12, -12] else values)


def test_triplets_stand_in_brackets() -> None:
    ((voice,),) = written((0, 8, 60), (8, 16, 62), (16, 24, 64))
    assert [(value.length, value.tuplet) for value in voice[:3]] == [(8, "start"), (8, "in"), (8, "stop")]
    assert voice[0].name == "eighth" and not voice[3].tuplet


def test_a_note_out_of_a_triplet_is_tied_at_the_beat() -> None:
    ((voice,),) = written((0, 16, 60), (16, 48, 62))
    assert [(value.length, value.tuplet, value.is_tied) for value in voice[:3]] == [
        (16, "start", False),
        (8, "stop", True),
        (24, "", False),
    ]


def test_ties_join_all_pieces_of_a_note() -> None:
    bars = (COMMON, Bar(96, 96, 24))
    first, second = (voices[0] for voices in written((84, 132, 60), bars=bars))
    pieces = [value for value in (*first, *second) if value.notes]
    assert [(value.was_tied, value.is_tied) for value in pieces] == [(False, True), (True, False)] or len(pieces) == 3
    assert not pieces[0].was_tied and not pieces[-1].is_tied


def test_a_bar_without_notes_is_one_rest() -> None:
    (((value,),),) = written()
    assert value.fills and value.length == 96


def test_what_no_voice_is_free_for_cuts_what_would_end_first() -> None:
    ((first, second),) = written((0, 96, 60), (0, 72, 64), (24, 96, 72))
    assert lengths(second)[0] == 24 or lengths(first)[0] == 24
    assert sum(value.length for value in first) == sum(value.length for value in second) == 96


def test_notes_that_begin_and_end_together_are_a_chord() -> None:
    ((voice,),) = written((0, 48, 60), (0, 48, 64), (48, 96, 60))
    assert [len(value.notes) for value in voice] == [2, 1]


def test_every_value_has_the_length_its_name_says() -> None:
    names = {"whole": 96, "half": 48, "quarter": 24, "eighth": 12, "16th": 6, "32nd": 3}
    assert all(names[name] * (3 if dots else 2) == 2 * length for length, (name, dots) in STRAIGHT.items())
    assert all(names[name] * (3 if dots else 2) == 3 * length for length, (name, dots) in TRIPLET.items())
