"""All that is found out about a piece, in one value: what the command prints, the page shows and the service answers.

    report = report_on(read_midi("piece.mid"), engine=engine, meter=read_meter("piece.mid"))
    report.key, report.nats_per_note, figures(report)["polyphony"]

What was not asked for, and what too few notes cannot say, is None or left out; nothing is ever nan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ..model.engine import Engine
from ..music.keys import find_key, pitch_classes
from ..music.loops import find_loops
from ..music.meter import Meter
from ..music.notes import Notes, first, trim, window
from ..originality.baseline import Percentiles, describe_overlap, measure_percentiles
from ..originality.index import PassageIndex
from ..originality.search import Overlap, find_passages
from .beat_statistics import beginning, find_beat_meter, measure_in_beats, moved, signature_of
from .embedding import predict_composers
from .likelihood import Surprise, likelihood, surprises
from .reference import NATS, references, window_for
from .statistics import Statistics, measure
from .structure import SCALES, recurrence_at

MOST_SCORED = 20_000  # notes; of a longer piece the first so many
MOST_WINDOWS = 5  # of a long piece, evenly spread
SHORTEST = 100  # notes that may be held against windows of 300


@dataclass(frozen=True)
class Beats:
    """What was measured in beats; they are written in the file, or else found in the performance."""

    is_written: bool
    signature: str
    measured: Statistics


@dataclass(frozen=True)
class Shared:
    """What a piece shares with the corpus of an index."""

    likeness: Overlap
    standing: Percentiles | None
    index: PassageIndex


@dataclass(frozen=True)
class Sample:
    """The figures by which a piece is held against real music's windows of `notes` notes.

    Those of the piece itself, or the medians of `count` windows of it where it is longer.
    """

    notes: int
    count: int
    figures: Mapping[str, float]


@dataclass(frozen=True)
class Report:
    """What was found out about a piece: `coming_back` by seconds a window, `loops` in seconds from its beginning."""

    notes: int
    seconds: float
    measured: Statistics
    beats: Beats | None
    key: str | None
    entropy: float | None
    coming_back: dict[str, float]
    loops: list[float]
    model: str | None = None
    bundle: str | None = None
    nats_per_note: float | None = None
    surprises: tuple[Surprise, ...] = ()
    shared: Shared | None = None
    composers: tuple[tuple[str, float], ...] = ()
    sample: Sample | None = None


def report_on(
    notes: Notes,
    *,
    engine: Engine | None = None,
    style: str = "any",
    index: PassageIndex | None = None,
    meter: Meter | None = None,
) -> Report:
    """Find out all about a piece; `meter` is the one its file has written, where there is one.

    Raises RequestError where the engine's model does not know `style`.
    """
    report = _told(notes, meter, engine, style)
    shared = _shared(notes, index) if index is not None else None

    def told(part: Notes, begin: float) -> dict[str, float]:
        here = None if meter is None else moved(meter, -begin)
        return figures(report if part is notes else _told(part, here, engine, style))

    composers = tuple(predict_composers(first(notes, MOST_SCORED)))
    return replace(report, shared=shared, composers=composers, sample=sampled(notes, told))


def figures(report: Report) -> dict[str, float]:
    """Every single number of a report by name, but for how many notes there are; distributions are none."""
    measured = report.measured | (report.beats.measured if report.beats else {})
    found = {name: float(value[0]) for name, value in measured.items() if len(value) == 1 and name != "note_count"}
    if report.notes > 1 and report.seconds > 0:
        found["notes_per_second"] = report.notes / report.seconds
    if report.entropy is not None:
        found["pitch_class_entropy"] = report.entropy
    found |= {f"coming_back_{scale}": value for scale, value in report.coming_back.items()}
    if report.nats_per_note is not None:
        found[NATS] = report.nats_per_note
    return found


def report_values(report: Report) -> dict[str, Any]:
    """The report as JSON values, with real music's percentiles of the figures beside those of the piece."""
    values = asdict(replace(report, shared=None, surprises=()))
    del values["shared"]
    beats, shared, sample = report.beats, report.shared, report.sample
    placed = None
    if shared is not None:
        placed = describe_overlap(shared.likeness, shared.standing)
    real = references(sample.notes, report.bundle) if sample else []
    return values | {
        "measured": _plain(report.measured),
        "beats": None if beats is None else asdict(beats) | {"measured": _plain(beats.measured)},
        "surprises": [asdict(one) | {"note": one.note._asdict()} for one in report.surprises],
        "originality": placed,
        "composers": dict(report.composers),
        "real": [asdict(one) for one in real],
    }


