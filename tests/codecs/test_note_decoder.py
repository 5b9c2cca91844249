"""NoteDecoder: what masks offer is what push takes, plans are kept to the note, and refusals give their reason."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arietta.codecs.grid import CODA, END, KEY_COUNT, LONGEST_CODA, PEDAL_DOWN, PEDAL_UP, REST, SHORTEST_CODA, START
from arietta.codecs.note import NoteCodec
from arietta.codecs.note_decoder import LONGEST_IDLENESS, NEVER, OPENING_NOTES
from arietta.errors import CodecError
from arietta.music.notes import Note, Notes, Pedal
from tests.support.strategies import permits, pieces, random_numbers, sample, sample_row, uneven, walk

CODEC = NoteCodec()
A4, C4 = 69 - 21, 60 - 21


@settings(max_examples=40)
@given(random_numbers(), st.integers(SHORTEST_CODA, LONGEST_CODA), st.integers(0, 30))
def test_a_take_with_an_announced_end_encodes_to_the_same_tokens(rng, remain, before):
    decoder, tokens = CODEC.decoder(), []
    decoder.plan(notes_left=before + remain)
    is_announced = False
    while not decoder.is_ended:
        if not is_announced and decoder.note_count == before and tokens:
            decoder.announce_end(remain)
            is_announced = True
        tokens.append(_sampled(decoder, rng))
        decoder.push(tokens[-1])
    assert [token[2] for token in tokens if token[1] == CODA] == [remain]
    decoded = CODEC.decode(np.array(tokens, dtype=np.uint16))
    assert np.array_equal(CODEC.encode(decoded, coda=remain), tokens)
    assert len(decoded) == before + remain


@given(random_numbers(), st.integers(0, 40), st.integers(1, 20))
def test_tokens_pushed_one_by_one_give_what_they_give_at_once(rng, free_rows, notes_left):
    tokens = sample(CODEC, rng, free_rows=free_rows, notes_left=notes_left)
    decoder, events = CODEC.decoder(), []
    for token in tokens:
        events += decoder.push(token)
    assert decoder.is_ended and decoder.note_count == sum(isinstance(event, Note) for event in events)
    assert Notes.from_events(events) == CODEC.decode(tokens)


@given(pieces())
def test_every_token_of_an_encoded_piece_is_one_the_masks_offer(notes):
    decoder = CODEC.decoder()
    for token in CODEC.encode(notes).tolist():
        assert permits(decoder.masks(), CODEC, token)
        decoder.push(token)
    assert decoder.is_ended


@settings(max_examples=40)
@given(random_numbers(), st.integers(0, 30), st.integers(1, 5))
def test_push_takes_exactly_the_tokens_that_the_masks_offer(rng, free_rows, notes_left):
    idle_rows = 0
    for taken, decoder in walk(CODEC, rng, free_rows=free_rows, notes_left=notes_left):
        for token in _probes(rng):
            is_offered = permits(decoder.masks(), CODEC, token)
            # A planned piece is then offered notes only, and no long wait among its first notes.
            is_hurried = idle_rows >= LONGEST_IDLENESS or (token[1] == REST and decoder.note_count < OPENING_NOTES)
            assert _is_taken(decoder, token) == is_offered or (is_hurried and not is_offered), token
        idle_rows = 0 if taken[1] < KEY_COUNT else idle_rows + 1


@given(random_numbers())
def test_the_first_notes_of_a_planned_piece_follow_without_a_long_wait(rng):
    tokens = sample(CODEC, rng, free_rows=0, notes_left=OPENING_NOTES + 4)
    notes = np.cumsum(tokens[:, 1] < KEY_COUNT)
    assert not (tokens[notes < OPENING_NOTES, 1] == REST).any()


def _is_taken(decoder, token: list[int]) -> bool:
    try:
        copy.deepcopy(decoder).push(token)
    except CodecError:
        return False
    return True


def _probes(rng: np.random.Generator, count: int = 24) -> list[list[int]]:
    """Rows near the edges of the grammar; codas are left out: they are taken anywhere, offered when announced."""
    events = []
    for _ in range(count):
        time = int(rng.choice([0, 0, 1, rng.integers(0, 100), rng.integers(100, 128)]))
        what = int(rng.choice([rng.integers(0, KEY_COUNT), PEDAL_DOWN, PEDAL_UP, REST, START, END]))
        is_plain = what >= KEY_COUNT and rng.random() < 0.9
        token = [time, what, 0 if is_plain else int(rng.integers(0, 130)), 0 if is_plain else int(rng.integers(0, 33))]
        events.append(token)
    return events


@settings(max_examples=60)
@given(random_numbers(), st.integers(0, 80))
def test_a_plan_gives_exactly_that_many_notes_and_leaves_the_pedal_up(rng, notes_left):
    tokens = sample(CODEC, rng, free_rows=0, notes_left=notes_left)
    assert len(CODEC.decode(tokens)) == notes_left
    what = tokens[:, 1]
    assert (what == PEDAL_DOWN).sum() == (what == PEDAL_UP).sum()
    assert what[-1] == END and (what == START).sum() == 1


@settings(max_examples=60)
@given(pieces(most=12), random_numbers(), st.integers(0, 20))
def test_a_piece_is_continued_from_a_prompt_by_exactly_the_notes_planned(prompt, rng, notes_left):
    decoder, events = CODEC.decoder(), []
    for token in CODEC.encode(prompt, is_complete=False):
        events += decoder.push(token)
    decoder.plan(notes_left=notes_left)
    while not decoder.is_ended:
        events += decoder.push(_sampled(decoder, rng))
    whole = Notes.from_events(events)
    assert len(whole) == len(CODEC.quantise(prompt)) + notes_left


@settings(max_examples=60)
@given(pieces(most=6), random_numbers(), st.floats(1.0, 60.0))
def test_a_plan_until_a_moment_ends_there(prompt, rng, seconds):
    decoder, events = CODEC.decoder(), []
    for token in CODEC.encode(prompt, is_complete=False):
        decoder.push(token)
    until, weights = decoder.clock + seconds, uneven(CODEC, rng)
    decoder.plan(until=until)
    while not decoder.is_ended:
        token = decoder.fit(sample_row(decoder, CODEC, rng, weights))
        events += decoder.push(token)
    composed = Notes.from_events(events)
    assert composed.seconds <= until + 0.03
    assert composed.onset.max(initial=0.0) <= until - 0.1 + 0.006  # nothing is struck just before the end, to be cut
    assert max(composed.seconds, CODEC.quantise(prompt).release.max(initial=0.0)) >= until - 0.07


@given(random_numbers(), st.integers(21, 108))
def test_a_pitch_to_avoid_is_offered_again_after_another_note(rng, pitch):
    decoder = CODEC.decoder()
    decoder.push([0, START, 0, 0])
    decoder.plan(notes_left=2)
    decoder.avoid(pitch)
    while not decoder.note_count:
        assert decoder.masks().earliest[pitch - 21] == NEVER
        decoder.push(_sampled(decoder, rng))
    decoder.push([99, PEDAL_UP if decoder.masks().earliest[PEDAL_DOWN] == NEVER else PEDAL_DOWN, 0, 0])
    assert decoder.masks().earliest[pitch - 21] < NEVER


def test_a_key_of_the_prompt_is_held_until_its_own_release():
    decoder = CODEC.decoder()
    for token in ([0, START, 0, 0], [0, C4, 9, 16]):
        decoder.push(token)
    decoder.hold(60, 0.5)
    assert decoder.masks().earliest[C4] == 50
    decoder.hold(60, 0.2)
    assert decoder.masks().earliest[C4] == 50
    with pytest.raises(CodecError, match="still sounds"):
        decoder.push([49, C4, 0, 0])


def test_a_planned_piece_idle_for_32_tokens_is_offered_notes_only():
    decoder = CODEC.decoder()
    decoder.push([0, START, 0, 0])
    decoder.plan(notes_left=1)
    for _ in range(LONGEST_IDLENESS // 2):
        decoder.push([1, PEDAL_DOWN, 0, 0])
        decoder.push([1, PEDAL_UP, 0, 0])
    earliest = decoder.masks().earliest
    assert (earliest[:KEY_COUNT] == 0).all() and (earliest[KEY_COUNT:] == NEVER).all()


def _sampled(decoder, rng):
    return sample_row(decoder, CODEC, rng, np.ones(sum(CODEC.field_sizes)))


@pytest.mark.parametrize(
    ("pushed", "token", "reason"),
    [
        ([], [0, C4, 0, 0], "begins with its only start token"),
        ([[0, START, 0, 0]], [0, START, 0, 0], "only start token"),
        ([[0, START, 0, 0], [0, END, 0, 0]], [0, C4, 0, 0], "nothing follows its end"),
        ([[0, START, 0, 0]], [100, C4, 0, 0], "long waits belong to rests"),
        ([[0, START, 0, 0]], [9, REST, 0, 0], "long waits belong to rests"),
        ([[0, START, 0, 0]], [1, END, 0, 0], "take no time"),
        ([[0, START, 0, 0]], [0, PEDAL_UP, 0, 0], "no place here"),
        ([[0, START, 0, 0]], [0, PEDAL_DOWN, 1, 0], "only notes and codas a duration"),
        ([[0, START, 0, 0]], [0, CODA, 3, 0], "announces 16-64"),
        ([[0, START, 0, 0], [0, C4, 9, 5]], [9, C4, 0, 0], "still sounds"),
        ([[0, START, 0, 0], [0, A4, 0, 0]], [0, C4, 0, 0], "rise in pitch"),
        ([[0, START, 0, 0], [0, PEDAL_DOWN, 0, 0]], [0, END, 0, 0], "no place here"),
        ([[0, START, 0, 0], [100, REST, 0, 0]], [9, C4, 0, 0], "the longest that fits"),
        ([[0, START, 0, 0]], [0, C4, 128, 0], "outside its size"),
    ],
)
def test_a_token_against_the_grammar_is_refused_with_its_reason(pushed, token, reason):
    decoder = CODEC.decoder()
    for earlier in pushed:
        decoder.push(earlier)
    with pytest.raises(CodecError, match=reason):
        decoder.push(token)


def test_masks_of_a_closed_piece_are_an_error():
    decoder = CODEC.decoder()
    decoder.push([0, START, 0, 0])
    decoder.push([0, END, 0, 0])
    with pytest.raises(CodecError, match="closed"):
        decoder.masks()


def test_a_piece_cut_off_by_its_stream_lifts_the_pedal_with_the_last_key():
    decoder = CODEC.decoder()
    for token in ([0, START, 0, 0], [10, PEDAL_DOWN, 0, 0], [5, C4, 9, 16]):
        decoder.push(token)
    assert decoder.finish() == [Pedal(0.1, 0.25)]
    assert decoder.is_ended and decoder.clock == 0.25


# The pedal


def test_the_pedal_is_down_from_the_token_that_presses_it_to_the_one_that_lifts_it() -> None:
    decoder = CODEC.decoder()
    tokens = [[0, START, 0, 0], [25, PEDAL_DOWN, 0, 0], [10, C4, 5, 16], [15, PEDAL_UP, 0, 0]]
    times = []
    for token in tokens:
        decoder.push(token)
        times.append(decoder.pedal_down_since)
    assert times == [None, 0.25, 0.25, None]


@given(rng=random_numbers(), free_rows=st.integers(0, 60))
def test_finishing_lifts_the_pedal_that_is_down_and_no_other(rng: np.random.Generator, free_rows: int) -> None:
    decoder = CODEC.decoder()
    for token in sample(CODEC, rng, free_rows=free_rows, notes_left=5)[:free_rows]:
        decoder.push(token)
    down = decoder.pedal_down_since
    lifted = [event.down for event in decoder.finish() if isinstance(event, Pedal)]
    assert lifted == ([] if down is None else [down])
    assert decoder.pedal_down_since is None
