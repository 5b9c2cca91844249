"""The metre of what the network hears: a tempo for every beat, a signature where bars change, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..meter import Meter, Tempo, TimeSignature
from ..notes import Notes, Seconds
from .accents import extend_to_all_notes
from .decoding import NEAR_BEAT, BarPositions, decode_bars, decode_beats, frames_near, pace_of
from .network import PERIOD_COUNT, BeatActivations, Weights, beat_activations

SURE = 0.6  # of a metre's sureness
SIGNS = ("positions", "beats", "paces")  # of sureness, as `signs_of_sureness` has them
FEWEST_BEATS = 3  # in fewer no bars are sought

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TrackedMeter:
    """A metre that the network heard, its beats [B] in seconds, and how likely its bars are right, 0 to 1."""

    meter: Meter
    beats: Seconds
    sureness: float


def track_meter(notes: Notes, weights: Weights) -> TrackedMeter:
    """Find the metre of eight notes or more; 4/4 at 120, and not sure, where no beats are tracked."""
    activations = beat_activations(notes, weights)
    beats = decode_beats(activations, float(notes.onset[0]))
    if len(beats) < FEWEST_BEATS:
        return TrackedMeter(Meter((TimeSignature(0.0, 4, 4),), (Tempo(0.0, 0.5),)), beats, 0.0)
    bars = decode_bars(activations, beats)
    odds = float(signs_of_sureness(activations, beats, bars) @ weights["sure.weight"] + weights["sure.bias"])
    is_compound = float(activations.compound[frames_near(activations, beats)].mean()) > 0
    meter = lay_out_tracked_bars(notes, beats, bars, is_compound=is_compound)
    return TrackedMeter(meter, beats, float(1 / (1 + np.exp(-odds))))


def signs_of_sureness(activations: BeatActivations, beats: Seconds, bars: BarPositions) -> Floats:
    """Return what tells whether bars are right, float64 [len(SIGNS)], each 0 to 1 on average over the beats.

    How likely the positions in bars are, how clearly beats are heard, and how much of the pace heard is the pace found.
    """
    near = frames_near(activations, beats)
    frames = near[:, NEAR_BEAT]
    clear = 1 / (1 + np.exp(-activations.beat[near].max(axis=1).astype(np.float64)))
    pace = pace_of(np.diff(beats))
    beside = np.clip(pace[:, None] + np.arange(-1, 2), 0, PERIOD_COUNT - 1)
    middle = (frames[:-1] + frames[1:]) // 2
    share = np.exp(activations.period[middle[:, None], beside].astype(np.float64)).sum(axis=1)
    return np.array([bars.sureness.mean(), clear.mean(), share.mean()])


def lay_out_tracked_bars(notes: Notes, beats: Seconds, bars: BarPositions, *, is_compound: bool) -> Meter:
    """Lay a tempo under every beat, and a signature under every bar that has another length than the one before."""
    covered = extend_to_all_notes(beats, notes)
    offset = np.arange(len(covered)) - int(np.argmin(np.abs(covered - beats[0])))
    inside = np.clip(offset, 0, len(beats) - 1)
    position = (bars.position[inside] + offset - inside) % bars.size[inside]
    starts = np.flatnonzero(position == 0)
    parts, unit = (3, 8) if is_compound else (1, 4)
    if not len(starts):
        starts = np.array([0])
    lengths = np.append(np.diff(starts), bars.size[inside[starts[-1]]])
    signatures = [TimeSignature(float(covered[0]), int(starts[0]) * parts, unit)] if starts[0] else []
    for number, (start, length) in enumerate(zip(starts.tolist(), lengths.tolist(), strict=True)):
        if number == 0 or length != lengths[number - 1]:
            signatures.append(TimeSignature(float(covered[start]), length * parts, unit))
    quarter = np.append(np.diff(covered), covered[-1] - covered[-2]) * unit / (4 * parts)
    return Meter(tuple(signatures), tuple(map(Tempo, covered.tolist(), quarter.tolist())))
