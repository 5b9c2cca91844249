"""Limits of a server: what is refused, and which pieces are long."""

from __future__ import annotations

import pytest

from arietta.errors import RequestError
from arietta.serve.jobs.limits import Limits


@pytest.mark.parametrize(("seats", "long"), [(1, 1), (2, 1), (4, 3), (32, 24)])
def test_long_pieces_get_three_slots_of_four_and_at_least_one(seats: int, long: int) -> None:
    assert Limits(seats=seats).long_slots == long


def test_a_piece_is_long_by_its_notes_or_its_seconds() -> None:
    limits = Limits()
    assert not limits.is_long(1_000, None) and limits.is_long(1_001, None)
    assert not limits.is_long(None, 120.0) and limits.is_long(None, 120.5)


def test_a_client_has_no_more_pieces_than_the_server_has_room_for() -> None:
    assert Limits().most_pieces == 64 and Limits(most_per_client=4).most_pieces == 4
    assert Limits(seats=1, places=2).most_pieces == 3


def test_impossible_limits_are_refused_as_the_command_line_names_them() -> None:
    with pytest.raises(RequestError, match="--most-per-client must lie in 1-10000, not 0"):
        Limits(most_per_client=0)
