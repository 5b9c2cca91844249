"""The tempo map of a MIDI file: which tick is which second, read from tempo events or laid under a performance.

A map that is laid under a performance keeps its seconds: beats fall on multiples of the ticks per beat, and what
lies between them is rounded to a tick of a millisecond or less.

    tempo_map = lay_tempo_map(meter)
    ticks = tempo_map.ticks(notes.onset)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...errors import NUMBER, MidiError, require
from ..meter import Meter
from ..notes import Seconds
from .smf import KEY_SIGNATURE, TEMPO, TIME_SIGNATURE, Integers, Message, Ticks, meta

TICKS = 960  # a beat, or a multiple of it: what sequencers count in
LONGEST_TICK = 0.001  # seconds
SLOWEST = 2**24 - 1  # microseconds a beat, the most that a tempo event holds (SMF 1.0)
LARGEST_DIVISION = 2**15 - 1
SLOWEST_GRID, FASTEST_GRID = 5, 990  # beats a minute that programs take


@dataclass(frozen=True)
class TempoMap:
    """Tempos of `tempo` int64 [C] microseconds a beat from `tick` int64 [C] on, the first at tick 0."""

    ticks_per_beat: int
    tick: Ticks
    tempo: Integers

    def seconds(self, ticks: Ticks) -> Seconds:
        """Turn ticks into times, float64 like `ticks`."""
        rate = self.tempo / (self.ticks_per_beat * 1e6)
        if not self.tick.any():  # as in most files: one tempo, or one that replaces the usual one at the beginning
            return np.asarray(ticks * rate[-1], dtype=np.float64)
        change = np.searchsorted(self.tick, ticks, side="right") - 1
        return np.asarray(self._times()[change] + (ticks - self.tick[change]) * rate[change], dtype=np.float64)

    def ticks(self, seconds: Seconds) -> Ticks:
        """Turn times into the nearest ticks, int64 like `seconds`."""
        times = self._times()
        change = np.searchsorted(times, seconds, side="right") - 1
        beats = (seconds - times[change]) * 1e6 / self.tempo[change]
        return np.rint(self.tick[change] + beats * self.ticks_per_beat).astype(np.int64)

    def messages(self) -> Iterator[Message]:
        """Write the tempos as meta events."""
        for tick, tempo in zip(self.tick.tolist(), self.tempo.tolist(), strict=True):
            yield tick, meta(TEMPO, tempo.to_bytes(3, "big"))

    def _times(self) -> Seconds:
        """When the tempos begin, float64 [C] s."""
        rate = self.tempo / (self.ticks_per_beat * 1e6)
        return np.concatenate([[0.0], np.cumsum(np.diff(self.tick) * rate[:-1])])


def constant_tempo_map(beats_per_minute: float = 0.0) -> TempoMap:
    """Count seconds under one tempo; under 120 in ticks of half a millisecond, so that milliseconds stay exact, for 0.

    Raises MidiError for a tempo that no sequencer has.
    """
    require(beats_per_minute, NUMBER, "a grid is a metre or a number of beats a minute", MidiError)
    if not beats_per_minute:
        return TempoMap(1000, np.zeros(1, dtype=np.int64), np.array([500_000]))
    if not SLOWEST_GRID <= beats_per_minute <= FASTEST_GRID:
        raise MidiError(f"a grid of {beats_per_minute:g} beats a minute: {SLOWEST_GRID} to {FASTEST_GRID} can be laid")
    quarter = 60 / beats_per_minute
    return TempoMap(_division(quarter), np.zeros(1, dtype=np.int64), np.array([round(quarter * 1e6)]))


def lay_tempo_map(meter: Meter) -> tuple[TempoMap, list[Message]]:
    """Lay a metre under a performance: the map, and its tempos, signatures and keys as messages in order of time.

    What comes before the first beat is a bar of its own, or part of the pickup. Raises MidiError where a quarter note
    is longer than a MIDI file can say.
    """
    meter = meter.led_in()
    begins = np.array([tempo.seconds for tempo in meter.tempos])
    lengths = np.array([tempo.quarter for tempo in meter.tempos])
    if lengths.max() * 1e6 > SLOWEST:
        raise MidiError(f"a quarter note of {lengths.max():.1f} s; the longest in a MIDI file lasts 16.7")
    division = _division(float(lengths.max()))
    tick = np.rint(meter.quarters(begins) * division).astype(np.int64)
    # Each tempo is a whole number of microseconds: what that leaves over goes into the next one, so nothing adds up.
    tempos, now = [], 0.0
    for index, length in enumerate(lengths.tolist()):
        tempo = length * 1e6
        beats = 0.0
        if index + 1 < len(tick):
            beats = (tick[index + 1] - tick[index]) / division
            tempo = (begins[index + 1] - now) * 1e6 / beats if beats else tempo
        tempos.append(int(np.clip(np.rint(tempo), 1, SLOWEST)))
        now += tempos[-1] * beats / 1e6
    tempo_map = TempoMap(division, tick, np.array(tempos, dtype=np.int64))
    messages = list(tempo_map.messages())
    payloads = [
        # Clocks a beat and 32nds a quarter, as most programs write them (SMF 1.0).
        *(
            (mark.seconds, TIME_SIGNATURE, bytes([mark.beats, mark.unit.bit_length() - 1, 24, 8]))
            for mark in meter.signatures
        ),
        *((key.seconds, KEY_SIGNATURE, bytes([key.sharps % 256, key.is_minor])) for key in meter.keys),
    ]
    for seconds, kind, payload in payloads:
        messages.append((max(round(float(meter.quarters(seconds)) * division), 0), meta(kind, payload)))
    return tempo_map, sorted(messages, key=lambda message: message[0])


def _division(longest_quarter: float) -> int:
    """The least multiple of TICKS whose tick is no longer than LONGEST_TICK."""
    multiple = int(np.ceil(longest_quarter / LONGEST_TICK / TICKS - 1e-9))
    return TICKS * int(np.clip(multiple, 1, LARGEST_DIVISION // TICKS))
