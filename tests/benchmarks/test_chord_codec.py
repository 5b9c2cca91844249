"""ChordCodec: normal order, the vocabulary, the laws that its few symbols can hold, and the seed's corpus."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.errors import MidiError
from arietta.music.midi import read_midi
from arietta.music.notes import Notes
from benchmarks.quality.chord_codec import ChordCodec, normal_order
from tests.support.strategies import pieces

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


# Laws


@given(pieces())
def test_every_symbol_of_a_piece_is_encoded_where_the_vocabulary_is_its_own(notes):
    codec = ChordCodec.learn([notes, tune(60)], minimum=1)
    values = codec.encode(notes)[:, 0]
    assert set(values.tolist()) | {codec.symbols.index(60)} == set(range(*codec.field_sizes))
    assert len(values) <= len(notes)


# Worked examples


def test_a_chord_is_one_row_in_any_octave_and_inversion():
    assert CODEC.encode(chord(43, 64, 72)).tolist() == CODEC.encode(chord(60, 64, 67)).tolist() == [[6]]
    assert CODEC.encode(chord(36, 48, 64, 67)).tolist() == [[6]]


def test_an_octave_is_a_chord_of_one_pitch_class():
    assert CODEC.encode(chord(37, 49)).tolist() == [[5]]


def test_notes_within_a_twentieth_of_a_second_are_one_chord():
    spread = Notes.of([0.0, 0.02, 0.049, 0.05], [1.0] * 4, [60, 64, 67, 64], [64] * 4)
    assert CODEC.encode(spread).tolist() == [[6], [3]]


def test_symbols_outside_the_vocabulary_are_left_out():
    notes = Notes.of([0, 0, 1, 2], [1] * 4, [62, 65, 63, 60], [64] * 4, pedal=[(0, 1)])
    assert CODEC.encode(notes).tolist() == [[1]]


def test_an_empty_piece_has_no_rows():
    assert CODEC.encode(Notes.of()).shape == (0, 1)


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
