"""Beats and bars that fit what the network hears best, each by a dynamic programme (Viterbi 1967).

Beats are a chain of frames: each gains its log odds, each stretch from one to the next how likely such a pace is there,
and pays for a change of pace. Bars are a chain of beats in bars of 2, 3 or 4, as in the bar pointer model (Krebs, Böck
and Widmer 2013, "Rhythmic pattern modeling for beat and downbeat tracking in musical audio"); a bar that is cut short,
or of another size, costs. How sure each beat's position in its bar is comes from the forward-backward algorithm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..notes import Seconds
from .frames import FRAME_RATE
from .network import BAR_SIZES, PERIOD_COUNT, PERIODS_PER_OCTAVE, SHORTEST_PERIOD, BeatActivations

INTERVALS = np.arange(7, 126)  # frames from beat to beat: 0.14 to 2.5 s, all but a hundredth of ASAP's training side
LONGEST_INTERVAL = int(INTERVALS[-1])
# Chosen on ASAP's performances of MAESTRO's validation side.
BEAT_WEIGHT, BEAT_BIAS = 1.0, 0.5  # of log odds
PERIOD_WEIGHT = 0.1  # of the log share of a pace, for each frame
PACE_COST = 30.0  # of a change of pace, per squared natural logarithm of the ratio
NEAR_BEAT = 2  # frames about a beat in which its downbeat is looked for
DOWNBEAT_WEIGHT, SIZE_WEIGHT = 1.5, 0.2
DOWNBEAT_SHARE, SIZE_SHARES = 0.36, np.array([0.24, 0.29, 0.47])  # of the beats of the training side
CUT_COST, RESIZE_COST = 4.5, 3.0  # of a bar that is cut short; of one of another size than the one before

UNSURE = 0.02  # the least share of a downbeat, or of a beat that is none
UNREACHED, IMPOSSIBLE = -1e9, 1e6  # worth less than any chain; a cost that no chain pays
FIRST_BEAT = -1  # where no interval leads to a beat


def pace_of(seconds: Seconds) -> NDArray[np.int64]:
    """Return which of the network's paces is nearest to times from beat to beat."""
    position = np.rint(np.log2(seconds / SHORTEST_PERIOD) * PERIODS_PER_OCTAVE)
    return np.asarray(np.clip(position, 0, PERIOD_COUNT - 1), dtype=np.int64)


PACE = pace_of(INTERVALS / FRAME_RATE)  # of each interval, rising
PACES, PACE_STARTS, PACE_SIZES = np.unique(PACE, return_index=True, return_counts=True)
MIDDLES = np.log(SHORTEST_PERIOD * FRAME_RATE) + np.arange(PERIOD_COUNT) * np.log(2) / PERIODS_PER_OCTAVE
CHANGE = (PACE_COST * (MIDDLES[:, None] - np.log(INTERVALS)) ** 2).astype(np.float32)

POSITIONS = np.array([(size, position) for size in BAR_SIZES for position in range(size)])  # of a beat in a bar
IS_FIRST = POSITIONS[:, 1] == 0
Floats = NDArray[np.float64]


def _step_costs() -> Floats:
    """What a step from each position to each other costs, float64 [POSITIONS, POSITIONS]."""
    costs = np.full((len(POSITIONS), len(POSITIONS)), IMPOSSIBLE)
    for row, (size, position) in enumerate(POSITIONS):
        for column, (next_size, next_position) in enumerate(POSITIONS):
            if next_position == 0:
                cut = 0.0 if position == size - 1 else CUT_COST
                costs[row, column] = cut + (0.0 if next_size == size else RESIZE_COST)
            elif next_size == size and next_position == position + 1:
                costs[row, column] = 0.0
    return costs


STEP_COST = _step_costs()


@dataclass(frozen=True)
class BarPositions:
    """The positions of beats in bars: `size` and `position` int64 [B], and `sureness` [B], how likely both are."""

    size: NDArray[np.int64]
    position: NDArray[np.int64]
    sureness: Floats


def decode_beats(activations: BeatActivations, begin: float) -> Seconds:
    """Find the likeliest chain of beats, float64 [B] s, from about `begin` s, the first onset, to the end."""
    first = max(int(begin * FRAME_RATE) - LONGEST_INTERVAL, 0)
    gained = BEAT_WEIGHT * activations.beat[first:] + BEAT_BIAS
    share, fittest = _paces_until(activations.period[first:])
    frame_count, numbers, shortest = len(gained), np.arange(len(INTERVALS)), int(INTERVALS[0])
    # reach[row, i]: the most that a chain to a beat is worth to one INTERVALS[i] later, but for the pace between, and
    # origin its pace until then. Frames take turns in the rows: those further back than an interval are not needed.
    rows = LONGEST_INTERVAL + shortest
    reach = np.full((rows, len(INTERVALS)), UNREACHED, dtype=np.float32)
    origin = np.zeros((frame_count, len(INTERVALS)), dtype=np.int8)
    choice = np.full((frame_count, PERIOD_COUNT), FIRST_BEAT, dtype=np.int8)  # of the interval before, by its pace
    best = np.full((rows, PERIOD_COUNT), UNREACHED, dtype=np.float32)
    for start in range(0, frame_count, shortest):  # frames nearer than an interval know nothing of each other
        frames = np.arange(start, min(start + shortest, frame_count))
        earlier = frames[:, None] - INTERVALS
        between = share[frames[:, None] + LONGEST_INTERVAL, PACE] - share[earlier + LONGEST_INTERVAL, PACE]
        worth = reach[earlier % rows, numbers] + between
        most = np.maximum.reduceat(worth, PACE_STARTS, axis=1)
        is_most = worth == np.repeat(most, PACE_SIZES, axis=1)
        choice[frames[:, None], PACES] = np.maximum.reduceat(np.where(is_most, numbers, -1), PACE_STARTS, axis=1)
        best[frames % rows] = UNREACHED
        best[frames[:, None] % rows, PACES] = most + gained[frames, None]
        if start < LONGEST_INTERVAL:  # a chain may begin here; until then it goes at whatever pace fits best
            begun = (fittest[frames] + gained[frames])[:, None]
            choice[frames] = np.where(begun > best[frames % rows], FIRST_BEAT, choice[frames])
            best[frames % rows] = np.maximum(best[frames % rows], begun)
        onward = best[frames % rows][:, :, None] - CHANGE
        origin[frames] = onward.argmax(axis=1)
        reach[frames % rows] = onward.max(axis=1)
    last = np.arange(max(frame_count - LONGEST_INTERVAL, 0), frame_count)  # no later beat could follow these
    # After its last beat it goes at that pace too.
    whole = best[last % rows] - fittest[last, None]
    ended, pace = np.unravel_index(int(whole.argmax()), whole.shape)
    return (first + _trace(int(last[ended]), int(pace), choice, origin)) / FRAME_RATE


