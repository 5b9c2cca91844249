"""The metre of what the network hears: a tempo for every beat, a signature where bars change, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..meter import Meter, Tempo, TimeSignature
from ..notes import Notes, Seconds
from .accents import extend_to_all_notes
from .agreement import mutual_agreement
from .decoding import BarPositions, decode_bars, decode_beats, frames_near
from .network import Weights, beat_views, mean_activations

# Of sureness: the lowest from which on four of five performances of MAESTRO's validation side have their bars right.
# They are five in all; docs/figures.md has what comes of it on the test side.
SURE = 0.822
FEWEST_BEATS = 3  # in fewer no bars are sought


@dataclass(frozen=True)
class TrackedMeter:
    """A metre that the network tracked, its beats [B] in seconds, and how sure its bars are, 0 to 1.

    Sureness is how far the bars agree that are tracked in the same music played at its own pace, faster and slower.
    """

    meter: Meter
    beats: Seconds
    sureness: float


def track_meter(notes: Notes, weights: Weights) -> TrackedMeter:
    """Find the metre of eight notes or more; 4/4 at 120, and not sure, where no beats are tracked."""
    views, begin = beat_views(notes, weights), float(notes.onset[0])
    activations = mean_activations(views)
    beats = decode_beats(activations, begin)
    if len(beats) < FEWEST_BEATS:
        return TrackedMeter(Meter((TimeSignature(0.0, 4, 4),), (Tempo(0.0, 0.5),)), beats, 0.0)
    downbeats = []
    for view in views:
        chain = decode_beats(view, begin)
        downbeats.append(chain[decode_bars(view, chain).position == 0])
    is_compound = float(activations.compound[frames_near(activations, beats)].mean()) > 0
    meter = lay_out_tracked_bars(notes, beats, decode_bars(activations, beats), is_compound=is_compound)
    return TrackedMeter(meter, beats, mutual_agreement(downbeats))


def lay_out_tracked_bars(notes: Notes, beats: Seconds, bars: BarPositions, *, is_compound: bool) -> Meter:
    """Lay a tempo under every beat, and a signature under every bar that has another length than the one before."""
    covered = extend_to_all_notes(beats, notes)
    anchor = len(beats) // 2  # within the music, where beats stay: before its first note leading ones may go
    offset = np.arange(len(covered)) - int(np.argmin(np.abs(covered - beats[anchor]))) + anchor
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
