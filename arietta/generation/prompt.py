"""Prompts: how a decoder takes one in, and how what is composed after it is joined to its untouched notes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..codecs.codec import Codec, Decoder, Tokens
from ..music.notes import HIGHEST_PITCH, LOWEST_PITCH, Note, Notes, Pedal, trim

GRID = 0.01  # seconds: what lies nearer may be one moment to a codec


@dataclass
class Seam:
    """Where a prompt ends and composing goes on.

    `tokens` uint16 [T, F] are the prompt's. `shift` is added to the decoder's seconds to give the piece's. `pedal_down`
    is the moment at which the prompt pressed the pedal that lies over the seam, until the pedal is lifted.
    """

    tokens: Tokens
    shift: float = 0.0
    pedal_down: float | None = None

    def shifted(self, event: Note | Pedal) -> Note | Pedal:
        """Move an event from the decoder's seconds to the piece's; the held pedal keeps its own beginning."""
        if isinstance(event, Note):
            return event._replace(onset=event.onset + self.shift)
        down = event.down + self.shift if self.pedal_down is None else self.pedal_down
        self.pedal_down = None
        return Pedal(down, event.up + self.shift)


def push_prompt(prompt: Notes | None, codec: Codec, decoder: Decoder) -> Seam:
    """Push a prompt's tokens into the decoder; its keys stay held until their own releases."""
    if prompt is None:
        return Seam(np.zeros((0, len(codec.field_sizes)), dtype=np.uint16))
    trimmed = trim(prompt)
    tokens = codec.encode(trimmed, is_complete=False)
    for token in tokens.tolist():
        decoder.push(token)
    # What is composed goes on from the last onset itself, not from where the grid put it: never before it.
    last_onset = float(prompt.onset.max())
    shift = last_onset - decoder.clock
    is_key = (prompt.pitch >= LOWEST_PITCH) & (prompt.pitch <= HIGHEST_PITCH)
    for index in np.flatnonzero(is_key & (prompt.release > last_onset)):
        decoder.hold(int(prompt.pitch[index]), float(prompt.release[index]) - shift)
    return Seam(tokens, shift, _find_press(prompt, trimmed, decoder))


def _find_press(prompt: Notes, trimmed: Notes, decoder: Decoder) -> float | None:
    """Find when the prompt pressed the pedal that the decoder still holds; None where it holds none."""
    if decoder.pedal_down_since is None:
        return None
    distance = np.abs(trimmed.pedal[:, 0] - decoder.pedal_down_since)
    last_onset = trimmed.onset.max(initial=0.0)
    # A press that ended before the seam comes after all that did not: no distance is as long as the piece.
    distance[trimmed.pedal[:, 1] <= last_onset - GRID] += trimmed.seconds
    return float(prompt.pedal[distance.argmin(), 0])


def join_prompt(prompt: Notes, events: list[Note | Pedal]) -> Notes:
    """Return the prompt's own notes, then the composed ones; of its pedal what it pressed by its last onset.

    A press that the prompt holds there goes on until what is composed lifts it, or, where the grid has lifted it
    already, until the next press.
    """
    composed = Notes.from_events(events)
    first_press = float(composed.pedal[0, 0]) if len(composed.pedal) else np.inf
    presses = prompt.pedal[prompt.pedal[:, 0] <= min(first_press, float(prompt.onset.max()))]
    presses = np.stack([presses[:, 0], np.minimum(presses[:, 1], first_press)], axis=1)
    presses = presses[presses[:, 1] > presses[:, 0]]
    columns = {
        name: np.concatenate([getattr(prompt, name), getattr(composed, name)])
        for name in ("onset", "duration", "pitch", "velocity")
    }
    return Notes.of(**columns, pedal=np.concatenate([presses, composed.pedal]))
