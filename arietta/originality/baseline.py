"""How much works of people share with other works of people, and where a piece stands among them.

Windows of works are held against the corpus as a piece is, leaving out the works they come from. What they share,
kept with the index, turns the figures of a piece into percentiles. That a work was recorded under two names, or quotes
another, is part of it: so is copying among people.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ..music.notes import Notes
from ..music.windows import Read, draw_excerpt
from .index import PassageIndex
from .search import Overlap, find_passages

WINDOWS = (100, 300, 1000)  # notes
WINDOW_COUNT = 600  # of each length
INTERVAL = (2.5, 97.5)  # percentiles: the 95 % of the originality report
PERCENTILES = np.linspace(0, 100, 201)


@dataclass(frozen=True)
class Percentiles:
    """Where a piece stands among windows of `window` notes of people's works: percentiles, 0 to 100.

    A long piece is taken window by window, and each figure is that of its least original one.
    """

    window: int
    longest: float
    share: float

    @property
    def is_inside(self) -> bool:
        """Whether it shares no more than nearly all people's works do: the upper end of their 95 % interval."""
        return max(self.longest, self.share) <= INTERVAL[1]


def measure_baseline(
    index: PassageIndex,
    works: Sequence[str],
    read: Read,
    *,
    count: int = WINDOW_COUNT,
    seed: int = 0,
    progress: Callable[[float, float], None] | None = None,
) -> dict[str, dict[str, list[float]]]:
    """Give {window: {"longest": [...], "share": [...]}}, percentiles in steps of a half, for the index's description.

    `works[i]` is the work of piece i, whose notes `read(i)` gives. Lengths that no piece has are left out.
    """
    rng = np.random.default_rng(seed)
    measured: dict[str, dict[str, list[float]]] = {}
    for turn, window in enumerate(WINDOWS):
        rows = []
        for done in range(count):
            piece, notes = draw_excerpt(read, len(works), window, rng)
            if notes is not None:
                likeness = find_passages(notes, index, exclude_work=works[piece])
                rows.append((float(likeness.longest), likeness.share))
            if progress:
                progress(turn * count + done + 1, len(WINDOWS) * count)
        if rows:
            columns = np.percentile(np.array(rows), PERCENTILES, axis=0).T
            measured[str(window)] = {
                name: [round(value, 4) for value in column.tolist()]
                for name, column in zip(("longest", "share"), columns, strict=True)
            }
    return measured


def measure_percentiles(likeness: Overlap, index: PassageIndex) -> Percentiles | None:
    """Compare a piece with people's works; None where the index knows none of them, or the piece has no notes."""
    known = {int(window): figures for window, figures in index.description["baseline"].items()}
    note_count = len(likeness.is_covered)
    if not known or not note_count:
        return None
    window = min(known, key=lambda size: abs(np.log(size / note_count)))
    cuts = np.unique(np.linspace(0, note_count, max(1, round(note_count / window)) + 1).astype(int)).tolist()
    spans = list(pairwise(cuts))
    # A passage may cross a cut: of its shared notes, those within a span are taken to be as dense as in all of it.
    shared = (
        passage.alike * (min(passage.stop, stop) - max(passage.start, start))  # below 0 where it lies outside
        for start, stop in spans
        for passage in likeness.passages
    )
    longest = round(max(shared, default=0.0))
    share = max(float(likeness.is_covered[start:stop].mean()) for start, stop in spans)
    return Percentiles(
        window, _percentile(known[window]["longest"], longest), _percentile(known[window]["share"], share)
    )


def describe_overlap(likeness: Overlap, percentiles: Percentiles | None) -> dict[str, Any]:
    """Describe an overlap and its percentiles as JSON values."""
    return {
        "notes": len(likeness.is_covered),
        "longest": likeness.longest,
        "share": likeness.share,
        "people": asdict(percentiles) | {"is_inside": percentiles.is_inside} if percentiles else None,
        "passages": [asdict(passage) | {"shared": passage.shared} for passage in likeness.passages],
    }


def is_inside_human_interval(notes: Notes, index: PassageIndex) -> bool:
    """Tell whether a piece shares no more with the corpus than works of people do; True where that is not known."""
    percentiles = measure_percentiles(find_passages(notes, index), index)
    return percentiles is None or percentiles.is_inside


def _percentile(values: Sequence[float], value: float) -> float:
    """Return the share of people's windows that have less, in percent."""
    return 100.0 * float(np.mean(np.asarray(values) < value))
