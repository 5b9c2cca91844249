"""Notes hold what they are given, sorted and checked; what musicians do to them does that and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from arietta.music.notes import (
    Note,
    Notes,
    Pedal,
    crop,
    excerpt,
    first,
    fold_pedal,
    join,
    next_strike,
    select,
    shift,
    stretch,
    transpose,
    trim,
    window,
)
from tests.support.strategies import pieces

PIECE = Notes.of(
    [0.5, 1.0, 1.0, 2.0], [0.4, 1.5, 0.5, 1.0], [60, 64, 48, 60], [50, 51, 52, 53], [(0.25, 1.5), (1.5, 3.5)]
)


def rows(notes: Notes) -> list[tuple[float, float, int, int]]:
    return [tuple(note) for note in notes]


# Making


def test_notes_are_sorted_by_onset_then_pitch_and_pedals_by_time() -> None:
    notes = Notes.of([1, 0, 0], [1, 2, 3], [60, 70, 50], [7, 8, 9], [(2, 3), (0, 1)])
    assert rows(notes) == [(0.0, 3.0, 50, 9), (0.0, 2.0, 70, 8), (1.0, 1.0, 60, 7)]
    assert notes.pedal.tolist() == [[0, 1], [2, 3]]


def test_columns_have_their_types_and_are_read_only() -> None:
    assert [column.dtype.str for column in (PIECE.onset, PIECE.duration, PIECE.pitch, PIECE.velocity)] == [
        "<f8",
        "<f8",
        "|u1",
        "|u1",
    ]
    with pytest.raises(ValueError, match="read-only"):
        PIECE.onset[0] = 3


def test_the_callers_arrays_are_left_as_they_were() -> None:
    onset, pedal = np.array([1.0, 0.0]), np.array([[0.0, 1.0]])
    notes = Notes.of(onset, [1, 1], [60, 61], [1, 1], pedal)
    onset[0] = pedal[0, 1] = 9
    assert (notes.onset.tolist(), notes.pedal.tolist()) == ([0, 1], [[0, 1]])


def test_no_notes_are_notes() -> None:
    nothing = Notes.of()
    assert (len(nothing), nothing.seconds, nothing.pedal.shape) == (0, 0.0, (0, 2))
    assert Notes.from_events([]) == nothing
    with pytest.raises(TypeError, match=r"events are Note and Pedal, not \(0, 1, 60, 60\)"):
        Notes.from_events([(0, 1, 60, 60)])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("columns", "offence"),
    [
        (([0, 1], [1], [60, 61], [1, 1]), r"differ in length: \[2, 1, 2, 2\]"),
        (([0], [1, 1], [60], [1]), r"differ in length: \[1, 2, 1, 1\]"),
        (([0], [1], [60, 61], [1]), "differ in length"),
        (([np.nan], [1], [60], [1]), "finite"),
        (([0], [np.inf], [60], [1]), "finite"),
        (([-0.1], [1], [60], [1]), "time begins at 0"),
        (([0], [0], [60], [1]), r"above 0, found 0\.0"),
        (([0], [1], [128], [1]), "pitch must lie in 0-127, not 128"),
        (([0], [1], [-1], [1]), "pitch must lie in 0-127"),
        (([0], [1], [10**30], [1]), "pitch must lie in 0-127, not"),
        (([0], [1], [60], [0]), "velocity must lie in 1-127, not 0"),
        (([0], [1], [60.5], [1]), "pitch must be whole numbers"),
        (([0], [1], [60], [np.nan]), "velocity must be whole numbers"),
        (((), (), (), (), [(1, 1)]), "end after they begin"),
        (((), (), (), (), [(0, 2), (1, 3)]), "may not overlap"),
        (((), (), (), (), [(-1, 1)]), "time begins at 0"),
    ],
)
def test_impossible_columns_are_refused(columns: tuple[object, ...], offence: str) -> None:
    with pytest.raises(ValueError, match=offence):
        Notes.of(*columns)


def test_events_in_any_order_make_the_same_notes() -> None:
    events = [Pedal(1.0, 2.0), Note(1.0, 0.5, 64, 9), Note(0.0, 1.0, 60, 8), Pedal(0.0, 0.5)]
    assert Notes.from_events(events) == Notes.of([0, 1], [1, 0.5], [60, 64], [8, 9], [(0, 0.5), (1, 2)])
    assert Notes.from_events(events[1:3]) == Notes.of([0, 1], [1, 0.5], [60, 64], [8, 9])


def test_a_row_is_a_note() -> None:
    assert PIECE[1] == Note(1.0, 0.5, 48, 52)
    assert PIECE[-1] == Note(2.0, 1.0, 60, 53)
    assert type(PIECE[0].pitch) is int


@pytest.mark.parametrize(
    "change", [lambda n: shift(n, 1), lambda n: stretch(n, 2), lambda n: transpose(n, 1), lambda n: first(n, 3)]
)
def test_notes_are_equal_when_every_column_is(change: Callable[[Notes], Notes]) -> None:
    assert stretch(PIECE, 1.0) == PIECE
    assert change(PIECE) != PIECE
    assert PIECE != "PIECE"


def test_a_piece_lasts_until_the_last_key_or_pedal_is_let_go() -> None:
    assert PIECE.seconds == 3.5
    assert select(PIECE, np.arange(4), np.zeros((0, 2))).seconds == 3.0


# Changing


def test_take_keeps_what_a_mask_or_indices_choose() -> None:
    assert rows(select(PIECE, PIECE.pitch == 60)) == [PIECE[0], PIECE[3]]
    assert rows(select(PIECE, np.array([3, 0]))) == [PIECE[0], PIECE[3]]
    assert select(PIECE, PIECE.pitch == 60).pedal.tolist() == PIECE.pedal.tolist()


def test_crop_keeps_what_begins_inside_and_cuts_the_pedal_at_both_edges() -> None:
    part = crop(PIECE, 1.0, 2.0)
    assert rows(part) == [(0.0, 0.5, 48, 52), (0.0, 1.5, 64, 51)]
    assert part.pedal.tolist() == [[0, 0.5], [0.5, 1]]


@given(pieces(), st.floats(0, 50), st.floats(0, 50))
def test_two_crops_hold_each_note_once(notes: Notes, middle: float, later: float) -> None:
    end = middle + later
    begins = notes.onset
    assert len(crop(notes, 0, middle)) + len(crop(notes, middle, end)) == (begins < end).sum()
    assert crop(notes, middle, end).pedal.max(initial=0) <= later + 1e-9


def test_first_keeps_so_many_notes_and_the_pedal_they_were_played_with() -> None:
    assert rows(first(PIECE, 1)) == [PIECE[0]]
    assert first(PIECE, 1).pedal.tolist() == [[0.25, 1.5]]
    assert first(PIECE, 3).pedal.tolist() == [[0.25, 1.5]]
    assert first(PIECE, 4) == first(PIECE, 9) == PIECE
    assert first(PIECE, 0) == first(PIECE, -1) == Notes.of()


def test_shift_moves_notes_and_pedal_but_not_before_the_start() -> None:
    assert rows(shift(PIECE, -0.25))[0] == (0.25, 0.4, 60, 50)
    assert shift(PIECE, 2.0).pedal.tolist() == [[2.25, 3.5], [3.5, 5.5]]
    with pytest.raises(ValueError, match="time begins at 0"):
        shift(PIECE, -0.3)


def test_trim_begins_with_the_first_note_or_an_earlier_pedal() -> None:
    assert trim(PIECE) == shift(PIECE, -0.25)
    assert trim(select(PIECE, np.arange(4), np.zeros((0, 2)))).onset[0] == 0
    assert trim(Notes.of()) == Notes.of()


def test_join_plays_the_second_piece_after_the_last_release_of_the_first() -> None:
    both = join(PIECE, PIECE, gap=0.5)
    assert rows(both)[:4] == rows(PIECE)
    assert both.onset[4:].tolist() == (PIECE.onset + 4.0).tolist()
    assert both.pedal[2:].tolist() == (PIECE.pedal + 4.0).tolist()
    assert join(Notes.of(), PIECE) == join(PIECE, Notes.of()) == PIECE


@given(pieces(), pieces())
def test_joined_pieces_lose_nothing(before: Notes, after: Notes) -> None:
    assume((np.diff(after.pedal) > 1e-9).all())
    both = join(before, after)
    assert (len(both), len(both.pedal)) == (len(before) + len(after), len(before.pedal) + len(after.pedal))
    assert both.seconds == pytest.approx(before.seconds + after.seconds)


def test_transpose_moves_pitches_only_and_stays_on_the_keyboard() -> None:
    assert transpose(PIECE, 44).pitch.tolist() == [104, 92, 108, 104]
    assert transpose(PIECE, -27).pitch.min() == 21
    assert transpose(transpose(PIECE, 5), -5) == PIECE
    for semitones in (45, -28):
        with pytest.raises(ValueError, match=f"transposing by {semitones} leaves the 88 keys"):
            transpose(PIECE, semitones)
    assert transpose(Notes.of(), 100) == Notes.of()


def test_stretch_scales_every_time_and_refuses_to_end_them() -> None:
    assert rows(stretch(PIECE, 2.0))[1] == (2.0, 1.0, 48, 52)
    assert stretch(PIECE, 2.0).pedal.tolist() == [[0.5, 3], [3, 7]]
    with pytest.raises(ValueError, match="above 0"):
        stretch(PIECE, 0.0)


# Sounding


def folded(notes: list[Note], pedal: list[tuple[float, float]]) -> list[float]:
    """Give the releases of notes after folding the pedal in."""
    return fold_pedal(Notes.from_events([*notes, *(Pedal(*press) for press in pedal)])).release.tolist()


def test_the_pedal_holds_a_note_let_go_while_it_is_down() -> None:
    assert folded([Note(0.0, 1.0, 60, 1)], [(0.5, 2.0)]) == [2]
    assert folded([Note(0.0, 1.0, 60, 1)], [(1.0, 2.0)]) == [2]


def test_a_note_let_go_before_or_after_the_pedal_ends_with_its_key() -> None:
    assert folded([Note(0.0, 1.0, 60, 1)], [(1.5, 2.0)]) == [1]
    assert folded([Note(0.0, 1.0, 60, 1)], [(0.0, 0.5)]) == [1]
    assert folded([Note(0.0, 1.0, 60, 1)], [(0.0, 1.0)]) == [1]
    assert folded([Note(0.0, 1.0, 60, 1)], []) == [1]


def test_a_pedal_change_ends_what_the_first_press_held() -> None:
    assert folded([Note(0.0, 1.0, 60, 1)], [(0.0, 2.0), (2.0, 3.0)]) == [2]


def test_a_key_struck_again_under_the_pedal_ends_the_earlier_note() -> None:
    assert folded([Note(0.0, 1.0, 60, 1), Note(1.5, 0.1, 60, 1), Note(1.0, 0.1, 61, 1)], [(0.0, 3.0)]) == [1.5, 3, 3]


def test_folding_leaves_no_pedal_and_shortens_nothing_but_overlaps() -> None:
    whole = fold_pedal(PIECE)
    assert whole.pedal.shape == (0, 2)
    np.testing.assert_allclose(whole.release, [1.5, 3.5, 3.5, 3.5])


@given(pieces())
def test_folding_again_changes_nothing(notes: Notes) -> None:
    whole = fold_pedal(notes)
    np.testing.assert_allclose(fold_pedal(whole).release, whole.release, atol=1e-9)
    assert (whole.release <= next_strike(whole) + 1e-9).all()


@given(pieces())
def test_the_next_strike_is_the_earliest_later_note_of_the_pitch(notes: Notes) -> None:
    expected = [
        min((other.onset for other in notes if other.pitch == note.pitch and other.onset > note.onset), default=np.inf)
        for note in notes
    ]
    assert next_strike(notes).tolist() == expected


def test_both_notes_of_a_twin_are_struck_again_at_the_same_time() -> None:
    twins = Notes.of([0, 0, 1], [5, 6, 1], [60, 60, 60], [1, 2, 3])
    assert next_strike(twins).tolist() == [1, 1, np.inf]
    assert next_strike(Notes.of()).tolist() == []


def test_an_excerpt_begins_at_nought_without_the_pedal(waltz: Notes) -> None:
    part = excerpt(waltz, 4, 8)
    assert part.onset.tolist() == (waltz.onset[4:8] - waltz.onset[4]).tolist()
    assert part.pitch.tolist() == waltz.pitch[4:8].tolist()
    assert len(part.pedal) == 0
    assert len(excerpt(waltz, 5, 5)) == 0


def test_a_window_begins_at_nought_with_the_pedal_under_its_notes(waltz: Notes) -> None:
    part = window(waltz, 3, 8)  # the last note of the first bar and all of the second
    assert part.onset.tolist() == [0.0, *(waltz.onset[4:8] - waltz.onset[3])]
    assert part.pedal.tolist() == [[0.0, pytest.approx(0.4)], [pytest.approx(0.5), pytest.approx(1.9)]]
    held = window(waltz, 5, 7)
    assert held.pedal.tolist() == [[0.0, pytest.approx(0.5)]]  # cut where the next note begins
    assert window(waltz, 0, len(waltz)) == waltz


# As Python writes it


def test_notes_are_shown_with_their_number_length_and_ranges() -> None:
    assert repr(PIECE) == "Notes(4 notes, 2 pedals, 3.50 s, pitch 48-64, velocity 50-53)"
    assert repr(Notes.of()) == "Notes(0 notes, 0 pedals, 0.00 s)"


@given(pieces(), st.data())
def test_a_slice_has_the_notes_of_a_list_at_their_own_times(notes: Notes, data: st.DataObject) -> None:
    chosen = data.draw(st.slices(len(notes)))
    assert sorted(notes[chosen]) == sorted(list(notes)[chosen])
    assert notes[:] == notes


def test_a_slice_has_the_pedal_under_its_notes() -> None:
    assert PIECE[1:3].pedal.tolist() == [[1.0, 1.5], [1.5, 2.0]]
    assert PIECE[:1].pedal.tolist() == [[0.25, 1.0]]
    assert PIECE[2:2] == Notes.of()


@given(pieces(), st.integers(0, 24))
def test_what_is_cut_in_two_is_whole_when_played_together(notes: Notes, cut: int) -> None:
    together = notes[:cut] | notes[cut:]
    assert rows(together) == rows(notes | notes)
    assert together.pedal.tolist() == (notes | notes).pedal.tolist(), "presses that touch are one in both"


def test_a_mask_keeps_its_notes_and_all_of_the_pedal() -> None:
    chosen = PIECE[np.array([True, False, False, True])]
    assert rows(chosen) == [rows(PIECE)[0], rows(PIECE)[3]]
    assert np.array_equal(chosen.pedal, PIECE.pedal)


@pytest.mark.parametrize("index", ["1", 1.0, None, [0, 1], (0, 1), np.ones(3, np.bool_), np.zeros(4, np.int64)])
def test_what_is_no_index_is_refused_with_a_sentence(index: object) -> None:
    with pytest.raises(TypeError, match="notes have whole numbers, slices and masks of all notes as indices, not"):
        PIECE[index]  # type: ignore[call-overload]


def test_a_note_that_is_not_there_is_refused_with_a_sentence() -> None:
    assert PIECE[-4] == PIECE[0]
    for index in (4, -5):
        with pytest.raises(IndexError, match=f"there is no note {index}: there are 4"):
            PIECE[index]


def test_between_keeps_what_begins_in_a_span_where_it_is() -> None:
    assert rows(PIECE.between(1.0, 2.0)) == rows(PIECE)[1:3]
    assert PIECE.between(1.0, 2.0).pedal.tolist() == [[1.0, 1.5], [1.5, 2.0]]
    assert len(PIECE.between(2.0, 1.0)) == 0 and len(PIECE.between(2.0, 1.0).pedal) == 0


def test_a_sum_plays_the_second_piece_from_its_first_sound_after_the_last_release() -> None:
    both = PIECE + PIECE
    assert both.onset.tolist() == [0.5, 1.0, 1.0, 2.0, 3.75, 4.25, 4.25, 5.25]
    assert both.pedal.tolist() == [[0.25, 1.5], [1.5, 3.5], [3.5, 4.75], [4.75, 6.75]]


@given(pieces(), pieces(), pieces())
def test_sums_may_be_made_in_any_order(a: Notes, b: Notes, c: Notes) -> None:
    assume(len(a) and len(b) and len(c))
    left, right = (a + b) + c, a + (b + c)
    assert np.allclose(left.onset, right.onset) and np.allclose(left.pedal, right.pedal)
    assert left.pitch.tolist() == right.pitch.tolist()


def test_together_twins_are_one_note_and_the_pedal_is_down_where_either_has_it_down() -> None:
    soft = Notes.of([0, 1], [1, 1], [60, 62], [40, 40], [(0, 1), (3, 4)])
    loud = Notes.of([0, 0], [0.5, 1], [60, 64], [90, 30], [(0.5, 2), (2, 2.5)])
    both = soft | loud
    assert rows(both) == [(0, 1, 60, 90), (0, 1, 64, 30), (1, 1, 62, 40)]
    assert both.pedal.tolist() == [[0, 2.5], [3, 4]]


@given(pieces(), pieces())
def test_together_is_the_same_either_way_and_twice(a: Notes, b: Notes) -> None:
    assert a | b == b | a
    assert (a | b) | b == a | b


def test_notes_are_joined_with_notes_alone() -> None:
    with pytest.raises(TypeError, match="unsupported operand"):
        PIECE + 1  # type: ignore[operator]
    with pytest.raises(TypeError, match="unsupported operand"):
        PIECE | {60}  # type: ignore[operator]
