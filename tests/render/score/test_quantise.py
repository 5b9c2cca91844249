from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arietta.music.meter import LATTICE, Meter, Tempo, TimeSignature, lay_out_bars
from arietta.music.notes import Notes
from arietta.render.score.quantise import find_too_fast, quantise_notes
from tests.support.strategies import pieces


def meter_of(beats: int = 4, unit: int = 4, *, is_exact: bool = False) -> Meter:
    return Meter((TimeSignature(0, beats, unit),), (Tempo(0, 1.0),), is_exact=is_exact)


def placed(notes: Notes, meter: Meter) -> tuple[list[int], list[int]]:
    """Places at a quarter note a second, all notes in the right hand."""
    layout = lay_out_bars(meter, int(notes.seconds * LATTICE) + 4 * LATTICE)
    start, end = quantise_notes(notes, meter, layout, np.ones(len(notes), dtype=np.bool_))
    return start.tolist(), end.tolist()


def line(onsets: list[float], duration: float = 0.3) -> Notes:
    return Notes.of(onsets, [duration] * len(onsets), [72 + n % 5 for n in range(len(onsets))], [64] * len(onsets))


@settings(max_examples=60)
@given(pieces(), st.sampled_from([(4, 4), (6, 8), (3, 8)]), st.booleans())
def test_every_place_can_be_written_and_no_two_strikes_of_a_key_share_one(
    notes: Notes, signature: tuple[int, int], is_exact: bool
) -> None:
    start, end = placed(notes, meter_of(*signature, is_exact=is_exact))
    assert all(begins < ends for begins, ends in zip(start, end, strict=True))
    assert all(at % 3 == 0 or at % 4 == 0 for at in (*start, *end))
    strikes = list(zip(notes.pitch.tolist(), start, strict=True))
    assert len(set(strikes)) == len(strikes)


@settings(max_examples=40)
@given(pieces())
def test_a_key_is_let_go_before_it_is_struck_again(notes: Notes) -> None:
    start, end = placed(notes, meter_of())
    for pitch in set(notes.pitch.tolist()):
        spans = sorted((start[n], end[n]) for n in range(len(notes)) if notes.pitch[n] == pitch)
        assert all(ends <= begins for (_, ends), (begins, _) in pairwise(spans))


@settings(max_examples=100)
@given(pieces(), st.data(), st.sampled_from([(4, 4), (6, 8), (5, 16), (7, 8), (3, 32)]), st.booleans())
def test_onsets_and_ends_lie_on_the_lattice_of_their_hand(
    notes: Notes, data: st.DataObject, signature: tuple[int, int], is_exact: bool
) -> None:
    flags = data.draw(st.lists(st.booleans(), min_size=len(notes), max_size=len(notes)))
    is_right = np.array(flags, dtype=np.bool_)
    meter = meter_of(*signature, is_exact=is_exact)
    layout = lay_out_bars(meter, int(notes.seconds * LATTICE) + 8 * LATTICE)
    start, end = quantise_notes(notes, meter, layout, is_right)
    assert all(start < end)
    edges = np.array([at for bar in layout for at in range(bar.start, bar.start + bar.length, bar.cell)])
    for hand in (is_right, ~is_right):
        positions = np.concatenate([start[hand], end[hand]])
        cell = np.searchsorted(edges, positions, side="right") - 1
        offset = positions - edges[cell]
        for inside in (offset[cell == number] for number in np.unique(cell)):
            assert all(inside % 3 == 0) or all(inside % 4 == 0)


def test_triplets_are_found_in_bars_that_begin_off_the_quarters() -> None:
    onsets = [1.25, 1.25 + 1 / 3, 1.25 + 2 / 3, 2.25]  # the second bar of 5/16
    notes = Notes.of(onsets, [1 / 3] * 3 + [0.25], [72] * 4, [64] * 4)
    assert placed(notes, meter_of(5, 16, is_exact=True)) == ([30, 38, 46, 54], [38, 46, 54, 60])


def test_notes_of_an_exact_metre_stay_where_they_are() -> None:
    onsets = [0, 1 / 3, 2 / 3, 1, 1.25, 1.5, 1.75, 2, 2.5, 2.875]
    ends = [*onsets[1:], 3.0]
    notes = Notes.of(onsets, np.subtract(ends, onsets), [72] * 10, [64] * 10)
    start, end = placed(notes, meter_of(is_exact=True))
    assert start == [0, 8, 16, 24, 30, 36, 42, 48, 60, 69] and end == [*start[1:], 72]


