"""A metre corrected by hand: twice or half as many beats, or bars that begin elsewhere. Its seconds stay.

    meter = move_downbeat(halve_beats(find_meter(notes)), 1)
    write_midi("mended.mid", notes, grid=meter)

No finder of beats is always right: it taps eighths where a musician counts quarters, or begins bars with the upbeat.
"""

from __future__ import annotations

from dataclasses import replace

from ..errors import RequestError, require
from .meter import Meter, TimeSignature


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
    pickup, full = _pickup(meter)
    return _with_pickup(meter, (pickup + beats * 4 / full.unit) % full.quarters)


def _scaled(meter: Meter, factor: float) -> Meter:
    """Make quarter notes so many times as many."""
    pickup, full = _pickup(meter)
    tempos = tuple(replace(tempo, quarter=tempo.quarter / factor) for tempo in meter.tempos)
    return _with_pickup(replace(meter, tempos=tempos, is_exact=False), pickup * factor % full.quarters)


def _pickup(meter: Meter) -> tuple[float, TimeSignature]:
    """How many quarter notes come before the first full bar, and its signature."""
    first, *others = meter.signatures
    if others and first.quarters < others[0].quarters:
        return float(meter.quarters(others[0].seconds) - meter.quarters(first.seconds)), others[0]
    return 0.0, first


def _with_pickup(meter: Meter, quarters: float) -> Meter:
    """Begin with a pickup of so many quarter notes, then the first full bar, at the nearest sixteenth note."""
    pickup, full = _pickup(meter)
    begin = meter.signatures[0].seconds
    later = meter.signatures[2:] if pickup else meter.signatures[1:]
    sixteenths = round(quarters * 4) % round(full.quarters * 4)
    if not sixteenths:
        return replace(meter, signatures=(replace(full, seconds=begin), *later))
    unit = next(unit for unit in (4, 8, 16) if sixteenths * unit % 16 == 0)
    bar_line = float(meter.seconds(meter.quarters(begin) + sixteenths / 4))
    if later and later[0].seconds <= bar_line:
        raise RequestError("the metre changes in its first bar: move its bars in a notation program")
    opening = TimeSignature(begin, sixteenths * unit // 16, unit)
    return replace(meter, signatures=(opening, replace(full, seconds=bar_line), *later))
