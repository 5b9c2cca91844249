"""PerformanceCodec: the laws on drawn pieces and sampled events, worked examples, and files of the corpora."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arietta.codecs.performance import (
    EVENT_COUNT,
    LONGEST_SILENCE,
    NOTE_OFF,
    NOTE_ON,
    SHIFT,
    VELOCITY,
    PerformanceCodec,
)
from arietta.codecs.roundtrip import measure_fidelity, onset_errors
from arietta.errors import CodecError, MidiError
from arietta.music.midi import read_midi
from arietta.music.notes import Note, Notes, fold_pedal
from tests.support.strategies import permits, pieces, random_numbers, sample, sample_row, walk

CODEC = PerformanceCodec()
HALF_STEP = 0.005 + 1e-9
C4, E4 = 60 - 21, 64 - 21
MIDDLING = VELOCITY + 16  # velocities 64-67


def tokens(notes: Notes) -> list[int]:
    return CODEC.encode(notes)[:, 0].tolist()


def shift(steps: int) -> int:
    return SHIFT + steps - 1


def pushed(*events: int):
    decoder = CODEC.decoder()
    for event in events:
        decoder.push([event])
    return decoder


# Laws


@given(pieces())
def test_decoding_what_was_encoded_gives_the_quantised_piece(notes):
    assert CODEC.decode(CODEC.encode(notes)) == CODEC.quantise(notes)


@given(pieces())
def test_quantising_twice_changes_nothing_more(notes):
    once = CODEC.quantise(notes)
    assert CODEC.quantise(once) == once


@given(random_numbers(), st.integers(0, 120), st.integers(1, 30))
def test_encoding_what_was_decoded_gives_the_same_events(rng, free_rows, notes_left):
    taken = sample(CODEC, rng, free_rows=free_rows, notes_left=notes_left)
    assert np.array_equal(CODEC.encode(CODEC.decode(taken)), taken)


@given(random_numbers(), st.integers(0, 80), st.integers(1, 20))
def test_events_pushed_one_by_one_give_what_they_give_at_once(rng, free_rows, notes_left):
    taken = sample(CODEC, rng, free_rows=free_rows, notes_left=notes_left)
    decoder, events = CODEC.decoder(), []
    for token in taken:
        events += decoder.push(token)
    assert decoder.finish() == [] and decoder.is_ended
    assert Notes.from_events(events) == CODEC.decode(taken)
    assert decoder.note_count == len(events)


@given(pieces())
def test_every_event_of_an_encoded_piece_is_one_the_masks_offer(notes):
    decoder = CODEC.decoder()
    for token in CODEC.encode(notes).tolist():
        assert permits(decoder.masks(), CODEC, token)
        decoder.push(token)


@settings(max_examples=25)
@given(random_numbers(), st.integers(0, 40), st.integers(1, 6))
def test_push_takes_exactly_the_events_that_the_masks_offer(rng, free_rows, notes_left):
    last_onset = 0.0
    for (taken,), decoder in walk(CODEC, rng, free_rows=free_rows, notes_left=notes_left):
        is_hurried = decoder.clock - last_onset >= LONGEST_SILENCE / 100  # mere waiting is then not offered
        masks = decoder.masks()
        for event in [0, SHIFT, VELOCITY, EVENT_COUNT, *rng.integers(0, EVENT_COUNT, 12).tolist()]:
            is_offered = permits(masks, CODEC, [event])
            if not (is_hurried and SHIFT <= event < VELOCITY):
                assert is_taken(decoder, event) == is_offered, event
        last_onset = decoder.clock if NOTE_ON <= taken < SHIFT else last_onset


def is_taken(decoder, event: int) -> bool:
    try:
        copy.deepcopy(decoder).push([event])
    except CodecError:
        return False
    return True


@given(random_numbers(), st.integers(0, 60))
def test_a_plan_gives_exactly_that_many_notes_and_ends_by_itself_in_silence(rng, notes_left):
    taken = sample(CODEC, rng, free_rows=0, notes_left=notes_left)
    assert len(CODEC.decode(taken)) == notes_left
    assert ((taken >= NOTE_ON) & (taken < SHIFT)).sum() == notes_left == (taken < NOTE_ON).sum()
    assert not len(taken) or taken[-1, 0] < NOTE_ON


@given(pieces())
def test_onsets_are_within_half_a_step_and_no_note_is_lost_uncounted(notes):
    losses, result = CODEC.losses(notes), CODEC.decode(CODEC.encode(notes))
    assert len(result) == len(notes) - losses.merged - losses.outside
    inside = (notes.pitch >= 21) & (notes.pitch <= 108)
    before = Notes.of(*(c[inside] for c in (notes.onset, notes.duration, notes.pitch, notes.velocity)))
    assert (onset_errors(before, result) <= HALF_STEP).all()
    assert not len(result.pedal)


@given(pieces())
def test_notes_end_within_half_a_step_of_their_folded_release_or_last_one_step(notes):
    result, folded = CODEC.quantise(notes), fold_pedal(notes)
    for note in (result[index] for index in range(len(result))):
        same = folded.release[folded.pitch == note.pitch]
        nearest = np.abs(same - note.onset - note.duration).min()
        assert nearest <= HALF_STEP or note.duration == pytest.approx(0.01)


@given(pieces())
def test_a_prompt_is_the_beginning_of_the_whole_piece_and_ends_with_its_last_note(notes):
    whole, part = CODEC.encode(notes), CODEC.encode(notes, is_complete=False)
    assert np.array_equal(part, whole[: len(part)])
    assert not len(part) or NOTE_ON <= part[-1, 0] < SHIFT
    assert not ((whole[len(part) :] >= NOTE_ON) & (whole[len(part) :] < SHIFT)).any()


@given(random_numbers(), st.integers(21, 108))
def test_a_pitch_to_avoid_is_offered_again_after_another_note(rng, pitch):
    decoder = pushed(MIDDLING, NOTE_ON + (0 if pitch > 21 else 5), shift(9))
    decoder.avoid(pitch)
    assert not decoder.masks().allowed[NOTE_ON + pitch - 21]
    while decoder.note_count == 1:
        token = sample_row(decoder, CODEC, rng, np.ones(EVENT_COUNT))
        assert token != [NOTE_ON + pitch - 21]
        decoder.push(token)
    if not SHIFT <= token[0] < VELOCITY:
        decoder.push([shift(1)])
    assert decoder.masks().allowed[NOTE_ON + pitch - 21]


@given(random_numbers())
def test_avoiding_the_only_key_left_is_no_dead_end(rng):
    decoder = pushed(MIDDLING, *range(NOTE_ON, SHIFT - 1), MIDDLING + 1)
    decoder.avoid(108)
    assert np.flatnonzero(decoder.masks().allowed).tolist() == [SHIFT - 1]


# Worked examples


def test_the_vocabulary_has_the_308_events_of_the_paper():
    assert EVENT_COUNT == 88 + 88 + 100 + 32 == CODEC.field_sizes[0]


def test_a_chord_is_spelled_by_rising_pitch_with_velocities_where_they_change():
    notes = Notes.of([0.5, 0.5, 0.75], [0.25, 0.5, 0.25], [64, 60, 64], [80, 64, 80])
    assert tokens(notes) == [
        *(shift(50), MIDDLING, NOTE_ON + C4, MIDDLING + 4, NOTE_ON + E4),
        *(shift(25), NOTE_OFF + E4, NOTE_ON + E4),
        *(shift(25), NOTE_OFF + C4, NOTE_OFF + E4),
    ]


@pytest.mark.parametrize(
    ("gap", "shifts"), [(0.99, [99]), (1.0, [100]), (1.01, [100, 1]), (2.5, [100, 100, 50]), (37.0, [100] * 37)]
)
def test_a_gap_is_carried_by_full_shifts_and_what_remains(gap, shifts):
    notes = Notes.of([gap], [0.1], [60], [64])
    assert tokens(notes) == [*map(shift, shifts), MIDDLING, NOTE_ON + C4, shift(10), NOTE_OFF + C4]


def test_the_pedal_is_folded_into_the_notes():
    notes = Notes.of([0.0, 1.0], [0.1, 0.1], [60, 62], [64, 64], pedal=[(0.05, 2.0)])
    assert CODEC.quantise(notes).release.tolist() == [2.0, 2.0]


def test_a_key_struck_again_under_the_pedal_ends_its_earlier_note():
    notes = Notes.of([0.0, 1.0], [0.1, 0.1], [60, 60], [64, 64], pedal=[(0.05, 2.0)])
    assert CODEC.quantise(notes).duration.tolist() == [1.0, 1.0]


def test_a_note_shorter_than_a_step_lasts_one():
    assert CODEC.quantise(Notes.of([0.0], [0.001], [60], [64])).duration.tolist() == [0.01]


def test_an_empty_piece_has_no_events():
    assert CODEC.encode(Notes.of()).shape == (0, 1)
    assert CODEC.decode(CODEC.encode(Notes.of())) == Notes.of()


def test_errors_of_ten_thousand_uneven_gaps_never_add_up():
    onset = np.cumsum(np.random.default_rng(1).uniform(0.0, 0.3, 10_000))
    notes = Notes.of(onset, np.full(10_000, 0.1), np.arange(10_000) % 88 + 21, np.full(10_000, 64))
    decoded = CODEC.decode(CODEC.encode(notes))
    assert np.abs(decoded.onset - onset).max() <= HALF_STEP
    assert np.abs(decoded.release - notes.release).max() <= HALF_STEP


def test_notes_are_heard_when_they_end():
    decoder = pushed(MIDDLING, NOTE_ON + C4, shift(100), shift(20))
    assert decoder.note_count == 1 and decoder.clock == 1.2
    assert decoder.push([NOTE_OFF + C4]) == [Note(0.0, 1.2, 60, 66)]


def test_finishing_releases_what_sounds_where_the_clock_stands():
    decoder = pushed(MIDDLING, NOTE_ON + C4, shift(30), NOTE_ON + E4)
    assert decoder.finish() == [Note(0.0, 0.3, 60, 66), Note(0.3, 0.01, 64, 66)]
    assert decoder.is_ended


def test_after_the_planned_notes_only_releases_and_waiting_are_offered():
    decoder = CODEC.decoder()
    decoder.plan(notes_left=1)
    for event in (MIDDLING, NOTE_ON + C4):
        decoder.push([event])
    assert np.flatnonzero(decoder.masks().allowed).tolist() == list(range(SHIFT, VELOCITY))
    decoder.push([shift(9)])
    assert np.flatnonzero(decoder.masks().allowed).tolist() == [NOTE_OFF + C4]
    decoder.push([NOTE_OFF + C4])
    assert decoder.is_ended


def test_a_planned_piece_cannot_wait_for_ever():
    decoder = CODEC.decoder()
    decoder.plan(notes_left=1)
    for event in (MIDDLING, NOTE_ON + C4, *[shift(100)] * 40):
        decoder.push([event])
    assert np.flatnonzero(decoder.masks().allowed).tolist() == [NOTE_OFF + C4]


@pytest.mark.parametrize(
    ("before", "event", "reason"),
    [
        ([], EVENT_COUNT, "lie in 0-307"),
        ([], -1, "lie in 0-307"),
        ([], NOTE_ON + C4, "needs a velocity"),
        ([], NOTE_OFF + C4, "does not sound"),
        ([MIDDLING], shift(1), "before its note"),
        ([MIDDLING], VELOCITY, "before its note"),
        ([MIDDLING, NOTE_ON + C4], NOTE_OFF + C4, "earlier moment"),
        ([MIDDLING, NOTE_ON + C4], NOTE_ON + C4, "still sounds"),
        ([MIDDLING, NOTE_ON + E4], NOTE_ON + C4, "rise in pitch"),
        ([MIDDLING, NOTE_ON + C4, shift(1), NOTE_ON + E4], NOTE_OFF + C4, "rise in pitch"),
        ([MIDDLING, NOTE_ON + C4], MIDDLING, "when it changes"),
        ([MIDDLING, SHIFT - 1], VELOCITY, "a note can follow"),
        ([shift(99)], shift(1), "longest that fits"),
    ],
)
def test_an_event_against_the_grammar_is_refused_with_its_reason(before, event, reason):
    decoder = pushed(*before)
    with pytest.raises(CodecError, match=reason):
        decoder.push([event])


def test_nothing_follows_the_end():
    decoder = CODEC.decoder()
    decoder.finish()
    with pytest.raises(CodecError, match="follows the end"):
        decoder.push([shift(1)])
    with pytest.raises(CodecError, match="closed"):
        decoder.masks()


def test_seconds_and_prompts_are_refused():
    assert not CODEC.can_continue
    with pytest.raises(CodecError, match="not of seconds"):
        CODEC.decoder().plan(until=3.0)
    with pytest.raises(CodecError, match="prompt"):
        CODEC.decoder().hold(60, 1.0)


def test_every_event_is_counted():
    assert CODEC.loss_mask(np.zeros((2, 5, 1), dtype=np.uint16)).tolist() == np.ones((2, 5, 1), dtype=bool).tolist()


# Files of the corpora


@pytest.mark.parametrize(
    ("pattern", "every"), [("maestro-v3.0.0/**/*.midi", 20), ("grieg/*.mid", 1), ("midis/*.mid", 100)]
)
def test_the_laws_and_bounds_hold_on_files(corpora: Path, pattern: str, every: int) -> None:
    files = sorted(corpora.glob(pattern))[::every]
    if not files:
        pytest.skip(f"no {pattern} in {corpora}")
    for file in files:
        try:
            notes = read_midi(file)
        except MidiError:
            continue
        taken, fidelity = CODEC.encode(notes), measure_fidelity(notes, CODEC)
        assert CODEC.decode(taken) == CODEC.quantise(notes), file
        assert np.array_equal(CODEC.encode(CODEC.decode(taken)), taken), file
        assert fidelity.onset_error_max_ms <= 1000 * HALF_STEP and fidelity.lost == 0, (file, fidelity)
        assert abs(fidelity.velocity_difference) <= 0.5, (file, fidelity)


def test_there_is_never_a_pedal_to_hold() -> None:
    decoder = CODEC.decoder()
    for token in CODEC.encode(Notes.of([0.0], [1.0], [60], [64], [(0.0, 2.0)]), is_complete=False):
        decoder.push(token)
        assert decoder.pedal_down_since is None
