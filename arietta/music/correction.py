"""A metre corrected by hand: other beats, bars that begin elsewhere, beats that were tapped. The notes' seconds stay.

    meter = correct_meter(notes, read_meter("take.mid"), taps=[0.5, 1.1, 1.7], metre="3/4")
    meter = move_downbeat(halve_beats(find_meter(notes)), 1)
    write_midi("mended.mid", notes, grid=meter)

No finder of beats is always right: it taps eighths where a musician counts quarters, or begins bars with the upbeat.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from ..errors import RequestError, explain, require, whole_number
from .beats import find_meter
from .meter import LATTICE, MOST_MARKS, SAME, SHORTEST_BAR, Floats, Meter, Tempo, TimeSignature, lay_out_beats
from .notes import Notes, Seconds
from .times import read_time

if TYPE_CHECKING:
    from typing import Unpack

NEAR_ONSET = 0.07  # seconds: a tap nearer than this to an onset was meant for it
SHORTEST_TAP, LONGEST_TAP = 0.15, 6.0  # seconds between two taps
LARGEST_TAPS = 2**20  # bytes of a file of taps


class Correction(TypedDict, total=False):
    """What is wrong with a metre, in the order in which it is corrected; None is as what is not said.

    Beats are `taps` (s), bars are of `metre`, such as "3/4", `beats` are "double" or "half" as many, bars begin
    `downbeat` beats later, and a `bar_line`, as (9, 12.5) for bar 9, is moved to its second.
    """

    taps: Sequence[float] | None
    metre: str | None
    beats: str | None
    downbeat: int | None
    bar_line: tuple[int, float] | None


def correct_meter(notes: Notes, meter: Meter | None = None, **correction: Unpack[Correction]) -> Meter:
    """Return the metre of a piece, or the one found where it has none, as it is corrected by hand.

    Raises RequestError for a correction that cannot be made, TypeError for one that there is not.
    """
    if unknown := set(correction) - set(Correction.__annotations__):
        raise TypeError(f"a metre has no correction {min(unknown)!r}, only {', '.join(Correction.__annotations__)}")
    _require_notes(notes)
    metre, beats, bar_line = correction.get("metre"), correction.get("beats"), correction.get("bar_line")
    signature = None if metre is None else TimeSignature.read(metre)
    taps = correction.get("taps")
    if taps is not None and len(taps):
        meter = tap_beats(notes, taps, meter, signature)
    else:
        meter = meter or find_meter(notes)
        meter = meter if signature is None else change_signature(meter, signature, notes.seconds)
    if beats not in (None, "double", "half"):
        raise RequestError(f"beats are corrected to double or half as many, not {beats!r}")
    if beats is not None:
        meter = double_beats(meter) if beats == "double" else halve_beats(meter)
    meter = move_downbeat(meter, correction.get("downbeat") or 0)
    return meter if bar_line is None else move_bar_line(meter, *bar_line, end=notes.seconds)


def double_beats(meter: Meter) -> Meter:
    """Return the metre with twice as many beats: its bars have as many as before, and are half as long."""
    return _scaled(meter, 2)


def halve_beats(meter: Meter) -> Meter:
    """Return the metre with half as many beats: its bars have as many as before, and are twice as long."""
    return _scaled(meter, 0.5)


def move_downbeat(meter: Meter, beats: int) -> Meter:
    """Return the metre whose first bar begins so many beats later, or earlier where negative; later signatures stay.

    Beats are those that the signature counts: quarter notes in 3/4, eighths in 6/8.
    """
    require(beats, int, "a downbeat is moved by a whole number of beats")
    if not beats:
        return meter
    pickup, full, later = _opening(meter)
    return _with_pickup(meter, (pickup + beats * 4 / full.unit) % full.quarters, full, later)


def tap_beats(
    notes: Notes, taps: Sequence[float], meter: Meter | None = None, signature: TimeSignature | None = None
) -> Meter:
    """Return the metre whose beats were tapped at `taps` (s, rising), the first of which begins a bar.

    A tap is moved onto the onset that it is near to. Before the first and after the last the beats of `meter` stay;
    without one they go on at the pace of the taps. Bars are of `signature`, else as in `meter`, else 4/4. Raises
    RequestError for fewer than two taps, for some too near to each other or too far, for some away from the notes,
    for more beats than a metre can hold, and where the metre changes.
    """
    _require_notes(notes)
    tapped = _onto_onsets(_checked_taps(taps, notes.seconds), notes.onset)
    first, last, pace = float(tapped[0]), float(tapped[-1]), float(np.median(np.diff(tapped)))
    if meter is None:
        if notes.seconds / pace > MOST_MARKS:
            raise RequestError(f"beats {pace:.2g} s apart are more than {MOST_MARKS} here: tap every second one")
        before = np.arange(first - pace, float(notes.onset[0]) - pace, -pace)[::-1]
        before = before[before >= 0]
        after = np.arange(last + pace, notes.seconds + pace, pace)
    else:
        known, _ = _beats_of(meter, notes.seconds)
        before, after = known[known < first - pace / 2], known[known > last + pace / 2]
        signature = signature or _opening(meter)[1]
    beats = np.concatenate([before, tapped, after])
    if len(beats) > MOST_MARKS:
        raise RequestError(f"the taps and the beats around them are more than {MOST_MARKS}: tap every second one")
    laid = lay_out_beats(beats, len(before), signature or TimeSignature(0.0, 4, 4))
    return laid if meter is None else replace(laid, keys=meter.keys)


def change_signature(meter: Meter, signature: TimeSignature, end: float) -> Meter:
    """Return the metre with the same beats in bars of another signature, for music that ends at `end` (s).

    The first bar begins where it did. Raises RequestError where the metre changes within the piece.
    """
    beats, downbeat = _beats_of(meter, end)
    return replace(lay_out_beats(beats, downbeat, signature), keys=meter.keys)


def move_bar_line(meter: Meter, bar: int, second: float, end: float) -> Meter:
    """Return the metre in which a bar begins at `second`; the bar lines before and after it stay where they are.

    Bars count from 1, without a pickup, to the one that begins with the first bar line not before the `end` of the
    music (s). Raises RequestError for a bar that is not among them, or cannot begin there.
    """
    bar, number = whole_number(bar, "a bar"), float(second)
    if not (1 <= bar < MOST_MARKS and math.isfinite(number)):
        raise RequestError(f"bars are numbered from 1, and begin at a second of the piece: not bar {bar} at {number:g}")
    last = float(meter.bar_lines(end)[-1])
    lines = meter.bar_lines(float(meter.seconds(meter.quarters(last) + 1 / LATTICE))).tolist()  # and the one after it
    if bar >= len(lines):
        raise RequestError(f"the music has bar lines 1 to {len(lines) - 1}: there is no bar {bar}")
    line, after = lines[bar - 1], lines[bar]
    before = lines[bar - 2] if bar > 1 else meter.signatures[0].seconds
    has_before = before < line - SAME
    least, most = before + SHORTEST_BAR if has_before else min(line, 0.0), after - SHORTEST_BAR
    if not least <= number <= most:
        raise RequestError(
            f"bar {bar} can begin at {least:.2f} to {most:.2f} s, between its neighbours, not {number:g}"
        )
    old = [before, line, after] if has_before else [line, after]
    moved = _warped(meter, old, [before, number, after] if has_before else [number, after])
    try:
        return Meter.from_description(moved.describe())
    except ValueError as error:  # a beat of it would be shorter, or longer, than a metre can hold
        raise RequestError(f"bar {bar} cannot begin at {number:g} s: {error}") from error


def read_taps(path: str | Path) -> list[float]:
    """Read taps from a text file: a line for each, which begins with its second, as labels of audio editors do.

    Raises RequestError, naming the file, where it cannot be read, and the line that begins otherwise.
    """
    try:
        with Path(path).open(encoding="utf-8") as file:
            text = file.read(LARGEST_TAPS + 1)
    except (OSError, ValueError) as error:
        raise RequestError(f"{path}: cannot be read {explain(error)}") from error
    if len(text) > LARGEST_TAPS:
        raise RequestError(f"{path}: larger than {LARGEST_TAPS >> 20} MB, which no piece's beats need")
    taps = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            shown = repr(line.strip()[:40])
            whole, _, rest = line.split()[0].partition(",")
            if whole.isdecimal() and rest[:1].isdecimal():  # two and a half, or the first two columns of a table
                raise RequestError(f"{path}: line {number} has a comma after whole seconds, {shown}: write 2.5 for 2,5")
            try:
                taps.append(_read_tap(line.replace(",", " ").split()[0]))
            except (RequestError, IndexError) as error:
                raise RequestError(f"{path}: line {number} begins with no second: {shown}") from error
    if not taps:
        raise RequestError(f"{path}: has no taps; a line for each begins with its second")
    return taps


def _read_tap(word: str) -> float:
    """Read a second as programs write it, -0.02 or 5.0e-01 too, or a time as people do."""
    try:
        return float(word)
    except ValueError:
        return read_time(word)


def _require_notes(notes: Notes) -> None:
    if not len(notes):
        raise RequestError("there are no notes whose beats could be corrected: give music that has some")


def _checked_taps(taps: Sequence[float], end: float) -> Floats:
    """The taps as an array; raises RequestError where they are no beats of music that ends at `end` (s)."""
    if not 2 <= len(taps) <= MOST_MARKS:
        raise RequestError(f"to find beats takes 2 to {MOST_MARKS} taps, not {len(taps)}")
    times = np.asarray(taps, dtype=np.float64)
    gaps = np.diff(times)
    wrong = np.flatnonzero(~((gaps >= SHORTEST_TAP) & (gaps <= LONGEST_TAP)))
    if len(wrong) or not np.isfinite(times).all():
        index = int(wrong[0]) if len(wrong) else 0
        raise RequestError(
            f"taps follow each other by {SHORTEST_TAP} to {LONGEST_TAP:.0f} s: not at {times[index]:g} and "
            f"{times[index + 1]:g}"
        )
    away = times[(times < -LONGEST_TAP) | (times > end + LONGEST_TAP)]
    if len(away):
        raise RequestError(
            f"taps lie within {LONGEST_TAP:.0f} s of the music, which ends at {end:.2f} s: not at {away[0]:g}"
        )
    return times


def _onto_onsets(taps: Floats, onset: Seconds) -> Floats:
    """Move each tap onto the nearest onset, where that is nearer than `NEAR_ONSET` and a quarter of a beat."""
    onset = np.sort(onset)
    later = np.clip(np.searchsorted(onset, taps), 1, max(len(onset) - 1, 1))
    candidates = onset[np.clip(np.stack([later - 1, later]), 0, len(onset) - 1)]
    nearest = np.take_along_axis(candidates, np.abs(candidates - taps).argmin(axis=0)[None], axis=0)[0]
    gaps = np.diff(taps)
    reach = np.minimum(np.minimum(np.append(gaps, gaps[-1]), np.append(gaps[0], gaps)) / 4, NEAR_ONSET)
    return np.where(np.abs(nearest - taps) <= reach, nearest, taps)


def _beats_of(meter: Meter, end: float) -> tuple[Floats, int]:
    """The beats of a metre until the first that is not before `end` (s), and how many come before its first bar."""
    pickup, full, later = _opening(meter)
    if later:
        raise RequestError("the metre changes within the piece: correct it in a notation program")
    start = float(meter.quarters(meter.signatures[0].seconds))
    length = full.quarters / full.beat_count
    before = math.floor(pickup / length + SAME)
    count = max(math.ceil((float(meter.quarters(end)) - start - pickup) / length - SAME), full.beat_count)
    if count > MOST_MARKS:
        raise RequestError(f"the metre has more than {MOST_MARKS} beats: halve them first")
    return meter.seconds(start + pickup + length * np.arange(-before, count + 1)), before


def _warped(meter: Meter, old: list[float], new: list[float]) -> Meter:
    """Move the seconds `old` of a metre, rising, to `new`, and what lies between them in proportion."""

    def moved(seconds: Sequence[float]) -> list[float]:
        within = [old[0] - SAME <= second <= old[-1] + SAME for second in seconds]
        placed: list[float] = np.where(within, np.interp(seconds, old, new), seconds).tolist()
        return placed

    inside = [tempo.seconds for tempo in meter.tempos if old[0] < tempo.seconds < old[-1]]
    apart = [second for second in inside if all(abs(second - knot) > SAME for knot in old)]
    tempos = [tempo for tempo in meter.tempos if tempo.seconds < old[0] - SAME]
    times = sorted([*old, *apart])
    begins = moved(times)
    lengths = np.diff(begins) / np.diff(meter.quarters(times))
    tempos += map(Tempo, begins[:-1], lengths.tolist())
    later = [tempo for tempo in meter.tempos if tempo.seconds > old[-1] + SAME]
    at_end = [tempo for tempo in meter.tempos if tempo.seconds <= old[-1] + SAME]
    tempos += [replace(at_end[-1], seconds=old[-1]), *later]
    marks, keys = (moved([mark.seconds for mark in marks]) for marks in (meter.signatures, meter.keys))
    return Meter(
        tuple(replace(mark, seconds=second) for mark, second in zip(meter.signatures, marks, strict=True)),
        tuple(tempos),
        tuple(replace(key, seconds=second) for key, second in zip(meter.keys, keys, strict=True)),
    )


def _scaled(meter: Meter, factor: float) -> Meter:
    """Make quarter notes so many times as many."""
    pickup, full, later = _opening(meter)
    tempos = tuple(replace(tempo, quarter=tempo.quarter / factor) for tempo in meter.tempos)
    scaled = replace(meter, tempos=tempos, is_exact=False)
    return _with_pickup(scaled, pickup * factor % full.quarters, full, later)


def _opening(meter: Meter) -> tuple[float, TimeSignature, tuple[TimeSignature, ...]]:
    """How many quarter notes come before the first full bar, its signature, and those after it.

    A pickup is a single bar, and shorter.
    """
    first, *others = meter.signatures
    if others and first.quarters < others[0].quarters:
        length = float(meter.quarters(others[0].seconds) - meter.quarters(first.seconds))
        if length <= first.quarters + SAME:
            return length, others[0], tuple(others[1:])
    return 0.0, first, tuple(others)


def _with_pickup(meter: Meter, quarters: float, full: TimeSignature, later: tuple[TimeSignature, ...]) -> Meter:
    """Begin with a pickup of so many quarter notes, then the first full bar, at the nearest thirty-second note."""
    begin = meter.signatures[0].seconds
    count = round(quarters * 8) % round(full.quarters * 8)  # of thirty-second notes
    if not count:
        return replace(meter, signatures=(replace(full, seconds=begin), *later))
    unit = next(unit for unit in (4, 8, 16, 32) if count * unit % 32 == 0)
    bar_line = float(meter.seconds(meter.quarters(begin) + count / 8))
    if later and later[0].seconds <= bar_line:
        raise RequestError("the metre changes in its first bar: move its bars in a notation program")
    opening = TimeSignature(begin, count * unit // 32, unit)
    return replace(meter, signatures=(opening, replace(full, seconds=bar_line), *later))
