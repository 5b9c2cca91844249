"""What the takes of a model are like: many of them, by seed and not by taste, held against real music.

report = report_on_model(engine, takes=200, note_count=300)
report.inside["maestro"]["polyphony"]      share of takes that lie where nine of ten real windows do
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import RequestError
from ..generation.batch import generate_all
from ..generation.request import Request
from ..model.engine import Engine
from ..music.notes import Notes
from ..originality.index import PassageIndex
from .comparison import FEWEST, SetComparison, compare_sets, measure_set
from .reference import PERCENTILES, SHORTEST, Band, Reference, is_inside, nearest_window, references
from .report import Report, report_on

SHOWN = (1, 2, 3)  # seeds of the takes that are kept whole
MOST_TAKES = 2_000


@dataclass(frozen=True)
class AgainstSet:
    """A model's takes against windows of a set of real music, and one half of these against the other.

    Their distances are None where the sets are too small, or the pieces too short, to tell.
    """

    name: str
    windows: int
    takes: SetComparison
    real: SetComparison


@dataclass(frozen=True)
class ModelReport:
    """What was found of `takes` takes with seeds from 1 on: `bands` are percentiles of each figure over them.

    `inside` is the share of them, by corpus and figure, between real music's 5th and 95th percentile; `loops` counts
    takes with a loop; `original` is the share inside the human interval, None without an index that can tell.
    """

    model: str
    bundle: str
    style: str
    takes: int
    note_count: int
    bands: Mapping[str, Band]
    inside: Mapping[str, Mapping[str, float]]
    real: Sequence[Reference]
    loops: int
    original: float | None
    shown: Sequence[tuple[int, Notes, Report]]
    against: AgainstSet | None = None


def report_on_model(
    engine: Engine,
    *,
    takes: int,
    note_count: int,
    style: str = "any",
    index: PassageIndex | None = None,
    progress: Callable[[float, float], None] | None = None,
) -> tuple[ModelReport, list[Notes]]:
    """Compose `takes` takes, seeds from 1 on, nothing chosen, and sum up their reports; the takes beside, by seed.

    Raises RequestError where there are too few or too many takes, or too few notes to be held against real music.
    """
    if not FEWEST <= takes <= MOST_TAKES:
        raise RequestError(f"--pieces must lie in {FEWEST}-{MOST_TAKES}, not {takes}")
    if note_count < SHORTEST:
        raise RequestError(f"--notes must be {SHORTEST} or more, not {note_count}, to be held against real music")
    requests = [Request(note_count, style=style, seed=seed) for seed in range(1, takes + 1)]
    composed = {take.request.seed: take.notes for take in generate_all(requests, engine, progress=progress)}
    reports = {seed: report_on(composed[seed], engine=engine, style=style, index=index) for seed in sorted(composed)}
    figures = [report.figures for report in reports.values()]
    real = references(nearest_window(note_count), engine.bundle.fingerprint)
    placed = [report.shared.percentiles for report in reports.values() if report.shared]
    known = [standing.is_inside for standing in placed if standing is not None]
    # A figure is missing in takes that have too few notes for it.
    names = dict.fromkeys(name for take in figures for name in take)
    columns = {name: [take[name] for take in figures if name in take] for name in names}
    report = ModelReport(
        model=engine.bundle.name,
        bundle=engine.bundle.fingerprint,
        style=style,
        takes=takes,
        note_count=note_count,
        bands={name: tuple(np.percentile(column, PERCENTILES).tolist()) for name, column in columns.items()},
        inside={reference.corpus: _inside(figures, reference) for reference in real},
        real=real,
        loops=sum(bool(report.loops) for report in reports.values()),
        original=float(np.mean(known)) if known else None,
        shown=[(seed, composed[seed], reports[seed]) for seed in SHOWN if seed in composed],
    )
    return report, [composed[seed] for seed in sorted(composed)]


def against_set(takes: Sequence[Notes], windows: Sequence[Notes], name: str) -> AgainstSet:
    """Hold takes against windows of a set, statistic by statistic, with real against real beside."""
    reference = measure_set(windows)
    real = compare_sets(reference.every_second(0), reference.every_second(1))
    return AgainstSet(name, len(windows), compare_sets(measure_set(takes), reference), real)


def _inside(figures: Sequence[Mapping[str, float]], real: Reference) -> dict[str, float]:
    shares = {}
    for name, band in real.figures.items():
        values = [take[name] for take in figures if name in take]
        if values:
            shares[name] = float(np.mean([is_inside(value, band) for value in values]))
    return shares