def _paces_until(period: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Sum up what each pace is worth from the beginning to each frame, after rows of none; and the fittest of each."""
    share = np.zeros((LONGEST_INTERVAL + len(period), PERIOD_COUNT), dtype=np.float32)
    np.cumsum(PERIOD_WEIGHT * period, axis=0, out=share[LONGEST_INTERVAL:])
    return share, np.cumsum(PERIOD_WEIGHT * period.max(axis=1))


def _trace(frame: int, pace: int, choice: NDArray[np.int8], origin: NDArray[np.int8]) -> NDArray[np.int64]:
    """Follow the best chain from its last beat, which came at a pace, to its first: frames, rising."""
    frames = [frame]
    while (interval := int(choice[frame, pace])) != FIRST_BEAT:
        frame -= int(INTERVALS[interval])
        pace = int(origin[frame, interval])
        frames.append(frame)
    return np.array(frames[::-1], dtype=np.int64)


def decode_bars(activations: BeatActivations, beats: Seconds) -> BarPositions:
    """Find the likeliest bars over beats [B], at least one."""
    worth = _bar_evidence(activations, beats)
    forward, backward = np.zeros_like(worth), np.zeros_like(worth)
    best, origin = worth.copy(), np.zeros(worth.shape, dtype=np.int64)
    best[0] = forward[0] = worth[0]
    for beat in range(1, len(beats)):
        onward = best[beat - 1][:, None] - STEP_COST
        origin[beat] = onward.argmax(axis=0)
        best[beat] = onward.max(axis=0) + worth[beat]
        forward[beat] = np.logaddexp.reduce(forward[beat - 1][:, None] - STEP_COST, axis=0) + worth[beat]
    for beat in range(len(beats) - 2, -1, -1):
        backward[beat] = np.logaddexp.reduce(backward[beat + 1] + worth[beat + 1] - STEP_COST, axis=1)
    chain = [int(best[-1].argmax())]
    for beat in range(len(beats) - 1, 0, -1):
        chain.append(int(origin[beat, chain[-1]]))
    state = np.array(chain[::-1])
    likely = np.exp(forward + backward - np.logaddexp.reduce(forward + backward, axis=1)[:, None])
    sureness = likely[np.arange(len(beats)), state]
    return BarPositions(POSITIONS[state, 0], POSITIONS[state, 1], sureness)


def frames_near(activations: BeatActivations, beats: Seconds) -> NDArray[np.int64]:
    """Return the frames about each beat, int64 [B, 2 * NEAR_BEAT + 1], its own in the middle."""
    frames = np.rint(beats * FRAME_RATE).astype(np.int64)[:, None] + np.arange(-NEAR_BEAT, NEAR_BEAT + 1)
    return np.asarray(np.clip(frames, 0, len(activations.beat) - 1), dtype=np.int64)


def _bar_evidence(activations: BeatActivations, beats: Seconds) -> Floats:
    """What each position in a bar is worth at each beat: float64 [B, POSITIONS]."""
    near = frames_near(activations, beats)
    beat, downbeat = (
        1 / (1 + np.exp(-odds[near].max(axis=1).astype(np.float64)))
        for odds in (activations.beat, activations.downbeat)
    )
    share = np.clip(downbeat / np.maximum(beat, downbeat), UNSURE, 1 - UNSURE)
    # What is heard is a posterior: divided by how frequent downbeats and sizes are, it is a likelihood up to a factor.
    is_downbeat, is_none = np.log(share / DOWNBEAT_SHARE), np.log((1 - share) / (1 - DOWNBEAT_SHARE))
    worth = DOWNBEAT_WEIGHT * np.where(IS_FIRST, is_downbeat[:, None], is_none[:, None])
    size = activations.size[near[:, NEAR_BEAT]][:, POSITIONS[:, 0] - BAR_SIZES[0]].astype(np.float64)
    return np.asarray(worth + SIZE_WEIGHT * (size - np.log(SIZE_SHARES[POSITIONS[:, 0] - BAR_SIZES[0]])))
