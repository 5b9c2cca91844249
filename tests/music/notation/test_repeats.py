"""The order of measures: repeats, voltas, da capo, dal segno."""

from __future__ import annotations

import pytest

from arietta.errors import ScoreError
from arietta.music.notation.measures import Jumps
from arietta.music.notation.repeats import play_order

PLAIN = Jumps()
FIRST = frozenset({1})
SECOND = frozenset({2})


@pytest.mark.parametrize(
    ("jumps", "order"),
    [
        ([PLAIN, PLAIN], [0, 1]),
        ([PLAIN, Jumps(backward=2), PLAIN], [0, 1, 0, 1, 2]),
        ([PLAIN, Jumps(is_forward=True, backward=3), PLAIN], [0, 1, 1, 1, 2]),
        (
            [PLAIN, Jumps(backward=2, endings=FIRST, ends_ending=True), Jumps(endings=SECOND, ends_ending=True), PLAIN],
            [0, 1, 0, 2, 3],
        ),
        ([Jumps(backward=2), PLAIN, Jumps(backward=2)], [0, 0, 1, 2, 1, 2]),
        (
            [PLAIN, Jumps(sounds=frozenset({"fine"})), Jumps(sounds=frozenset({"dacapo"}))],
            [0, 1, 2, 0, 1],
        ),
        (
            [
                PLAIN,
                Jumps(sounds=frozenset({"segno"})),
                Jumps(sounds=frozenset({"tocoda"})),
                Jumps(sounds=frozenset({"dalsegno"})),
                Jumps(sounds=frozenset({"coda"})),
            ],
            [0, 1, 2, 3, 1, 2, 4],
        ),
        (
            [
                Jumps(is_forward=True),
                Jumps(backward=2, endings=FIRST, ends_ending=True),
                Jumps(endings=SECOND, ends_ending=True, sounds=frozenset({"dacapo"})),
            ],
            [0, 1, 0, 2, 0, 2],
        ),
    ],
)
def test_measures_are_played_in_the_order_of_their_signs(jumps: list[Jumps], order: list[int]) -> None:
    assert play_order(jumps) == order


def test_repeats_without_end_are_refused() -> None:
    with pytest.raises(ScoreError, match="repeats make more than 20,000 measures"):
        play_order([Jumps(backward=10**9)])