def test_onsets_that_stray_come_back_to_halves_thirds_and_quarters() -> None:
    rng = np.random.default_rng(0)
    for parts in (1, 2, 3, 4):
        onsets = np.arange(8 * parts) / parts
        notes = line(np.abs(onsets + rng.normal(0, 0.02, len(onsets))).tolist(), 0.8 / parts)
        assert placed(notes, meter_of())[0] == (onsets * LATTICE).round().astype(int).tolist()


def test_an_onset_just_before_a_beat_belongs_to_it() -> None:
    assert placed(line([0.0, 0.95, 2.0]), meter_of())[0] == [0, 24, 48]


def test_notes_struck_together_stay_together() -> None:
    notes = Notes.of([1.0, 1.015, 1.03], [1, 1, 1], [60, 64, 67], [64] * 3)
    assert set(placed(notes, meter_of())[0]) == {24}


def test_compound_beats_are_divided_in_three() -> None:
    onsets = [0, 0.52, 0.99, 1.5, 1.98, 2.51]
    assert placed(line(onsets), meter_of(6, 8))[0] == [0, 12, 24, 36, 48, 60]


@pytest.mark.parametrize(("held", "end"), [(0.95, 24), (0.65, 24), (1.1, 24)])
def test_legato_reaches_the_next_onset(held: float, end: int) -> None:
    notes = Notes.of([0, 1, 2], [held, held, held], [72, 74, 76], [64] * 3)
    assert placed(notes, meter_of())[1][0] == end


def test_short_touches_are_written_whole_and_longer_gaps_as_rests() -> None:
    notes = Notes.of([0, 1, 4], [0.2, 0.9, 1], [72, 74, 76], [64] * 3)
    assert placed(notes, meter_of())[1][:2] == [24, 48]


def test_a_note_held_over_others_ends_with_one_of_them() -> None:
    notes = Notes.of([0, 0.5, 1, 1.5, 2], [1.9, 0.4, 0.4, 0.4, 1], [60, 72, 74, 76, 77], [64] * 5)
    assert placed(notes, meter_of())[1][0] == 48


def test_the_pedal_lets_notes_reach_further() -> None:
    columns = [0, 2], [0.8, 0.8], [72, 74], [64, 64]
    assert placed(Notes.of(*columns), meter_of())[1][0] == 24
    assert placed(Notes.of(*columns, [(0.1, 1.9)]), meter_of())[1][0] == 48


def test_ends_that_tell_of_touch_are_read_as_values_though_onsets_are_exact() -> None:
    notes = Notes.of(np.arange(16) * 0.5, [0.19] * 16, [72, 74] * 8, [64] * 16)
    assert placed(notes, meter_of(is_exact=True))[1][:15] == [12 * n for n in range(1, 16)]


def too_fast(onset: list[float], pitch: list[int], *, is_exact: bool = False) -> list[bool]:
    notes = Notes.of(onset, [0.05] * len(onset), pitch, [64] * len(onset))
    meter, is_right = meter_of(is_exact=is_exact), np.ones(len(notes), dtype=np.bool_)
    start, _ = quantise_notes(notes, meter, lay_out_bars(meter, 8 * LATTICE), is_right)
    return find_too_fast(notes, meter, start, is_right).tolist()


@pytest.mark.parametrize(("gap", "is_told"), [(1 / 16, True), (1 / 12, True), (1 / 8, False), (1 / 4, False)])
def test_repeated_notes_faster_than_thirty_seconds_are_too_fast(gap: float, is_told: bool) -> None:
    assert too_fast([gap * step for step in range(8)], [72] * 8) == [is_told] * 8


def test_a_repeated_chord_is_no_trill_though_its_notes_are_not_struck_at_once() -> None:
    onset = [step / 8 + spread for step in range(8) for spread in (0.0, 0.01)]
    assert not any(too_fast(onset, [72, 76] * 8))


def test_a_run_of_sixty_fourths_is_too_fast_in_an_exact_metre() -> None:
    onset = [*(step / 16 for step in range(8)), *(0.5 + step / 4 for step in range(14))]
    told = too_fast(onset, [60 + step for step in range(22)], is_exact=True)
    assert told == [bool(step % 2) for step in range(8)] + [False] * 14  # every other one is on a thirty-second
