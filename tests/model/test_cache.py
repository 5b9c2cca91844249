"""The places of pieces in progress: who stands where after any joining and leaving, and what that costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.model.cache import SLOT_ARRAYS, Cache, cache_shapes, slot_bytes
from arietta.model.config import ModelConfig
from tests.support.bundles import TINY, TINY_LSTM

SMALL = replace(TINY, context=8)
KINDS = {"transformer": SMALL, "lstm": replace(TINY_LSTM, width=32)}


def marked(config: ModelConfig, mark: int) -> Cache:
    """One piece, every number of which is its mark; its cache is as full as the mark says, the rest is zero."""
    cache = Cache(config, 1)
    for name in SLOT_ARRAYS:
        getattr(cache, name)[:] = mark
    cache.filled[:] = mark % (config.context + 1)
    for value in cache.buffers.values():
        value[:] = mark
        if config.kind != "lstm":
            value[:, :, int(cache.filled[0, 0, 0]) :] = 0
    return cache


def is_marked(cache: Cache, place: int, mark: int) -> bool:
    """True where a place holds just what `marked` put into it, as far as it is in use."""
    whole = marked(cache.model, mark)
    rows = slice(None) if cache.model.kind == "lstm" else (slice(None), slice(mark % (cache.model.context + 1)))
    return all(np.array_equal(getattr(cache, name)[place], getattr(whole, name)[0]) for name in SLOT_ARRAYS) and all(
        np.array_equal(value[place][rows], whole.buffers[name][0][rows]) for name, value in cache.buffers.items()
    )


@pytest.mark.parametrize("kind", KINDS)
@given(moves=st.lists(st.one_of(st.none(), st.integers(0, 20)), max_size=24))
def test_places_are_a_list_from_which_the_last_moves_into_a_gap(kind: str, moves: list[int | None]) -> None:
    cache, expected = Cache(KINDS[kind]), []
    for mark, move in enumerate(moves, start=1):
        if move is None:
            cache.join(marked(KINDS[kind], mark))
            expected.append(mark)
        elif expected:
            place = move % len(expected)
            cache.leave(place)
            expected[place] = expected[-1]
            expected.pop()
        assert len(cache) == len(expected)
    assert all(is_marked(cache, place, mark) for place, mark in enumerate(expected))


def test_many_pieces_join_at_once_in_their_order() -> None:
    cache, others = Cache(SMALL), Cache(SMALL)
    for mark in (3, 4):
        others.join(marked(SMALL, mark))
    for mark in (1, 2):
        cache.join(marked(SMALL, mark))
    cache.join(others)
    assert all(is_marked(cache, place, place + 1) for place in range(4))


def test_copies_stand_one_set_after_the_other_and_share_nothing() -> None:
    cache = marked(SMALL, 5)
    copies = cache.repeat(3)
    assert len(copies) == copies.capacity == 3 and all(is_marked(copies, place, 5) for place in range(3))
    copies.buffers["key.0"][:] = 0
    assert is_marked(cache, 0, 5)


def test_capacity_doubles_so_that_joining_one_by_one_rarely_moves_anything() -> None:
    cache, capacities = Cache(SMALL), []
    for mark in range(1, 10):
        cache.join(marked(SMALL, mark))
        capacities.append(cache.capacity)
    assert capacities == [1, 2, 4, 4, 8, 8, 8, 8, 16]


def test_places_begin_where_the_arrays_begin_and_lie_without_gaps() -> None:
    cache = Cache(SMALL)
    for mark in (1, 2, 3):
        cache.join(marked(SMALL, mark))
    first = cache.buffers["key.0"].ctypes.data
    cache.leave(0)
    assert len(cache) == 2 and cache.buffers["key.0"].ctypes.data == first
    assert all(value.flags.c_contiguous for value in cache.buffers.values())


def test_what_an_engine_bound_goes_when_the_number_of_pieces_changes() -> None:
    cache = marked(SMALL, 1)
    for change in (lambda: cache.join(marked(SMALL, 2)), lambda: cache.leave(0)):
        cache.bound = "bound"
        change()
        assert cache.bound is None


def test_a_place_that_is_not_there_cannot_leave() -> None:
    with pytest.raises(IndexError):
        marked(SMALL, 1).leave(1)


def test_a_piece_holds_the_window_and_no_more() -> None:
    assert cache_shapes(TINY) == dict.fromkeys(("key.0", "value.0", "key.1", "value.1"), (2, 64, 16))
    assert cache_shapes(TINY_LSTM) == dict.fromkeys(("hidden.0", "cell.0", "hidden.1", "cell.1"), (64,))


@pytest.mark.parametrize("bits", [8, 32])
@pytest.mark.parametrize("kind", KINDS)
def test_a_slots_bytes_are_those_of_its_buffers(kind: str, bits: int) -> None:
    cache = Cache(KINDS[kind], 3, bits=bits)
    assert sum(buffer.nbytes for buffer in cache.buffers.values()) == 3 * slot_bytes(KINDS[kind], bits)


def test_going_back_leaves_the_first_rows_and_their_last_token() -> None:
    cache = Cache(SMALL, 1)
    cache.filled[:] = cache.position[:] = 6
    cache.rewind(4, np.arange(4))
    assert (int(cache.filled[0, 0, 0]), int(cache.position[0, 0])) == (4, 4)
    assert cache.last[0, :4].tolist() == [0, 1, 2, 3]
    cache.position[:] = 9
    assert not cache.can_rewind, "its window has slid"
