"""Beats and bars found by accents, without weights: what is done where no network is installed.

Beats are the chain of moments, 40 to 200 a minute, that meets the most accented onsets at the steadiest pace: Ellis
2007, "Beat tracking by dynamic programming", with the pace as a state beside the time, so that it may drift as a
pianist's does. What accents an onset follows Dixon 2001, "Automatic extraction of tempo and beat from expressive
performances": loudness, depth, length, and the time until the next. Bars are where accents and changes of harmony
repeat (autocorrelation over beats), 4/4 where nothing does.

    find_accented_meter(notes)                  the beats and bars as a Meter
    find_meter_near(notes, signature, period)   those of a metre and a beat that are known, with how well they fit
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..meter import Meter, Tempo, TimeSignature, lay_out_beats
from ..notes import Notes, Seconds

FRAMES = 50  # per second
PERIODS = np.arange(15, 76)  # frames from beat to beat: 200 to 40 beats per minute
LONGEST_PERIOD = int(PERIODS[-1])
# The constants below were chosen on eight sequenced pieces with tempo maps; benchmarks/quality/beats.py measures these
# pieces and others.

# What accents an onset (Dixon 2001): loudness, depth, the time until the next onset, and length.
ONSET_SPREAD = 0.02  # seconds around an onset that count as on it: a standard deviation
LOCAL_REACH = 8.0  # seconds either side whose mean accent is the measure of what is accented there
VELOCITY_POWER = 0.5
DEPTH_WEIGHT = 1.0  # of a note two octaves below middle C or lower
WAIT_WEIGHT = 1.0  # of a note that nothing follows for a second
LENGTH_WEIGHT = 1.0  # of a note held for a second
CHORD_POWER = 0.7  # of the sum over notes struck together: a chord of four counts 2.6 times, not four

# What a chain of beats gains and pays.
TEMPO_CHANGE_COST = 150.0  # per squared natural logarithm of the ratio of two periods: a pianist's tempo drifts
USUAL_PERIOD = 0.65  # seconds from beat to beat
PERIOD_COST = 1.0  # of other periods, per squared octave from the usual one
BEAT_COST = 1.0  # in mean accents: a beat that meets less than this is a loss, so that beats do not fill silence
PERIOD_POWER = 0.7  # a beat counts by this power of its period: 0 would favour fast beats, 1 slow ones

FARTHEST, NO_BEAT = 1.25, -1e3  # times a period that is given, either way; what a beat farther from it is worth
FIT_BIAS, FIT_STEADY, FIT_CONTRAST, LEAST_UNSTEADY = -6.12, -0.85, 4.79, 0.003  # as `find_meter_near` says
FEWEST_ONSETS = 8  # in fewer no beats are sought
BAR_CONTRAST = 0.08  # of the beats' correlation: bars that repeat no better are taken for four beats
TERNARY_SHARE = 0.6  # of the onsets inside beats that lie on thirds where beats are dotted

Floats = NDArray[np.float64]


def find_accented_meter(notes: Notes) -> Meter:
    """Find the metre of a performance: a tempo for every beat, 2/4, 3/4, 4/4 or 6/8, and a pickup if there is one."""
    beats = find_beats(notes)
    if len(beats) < 3:
        return Meter((TimeSignature(0.0, 4, 4),), (Tempo(0.0, 0.5),))
    beats = extend_to_all_notes(beats, notes)
    is_ternary = _is_ternary(notes.onset, beats)
    size, downbeat = (2, _downbeat(_accents(notes, beats), 2)) if is_ternary else _choose_bar(_accents(notes, beats))
    return lay_out_beats(
        beats, downbeat, TimeSignature(0.0, 3 * size, 8) if is_ternary else TimeSignature(0.0, size, 4)
    )


def find_meter_near(notes: Notes, signature: TimeSignature, period: float) -> tuple[Meter, float] | None:
    """Find the beats of about `period` seconds, and bars of that signature: the metre, and how well music fits it.

    The fit, 0 to 1, is how likely the bars are right, by a logistic regression over what `weigh_bars` says, of minutes
    of performances (ASAP's on MAESTRO's training and validation side) whose median tempo and metre were given. How many
    are right at which fit is printed by `benchmarks/quality/pulse.py`, which can fit it anew. None where there are too
    few beats for two bars.
    """
    weighed = weigh_bars(notes, signature, period)
    if weighed is None:
        return None
    return weighed[0], bars_fit(*weighed[1:])


def bars_fit(unsteadiness: float, contrast: float) -> float:
    """Return how likely bars are right of which `weigh_bars` says this."""
    odds = FIT_BIAS + FIT_STEADY * np.log(unsteadiness + LEAST_UNSTEADY) + FIT_CONTRAST * contrast
    return float(1 / (1 + np.exp(-odds)))


def weigh_bars(notes: Notes, signature: TimeSignature, period: float) -> tuple[Meter, float, float] | None:
    """Find a metre as `find_meter_near` does, with what speaks for it.

    That is how unsteady its beats are, the mean change of their logarithm, and by how many standard deviations of their
    accents the first beats of bars stand out.
    """
    size = signature.beat_count
    beats = find_beats(notes, period)
    if len(beats) < 2 * size + 1:
        return None
    beats = extend_to_all_notes(beats, notes)
    accents = _accents(notes, beats)
    downbeat = _downbeat(accents, size)
    unsteadiness = float(np.abs(np.diff(np.log(np.diff(beats)))).mean())
    contrast = float((accents[downbeat::size].mean() - accents.mean()) / (accents.std() + 1e-9))
    return lay_out_beats(beats, downbeat, signature), unsteadiness, contrast


def find_beats(notes: Notes, period: float | None = None) -> Seconds:
    """Find the beats, float64 [B] s, rising, about `period` seconds apart if given; none in fewer than 8 onsets."""
    if len(np.unique(notes.onset)) < FEWEST_ONSETS:
        return np.zeros(0)
    salience = onset_salience(notes)
    weight = (PERIODS / FRAMES) ** PERIOD_POWER
    change = TEMPO_CHANGE_COST * np.log(PERIODS[:, None] / PERIODS[None, :]) ** 2
    worth = -PERIOD_COST * np.log2(PERIODS / FRAMES / (period or USUAL_PERIOD)) ** 2 - BEAT_COST
    if period is not None:
        worth = np.where(np.abs(np.log(PERIODS / FRAMES / period)) <= np.log(FARTHEST), worth, NO_BEAT)
    # best[LONGEST_PERIOD + frame, period]: the most that a chain with a beat there gains, the last step being `period`;
    # the rows before are chains that have not begun.
    best = np.zeros((LONGEST_PERIOD + len(salience), len(PERIODS)), dtype=np.float32)
    origin = np.zeros((len(salience), len(PERIODS)), dtype=np.int8)
    gained = (salience[:, None] + worth) * weight
    shortest = int(PERIODS[0])
    for begin in range(0, len(salience), shortest):  # frames nearer than a period know nothing of each other
        frames = np.arange(begin, min(begin + shortest, len(salience)))
        # [frame, period, period before]: a chain whose beat came `period` frames after one that ended with the other.
        gains = best[frames[:, None] + LONGEST_PERIOD - PERIODS] - change
        origin[frames] = before = gains.argmax(axis=2)
        best[frames + LONGEST_PERIOD] = np.take_along_axis(gains, before[..., None], axis=2)[..., 0] + gained[frames]
    return _trace_beats(best, origin)


def _trace_beats(best: NDArray[np.float32], origin: NDArray[np.int8]) -> Seconds:
    """Follow the best chain from its last beat to its first."""
    tail = best[-LONGEST_PERIOD:]  # no later beat could follow one of these
    row, column = np.unravel_index(int(tail.argmax()), tail.shape)
    frame, period = int(row) + len(origin) - LONGEST_PERIOD, int(column)
    beats = []
    while frame >= 0:
        beats.append(frame / FRAMES)
        frame, period = frame - int(PERIODS[period]), int(origin[frame, period])
    return np.array(beats[::-1])


def onset_salience(notes: Notes) -> Floats:
    """How accented every fiftieth of a second is, float64 [frames]; about 1 on average wherever there is music."""
    following = np.searchsorted(notes.onset, notes.onset + 0.06)  # past the notes of the same chord
    wait = np.append(notes.onset, np.inf)[following] - notes.onset
    weight = (notes.velocity / 64.0) ** VELOCITY_POWER * (1 + DEPTH_WEIGHT * np.clip((60.0 - notes.pitch) / 24, 0, 1))
    weight = weight * (1 + WAIT_WEIGHT * np.minimum(wait, 1)) * (1 + LENGTH_WEIGHT * np.minimum(notes.duration, 1))
    exact_frame = notes.onset * FRAMES
    salience = np.zeros(int(notes.onset[-1] * FRAMES) + LONGEST_PERIOD)
    for step in range(-4, 5):  # four deviations either side
        frame = np.rint(exact_frame).astype(np.int64) + step
        share = weight * np.exp(-0.5 * ((frame - exact_frame) / FRAMES / ONSET_SPREAD) ** 2)
        inside = (frame >= 0) & (frame < len(salience))
        np.add.at(salience, frame[inside], share[inside])
    salience = salience**CHORD_POWER
    reach = int(LOCAL_REACH * FRAMES)
    total = np.cumsum(np.pad(salience, (reach + 1, reach)))
    local = (total[2 * reach + 1 :] - total[: -2 * reach - 1]) / (2 * reach)
    return np.asarray(salience / (local + 0.1 * salience.mean()), dtype=np.float64)


# Bars


def extend_to_all_notes(beats: Seconds, notes: Notes) -> Seconds:
    """Go on at the first and last pace until all notes lie between the first beat and the last."""
    first, last = float(notes.onset[0]), float(notes.release.max())
    before = int(max(np.ceil((beats[0] - first) / (beats[1] - beats[0]) - 0.15), 0))
    after = int(max(np.ceil((last - beats[-1]) / (beats[-1] - beats[-2])), 0))
    early = beats[0] - (beats[1] - beats[0]) * np.arange(before, 0, -1)
    late = beats[-1] + (beats[-1] - beats[-2]) * np.arange(1, after + 1)
    covered = np.concatenate([early, beats, late])
    return np.asarray(covered[max(int(np.searchsorted(covered, first + 0.05)) - 1, 0) :], dtype=np.float64)


def _is_ternary(onset: Seconds, beats: Seconds) -> bool:
    """Return whether the onsets inside beats lie on their thirds rather than on halves and quarters."""
    beat = np.clip(np.searchsorted(beats, onset, side="right") - 1, 0, len(beats) - 2)
    within = (onset - beats[beat]) / (beats[beat + 1] - beats[beat])
    # Onsets nearer to a beat are on it, early or late.
    inside = within[(within > 0.15) & (within < 0.85)]
    thirds = np.abs(inside - np.rint(inside * 3) / 3)
    quarters = np.abs(inside - np.rint(inside * 4) / 4)
    return len(inside) > 0 and bool(np.mean(thirds < quarters) > TERNARY_SHARE)


def _accents(notes: Notes, beats: Seconds) -> Floats:
    """How much each beat sounds like the first of a bar, float64 [B]: its accent, depth, and how new its harmony is."""
    salience = onset_salience(notes)
    frames = np.clip(np.rint(beats * FRAMES).astype(np.int64), 0, len(salience) - 1)
    accent = np.max([salience[np.clip(frames + step, 0, len(salience) - 1)] for step in (-2, -1, 0, 1, 2)], axis=0)
    owner = np.clip(np.searchsorted(beats, notes.onset + 0.05, side="right") - 1, 0, len(beats) - 1)
    harmony = np.zeros((len(beats), 12))
    np.add.at(harmony, (owner, notes.pitch.astype(np.int64) % 12), np.minimum(notes.duration, 1))
    harmony /= np.linalg.norm(harmony, axis=1, keepdims=True) + 1e-9
    moves = np.append(0.0, 1 - np.sum(harmony[1:] * harmony[:-1], axis=1))
    lowest = np.full(len(beats), 127.0)
    np.minimum.at(lowest, owner, notes.pitch)
    return (
        _standardise(accent)
        + _standardise(moves)
        - _standardise(np.where(lowest < 127, lowest, lowest[lowest < 127].mean()))
    )


def _standardise(values: Floats) -> Floats:
    return np.asarray((values - values.mean()) / (values.std() + 1e-9), dtype=np.float64)


def _choose_bar(accents: Floats) -> tuple[int, int]:
    """Choose 2, 3 or 4 beats a bar by how well accents repeat, and the beat that bars begin with."""
    repeats = {lag: _repeats(accents, lag) for lag in (2, 3, 4, 6, 8)}
    fits = {3: repeats[3] + repeats[6], 2: 2 * repeats[2], 4: repeats[4] + repeats[8]}
    size = max(fits, key=fits.__getitem__)
    if fits[size] < 2 * BAR_CONTRAST:
        size = 4
    return size, _downbeat(accents, size)


def _repeats(accents: Floats, lag: int) -> float:
    if len(accents) < 2 * lag:
        return 0.0
    return float(np.mean(accents[lag:] * accents[:-lag]) / (np.mean(accents**2) + 1e-9))


def _downbeat(accents: Floats, size: int) -> int:
    return int(np.argmax([accents[phase::size].mean() if len(accents) > phase else -np.inf for phase in range(size)]))
