"""Moments of a piece as people write them: seconds, or minutes and seconds between colons."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..errors import NUMBER, RequestError, require

_TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)")


def read_time(text: Any) -> float:
    """Read seconds, a number or a text, m:ss or h:mm:ss, with decimals; raises RequestError for anything else."""
    if isinstance(text, np.number):
        text = text.item()
    if not isinstance(text, str):
        require(text, NUMBER, 'a time is a number of seconds, or a text such as "0:12.5"')
        seconds: float = text
        return seconds
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise RequestError(f"{text[:40]!r} is no time: give seconds or minutes, as 12.5 or 0:12.5")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    if (match[2] and seconds >= 60) or (match[1] and minutes >= 60):
        raise RequestError(f"{text[:40]!r} is no time: after a colon stands less than 60, as in 1:15 or 0:01:15")
    return hours * 3600 + minutes * 60 + seconds
