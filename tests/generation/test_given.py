"""Given music: layouts are what their rules say token by token, lose nothing, and keep to their length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.codecs.codec import Tokens
from arietta.codecs.grid import AFTER, BACK, FILL, KEPT, KEY_COUNT, PEDAL_DOWN, REST, START, TIME_STEPS, respace
from arietta.codecs.note import NoteCodec
from arietta.generation.given import LEFT_THRESHOLDS, NO_TOKENS, ROLES, UNKNOWN, Layout, kept_tokens, lay_out, steps_of
from arietta.model.config import Condition, ModelConfig, style_conditions
from tests.support.strategies import random_numbers, sample

CODEC = NoteCodec()


@dataclass(frozen=True)
class Cut:
    """A piece cut in three, and which tokens of the passage stay."""

    before: Tokens
    passage: Tokens
    after: Tokens
    is_kept: np.ndarray

    def layout(self, **budget: float) -> Layout:
        return lay_out(
            self.before,
            self.passage,
            self.after,
            kept=kept_tokens(self.passage, self.is_kept),
            **budget,  # type: ignore[arg-type]
        )


@st.composite
def cuts(draw: st.DrawFn) -> Cut:
    rng = draw(random_numbers())
    piece = sample(CODEC, rng, free_rows=draw(st.integers(0, 60)), notes_left=draw(st.integers(1, 30)))
    first, stop = sorted(draw(st.tuples(st.integers(1, len(piece)), st.integers(1, len(piece)))))
    is_kept = rng.random(stop - first) < draw(st.sampled_from([0.0, 0.3, 1.0]))
    return Cut(piece[:first], piece[first:stop], piece[stop:], is_kept)


def spelled(wait: int, row: list[int]) -> list[list[int]]:
    """The longest rest that fits, again and again, and then the row: the slow way, by trying them all."""
    rows = []
    while wait >= 100:
        value = max(value for value in range(100, 128) if TIME_STEPS[value] <= wait)
        rows.append([value, REST, 0, 0])
        wait -= int(TIME_STEPS[value])
    return [*rows, [wait, *row[1:]]]


def laid_out_slowly(cut: Cut) -> list[tuple[list[int], int, int, bool]]:
    """(token, role, steps left, counted) of each, from the rules, on a clock in steps of the piece."""
    clock, at = 0, []
    for time, *_ in [*cut.before.tolist(), *cut.passage.tolist(), *cut.after.tolist()]:
        clock += int(TIME_STEPS[time])
        at.append(clock)
    begin, end = at[len(cut.before) - 1], at[len(cut.before) + len(cut.passage) - 1]
    following = list(zip(at[len(cut.before) + len(cut.passage) :], cut.after.tolist(), strict=True))
    while following and following[0][1][1] == REST:
        del following[0]
    result = [(row, 0, UNKNOWN, True) for row in cut.before.tolist()]
    if following:
        result.append(([0, AFTER, 0, 0], 1, UNKNOWN, False))
        result += [(row, 1, UNKNOWN, True) for row in spelled(following[0][0] - begin, following[0][1])]
        result += [(row, 1, UNKNOWN, True) for _, row in following[1:]]
    inside = zip(at[len(cut.before) :], cut.passage.tolist(), cut.is_kept, strict=False)
    kept, last = [(step, row) for step, row, is_kept in inside if is_kept and row[1] < KEY_COUNT], begin
    if kept:
        result.append(([0, KEPT, 0, 0], 2, UNKNOWN, False))
    for step, row in kept:
        result += [(one, 2, UNKNOWN, False) for one in spelled(step - last, row)]
        last = step
    result.append(([0, FILL, 0, 0], 3, UNKNOWN, False))
    written = cut.passage.tolist()
    if following:
        written += spelled(following[0][0] - end, [0, BACK, 0, 0])
    for row in written:
        result.append((row, 3, following[0][0] - begin if following else UNKNOWN, True))
        begin += int(TIME_STEPS[row[0]])
    return result


@given(cuts())
def test_a_layout_is_what_the_rules_say_token_by_token(cut):
    layout, slow = cut.layout(), laid_out_slowly(cut)
    assert layout.tokens.dtype == np.uint16
    assert layout.tokens.tolist() == [token for token, _, _, _ in slow]
    assert layout.role.tolist() == [role for _, role, _, _ in slow]
    assert layout.left.tolist() == [left for _, _, left, _ in slow]
    assert layout.counted.tolist() == [is_counted for _, _, _, is_counted in slow]


@given(cuts())
def test_what_is_laid_out_can_be_put_together_again(cut):
    layout = cut.layout()
    plain = layout.tokens[(layout.role == 0) | ((layout.role == 3) & (layout.tokens[:, 1] < FILL))]
    steps = TIME_STEPS[plain[:, 0]].cumsum()
    if AFTER in layout.tokens[:, 1]:
        begin = steps_of(layout.tokens[layout.role == 0])
        following = layout.tokens[(layout.role == 1) & (layout.tokens[:, 1] != AFTER)]
        steps = np.concatenate([steps, begin + TIME_STEPS[following[:, 0]].cumsum()])
        plain = np.concatenate([plain, following])
    is_firm = plain[:, 1] != REST
    whole = np.concatenate([cut.before, cut.passage, cut.after])
    if AFTER not in layout.tokens[:, 1]:
        whole = whole[: len(cut.before) + len(cut.passage)]
    expected = respace(whole[whole[:, 1] != REST], TIME_STEPS[whole[:, 0]].cumsum()[whole[:, 1] != REST])
    assert np.array_equal(respace(plain[is_firm], steps[is_firm]), expected)


@given(cuts())
def test_every_token_has_its_origin(cut):
    layout = cut.layout()
    whole = np.concatenate([cut.before, cut.passage, cut.after])
    plain = (layout.tokens[:, 1] < AFTER) & (layout.tokens[:, 1] != REST) & (layout.role != 2)
    assert np.array_equal(layout.tokens[plain, 1:], whole[layout.origin[plain], 1:])
    assert (np.diff(layout.origin[layout.role == 0]) == 1).all() and (
        np.diff(layout.origin[layout.role == 1]) >= 0
    ).all()


@given(cuts())
def test_what_is_prefilled_does_not_depend_on_what_is_not_known(cut):
    steps = steps_of(cut.passage) + TIME_STEPS[cut.after[:, 0]].cumsum()
    is_firm = cut.after[:, 1] != REST
    after = respace(cut.after[is_firm], steps[is_firm])
    unknown = lay_out(cut.before, NO_TOKENS, after, kept=kept_tokens(cut.passage, cut.is_kept)).prefix()
    known = cut.layout().prefix()
    assert known.tokens[-1].tolist() == [0, FILL, 0, 0]
    assert np.array_equal(unknown.tokens, known.tokens) and np.array_equal(unknown.role, known.role)
    assert (known.left == UNKNOWN).all()


@given(cuts(), st.integers(0, 80), st.floats(0.0, 1.0))
def test_a_length_cuts_the_beginning_and_the_end_and_nothing_of_the_passage(cut, extra, before_share):
    least = len(cut.passage) + 2 * int(cut.is_kept.sum()) * 8 + 1
    layout, whole = cut.layout(length=least + extra, before_share=before_share), cut.layout()
    assert len(layout.tokens) <= least + extra
    own = layout.tokens[layout.role == 0]
    assert np.array_equal(own, cut.before[len(cut.before) - len(own) :])
    following = layout.tokens[layout.role == 1]
    assert np.array_equal(following, whole.tokens[whole.role == 1][: len(following)])
    assert len(following) == 0 or (following[1:, 1] != REST).any()
    assert (BACK in layout.tokens[:, 1]) == (AFTER in layout.tokens[:, 1]) == bool(len(following))
    begin = np.flatnonzero(layout.tokens[:, 1] == FILL)[0] + 1
    assert np.array_equal(layout.tokens[begin : begin + len(cut.passage)], cut.passage)
    if len(layout.tokens) < min(
        least + extra, len(whole.tokens)
    ):  # all that has no room is the opening of what follows
        assert not len(following) and np.array_equal(own, cut.before)


def test_a_passage_that_has_no_room_is_cut():
    passage = np.tile(np.array([[1, 40, 3, 9], [1, 41, 3, 9]], dtype=np.uint16), (20, 1))
    layout = lay_out(passage, passage, passage, length=10)
    assert len(layout.tokens) == 10 and layout.tokens[0].tolist() == [0, FILL, 0, 0]


def test_a_worked_example_reads_as_one_would_write_it():
    before = np.array([[0, START, 0, 0], [50, 39, 5, 16]], dtype=np.uint16)
    passage = np.array([[10, PEDAL_DOWN, 0, 0], [0, 43, 5, 16], [100, REST, 0, 0], [3, 46, 5, 16]], dtype=np.uint16)
    after = np.array([[20, 51, 5, 16], [30, 55, 5, 16]], dtype=np.uint16)
    layout = lay_out(before, passage, after, kept=kept_tokens(passage, np.array([False, True, True, False])))
    assert layout.tokens.tolist() == [
        *before.tolist(),
        [0, AFTER, 0, 0],
        [103, REST, 0, 0],  # 10 + 100 + 3 + 20 = 133 steps: a rest of 130 and 3
        [3, 51, 5, 16],
        [30, 55, 5, 16],
        [0, KEPT, 0, 0],
        [10, 43, 5, 16],
        [0, FILL, 0, 0],
        *passage.tolist(),
        [20, BACK, 0, 0],
    ]
    assert layout.left.tolist() == [UNKNOWN] * 9 + [133, 123, 123, 23, 20]


def test_the_thresholds_of_what_is_left_rise_from_20_ms_to_a_minute():
    assert LEFT_THRESHOLDS[0] == 2 and LEFT_THRESHOLDS[-1] == 6000 and len(LEFT_THRESHOLDS) == 29
    assert (np.diff(LEFT_THRESHOLDS) > 0).all()


@given(cuts())
def test_role_and_left_are_conditions_of_every_token_and_the_others_stay(cut):
    left = Condition("left", 33, thresholds=LEFT_THRESHOLDS)
    known = *style_conditions(("Edvard Grieg",), ()), Condition("role", 4, ROLES), left
    model = ModelConfig("transformer", CODEC.field_sizes, 64, 2, conditions=known)
    layout = cut.layout()
    told = layout.conditions(model, (1, 0, 0, 0))
    assert told.shape == (len(layout.tokens), 4) and (told[:, 0] == 1).all() and (told[:, 1] == 0).all()
    assert np.array_equal(told[:, 2], layout.role)
    for number, steps in zip(told[:, 3].tolist(), layout.left.tolist(), strict=True):
        edges = [0, *LEFT_THRESHOLDS]
        assert (number == 0) == (steps == UNKNOWN)
        assert number == 0 or (edges[number - 1] <= steps and (number == len(edges) or steps < edges[number]))


@pytest.mark.parametrize("after", [NO_TOKENS, np.array([[110, REST, 0, 0]], dtype=np.uint16)])
def test_where_nothing_follows_there_is_no_way_back(after):
    passage = np.array([[1, 40, 3, 9]], dtype=np.uint16)
    assert lay_out(NO_TOKENS, passage, after).tokens.tolist() == [[0, FILL, 0, 0], [1, 40, 3, 9]]
