"""Music in a tempo and a metre: the take of eight whose beats and bars fit them best, stretched to the tempo.

    pulse = Pulse.read(90, "3/4")
    take = next(generate_in_time([Request(notes=300, pulse=pulse, seed=7)], engine))
    take.fit, take.meter

A model keeps no tempo by itself, so that what it composes is chosen and not steered: beats are looked for near the
tempo, and bars of the metre over them. All of a take is stretched by one factor, so that its median beat is the one
asked for; its rubato stays. Where bars are too unsure the take has none, and no metre is claimed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...codecs.grid import STEPS_PER_SECOND
from ...codecs.note_decoder import SHORTEST_LAST
from ...errors import RequestError, real_number, whole_number
from ...music.beats.accents import FARTHEST, find_meter_near
from ...music.meter import Meter, TimeSignature
from ...music.notes import Notes, stretch, trim
from .bars import MAX_SECONDS, check_bars, choose_length

TAKES = 8
MARGIN = 1.1  # times the seconds that bars take at their median beat: a take may slow down
SURE = 0.6  # of the fit: bars of takes below it are not written; `find_meter_near` says how many are right
SLOWEST, FASTEST = 40.0, 200.0  # beats a minute that are found


@dataclass(frozen=True)
class Fit:
    """How well a take fits what was asked: `sureness` of its bars, 0 to 1, and the `factor` it was stretched by.

    `bars` are those that it has of so many asked for, None where they are not known or not asked for.
    """

    sureness: float
    factor: float
    bars: int | None = None

    @property
    def has_bars(self) -> bool:
        """Whether bars are sure enough to be written."""
        return self.sureness >= SURE

    def describe(self) -> dict[str, Any]:
        """Return the fit as JSON values."""
        return {"sureness": self.sureness, "factor": self.factor, "bars": self.bars}


@dataclass(frozen=True)
class Pulse:
    """So many beats a minute, dotted ones in 6/8, and bars of `beats` of `unit`; `bars` where that is the length.

    The best of so many `takes` is kept: fewer where composing was stopped.
    """

    bpm: float
    beats: int
    unit: int
    bars: int | None = None
    takes: int = TAKES

    @classmethod
    def read(cls, bpm: Any, metre: Any, bars: int | None = None, takes: int | None = None) -> Pulse | None:
        """Read beats a minute and a metre such as "3/4"; None for neither. Raises RequestError where they are none."""
        if bpm is None and metre is None:
            if takes is not None:
                raise RequestError("takes says among how many the best in a tempo is chosen: say bpm and metre too")
            return None
        if bpm is None or metre is None:
            raise RequestError("bpm and metre go together: say both, as bpm 90 and metre 3/4")
        bpm = real_number(bpm, "bpm")
        if not SLOWEST <= bpm <= FASTEST:
            raise RequestError(f"bpm must lie in {SLOWEST:.0f}-{FASTEST:.0f} beats a minute, not {bpm:g}")
        signature = TimeSignature.read(metre)
        takes = TAKES if takes is None else whole_number(takes, "takes")
        if not 1 <= takes <= TAKES:
            raise RequestError(f"takes must lie in 1-{TAKES}, not {takes}")
        return cls(float(bpm), signature.beats, signature.unit, None if bars is None else check_bars(bars), takes)

    @property
    def signature(self) -> TimeSignature:
        """The metre as a time signature."""
        return TimeSignature(0.0, self.beats, self.unit)

    @property
    def bar_seconds(self) -> float:
        """Length of a bar."""
        return self.signature.beat_count * 60 / self.bpm

    @property
    def seconds(self) -> float | None:
        """Length of so many bars, None where the length is not in bars."""
        return None if self.bars is None else self.bars * self.bar_seconds

    @property
    def seconds_composed(self) -> float | None:
        """Seconds to compose for so many bars: enough, after a pickup, where they are shortened most and slow down."""
        return None if self.bars is None else MARGIN * (self.bars + 1) * self.bar_seconds * FARTHEST

    def length(
        self, notes: int | None = None, seconds: float | None = None, *, original: bool = False
    ) -> tuple[int | None, float | None]:
        """Return how many notes or seconds to compose.

        Raises RequestError for seconds, which are stretched, for two lengths, and where music shall be original.
        """
        if original:
            raise RequestError("original composes again until it is: leave it out, or bpm and metre")
        if seconds is not None:
            raise RequestError("music is stretched to its bpm: ask for notes or bars, not for seconds")
        if self.bars is None:
            return notes, None
        if notes is not None:
            raise RequestError("say how much to write: a number of notes or of bars, and one of them alone")
        composed = self.seconds_composed
        assert composed is not None
        if composed > MAX_SECONDS:
            raise RequestError(f"{self.bars} bars at {self.bpm:g} are too long; {MAX_SECONDS:.0f} s can be written")
        return None, composed

    def describe(self) -> dict[str, Any]:
        """Return what is asked for as JSON values."""
        takes = None if self.takes == TAKES else self.takes
        return {"bpm": self.bpm, "metre": f"{self.beats}/{self.unit}", "bars": self.bars, "takes": takes}

    def title(self, length: str) -> str:
        """Return the part of a take's title that says how long it is, from that of its notes, and in what tempo.

        Samplers and sequencers find a tempo that is spelled as 90bpm.
        """
        length = length if self.bars is None else f"{self.bars:04d}-bars"
        return f"{length}-{self.bpm:g}bpm-{self.beats}-{self.unit}"

    def fit(self, notes: Notes) -> tuple[Notes, Meter | None, Fit]:
        """Stretch music to the tempo and cut it to the bars asked for; its metre too, None where that is not sure."""
        notes, period = trim(notes), 60 / self.bpm
        found = find_meter_near(notes, self.signature, period)
        if found is None:
            return self._cut(notes, self.seconds), None, Fit(0.0, 1.0)
        meter, sureness = found
        factor = self._factor(meter, period)
        fit, stretched = Fit(sureness, factor), stretch(notes, factor)
        meter = meter.stretched(factor)
        if not fit.has_bars:
            return self._cut(stretched, self.seconds), None, fit
        if self.bars is None:
            return stretched, meter, fit
        lines = meter.bar_lines(stretched.seconds)
        count = min(self.bars, len(lines) - 1)
        return self._cut(stretched, float(lines[count])), meter, replace(fit, bars=count)

    def _factor(self, meter: Meter, period: float) -> float:
        quarters = self.signature.quarters / self.signature.beat_count
        median = float(np.median([tempo.quarter for tempo in meter.tempos])) * quarters
        return round(float(np.clip(period / median, 1 / FARTHEST, FARTHEST)), 4)

    @staticmethod
    def _cut(notes: Notes, second: float | None) -> Notes:
        if second is None:
            return notes
        cut = notes.between(0.0, second - SHORTEST_LAST / STEPS_PER_SECOND) if second < notes.seconds else notes
        return Notes.of(cut.onset, np.minimum(cut.release, second) - cut.onset, cut.pitch, cut.velocity, cut.pedal)


def find_length(
    pulse: Pulse | None,
    length: tuple[int | None, float | None, int | None],
    *,
    given: tuple[Notes | None, Meter | None] = (None, None),
    at: float | None = None,
    usual: int | None = None,
    original: bool = False,
) -> tuple[int | None, float | None]:
    """Return how many notes or seconds to compose for a `length` in notes, seconds or bars, as `choose_length` does.

    Bars are those of the `pulse`, or, where there is none, of what is `given`. Raises RequestError as `choose_length`
    and `Pulse.length` do.
    """
    notes, seconds, bars = length
    if pulse is None:
        return choose_length(notes, seconds, bars, given=given, at=at, usual=usual)
    notes, seconds = pulse.length(notes, seconds, original=original)
    return choose_length(notes, seconds, usual=usual)
