"""Musical statistics of a piece, by the clock and in beats: what sets of pieces are held against each other by.

After Yang and Lerch 2018, "On the evaluation of generative models in music" (the first nine), and beyond: touch,
texture, pedal, tonality, groove, repetition. `measure(notes)` counts in seconds, `measure_in_beats(notes, meter)` in
the metre that is written or found, where a beat is a quarter note whatever the time signature. Both return
{name: float64 [D]}, one number (D = 1) or a distribution; DEFINITIONS and BEAT_DEFINITIONS say what each is. What too
few notes cannot say is left out, so nothing is ever nan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from ..music.beats.accents import find_accented_meter
from ..music.keys import find_key, pitch_classes, scale_consistency
from ..music.meter import Meter
from ..music.ngrams import ngrams
from ..music.notes import Notes, crop

Column = NDArray[np.float64]
Statistics = dict[str, Column]

# Twelve classes of lengths, as Yang and Lerch have, here in seconds: half an octave of time each.
LENGTH_EDGES = 0.05 * 2.0 ** (0.5 * np.arange(1, 12))
BAR, POSITIONS = 2.0, 64  # seconds, a bar of four at 120 beats a minute; the raster of Wu and Yang 2020
MOST_BARS = 500  # of a very long piece, evenly chosen, since all are compared with all

DEFINITIONS: Mapping[str, str] = {
    "note_count": "notes",
    "pitch_count": "different pitches",
    "pitch_range": "semitones from the lowest to the highest pitch",
    "average_interval": "semitones from one note to the next, up or down, on average",
    "inter_onset": "seconds from one onset to the next, on average",
    "pitch_classes": "share of each of the twelve pitch classes",
    "pitch_class_steps": "share of each step from one pitch class to the next",
    "note_lengths": "share of each of twelve classes of key-down lengths",
    "note_length_steps": "share of each step from one class of lengths to the next",
    "velocity": "velocity, on average",
    "velocity_spread": "standard deviation of the velocities",
    "polyphony": "keys down while any is, on average",
    "pedal": "share of the time with the pedal down",
    "key_clarity": "how well the best key's profile fits, up to 1",
    "scale_consistency": "share of the notes in the best diatonic scale",
    "groove": "likeness of the rhythms of any two bars of 2 s, up to 1",
    "repetition": "share of the figures of six notes that were there before, in any key",
}
YANG_LERCH = "Yang and Lerch 2018"
SOURCES: Mapping[str, str] = {
    **dict.fromkeys(["note_count", "pitch_count", "pitch_range", "average_interval", "inter_onset"], YANG_LERCH),
    **dict.fromkeys(["pitch_classes", "pitch_class_steps", "note_lengths", "note_length_steps"], YANG_LERCH),
    "key_clarity": "Krumhansl and Kessler 1982",
    "scale_consistency": "Mogren 2016",
    "groove": "Wu and Yang 2020",
}

# Quarter notes: the twelve lengths of Yang and Lerch, from a sixteenth and an eighth triplet to a whole note.
WRITTEN_LENGTHS = np.array([1 / 4, 1 / 3, 3 / 8, 1 / 2, 2 / 3, 3 / 4, 1, 4 / 3, 3 / 2, 2, 3, 4])
WRITTEN_EDGES = (WRITTEN_LENGTHS[:-1] + WRITTEN_LENGTHS[1:]) / 2
MOST_SECONDS = 1200.0  # finding their beats takes a second or two
FEWEST_BEATS = 8

BEAT_DEFINITIONS: Mapping[str, str] = {
    "tempo": "quarter notes per minute, on average",
    "inter_onset_beats": "quarter notes from one onset to the next, on average",
    "note_lengths_beats": "share of each of twelve written lengths, sixteenth to whole note",
    "note_length_steps_beats": "share of each step from one written length to the next",
    "groove_beats": "likeness of the rhythms of any two bars, up to 1",
}
BEAT_SOURCES: Mapping[str, str] = {
    **dict.fromkeys(["inter_onset_beats", "note_lengths_beats", "note_length_steps_beats"], YANG_LERCH),
    "groove_beats": "Wu and Yang 2020",
}


def measure(notes: Notes, names: Iterable[str] = DEFINITIONS) -> Statistics:
    """Measure a piece in all of DEFINITIONS, or in those of them that are named.

    A name is missing where the notes are too few to say, and all but one of none at all.
    """
    measured = {name: _FUNCTIONS[name](notes) for name in names}
    return {
        name: np.atleast_1d(np.asarray(statistic, dtype=np.float64))
        for name, statistic in measured.items()
        if statistic is not None
    }


def average_interval(notes: Notes) -> float | None:
    """Mean size of the steps in semitones, notes in order of onset and, in a chord, of pitch."""
    return float(np.abs(np.diff(notes.pitch.astype(np.int64))).mean()) if len(notes) > 1 else None


def inter_onset(notes: Notes) -> float | None:
    """Mean seconds between successive onsets, those of one chord included."""
    return float(np.diff(notes.onset).mean()) if len(notes) > 1 else None


def transitions(classes: NDArray[np.int64], count: int) -> Column | None:
    """Share of each step from class i to class j, float64 [count * count] at i * count + j; None below two."""
    if len(classes) < 2:
        return None
    # A pair of classes as one number, so that counting pairs is counting numbers.
    steps = np.bincount(classes[:-1] * count + classes[1:], minlength=count * count)
    return np.asarray(steps / steps.sum())


def length_classes(notes: Notes) -> NDArray[np.int64]:
    """Class of each note's key-down length, 0 (below 70 ms) to 11 (over 2.2 s)."""
    return np.searchsorted(LENGTH_EDGES, notes.duration, side="right").astype(np.int64)


