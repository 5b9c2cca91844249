"""Moments and lengths in bars: where bar 9 begins, and how long music goes on so that it ends on a bar line.

    read_moment("bar 9", notes.seconds, meter)
    choose_length(bars=16, given=(notes, meter))      # notes or seconds, for a `Request`

Python, the command, the service and its client all read them here.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ...errors import RequestError, whole_number
from ...music.meter import Meter
from ...music.notes import Notes
from ...music.times import read_time

Time = float | str
MOST_BARS = 2000
MAX_SECONDS = 6 * 3600.0
AFTER = 0.002  # seconds: a bar line nearer than this is that of the onset itself
LONGEST_COUNTED = 3600.0  # seconds: a stranger's metre may have ten bars in each
HOW_TO_FIND = (
    "`arietta render FILE -o bars.mid --downbeat 0`, or for a piece of a server "
    'POST /v1/pieces/ID/meter with {"downbeat": 0}'
)
_BAR = re.compile(r"bar *(\d{1,6})")


def read_moment(time: Time, end: float, meter: Meter | None) -> float:
    """Read a time of music that ends at `end` (s): seconds, a text such as "0:12.5", or "bar 9", where that begins.

    Raises RequestError for what is no time, and for a bar that the music does not have.
    """
    bar = _BAR.fullmatch(time.strip()) if isinstance(time, str) else None
    if bar is None:
        return read_time(time)
    if meter is None:
        raise RequestError(
            f"{time}: the music has no bars that are known; give a time, as 12.5 or 0:12.5, or first find its bars: "
            f"{HOW_TO_FIND}"
        )
    lines = meter.bar_lines(end)
    if not 1 <= int(bar[1]) <= len(lines):
        raise RequestError(f"{time}: the music has bars 1 to {len(lines) - 1}")
    return max(float(lines[int(bar[1]) - 1]), 0.0)


def choose_length(
    notes: int | None = None,
    seconds: float | None = None,
    bars: int | None = None,
    *,
    given: tuple[Notes | None, Meter | None] = (None, None),
    at: float | None = None,
    usual: int | None = None,
) -> tuple[int | None, float | None]:
    """Return how many notes or how many seconds to write, one of them None; `usual` notes where nothing is said.

    Seconds of `bars` count from the last onset of what is `given`, notes and their metre, to the bar line where so many
    bars end. They are counted from the first bar line that is not before `at` (s), or, without it, that comes after the
    last onset. Raises RequestError for two lengths at once, a number of bars that is none, and where there is no metre.
    """
    if bars is None:
        return (usual if notes is None and seconds is None else notes), seconds
    if notes is not None or seconds is not None:
        raise RequestError("say how much to write: a number of notes, of seconds or of bars, and one of them alone")
    bars = check_bars(bars)
    prompt, meter = given
    if prompt is None:
        raise RequestError(
            "bars are those of music to go on from: give a prompt that has a metre, or say bpm and metre"
        )
    if meter is None:
        raise RequestError(
            "bars need music that has a metre: give a score or a MIDI file that sets one, or ask for notes or seconds; "
            f"bars that are found are written by {HOW_TO_FIND}"
        )
    last_onset = float(prompt.onset.max(initial=0.0))
    length = meter.bar_line_after(last_onset + AFTER if at is None else at, bars) - last_onset
    if not 1 <= length <= MAX_SECONDS:
        raise RequestError(
            f"{bars} {'bar takes' if bars == 1 else 'bars take'} {length:.1f} s here; 1 to {MAX_SECONDS:.0f} s can be "
            "written"
        )
    return None, length


def count_bars(seconds: float, prompt: Notes, meter: Meter) -> int | None:
    """Return how many whole bars so many seconds after a prompt's last onset hold, None where they end within one.

    It is None, too, where music ends after more than LONGEST_COUNTED.
    """
    last_onset = float(prompt.onset.max(initial=0.0))
    stop = last_onset + seconds
    if stop > LONGEST_COUNTED:
        return None
    lines = meter.bar_lines(stop)
    begin, end = np.searchsorted(lines, [last_onset + AFTER, stop - AFTER]).tolist()
    return end - begin if begin < end < len(lines) and lines[end] <= stop + AFTER else None


def check_bars(bars: Any) -> int:
    """Return a number of bars as Python's own; raises RequestError for one that is none, or too many."""
    count = whole_number(bars, "bars")
    if not 1 <= count <= MOST_BARS:
        raise RequestError(f"bars must lie in 1-{MOST_BARS}, not {count}")
    return count
