"""PassageDecoder: given tokens come at their time, the pedal ends as asked, and the seam is exact to the step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arietta.codecs.grid import BACK, DURATION_STEPS, END, KEY_COUNT, PEDAL_DOWN, PEDAL_UP, REST, START, TIME_STEPS
from arietta.codecs.note import NoteCodec
from arietta.codecs.passage import ENDLESS, Frame, PassageDecoder
from arietta.errors import CodecError
from arietta.music.notes import Note, Pedal
from tests.support.strategies import random_numbers, sample_row, uneven

CODEC = NoteCodec()
C4 = 60 - 21
EMPTY = Frame(
    given=np.zeros((0, 5), dtype=np.int64),
    first=20,
    stop=300,
    is_pedal_down=False,
    is_pedal_given=False,
    end=310,
    strikes=np.full(KEY_COUNT, ENDLESS),
)


def opened(frame: Frame, *before: list[int]) -> PassageDecoder:
    decoder = CODEC.decoder()
    for token in ([0, START, 0, 0], *before):
        decoder.push(token)
    return PassageDecoder(decoder, frame)


def given_rows(*rows: tuple[int, int]) -> np.ndarray:
    return np.array([[step, symbol, *((5, 9) if symbol < KEY_COUNT else (0, 0)), step + 6] for step, symbol in rows])


@settings(max_examples=80)
@given(random_numbers(), st.booleans(), st.booleans(), st.one_of(st.none(), st.integers(300, 2000)))
def test_any_walk_ends_at_the_step_and_with_the_pedal_that_were_asked_for(rng, was_down, is_down, end):
    steps = np.sort(rng.integers(20, 300, 6))
    rows = sorted({(int(step), int(key)) for step, key in zip(steps, rng.integers(0, KEY_COUNT, 6), strict=True)})
    frame = replace(EMPTY, given=given_rows(*rows), end=end, is_pedal_down=is_down and end is not None)
    decoder = opened(frame, *([[3, PEDAL_DOWN, 0, 0]] if was_down else []))
    weights, taken, clock = uneven(CODEC, rng), [], 3 * was_down
    while not decoder.is_ended:
        token = list(decoder.fit(sample_row(decoder, CODEC, rng, weights)))
        decoder.push(token)
        clock += int(TIME_STEPS[token[0]])
        taken.append((clock, token[1]))
    assert [strike for strike in taken if strike in rows] == rows
    assert decoder.note_count == sum(symbol < KEY_COUNT for _, symbol in taken) - len(rows)
    assert taken[-1] == (end, BACK) if end is not None else taken[-1][1] == END
    assert (decoder.pedal_down_since is not None) == frame.is_pedal_down
    new = [step for step, symbol in taken if symbol < REST and (step, symbol) not in rows]
    assert all(20 <= step < 300 for step in new)


def test_a_drawn_token_that_would_pass_a_given_note_gives_way_to_it():
    decoder = opened(replace(EMPTY, given=given_rows((150, C4))))
    assert decoder.fit([30, C4 + 7, 9, 16]) == (30, C4 + 7, 9, 16)
    decoder.push([30, C4 + 7, 9, 16])
    late = [99, C4 + 3, 9, 16]
    decoder.push(late)  # at 129, still before
    assert decoder.fit([21, C4 + 3, 9, 16]) == (21, C4, 5, 9)  # the same moment, but higher
    assert decoder.fit([21, C4 - 3, 9, 16]) == (21, C4, 5, 9)  # it leads there by now
    assert decoder.push([21, C4, 5, 9]) == []  # given, so nothing new
    assert decoder.note_count == 2


def test_rests_lead_to_what_is_given_far_ahead():
    decoder = opened(replace(EMPTY, given=given_rows((250, C4)), first=20, stop=260))
    rest = decoder.fit([127, REST, 0, 0])
    assert rest[1] == REST and TIME_STEPS[rest[0]] == 238
    decoder.push(rest)
    assert np.flatnonzero(decoder.masks().allowed[:128]).tolist() == [12]
    assert decoder.fit([5, C4 + 1, 3, 3]) == (12, C4, 5, 9)


def test_a_new_note_ends_where_its_key_is_struck_by_what_is_given_or_follows():
    strikes = EMPTY.strikes.copy()
    strikes[C4] = 330
    decoder = opened(replace(EMPTY, given=given_rows((100, C4)), strikes=strikes))
    time, _, duration, _ = decoder.fit([40, C4, 127, 16])
    assert (time, DURATION_STEPS[duration]) == (40, max(d for d in DURATION_STEPS if d <= 60))
    decoder.push([99, C4 - 1, 0, 9])
    decoder.push([1, C4, 5, 9])
    _, _, duration, _ = decoder.fit([50, C4, 127, 16])
    assert DURATION_STEPS[duration] <= 330 - 150


def test_a_given_note_is_struck_also_on_a_key_that_is_held():
    decoder = CODEC.decoder()
    for token in ([0, START, 0, 0], [0, C4, 90, 9]):
        decoder.push(token)
    passage = PassageDecoder(decoder, replace(EMPTY, given=given_rows((50, C4))))
    assert passage.push([50, C4, 5, 9]) == []


def test_the_pedal_moves_at_the_last_moment_where_nothing_moved_it_before():
    decoder = opened(replace(EMPTY, is_pedal_down=True))
    decoder.push([99, C4, 3, 9])
    decoder.fit([127, REST, 0, 0])
    assert decoder.fit([0, C4 + 1, 3, 9])[1] == REST  # it leads to the pedal by now
    while not decoder.is_ended:
        decoder.push(decoder.fit([127, REST, 0, 0]))
    assert decoder.finish() == [Pedal(2.99, 3.1)]


def test_new_pedal_is_not_offered_where_the_pedal_is_given():
    decoder = opened(replace(EMPTY, is_pedal_given=True, given=given_rows((120, PEDAL_DOWN), (200, PEDAL_UP))))
    events = []
    while not decoder.is_ended:
        earliest = decoder.masks().earliest
        assert decoder._is_committed or earliest[PEDAL_DOWN] > 127
        events += decoder.push(decoder.fit([60, C4, 3, 9]))
    assert Pedal(1.2, 2.0) in events
    assert sum(isinstance(event, Note) for event in events) >= 2


@pytest.mark.parametrize(
    "token", [[10, C4, 3, 9], [99, BACK, 0, 0], [0, END, 0, 0], [5, PEDAL_DOWN, 0, 0], [0, START, 0, 0]]
)
def test_what_lies_outside_the_window_is_refused(token):
    with pytest.raises(CodecError, match="keeps to its passage"):
        opened(EMPTY).push(token)


def test_a_passage_counts_no_notes_ahead_and_needs_two_steps():
    decoder = opened(EMPTY)
    with pytest.raises(CodecError, match="what follows it"):
        decoder.plan(notes_left=5)
    decoder.announce_end(20)
    assert decoder.steps_left == 310 and decoder.clock == 0.0
    assert opened(replace(EMPTY, end=None)).steps_left is None
    with pytest.raises(ValueError, match="two steps"):
        opened(replace(EMPTY, first=299))
