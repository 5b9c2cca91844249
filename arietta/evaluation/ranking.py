"""The best of several takes: those that are nearest to real music in what can be measured.

    for ranked in rank_takes(takes, best=2):
        ranked.take, ranked.score, ranked.parts, ranked.is_chosen

Each part of a score lies in 0-1. A figure counts 1 in the middle half of what windows of real music have
(`reference`), a half where only one window in twenty lies farther out on its side, a quarter as far out again, and so
on; of MAESTRO and GiantMIDI-Piano the nearer one counts. The score is the geometric mean of the parts, so that one bad
part lowers it. Parts that cannot be measured, of too short a take or without an index, are left out for that take.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from ..errors import RequestError
from ..model.bundle import Bundle
from ..music.loops import find_loops
from ..music.notes import Notes
from ..music.notes import window as cut_window
from .reference import Band, Reference, Sample, nearest_window, references, sample_windows
from .statistics import measure
from .structure import SCALES, recurrence_at

PARTS: Mapping[str, str] = {
    "loops": "1 without a pattern that comes eight times in a row, else 0.1",
    "steadiness": "how nearly it keeps to a key as clearly as real music does: less is wandering, more is no fault",
    "structure": "how nearly its moments come back as those of real music do, neither less nor more",
    "likelihood": "how near its nats per note are to those of its model's own held-out music, neither fewer nor more",
    "originality": "1 where it shares no more with the training music than people's works with each other, else 0.1",
}
STEADINESS = ("scale_consistency", "key_clarity")
STRUCTURE = {f"coming_back_{seconds:g}": seconds for seconds in SCALES}
PENALTY = 0.1  # a part with a loop or a copy: not 0, so that such takes still have an order
# How a model's nats per note spread over windows of 300 notes: percentiles over the mean, as `reference.json` has them
# of `piano` and `concert`.
SPREAD = (0.84, 0.92, 1.0, 1.09, 1.2)


class Composed(Protocol):
    """A take, composed here or by a server, as far as ranking needs it."""

    @property
    def notes(self) -> Notes: ...

    @property
    def prompt_notes(self) -> int: ...

    @property
    def nll(self) -> float: ...


T = TypeVar("T", bound=Composed)


@dataclass(frozen=True)
class Ranked(Generic[T]):
    """A take with its score and the parts of it, by their names in PARTS, all in 0-1."""

    take: T
    score: float
    parts: Mapping[str, float]
    is_chosen: bool


def rank_takes(
    takes: Sequence[T],
    best: int,
    *,
    typical_nats: float | None = None,
    is_original: Callable[[T], bool | None] | None = None,
) -> list[Ranked[T]]:
    """Rank takes, the best first, and choose the first `best` of them; of equal scores the earlier take leads.

    Only what was composed is judged, not the prompt. `typical_nats` are the takes' model's nats per note of held-out
    music, see the function of that name. `is_original` says whether a take shares no more with other music than works
    of people do, and None where that is not known. Raises RequestError unless `best` lies in 1 to the number of takes.
    """
    if not 1 <= best <= len(takes):
        raise RequestError(f"of {len(takes)} takes 1 to {len(takes)} can be the best, not {best}")
    originals = [None if is_original is None else is_original(take) for take in takes]
    if None in originals:  # a part that only some takes have would move the scores of those alone
        originals = [None] * len(takes)
    parts = [
        parts_of(take, typical_nats=typical_nats, is_original=original)
        for take, original in zip(takes, originals, strict=True)
    ]
    scores = [score_of(parts_of_take) for parts_of_take in parts]
    # Sorting is stable: of equal scores the earlier take leads.
    order = sorted(range(len(takes)), key=lambda index: -scores[index])
    return [Ranked(takes[index], scores[index], parts[index], rank < best) for rank, index in enumerate(order)]


def parts_of(take: Composed, *, typical_nats: float | None = None, is_original: bool | None = None) -> dict[str, float]:
    """Score a take in each of PARTS that can be measured of it, 0 to 1."""
    notes = cut_window(take.notes, take.prompt_notes, len(take.notes)) if take.prompt_notes else take.notes
    parts: dict[str, float | None] = {"loops": PENALTY if find_loops(notes) else 1.0}
    windows = sample_windows(notes)
    if windows:
        sample = Sample.of(nearest_window(len(notes)), [_figures(window.notes) for window in windows])
        known = references(sample.notes)
        parts["steadiness"] = _nearness(sample.figures, STEADINESS, known, is_more_fine=True)
        parts["structure"] = _nearness(sample.figures, STRUCTURE, known)
        if typical_nats is not None:
            parts["likelihood"] = closeness(take.nll, tuple(typical_nats * share for share in SPREAD))
    if is_original is not None:
        parts["originality"] = 1.0 if is_original else PENALTY
    return {name: round(value, 4) for name, value in parts.items() if value is not None}


def typical_nats(bundle: Bundle) -> float | None:
    """Nats per note of a model's held-out music after training, by its card; None where that does not say."""
    validation = (bundle.card.get("training") or {}).get("validation") or {}  # a card may leave out either, or be null
    return float(validation["nats_per_note"]) if "nats_per_note" in validation else None


def score_of(parts: Mapping[str, float]) -> float:
    """Return the geometric mean of the parts, 0 to 1."""
    return round(float(np.exp(np.mean(np.log(np.maximum(list(parts.values()), 1e-9))))), 4)


def closeness(value: float, band: Band, *, is_more_fine: bool = False) -> float:
    """Return 1 in the middle half of real windows, 0.5 at their 5th and 95th percentile, halved again as far beyond."""
    low, middle_low, _, middle_high, high = band  # two of its percentiles may coincide, hence the least widths below
    if value < middle_low:
        return float(2.0 ** -((middle_low - value) / max(middle_low - low, 1e-9)))
    if value > middle_high and not is_more_fine:
        return float(2.0 ** -((value - middle_high) / max(high - middle_high, 1e-9)))
    return 1.0


def _figures(notes: Notes) -> dict[str, float]:
    """Measure only what the parts need: beats and composers would take twenty times as long."""
    figures = {name: float(value[0]) for name, value in measure(notes, STEADINESS).items()}
    recurrence = {name: recurrence_at(notes, seconds) for name, seconds in STRUCTURE.items()}
    return figures | {name: mean for name, mean in recurrence.items() if mean is not None}


def _nearness(
    figures: Mapping[str, float], names: Iterable[str], known: Sequence[Reference], *, is_more_fine: bool = False
) -> float | None:
    """Mean closeness of the named figures to the nearer of the references; None where none of them is known."""
    nearest = []
    for name in names:
        bands = [reference.figures[name] for reference in known if name in reference.figures and name in figures]
        if bands:
            nearest.append(max(closeness(figures[name], band, is_more_fine=is_more_fine) for band in bands))
    return float(np.mean(nearest)) if nearest else None
