"""Engines that only a test would build, and what every take must be whatever engine made it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from arietta.codecs.codec import Masks
from arietta.codecs.grid import END, KEY_COUNT
from arietta.codecs.note import NoteCodec
from arietta.codecs.performance import PerformanceCodec
from arietta.generation.request import Take
from arietta.model.bundle import Bundle
from arietta.model.config import ConditionIds
from arietta.model.sampling import Guide, Sampling
from arietta.music.notes import Notes
from tests.support.strategies import choices, permits

CODEC = NoteCodec()
COLUMNS = ("onset", "duration", "pitch", "velocity")
Wish = Callable[[int, list[int]], float]


class Wilful:
    """An engine without a network: of what the masks allow it takes, field by field, what `wish` wants most.

    `wish(field, row)` gives a number; the allowed value nearest to it is taken.
    """

    def __init__(self, bundle: Bundle, wish: Wish) -> None:
        self.bundle, self.wish = bundle, wish

    def start(self, conditions: Sequence[ConditionIds]) -> Any:
        cache = type("Cache", (), {})()
        cache.nll = np.zeros((len(conditions), 4), dtype=np.float32)
        return cache

    def start_after(self, condition: ConditionIds, prompt: np.ndarray, conditions: Any = None) -> Any:
        return self.start([condition])

    def decode(
        self,
        cache: Any,
        noise: np.ndarray,
        masks: list[Masks],
        sampling: list[Sampling],
        guides: Sequence[Guide] = (),
    ) -> np.ndarray:
        row: list[int] = []
        for field in range(4):
            values = choices(masks[0], CODEC, row)
            row.append(int(values[np.abs(values - self.wish(field, row)).argmin()]))
        assert permits(masks[0], CODEC, row)
        return np.array([row])

    def join(self, cache: Any, joining: Any) -> None:
        cache.nll = joining.nll

    def leave(self, cache: Any, piece: int) -> None:
        pass

    def replace_last(self, cache: Any, piece: int, row: list[int]) -> None:
        pass


def hammering(interval: int, key: int) -> Wish:
    """Strike one key for ever."""
    return lambda field, row: (interval, key, 5, 16)[field]


def cycling(keys: list[int]) -> Wish:
    """Strike these keys in turn for ever."""
    struck = [0]

    def wish(field: int, row: list[int]) -> float:
        if field == 2 and row[1] < KEY_COUNT:
            struck[0] += 1
        return (20, keys[struck[0] % len(keys)], 5, 16)[field]

    return wish


def assert_closed(take: Take) -> None:
    """Keys and pedal are up, the rows end the piece, and decode to what is in it."""
    assert take.tokens.dtype == np.uint16
    if take.tokens.shape[1] == 4:
        assert take.tokens[-1].tolist() == [0, END, 0, 0]
    decoder = CODEC.decoder() if take.tokens.shape[1] == 4 else PerformanceCodec().decoder()
    for row in take.tokens.tolist():
        decoder.push(row)
    assert not decoder.finish()


def assert_untouched(take: Take, prompt: Notes) -> None:
    """The prompt's notes stand first, exactly, and nothing composed begins before their end or on a key they hold."""
    count, last = len(prompt), prompt.onset.max()
    for name in COLUMNS:
        assert np.array_equal(getattr(take.notes, name)[:count], getattr(prompt, name))
    assert (take.notes.onset[count:] >= last).all()
    for index in range(count, len(take.notes)):
        same = prompt.pitch == take.notes.pitch[index]
        assert (take.notes.onset[index] >= prompt.release[same] - 1e-9).all()
