"""Lengths in bars: how long music goes on so that it ends on a bar line of the metre that it has.

seconds_of_bars(16, prompt, meter)      # for `Request.seconds`, which count from the last onset of the prompt
"""

from __future__ import annotations

from ...errors import RequestError, require
from ...music.meter import Meter
from ...music.notes import Notes

MOST_BARS = 2000
AFTER = 0.002  # seconds: a bar line nearer than this is that of the onset itself


def seconds_of_bars(bars: int, prompt: Notes, meter: Meter | None, *, at: float | None = None) -> float:
    """Return the seconds from the last onset of a prompt to the bar line where so many bars end.

    Bars are counted from the first bar line that is not before `at` (s), or, without it, that comes after the last
    onset. Raises RequestError for a number of bars that is none, and where the prompt has no metre.
    """
    require(bars, int, "bars are a whole number")
    if not 1 <= bars <= MOST_BARS:
        raise RequestError(f"bars must lie in 1-{MOST_BARS}, not {bars}")
    if meter is None:
        raise RequestError(
            "bars need music that has a metre: give a score or a MIDI file that sets one, as `arietta render FILE "
            "-o bars.mid --downbeat 0` does with the bars that it finds, or ask for notes or seconds"
        )
    last_onset = float(prompt.onset.max())
    return meter.bar_line_after(last_onset + AFTER if at is None else at, bars) - last_onset
