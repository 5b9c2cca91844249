"""ChordCodec: normal order, the vocabulary, the laws that its few symbols can hold, and the seed's corpus."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.errors import CodecError, MidiError
from arietta.music.midi import read_midi
from arietta.music.notes import Note, Notes
from benchmarks.quality.chord_codec import ChordCodec, normal_order, pitches
from tests.support.strategies import permits, pieces, random_numbers, sample

C_MAJOR = (0, 4, 7)
CODEC = ChordCodec([59, 60, 61, 64, (0,), (1,), C_MAJOR, (0, 1), (9, 0, 4)])


def chord(*pitches: int, at: float = 0.0) -> Notes:
    return Notes.of([at] * len(pitches), [1.0] * len(pitches), pitches, [64] * len(pitches))


def tune(*pitches: int) -> Notes:
    return Notes.of(np.arange(len(pitches)) * 0.5, [0.4] * len(pitches), pitches, [64] * len(pitches))


# Normal order


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ((0, 4, 7), (0, 4, 7)),
        ((7, 0, 4), (0, 4, 7)),
        ((64, 67, 72), (0, 4, 7)),
        ((0, 3, 8), (8, 0, 3)),
        ((2, 5, 7, 11), (11, 2, 5, 7)),
        ((5, 8, 0, 1), (0, 1, 5, 8)),  # 5, 8, 0, 1 spans as little, but its third note lies further off
        ((0, 3, 6, 9), (0, 3, 6, 9)),  # all alike: the lowest first
        ((9, 1, 5), (1, 5, 9)),
        ((4, 11), (11, 4)),
        ((6,), (6,)),
        ((), ()),
    ],
)
def test_normal_order_spans_least_and_packs_to_the_left(classes, expected):
    assert normal_order(classes) == expected


@given(st.sets(st.integers(0, 127), min_size=1, max_size=8), st.integers(0, 11))
def test_normal_order_turns_with_transposition(classes, semitones):
    order, moved = normal_order(classes), normal_order({c + semitones for c in classes})
    assert sorted(moved) == sorted((c + semitones) % 12 for c in order)
    assert (moved[-1] - moved[0]) % 12 == (order[-1] - order[0]) % 12
    assert normal_order(order) == order


# The vocabulary


def test_learning_keeps_symbols_seen_often_enough_single_notes_first():
    music = [tune(60, 62, 60, 64), chord(60, 64, 67), chord(52, 67, 72), chord(60, 65), tune(64)]
    assert ChordCodec.learn(music, minimum=2).symbols == (60, 64, C_MAJOR)


def test_a_vocabulary_without_a_single_note_is_refused_with_what_to_do():
    with pytest.raises(CodecError, match=r"none of the 1 symbols .* lower minimum"):
        ChordCodec.learn([chord(60, 64, 67)] * 3, minimum=3)


# Laws


@given(pieces())
def test_decoding_what_was_encoded_gives_the_quantised_piece(notes):
    assert CODEC.decode(CODEC.encode(notes)) == CODEC.quantise(notes)
    codec = ChordCodec.learn([notes, tune(60)], minimum=1)
    assert codec.decode(codec.encode(notes)) == codec.quantise(notes)
    assert codec.losses(notes).outside == 0


@given(pieces())
def test_every_note_is_kept_or_counted(notes):
    losses = CODEC.losses(notes)
    assert len(CODEC.quantise(notes)) == len(notes) - losses.merged - losses.outside


@given(random_numbers(), st.integers(0, 40), st.integers(0, 30))
def test_encoding_what_was_decoded_gives_the_same_symbols(rng, free_rows, notes_left):
    events = sample(CODEC, rng, free_rows=free_rows, notes_left=notes_left)
    assert np.array_equal(CODEC.encode(CODEC.decode(events)), events)


@given(random_numbers(), st.integers(0, 40))
def test_a_plan_gives_exactly_that_many_notes(rng, notes_left):
    assert len(CODEC.decode(sample(CODEC, rng, free_rows=0, notes_left=notes_left))) == notes_left


@given(random_numbers(), st.integers(0, 8), st.booleans())
def test_push_takes_exactly_the_symbols_that_the_masks_offer(rng, notes_left, is_planned):
    for value in range(-1, 10):
        decoder = CODEC.decoder()
        if is_planned:
            decoder.plan(notes_left=notes_left + 1)
        is_offered = permits(decoder.masks(), CODEC, [value])
        try:
            decoder.push([value])
        except CodecError:
            assert not is_offered
        else:
            assert is_offered


@given(random_numbers(), st.integers(0, 20), st.integers(1, 20))
def test_symbols_pushed_one_by_one_give_what_they_give_at_once(rng, free_rows, notes_left):
    events = sample(CODEC, rng, free_rows=free_rows, notes_left=notes_left)
    decoder, found = CODEC.decoder(), []
    for row in events:
        found += decoder.push(row)
    assert decoder.finish() == [] and decoder.is_ended and decoder.note_count == len(found)
    assert Notes.from_events(found) == CODEC.decode(events)


# Worked examples


def test_a_chord_is_one_row_in_any_octave_and_inversion():
    assert CODEC.encode(chord(43, 64, 72)).tolist() == CODEC.encode(chord(60, 64, 67)).tolist() == [[6]]
    assert CODEC.losses(chord(36, 48, 64, 67)).merged == 1


def test_chords_are_voiced_in_the_octave_above_middle_c_every_quarter_second():
    notes = CODEC.decode(np.array([[1], [6]], dtype=np.uint16))
    assert [notes[index] for index in range(4)] == [
        Note(0.0, 0.25, 60, 64),
        *(Note(0.25, 0.25, pitch, 64) for pitch in (60, 64, 67)),
    ]


def test_an_octave_stays_an_octave():
    assert pitches((1,)) == (61, 73)
    assert CODEC.encode(chord(37, 49)).tolist() == [[5]]
    assert CODEC.quantise(chord(37, 49)).pitch.tolist() == [61, 73]


def test_notes_within_a_twentieth_of_a_second_are_one_chord():
    spread = Notes.of([0.0, 0.02, 0.049, 0.05], [1.0] * 4, [60, 64, 67, 64], [64] * 4)
    assert CODEC.encode(spread).tolist() == [[6], [3]]


def test_symbols_outside_the_vocabulary_are_left_out_and_counted():
    notes = Notes.of([0, 0, 1, 2], [1] * 4, [62, 65, 63, 60], [64] * 4, pedal=[(0, 1)])
    assert CODEC.quantise(notes)[0] == (0.0, 0.25, 60, 64)
    assert (CODEC.losses(notes).outside, CODEC.losses(notes).pedals) == (3, 1)


def test_an_empty_piece_has_no_rows():
    assert CODEC.encode(Notes.of()).shape == (0, 1)
    assert CODEC.decode(CODEC.encode(Notes.of())) == Notes.of()


def test_only_symbols_with_few_enough_notes_are_offered_near_the_end():
    decoder = CODEC.decoder()
    decoder.plan(notes_left=2)
    assert np.flatnonzero(decoder.masks().allowed).tolist() == [0, 1, 2, 3, 4, 5, 7]
    with pytest.raises(CodecError, match="has 3 notes, 2 are left"):
        decoder.push([6])
    decoder.push([1])
    assert np.flatnonzero(decoder.masks().allowed).tolist() == [0, 1, 2, 3]
    decoder.push([0])
    assert decoder.is_ended and decoder.clock == 0.25
    with pytest.raises(CodecError, match="nothing follows"):
        decoder.push([0])
    with pytest.raises(CodecError, match="closed"):
        decoder.masks()


def test_a_pitch_to_avoid_is_in_no_symbol_offered_unless_nothing_else_is_left():
    decoder = CODEC.decoder()
    decoder.avoid(60)
    assert np.flatnonzero(decoder.masks().allowed).tolist() == [0, 2, 3, 5]
    decoder.push([0])
    assert decoder.masks().allowed.all()
    alone = ChordCodec([60]).decoder()
    alone.avoid(60)
    assert alone.masks().allowed.tolist() == [True]


def test_seconds_and_prompts_are_refused():
    assert not CODEC.can_continue
    with pytest.raises(CodecError, match="not of seconds"):
        CODEC.decoder().plan(until=3.0)
    with pytest.raises(CodecError, match="prompt"):
        CODEC.decoder().hold(60, 1.0)


def test_every_symbol_is_counted():
    assert CODEC.loss_mask(np.zeros((3, 1), dtype=np.uint16)).all()


# The seed's corpus


def test_the_seeds_files_give_about_its_89_symbols_and_10922_windows(corpora: Path) -> None:
    hands = list(_hands(corpora / "grieg"))
    if not hands:
        pytest.skip(f"no grieg in {corpora}")
    codec = ChordCodec.learn(hands)
    windows = sum(len(codec.encode(hand)) for hand in hands) - 50
    assert len(codec.symbols) == pytest.approx(89, rel=0.1)
    assert windows == pytest.approx(10_922, rel=0.01)


def _hands(folder: Path):
    for path in sorted(folder.glob("*.mid")):
        for track in range(1, 8):
            try:
                hand = read_midi(path, tracks=[track])
            except MidiError:
                break
            if len(hand):
                yield hand
