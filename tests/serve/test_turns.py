"""Whose turn is next, by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from arietta.serve.turns import Turns


@pytest.fixture
def turns() -> Turns[int]:
    turns = Turns[int]()
    for number, client in enumerate("aaabac"):
        turns.add(client, number)
    return turns


def in_order(turns: Turns[int]) -> Iterator[int]:
    while (turn := turns.pop()) is not None:
        yield turn[1]


def test_clients_take_turns_and_each_has_what_waited_longest(turns: Turns[int]) -> None:
    assert list(in_order(turns)) == [0, 3, 5, 1, 2, 4] and not turns


def test_who_comes_again_comes_behind_the_others(turns: Turns[int]) -> None:
    assert [turns.pop(), turns.pop()] == [("a", 0), ("b", 3)]
    turns.add("b", 6)
    assert list(in_order(turns)) == [5, 1, 6, 2, 4]


def test_who_may_not_begin_is_passed_over_and_keeps_its_turn(turns: Turns[int]) -> None:
    assert turns.pop(lambda client: client != "a") == ("b", 3)
    assert turns.pop(lambda client: False) is None
    assert turns.pop() == ("a", 0)


def test_what_is_given_up_is_passed_over(turns: Turns[int]) -> None:
    assert turns.discard("a", 0) and turns.discard("b", 3)
    assert not turns.discard("a", 0) and not turns.discard("nobody", 1)
    assert list(in_order(turns)) == [1, 5, 2, 4]
