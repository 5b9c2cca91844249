"""Musical statistics in beats: what `measures` says in seconds, said in the metre that is written or found.

After Yang and Lerch 2018, as `statistics` is. A beat is a quarter note here, whatever the time signature; a bar is that
of the signature that most notes stand in. `measure_in_beats(notes, meter)` gives {name: float64 [D]}, and leaves out
what too few notes cannot say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..music.beats import find_meter
from ..music.meter import Meter
from ..music.notes import Notes, crop
from .statistics import POSITIONS, YANG_LERCH, Column, Statistics, likeness_of_bars, transitions

# Quarter notes: the twelve lengths of Yang and Lerch, from a sixteenth and an eighth triplet to a whole note.
LENGTHS = np.array([1 / 4, 1 / 3, 3 / 8, 1 / 2, 2 / 3, 3 / 4, 1, 4 / 3, 3 / 2, 2, 3, 4])
EDGES = (LENGTHS[:-1] + LENGTHS[1:]) / 2
MOST_SECONDS = 1200.0  # finding their beats takes a second or two
FEWEST_BEATS = 8

BEAT_DEFINITIONS: Mapping[str, str] = {
    "tempo": "quarter notes a minute, on average",
    "inter_onset_beats": "quarter notes from one onset to the next, on average",
    "note_lengths_beats": "share of each of twelve written lengths, sixteenth to whole note",
    "note_length_steps_beats": "share of each step from one written length to the next",
    "groove_beats": "likeness of the rhythms of any two bars, up to 1",
}
BEAT_SOURCES: Mapping[str, str] = {
    **dict.fromkeys(["inter_onset_beats", "note_lengths_beats", "note_length_steps_beats"], YANG_LERCH),
    "groove_beats": "Wu and Yang 2020",
}


def find_beat_meter(notes: Notes) -> Meter | None:
    """Find the metre of a performance; None where there are not eight beats. Long pieces: see `beginning`."""
    meter = find_meter(notes) if len(notes) else None
    return meter if meter is not None and len(meter.tempos) >= FEWEST_BEATS else None


def beginning(notes: Notes) -> Notes:
    """The first 20 minutes of a piece, in which beats are sought."""
    return crop(notes, 0.0, MOST_SECONDS) if notes.seconds > MOST_SECONDS else notes


def measure_in_beats(notes: Notes, meter: Meter) -> Statistics:
    """Measure a piece in the beats of `meter`; names are missing where fewer than two notes have nothing to say."""
    if len(notes) < 2 or notes.onset[-1] <= notes.onset[0]:
        return {}
    onset = meter.quarters(notes.onset)
    lengths = length_classes(meter.quarters(notes.release) - onset)
    quarters, seconds = onset[-1] - onset[0], notes.onset[-1] - notes.onset[0]
    found: dict[str, float | Column | None] = {
        "tempo": float(60 * quarters / seconds),
        "inter_onset_beats": float(quarters / (len(notes) - 1)),
        "note_lengths_beats": np.bincount(lengths, minlength=len(LENGTHS)) / len(notes),
        "note_length_steps_beats": transitions(lengths, len(LENGTHS)),
        "groove_beats": groove_beats(onset, meter),
    }
    return {name: np.atleast_1d(np.asarray(value)) for name, value in found.items() if value is not None}


def length_classes(quarters: Column) -> NDArray[np.int64]:
    """Class of each length in quarter notes: the nearest of `LENGTHS`."""
    return np.searchsorted(EDGES, quarters, side="right").astype(np.int64)


def groove_beats(onset: Column, meter: Meter) -> float | None:
    """Mean likeness of any two bars' onset patterns on 64 positions (Wu and Yang 2020), in bars of the metre.

    `onset` [N] in quarter notes, each at its nearest position: a player's early downbeat is in its own bar. Only bars
    of the length that most notes stand in count; None below two.
    """
    begins = meter.quarters([one.seconds for one in meter.signatures])
    sizes = np.array([one.quarters for one in meter.signatures])
    part = np.maximum(np.searchsorted(begins, onset + sizes.min() / (2 * POSITIONS), side="right") - 1, 0)
    kept = max(set(sizes.tolist()), key=lambda size: int((sizes[part] == size).sum()))
    bars, places, count = [], [], 0
    for number in np.flatnonzero(sizes == kept).tolist():
        place = np.rint((onset[part == number] - begins[number]) / kept * POSITIONS).astype(np.int64)
        place = place[place >= 0]
        if len(place):
            bars.append(count + place // POSITIONS)
            places.append(place % POSITIONS)
            count = int(bars[-1][-1]) + 1
    return likeness_of_bars(np.concatenate(bars), np.concatenate(places)) if bars else None


def signature_of(notes: Notes, meter: Meter) -> str:
    """Name the time signature in which most notes stand, as 3/4."""
    begins = [one.seconds for one in meter.signatures]
    part = np.maximum(np.searchsorted(begins, notes.onset, side="right") - 1, 0)
    one = meter.signatures[int(np.bincount(part).argmax())] if len(part) else meter.signatures[0]
    return f"{one.beats}/{one.unit}"


def moved(meter: Meter, seconds: float) -> Meter:
    """The same metre for notes that begin `seconds` later (earlier when negative)."""
    return replace(
        meter,
        signatures=tuple(replace(one, seconds=one.seconds + seconds) for one in meter.signatures),
        tempos=tuple(replace(one, seconds=one.seconds + seconds) for one in meter.tempos),
        keys=tuple(replace(one, seconds=one.seconds + seconds) for one in meter.keys),
    )
