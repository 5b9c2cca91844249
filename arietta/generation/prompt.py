"""The seam of a prompt and what is composed after it: the pedal that lies over it, and the prompt's notes untouched."""

from __future__ import annotations

import numpy as np

from ..codecs.codec import Decoder
from ..music.notes import Note, Notes, Pedal

GRID = 0.01  # seconds: what lies nearer may be one moment to a codec


def held_since(prompt: Notes, heard: Notes, decoder: Decoder) -> float | None:
    """When the prompt pressed the pedal that the decoder still holds; None where it holds none."""
    down = decoder.pedal_down_since
    if down is None:
        return None
    away = np.abs(heard.pedal[:, 0] - down)
    last = heard.onset.max(initial=0.0)
    away[heard.pedal[:, 1] <= last - GRID] += heard.seconds  # one that was over lies behind any that was not
    return float(prompt.pedal[away.argmin(), 0])


def after_prompt(prompt: Notes, found: list[Note | Pedal]) -> Notes:
    """The prompt's own notes, then the composed ones; of its pedal what it pressed by its last onset.

    A press that it holds there goes on until what is composed lifts it, or, where the grid has it lifted already,
    until the next press.
    """
    composed = Notes.from_events(found)
    first = float(composed.pedal[0, 0]) if len(composed.pedal) else np.inf
    presses = prompt.pedal[prompt.pedal[:, 0] <= min(first, float(prompt.onset.max()))]
    presses = np.stack([presses[:, 0], np.minimum(presses[:, 1], first)], axis=1)
    presses = presses[presses[:, 1] > presses[:, 0]]
    columns = {
        name: np.concatenate([getattr(prompt, name), getattr(composed, name)])
        for name in ("onset", "duration", "pitch", "velocity")
    }
    return Notes.of(**columns, pedal=np.concatenate([presses, composed.pedal]))
