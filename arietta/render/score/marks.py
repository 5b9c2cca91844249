"""Marks beside the notes of a score: tempo, loudness and pedal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...music.meter import LATTICE, Bar, Meter
from ...music.notes import Notes
from .quantise import Positions

LOUDNESS = ((36, "pp"), (52, "p"), (66, "mp"), (80, "mf"), (96, "f"), (128, "ff"))  # velocity below which a mark holds
STEADY = 6  # velocities beyond a mark's bounds before it changes, so that it does not flicker
PEDAL_GRID = LATTICE // 4  # pedals are written to sixteenths: their exact times are touch


@dataclass(frozen=True)
class Mark:
    """A sign at a lattice position; `text`: quarters a minute (tempo), mf (dynamics), start, change or stop (pedal)."""

    position: int
    kind: Literal["tempo", "dynamics", "pedal"]
    text: str


def find_marks(notes: Notes, meter: Meter, start: Positions, bars: Sequence[Bar]) -> list[list[Mark]]:
    """Find the marks of each bar; `start` [N] has the positions of the notes."""
    edges = np.array([bar.start for bar in bars])
    end = bars[-1].start + bars[-1].length
    # One tempo for the piece, the median of its quarter notes: a mark for each would be unreadable. A piece may be
    # shorter than a quarter (a bar of 1/8).
    quarters = meter.seconds(np.arange(edges[0], max(end, edges[0] + LATTICE) + 1, LATTICE) / LATTICE)
    tempo = Mark(bars[0].start, "tempo", f"{60 / float(np.median(np.diff(quarters))):.0f}")
    marks: list[list[Mark]] = [[] for _ in bars]
    for mark in (tempo, *_dynamics(notes, start, edges), *_pedal(notes, meter, bars[0].start, end)):
        # A pedal lifted at a bar line belongs to the bar before it, all else to the bar that begins.
        side: Literal["left", "right"] = "left" if mark.text == "stop" else "right"
        marks[int(np.searchsorted(edges, mark.position, side=side)) - 1].append(mark)
    return marks


def _dynamics(notes: Notes, start: Positions, edges: Positions) -> Iterator[Mark]:
    """A mark where the loudness of a bar, its neighbours taken in, leaves the bounds of the mark before."""
    owner = np.searchsorted(edges, start, side="right") - 1
    count = np.convolve(np.bincount(owner, minlength=len(edges)), [1, 2, 1])[1:-1]
    total = np.convolve(np.bincount(owner, notes.velocity, minlength=len(edges)), [1, 2, 1])[1:-1]
    low, high = 128.0, 0.0
    for bar in np.flatnonzero(count).tolist():
        velocity = total[bar] / count[bar]
        if not low - STEADY <= velocity < high + STEADY:
            level = next(level for level, (bound, _) in enumerate(LOUDNESS) if velocity < bound)
            low, high = LOUDNESS[level - 1][0] if level else 0, LOUDNESS[level][0]
            yield Mark(int(edges[bar]), "dynamics", LOUDNESS[level][1])


def _pedal(notes: Notes, meter: Meter, first: int, end: int) -> Iterator[Mark]:
    """Ped. where the pedal goes down and * where it is up, within the score, and one sign where it does both.

    So no two signs share a position. A pressing too short to be written is left out; others are clipped to
    [first, end], for the pedal is often held on after the last bar.
    """
    positions = np.rint(meter.quarters(notes.pedal) * LATTICE / PEDAL_GRID).astype(int) * PEDAL_GRID
    positions = np.clip(positions, first, end)
    pressings = positions[positions[:, 1] > positions[:, 0]]
    changes = np.intersect1d(pressings[:, 0], pressings[:, 1])
    signs = {**dict.fromkeys(pressings[:, 0].tolist(), "start"), **dict.fromkeys(pressings[:, 1].tolist(), "stop")}
    signs |= dict.fromkeys(changes.tolist(), "change")
    yield from (Mark(position, "pedal", sign) for position, sign in sorted(signs.items()))
