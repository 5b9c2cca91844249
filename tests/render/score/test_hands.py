from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings

from arietta.music.notes import Notes, stretch
from arietta.render.score.hands import split_hands
from tests.support.strategies import pieces


def played(*grips: tuple[int, ...], length: float = 0.5, gap: float = 0.5) -> Notes:
    """Play one grip after the other."""
    columns = [(place * gap, length, key, 64) for place, grip in enumerate(grips) for key in grip]
    return Notes.of(*zip(*columns, strict=True))


def hands(notes: Notes) -> str:
    return "".join("R" if is_right else "L" for is_right in split_hands(notes))


@settings(max_examples=50)
@given(pieces())
def test_of_keys_struck_together_the_right_hand_has_the_upper_ones(notes: Notes) -> None:
    is_right = split_hands(notes)
    assert is_right.shape == (len(notes),)
    for onset in np.unique(notes.onset):
        together = notes.onset == onset
        assert notes.pitch[together & ~is_right].max(initial=0) <= notes.pitch[together & is_right].min(initial=127)


def test_a_bass_and_a_tune_are_two_hands() -> None:
    assert hands(played((36, 76), (43, 77), (40, 79), (43, 81))) == "LR" * 4


def test_a_scale_in_the_treble_is_the_right_hands() -> None:
    assert set(hands(played(*((key,) for key in (72, 74, 76, 77, 79, 81, 83, 84))))) == {"R"}


def test_a_chord_wider_than_a_hand_is_shared() -> None:
    assert hands(played((40, 47, 64, 72))) == "LLRR"


def test_both_hands_may_play_in_the_bass() -> None:
    grips = [(28, 40, 55, 59)] * 6
    assert hands(played(*grips)) == "LLRR" * 6


def test_a_hand_that_holds_a_key_does_not_leap_away() -> None:
    held = Notes.of([0.0, 0.5, 1.0, 1.5], [4.0, 0.4, 0.4, 0.4], [40, 64, 67, 72], [64] * 4)
    assert hands(held) == "LRRR"


def test_six_keys_are_not_for_one_hand() -> None:
    assert set(hands(played((60, 62, 64, 65, 67, 69)))) == {"L", "R"}


def test_a_broken_accompaniment_stays_in_the_left_hand_under_a_tune() -> None:
    grips = [(48, 76), (55,), (52, 74), (55,), (48, 72), (55,), (52, 74), (55,)]
    notes = played(*grips, length=0.24, gap=0.25)
    assert all((key > 60) == is_right for key, is_right in zip(notes.pitch, split_hands(notes), strict=True))


def test_no_notes_need_no_hands() -> None:
    assert split_hands(Notes.of()).shape == (0,)


def test_the_split_does_not_change_with_a_little_rubato() -> None:
    notes = played(*[(48, 64, 76), (52,), (55, 67, 79), (52,)] * 4, length=0.2, gap=0.25)
    assert np.array_equal(split_hands(notes), split_hands(stretch(notes, 1.03)))


@pytest.mark.timed
def test_a_thousand_notes_take_less_than_half_a_second_of_processor_time() -> None:
    rng = np.random.default_rng(0)
    notes = Notes.of(
        np.sort(rng.uniform(0, 120, 1000)), rng.uniform(0.1, 1, 1000), rng.integers(30, 90, 1000), [64] * 1000
    )
    begun = time.process_time()
    split_hands(notes)
    assert time.process_time() - begun < 0.5


@pytest.mark.parametrize(("lowest", "is_right"), [(72, True), (60, True), (45, False)])
def test_triads_of_one_hand_are_not_divided(lowest: int, is_right: bool) -> None:
    pitch = np.array([lowest + chord + step for chord in range(6) for step in (0, 4, 7)])
    notes = Notes.of(np.repeat(0.5 * np.arange(6), 3), np.full(18, 0.5), pitch, np.full(18, 64))
    assert set(split_hands(notes).tolist()) == {is_right}
