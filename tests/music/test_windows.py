"""Windows are drawn by a generator: the same seed gives the same ones, each as long as asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.music.notes import Notes, excerpt, window
from arietta.music.windows import draw_excerpt, draw_window, draw_windows
from tests.support.tunes import tune

PIECES = [tune(seed, 20 + 15 * seed) for seed in range(6)]  # 20 to 95 notes


@given(st.integers(1, 95), st.integers(0, 1000))
def test_a_window_is_some_window_of_its_piece(note_count: int, seed: int) -> None:
    notes = PIECES[5]
    drawn = draw_window(notes, note_count, np.random.default_rng(seed))
    assert any(drawn == window(notes, start, start + note_count) for start in range(95 - note_count + 1))


def test_every_start_can_be_drawn() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_window(PIECES[0], 18, rng) for _ in range(60)]
    assert all(window(PIECES[0], start, start + 18) in drawn for start in range(3))


def test_an_excerpt_of_a_short_piece_is_all_of_it() -> None:
    drawn = draw_window(PIECES[0], 300, np.random.default_rng(0), cut=excerpt)
    assert drawn == excerpt(PIECES[0], 0, 20)


def test_each_piece_that_is_long_enough_has_one_window_in_a_drawn_order() -> None:
    drawn = list(draw_windows(PIECES.__getitem__, 6, 50, np.random.default_rng(4)))
    again = list(draw_windows(PIECES.__getitem__, 6, 50, np.random.default_rng(4)))
    assert drawn == again
    assert [len(notes) for notes in drawn] == [50] * 4
    assert drawn != list(draw_windows(PIECES.__getitem__, 6, 50, np.random.default_rng(5)))


@pytest.mark.parametrize("missing", [None, Notes.of()])
def test_a_piece_that_cannot_be_read_is_passed_over(missing: Notes | None) -> None:
    def read(index: int) -> Notes | None:
        return missing if index == 5 else PIECES[index]

    whole = list(draw_windows(lambda i: None if i < 5 else PIECES[i], 6, 50, np.random.default_rng(1)))
    assert len(whole) == 1
    assert len(list(draw_windows(read, 6, 50, np.random.default_rng(1)))) == 3


def test_an_excerpt_of_any_piece_names_it_and_is_none_where_it_is_too_short() -> None:
    rng = np.random.default_rng(0)
    for _ in range(40):
        index, notes = draw_excerpt(PIECES.__getitem__, 6, 50, rng)
        assert (notes is None) == (len(PIECES[index]) < 50)
        assert notes is None or len(notes) == 50
