"""Beats and bars found in expressive timing: by a network where one is installed, by accents elsewhere.

    find_meter(notes)         the beats and bars as a Meter, right or not
    find_sure_meter(notes)    the same where the network is sure of them, else None
    choose_grid(notes, grid)  what to lay under a MIDI file: a metre, a tempo, or what is found, if it is sure

The network (`network`, `decoding`, `bars`) learned from performances that may not be used commercially, and comes with
the model `concert`, under its licence. The finder by accents (`accents`) has no weights, and stays what it is: what
must be alike everywhere, as statistics held against a reference, uses it by its own name.
"""

from __future__ import annotations

import numpy as np

from ...errors import RequestError, quote
from ..meter import Meter
from ..notes import Notes
from .accents import FEWEST_ONSETS, find_accented_meter
from .bars import SURE, TrackedMeter, track_meter
from .network import installed_weights

LONGEST = 3600.0  # seconds that the network hears: memory grows by 0.1 GB for each hour
FOUND = "found"  # a grid that asks for the bars that are found, where they are sure


def find_meter(notes: Notes) -> Meter:
    """Find the metre of a performance: a tempo for every beat, time signatures, and a pickup if there is one."""
    tracked = _track(notes)
    return find_accented_meter(notes) if tracked is None else tracked.meter


def find_sure_meter(notes: Notes) -> Meter | None:
    """Find the metre of a performance where the network is sure of it; None elsewhere, and where none is installed.

    How many of those are right is measured (docs/figures.md, "beats and bars found in performances"): not all.
    """
    tracked = _track(notes)
    return tracked.meter if tracked is not None and tracked.sureness >= SURE else None


def _track(notes: Notes) -> TrackedMeter | None:
    """Let the network track beats; None where none is installed, and where there is too little or too much music."""
    if len(np.unique(notes.onset)) < FEWEST_ONSETS or notes.onset[-1] > LONGEST:
        return None
    weights = installed_weights()
    return None if weights is None else track_meter(notes, weights)


def choose_grid(notes: Notes, grid: Meter | float | str | None, own: Meter | None = None) -> Meter | float | None:
    """Return what a MIDI file lies under: `own`, the metre that a piece has, where `grid` is None.

    For "found" that is `own` too, or what is found where it is sure, else None. Raises RequestError for another text.
    """
    if isinstance(grid, str):
        if grid != FOUND:
            raise RequestError(f"a grid is a metre, a number of beats a minute or {FOUND!r}, not {quote(grid)}")
        return own or find_sure_meter(notes)
    return own if grid is None else grid
