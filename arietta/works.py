"""Which files play the same composition, and on which side of the split each composition stands.

A work is a connected component over the composer with a catalogue number (a collection contains its numbers), the
composer with a telling title, and the share of passages. A work stands on one side only: a side that someone
prescribes (MAESTRO's split; held-out pieces) holds for the whole work, test before validation before train, and files
of other corpora that touch a work MAESTRO keeps for validation or test are dropped. Works of which no one prescribes
anything are divided by a hash of their id.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .catalogue import Number, Title, read_title
from .names import fold_name
from .naming import HELD_OUT, MAESTRO, SPLITS, Label

SHARE_OF_A_WORK = 0.02
FEWEST_SHARED = 10  # passages, so that a handful shared by a very short piece is no evidence
PARTS = (("test", 0.05), ("validation", 0.10))  # of works without a prescribed side, cumulative; the rest is train


@dataclass(frozen=True)
class Placed:
    """What becomes of a file: its work's id and side, or the `reason` for which it is dropped."""

    work: str
    split: str
    reason: str = ""


@dataclass(frozen=True)
class Shares:
    """Passages shared by two files: `pairs` int64 [P, 2], `counts` int64 [P], `sizes` int64 [files]."""

    pairs: NDArray[np.int64]
    counts: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def at_least(self, share: float) -> NDArray[np.int64]:
        """Give the pairs that share this much of the smaller file, int64 [p, 2]."""
        smaller = np.maximum(1, self.sizes[self.pairs].min(axis=1, initial=2**62))
        return self.pairs[(self.counts >= share * smaller) & (self.counts >= FEWEST_SHARED)]


def place(labels: Sequence[Label], alike: NDArray[np.int64]) -> list[Placed]:
    """Give each file its work and side; `alike` [p, 2] are the pairs of files that sound alike."""
    everything = _components(labels, alike, range(len(labels)))
    dropped = _dropped(labels, everything)
    rest = [index for index in range(len(labels)) if index not in dropped]
    placed = {index: Placed("", "", reason) for index, reason in dropped.items()}
    for group in _components(labels, alike, rest):
        placed |= _place_work(labels, group)
    return [placed[index] for index in range(len(labels))]


class _Union:
    """Disjoint sets of anything hashable (union-find with path halving)."""

    def __init__(self) -> None:
        self._parent: dict[Hashable, Hashable] = {}

    def find(self, item: Hashable) -> Hashable:
        parent = self._parent.setdefault(item, item)
        while parent != item:
            self._parent[item] = self._parent[parent]
            item, parent = parent, self._parent[parent]
        return item

    def join(self, one: Hashable, other: Hashable) -> None:
        self._parent[self.find(one)] = self.find(other)
