"""What is known of a piece, in one value: what the command prints, the page shows and the service answers.

    report = report_on(read_midi("piece.mid"), engine=engine, meter=read_meter("piece.mid"))
    report.key, report.profile.nats_per_note, report.figures["polyphony"]

What was not asked for, and what too few notes cannot say, is None or left out; nothing is ever nan. The sentences about
a report are made in `words`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import RequestError
from ..generation.wishes import read_wishes
from ..model.conditions import MEASURED
from ..model.engine import Engine
from ..music.keys import find_key, pitch_classes
from ..music.loops import find_loops
from ..music.meter import Meter
from ..music.notes import Notes, first
from ..music.summary import Touch, summarise_touch
from ..originality.baseline import Percentiles, describe_overlap, measure_percentiles
from ..originality.index import PassageIndex
from ..originality.search import Overlap, find_passages
from .embedding import predict_composers
from .likelihood import Scored, Surprise, find_surprises, score_piece
from .reference import NATS, Reference, Sample, nearest_window, references, sample_windows
from .statistics import (
    Statistics,
    find_beat_meter,
    first_20_minutes,
    main_signature,
    measure,
    measure_in_beats,
)
from .structure import SCALES, recurrence_at

MOST_SCORED = 20_000  # notes; of a longer piece the first so many


@dataclass(frozen=True)
class Beats:
    """What was measured in beats, which are written in the file, or else found in the performance."""

    is_written: bool
    signature: str
    statistics: Statistics


@dataclass(frozen=True)
class Profile:
    """The figures of a piece, or of a window of one; `recurrence` by the seconds of its windows, as "8"."""

    note_count: int
    seconds: float
    statistics: Statistics
    beats: Beats | None
    entropy: float | None
    recurrence: Mapping[str, float]
    nats_per_note: float | None

    @property
    def figures(self) -> dict[str, float]:
        """Every single number by name, but for how many notes there are; distributions are left out."""
        statistics = self.all_statistics
        values = {name: float(column[0]) for name, column in statistics.items() if len(column) == 1}
        values.pop("note_count", None)  # windows are chosen by it
        if self.note_count > 1 and self.seconds > 0:
            values["notes_per_second"] = self.note_count / self.seconds
        if self.entropy is not None:
            values["pitch_class_entropy"] = self.entropy
        values |= {f"coming_back_{scale}": recurrence for scale, recurrence in self.recurrence.items()}
        if self.nats_per_note is not None:
            values[NATS] = self.nats_per_note
        return values

    @property
    def all_statistics(self) -> Statistics:
        """Statistics in seconds and in beats, single numbers and distributions."""
        return self.statistics | (self.beats.statistics if self.beats else {})


@dataclass(frozen=True)
class Shared:
    """What a piece shares with the corpus of an index."""

    overlap: Overlap
    percentiles: Percentiles | None
    index: PassageIndex


@dataclass(frozen=True)
class MetWish:
    """What was asked for from a second on, and what was found until the next wish of this name or the end."""

    name: str
    second: float
    asked: float | str
    found: float | str | None


@dataclass(frozen=True)
class Report:
    """What is known of a piece; `loops` are the seconds at which a pattern came for the eighth time in a row.

    `model` and `bundle` name what scored it; `sample` holds the figures that are held against real music's.
    """

    profile: Profile
    key: str | None
    loops: list[float]
    composers: tuple[tuple[str, float], ...] = ()
    sample: Sample | None = None
    model: str | None = None
    bundle: str | None = None
    scored: Scored | None = None
    surprises: tuple[Surprise, ...] = ()
    shared: Shared | None = None
    touch: Touch | None = None
    wishes: tuple[MetWish, ...] = ()

    @property
    def figures(self) -> dict[str, float]:
        """Every single number of the whole piece by name."""
        return self.profile.figures

    @property
    def real(self) -> list[Reference]:
        """What is known of real music's windows that are as long as those of the sample."""
        return references(self.sample.notes, self.bundle) if self.sample else []

    def to_json(self) -> dict[str, Any]:
        """Describe all of it as JSON values, with real music's percentiles; the names are those of the service."""
        profile, beats, shared = self.profile, self.profile.beats, self.shared
        return {
            "notes": profile.note_count,
            "seconds": profile.seconds,
            "measured": _to_json(profile.statistics),
            "beats": beats
            and {
                "is_written": beats.is_written,
                "signature": beats.signature,
                "measured": _to_json(beats.statistics),
            },
            "key": self.key,
            "entropy": profile.entropy,
            "coming_back": dict(profile.recurrence),
            "loops": self.loops,
            "touch": self.touch and asdict(self.touch),
            "wishes": [asdict(wish) for wish in self.wishes],
            "model": self.model,
            "bundle": self.bundle,
            "nats_per_note": profile.nats_per_note,
            "surprises": [surprise.to_json() for surprise in self.surprises],
            "composers": dict(self.composers),
            "sample": self.sample and asdict(self.sample),
            "originality": shared and describe_overlap(shared.overlap, shared.percentiles),
            "real": [asdict(reference) for reference in self.real],
        }