def sampled(notes: Notes, told: Callable[[Notes, float], Mapping[str, float]]) -> Sample | None:
    """Choose windows about as long as real music's, and sum up their figures; None of a piece that is too short.

    `told` gives the figures of a window and is told at which second it begins; a piece no longer than one is given
    itself.
    """
    if len(notes) < SHORTEST:
        return None
    size = window_for(len(notes))
    count = round(len(notes) / size)
    if count < 2:
        return Sample(size, 1, told(notes, 0.0))
    starts = np.unique(np.linspace(0, len(notes) - size, min(count, MOST_WINDOWS)).astype(int)).tolist()
    found = [told(window(notes, start, start + size), float(notes.onset[start])) for start in starts]
    names = [name for name in found[0] if all(name in one for one in found)]
    return Sample(size, len(found), {name: float(np.median([one[name] for one in found])) for name in names})


def begin_of(notes: Notes) -> float:
    """Seconds of silence before the first note or pedal, which a model does not hear; 0 of nothing."""
    return float(notes.onset[0] - trim(notes).onset[0]) if len(notes) else 0.0


def pitch_class_entropy(notes: Notes) -> float | None:
    """Entropy of the histogram of pitch classes in bits, 0 to 3.58 (Wu and Yang 2020, "H"); None without notes."""
    share = pitch_classes(notes.pitch)
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum()) + 0.0 if len(share) else None


def _plain(measured: Statistics) -> dict[str, Any]:
    return {name: value.tolist() if len(value) > 1 else float(value[0]) for name, value in measured.items()}


def _told(notes: Notes, meter: Meter | None, engine: Engine | None, style: str) -> Report:
    """What is said of a piece, and of each window of a longer one."""
    key = find_key(notes.pitch, notes.duration)
    coming_back = {f"{seconds:g}": recurrence_at(notes, seconds) for seconds in SCALES}
    report = Report(
        notes=len(notes),
        seconds=notes.seconds,
        measured=measure(notes),
        beats=_beats(notes, meter),
        key=key.name if key else None,
        entropy=pitch_class_entropy(notes),
        coming_back={scale: value for scale, value in coming_back.items() if value is not None},
        loops=[float(notes.onset[place]) for place in find_loops(notes)],
    )
    return report if engine is None else _scored(report, notes, engine, style)


def _scored(report: Report, notes: Notes, engine: Engine, style: str) -> Report:
    bundle = engine.bundle
    heard = first(notes, MOST_SCORED)
    scored = likelihood(heard, engine, style=style)
    report = replace(report, model=bundle.name, bundle=bundle.fingerprint)
    if not scored.note_count:
        return report
    begin = begin_of(notes)
    found = [
        replace(one, note=one.note._replace(onset=one.note.onset + begin)) for one in surprises(heard, scored, engine)
    ]
    return replace(report, nats_per_note=scored.per_note, surprises=tuple(found))


def _beats(notes: Notes, written: Meter | None) -> Beats | None:
    heard = notes if written is not None else beginning(notes)
    meter = written or find_beat_meter(heard)
    measured = measure_in_beats(heard, meter) if meter is not None else {}
    return Beats(written is not None, signature_of(heard, meter), measured) if meter and measured else None


def _shared(notes: Notes, index: PassageIndex) -> Shared:
    likeness = find_passages(notes, index)
    return Shared(likeness, measure_percentiles(likeness, index), index)
