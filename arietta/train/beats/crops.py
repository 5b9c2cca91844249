"""What the beat network learns from: stretches of performances, played otherwise, with what is to be heard in them.

A stretch is made faster or slower, transposed, thinned, shaken, or robbed of pedal and loudness by chance, so that few
works teach much. Works are drawn by the square root of their performances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...music.beats.frames import COLUMNS, FRAME_RATE, frame_columns
from ...music.beats.network import BAR_SIZES, PACKED, PERIOD_COUNT, PERIODS_PER_OCTAVE, SHORTEST_PERIOD
from ...music.notes import Notes, Seconds, crop, stretch
from .performances import AnnotatedPerformance

NEAR = (1.0, 0.5, 0.2)  # how much a frame is a beat that lies on it, one beside it, two beside it
STRETCH, SEMITONES, MOST_THINNED, SHAKE = 1.3, 6, 0.2, 0.01  # factor either way, either way, share, seconds
FLAT, NO_PEDAL = 0.1, 0.25  # share of stretches without loudness, without pedal
EDGE = 0.1  # seconds before the first beat and after the last that are known to be none

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Lesson:
    """Stretches [B] of T steps: what is heard, and what there is to hear; `is_known` masks frames.

    `columns` float32 [B, T, PACKED * COLUMNS]; `beat`, `downbeat`, `is_known` float32 [B, T * PACKED]; `period` float32
    [B, T, PERIOD_COUNT], `size` int64 [B, T], `compound` float32 [B, T], the three of the beat that holds.
    """

    columns: Floats
    beat: Floats
    downbeat: Floats
    is_known: Floats
    period: Floats
    size: NDArray[np.int64]
    compound: Floats


def draw_lesson(
    performances: Sequence[AnnotatedPerformance], count: int, steps: int, rng: np.random.Generator
) -> Lesson:
    """Draw so many stretches, each of so many steps, altered by chance."""
    works = [performance.work for performance in performances]
    share = np.array([works.count(work) ** -0.5 for work in works])
    drawn = rng.choice(len(works), count, p=share / share.sum())
    seconds = steps * PACKED / FRAME_RATE
    rows = []
    for index in drawn.tolist():
        performance, factor = performances[index], float(np.exp(rng.uniform(-1, 1) * np.log(STRETCH)))
        begin = rng.uniform(-2.0, max(performance.notes.seconds - seconds / factor + 2.0, 0.0))
        notes, beats = _cut(performance, begin, seconds / factor)
        notes = alter(stretch(notes, factor), rng)
        rows.append((frame_columns(notes, steps * PACKED), *targets(performance, factor * beats, steps)))
    columns, *others = (np.stack(column) for column in zip(*rows, strict=True))
    return Lesson(columns.reshape(count, steps, PACKED * COLUMNS), *others)


def _cut(performance: AnnotatedPerformance, begin: float, seconds: float) -> tuple[Notes, Seconds]:
    """Cut notes from `begin` on, which becomes 0 s; the beats are all there, counted from it."""
    notes = crop(performance.notes, max(begin, 0.0), begin + seconds)
    lead = max(-begin, 0.0)
    notes = Notes.of(notes.onset + lead, notes.duration, notes.pitch, notes.velocity, notes.pedal + lead)
    return notes, performance.beats - begin


def alter(notes: Notes, rng: np.random.Generator) -> Notes:
    """Transpose, thin out, shake, flatten and lift the pedal, each by chance."""
    pitch = np.clip(notes.pitch.astype(np.int64) + rng.integers(-SEMITONES, SEMITONES + 1), 21, 108)
    onset, is_kept = notes.onset, np.ones(len(notes), dtype=bool)
    if rng.random() < 0.5:
        is_kept = rng.random(len(notes)) >= rng.uniform(0, MOST_THINNED)
    if rng.random() < 0.5:
        onset = np.maximum(onset + rng.normal(0, SHAKE * rng.random(), len(notes)), 0)
    velocity = np.full(len(notes), 64) if rng.random() < FLAT else notes.velocity
    pedal = notes.pedal[:0] if rng.random() < NO_PEDAL else notes.pedal
    return Notes.of(onset[is_kept], notes.duration[is_kept], pitch[is_kept], velocity[is_kept], pedal)


def targets(performance: AnnotatedPerformance, beats: Seconds, steps: int) -> tuple[NDArray[np.generic], ...]:
    """Say what there is to hear in `steps` steps from 0 s on, where the performance's beats lie at `beats`."""
    frame_count = steps * PACKED
    frames = np.arange(frame_count) / FRAME_RATE
    is_known = ((frames >= beats[0] - EDGE) & (frames <= beats[-1] + EDGE)).astype(np.float32)
    beat, downbeat = (_near(some, frame_count) for some in (beats, beats[performance.is_downbeat]))
    middle = (np.arange(steps) + 0.5) * PACKED / FRAME_RATE
    owner = np.clip(np.searchsorted(beats, middle, side="right") - 1, 0, len(beats) - 2)
    position = np.log2(np.maximum(np.diff(beats)[owner], 1e-3) / SHORTEST_PERIOD) * PERIODS_PER_OCTAVE
    distance = np.arange(PERIOD_COUNT) - np.clip(position, 0, PERIOD_COUNT - 1)[:, None]
    period = np.exp(-0.5 * distance**2)
    period = (period / period.sum(axis=1, keepdims=True)).astype(np.float32)
    bar = np.cumsum(performance.is_downbeat)  # of each beat; those before the first downbeat are in bar 0
    count = np.bincount(bar)[bar]
    size = np.full(len(beats), len(BAR_SIZES))
    for number, beats_in_bar in enumerate(BAR_SIZES):
        size[count == beats_in_bar] = number
    compound = performance.is_compound.astype(np.float32)
    return beat, downbeat, is_known, period, size[owner].astype(np.int64), compound[owner]


def _near(moments: Seconds, frame_count: int) -> Floats:
    nearness = np.zeros(frame_count, dtype=np.float32)
    frame = np.rint(moments * FRAME_RATE).astype(np.int64)
    for away, share in reversed(list(enumerate(NEAR))):
        for beside in (frame - away, frame + away):
            nearness[beside[(beside >= 0) & (beside < frame_count)]] = share
    return nearness