def report_on(
    notes: Notes,
    *,
    engine: Engine | None = None,
    style: str = "any",
    index: PassageIndex | None = None,
    meter: Meter | None = None,
    request: Mapping[str, Any] | None = None,
) -> Report:
    """Measure all that can be measured of a piece.

    `meter` and `request` are the metre and the description of a take that its file has written, where there are any.
    Raises RequestError where the engine's model does not know `style`.
    """
    beginning = first(notes, MOST_SCORED)
    scored = None if engine is None else score_piece(beginning, engine, style=style)
    profile = _profile(notes, meter, scored)
    windows = sample_windows(notes)
    figures = [profile.figures] if len(windows) == 1 else []  # a short piece is its own window
    for window in windows if len(windows) > 1 else []:
        window_meter = None if meter is None else meter.shifted(-window.begin)
        window_score = None if engine is None else score_piece(window.notes, engine, style=style)
        figures.append(_profile(window.notes, window_meter, window_score).figures)
    shared = None
    if index is not None:
        overlap = find_passages(notes, index)
        shared = Shared(overlap, measure_percentiles(overlap, index), index)
    key = find_key(notes.pitch, notes.duration)
    return Report(
        profile=profile,
        key=key.name if key else None,
        loops=[float(notes.onset[number]) for number in find_loops(notes)],
        composers=tuple(predict_composers(beginning)),
        sample=Sample.of(nearest_window(len(notes)), figures) if figures else None,
        model=engine.bundle.name if engine else None,
        bundle=engine.bundle.fingerprint if engine else None,
        scored=scored,
        surprises=tuple(find_surprises(scored, engine.bundle.codec)) if engine and scored else (),
        shared=shared,
        touch=summarise_touch(notes),
        wishes=tuple(_met_wishes(notes, request or {})),
    )


def pitch_class_entropy(notes: Notes) -> float | None:
    """Return the entropy of the pitch classes in bits, 0 to 3.58 (Wu and Yang 2020, "H"); None without notes."""
    share = pitch_classes(notes.pitch)
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum()) + 0.0 if len(share) else None  # + 0.0: an entropy of -0 is odd


def _profile(notes: Notes, meter: Meter | None, scored: Scored | None) -> Profile:
    recurrence = {f"{seconds:g}": recurrence_at(notes, seconds) for seconds in SCALES}
    return Profile(
        note_count=len(notes),
        seconds=notes.seconds,
        statistics=measure(notes),
        beats=_measure_beats(notes, meter),
        entropy=pitch_class_entropy(notes),
        recurrence={scale: mean for scale, mean in recurrence.items() if mean is not None},
        nats_per_note=scored.per_note if scored and scored.note_count else None,
    )


def _measure_beats(notes: Notes, written: Meter | None) -> Beats | None:
    """Measure in the written metre, or in one that is found in the first 20 minutes; None where there is none."""
    measured = notes if written is not None else first_20_minutes(notes)
    meter = written or find_beat_meter(measured)
    statistics = {} if meter is None else measure_in_beats(measured, meter)
    return Beats(written is not None, main_signature(measured, meter), statistics) if meter and statistics else None


def _met_wishes(notes: Notes, request: Mapping[str, Any]) -> Iterator[MetWish]:
    """Find what became of the wishes in a description; a stranger's file may say anything, which is then no wish."""
    try:
        wishes = read_wishes(**{name: request.get(name) for name in MEASURED})
    except RequestError:
        return
    first_second, last_second = _composed_span(notes, request)
    for name, steps in wishes.items():
        for (begin, asked), (end, _) in zip(steps, (*steps[1:], (math.inf, None)), strict=True):
            if end <= first_second:
                continue  # what was given is as it was
            begin, end = max(begin, first_second), min(end, last_second)
            passage = notes.between(begin, end)
            yield MetWish(name, begin, asked, _found(name, passage, end - begin) if len(passage) else None)


def _composed_span(notes: Notes, request: Mapping[str, Any]) -> tuple[float, float]:
    """Return from when to when a piece was composed (s): what a description calls its passage, or after its prompt."""
    begin, end = 0.0, notes.seconds
    passage, prompt = request.get("passage"), request.get("prompt_notes")
    if isinstance(passage, Mapping):
        start, stop = passage.get("from"), passage.get("to")
        if isinstance(start, int | float) and isinstance(stop, int | float) and 0 <= start < stop:
            return min(start, end), min(stop, end)
    if isinstance(prompt, int) and 0 < prompt < len(notes):
        begin = float(notes.onset[prompt])
    return begin, end


def _found(name: str, passage: Notes, seconds: float) -> float | str | None:
    """Measure in a passage with notes, of so many seconds, what there are wishes for."""
    if name == "density":
        return len(passage) / seconds
    if name == "loudness":
        return float(passage.velocity.mean())
    key = find_key(passage.pitch, passage.duration)
    return key and key.name


def _to_json(statistics: Statistics) -> dict[str, Any]:
    """Turn single numbers into floats and distributions into lists."""
    return {name: column.tolist() if len(column) > 1 else float(column[0]) for name, column in statistics.items()}