def polyphony(notes: Notes) -> float | None:
    """Mean number of keys down, over the time in which any is."""
    if not len(notes):
        return None
    # A note adds to the time in which any key is down only what lies after all releases before it.
    ends = np.maximum.accumulate(notes.release)
    before = np.concatenate([[-np.inf], ends[:-1]])
    sounding = np.maximum(ends - np.maximum(notes.onset, before), 0.0).sum()
    return float(notes.duration.sum() / sounding)


def pedal_share(notes: Notes) -> float | None:
    """Share of the piece's time, from 0 to its last release, with the sustain pedal down."""
    return float((notes.pedal[:, 1] - notes.pedal[:, 0]).sum() / notes.seconds) if len(notes) else None


def groove(notes: Notes, bar: float = BAR) -> float | None:
    """Mean likeness of any two bars' onset patterns: 1 - their differing positions / 64 (Wu and Yang 2020).

    Bars begin at the first onset; None below two of them. Seconds stand for beats here; `groove_beats` has those.
    """
    if not len(notes):
        return None
    since = (notes.onset - notes.onset[0]) / bar
    bars = np.floor(since).astype(np.int64)
    # Rounding may lift an onset just before a bar line to position 64, which no bar has.
    return likeness_of_bars(bars, np.minimum(((since - bars) * POSITIONS).astype(np.int64), POSITIONS - 1))


def likeness_of_bars(bars: NDArray[np.int64], positions: NDArray[np.int64]) -> float | None:
    """Mean likeness of any two bars; None below two of them, and of very many, 500 are taken.

    Onsets stand in bar `bars` [N], rising from 0, at `positions` [N] of it, 0 to 63.
    """
    count = int(bars[-1]) + 1 if len(bars) else 0
    if count < 2:
        return None
    chosen = np.unique(np.linspace(0, count - 1, min(count, MOST_BARS)).astype(np.int64))
    patterns = np.zeros((len(chosen), POSITIONS), dtype=np.int64)
    inside = np.isin(bars, chosen)
    patterns[np.searchsorted(chosen, bars[inside]), positions[inside]] = 1  # however many strike at once
    struck = patterns.sum(axis=0)  # of n bars, k struck and n - k not: k (n - k) pairs differ at a position
    pairs = len(chosen) * (len(chosen) - 1) / 2
    return float(1 - (struck * (len(chosen) - struck)).sum() / (pairs * POSITIONS))


def repetition(notes: Notes) -> float | None:
    """Share of the words (`ngrams.ngrams`) that came before in the piece, in any key; None where there is none."""
    hashes = ngrams(notes)[0]
    return 1 - len(np.unique(hashes)) / len(hashes) if len(hashes) else None


_FUNCTIONS: Mapping[str, Callable[[Notes], float | Column | None]] = {
    "note_count": lambda notes: float(len(notes)),
    "pitch_count": lambda notes: float(len(np.unique(notes.pitch))) if len(notes) else None,
    "pitch_range": lambda notes: float(np.ptp(notes.pitch)) if len(notes) else None,
    "average_interval": average_interval,
    "inter_onset": inter_onset,
    "pitch_classes": lambda notes: pitch_classes(notes.pitch) if len(notes) else None,
    # Pitches are uint8: in steps of i * 12 + j they would overflow.
    "pitch_class_steps": lambda notes: transitions(notes.pitch.astype(np.int64) % 12, 12),
    "note_lengths": lambda notes: np.bincount(length_classes(notes), minlength=12) / len(notes) if len(notes) else None,
    "note_length_steps": lambda notes: transitions(length_classes(notes), 12),
    "velocity": lambda notes: float(notes.velocity.mean()) if len(notes) else None,
    "velocity_spread": lambda notes: float(notes.velocity.std()) if len(notes) else None,
    "polyphony": polyphony,
    "pedal": pedal_share,
    "key_clarity": lambda notes: key.clarity if (key := find_key(notes.pitch, notes.duration)) else None,
    "scale_consistency": lambda notes: scale_consistency(notes.pitch) if len(notes) else None,
    "groove": groove,
    "repetition": repetition,
}


# In beats


def find_beat_meter(notes: Notes) -> Meter | None:
    """Find the metre of a performance; None where there are not eight beats. Long pieces: see `first_20_minutes`."""
    meter = find_accented_meter(notes) if len(notes) else None
    return meter if meter is not None and len(meter.tempos) >= FEWEST_BEATS else None


def first_20_minutes(notes: Notes) -> Notes:
    """Return the first 20 minutes of a piece, in which beats are sought."""
    return crop(notes, 0.0, MOST_SECONDS) if notes.seconds > MOST_SECONDS else notes


def measure_in_beats(notes: Notes, meter: Meter) -> Statistics:
    """Measure a piece in the beats of `meter`; names are missing where fewer than two notes have nothing to say."""
    if len(notes) < 2 or notes.onset[-1] <= notes.onset[0]:
        return {}
    onset = meter.quarters(notes.onset)
    lengths = written_length_classes(meter.quarters(notes.release) - onset)
    quarters, seconds = onset[-1] - onset[0], notes.onset[-1] - notes.onset[0]
    columns: dict[str, float | Column | None] = {
        "tempo": float(60 * quarters / seconds),
        "inter_onset_beats": float(quarters / (len(notes) - 1)),
        "note_lengths_beats": np.bincount(lengths, minlength=len(WRITTEN_LENGTHS)) / len(notes),
        "note_length_steps_beats": transitions(lengths, len(WRITTEN_LENGTHS)),
        "groove_beats": groove_beats(onset, meter),
    }
    return {name: np.atleast_1d(np.asarray(value)) for name, value in columns.items() if value is not None}


def written_length_classes(quarters: Column) -> NDArray[np.int64]:
    """Class of each length in quarter notes: the nearest of `WRITTEN_LENGTHS`."""
    return np.searchsorted(WRITTEN_EDGES, quarters, side="right").astype(np.int64)


def groove_beats(onset: Column, meter: Meter) -> float | None:
    """Mean likeness of any two bars' onset patterns on 64 positions (Wu and Yang 2020), in bars of the metre.

    `onset` [N] in quarter notes, each at its nearest position: a player's early downbeat is in its own bar. Only bars
    of the length that most notes stand in count; None below two.
    """
    begins = meter.quarters([signature.seconds for signature in meter.signatures])
    sizes = np.array([signature.quarters for signature in meter.signatures])
    # Half a position early still belongs to a signature: players strike a downbeat a little before its time.
    part = np.maximum(np.searchsorted(begins, onset + sizes.min() / (2 * POSITIONS), side="right") - 1, 0)
    commonest = max(set(sizes.tolist()), key=lambda size: int((sizes[part] == size).sum()))
    bars, positions, bar_count = [], [], 0
    for number in np.flatnonzero(sizes == commonest).tolist():
        position = np.rint((onset[part == number] - begins[number]) / commonest * POSITIONS).astype(np.int64)
        position = position[position >= 0]  # notes before the first signature stand in no bar
        if len(position):
            bars.append(bar_count + position // POSITIONS)
            positions.append(position % POSITIONS)
            bar_count = int(bars[-1][-1]) + 1
    return likeness_of_bars(np.concatenate(bars), np.concatenate(positions)) if bars else None


def main_signature(notes: Notes, meter: Meter) -> str:
    """Name the time signature in which most notes stand, as 3/4."""
    begins = [signature.seconds for signature in meter.signatures]
    part = np.maximum(np.searchsorted(begins, notes.onset, side="right") - 1, 0)
    signature = meter.signatures[int(np.bincount(part).argmax())] if len(part) else meter.signatures[0]
    return f"{signature.beats}/{signature.unit}"
