"""What a piece tells its hearers, in the order in which it does: a prompt's notes, then each note and pedal composed.

The order is the same whenever the piece is composed, so a hearer who was cut off goes on by number, live or years
later. Gathered, the events are the notes of the piece's `Take` exactly.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

import numpy as np

from ...music.notes import Note, Notes, Pedal

Event = Note | Pedal
_PEDAL = -1.0  # stands where a note has its pitch


class EventLog:
    """The events so far; only ever added to, so that readers in other threads may count on what they saw."""

    def __init__(self, prompt: Notes | None = None) -> None:
        self.events: list[Event] = []
        self.note_count = 0  # composed, without the prompt's
        self._held: Pedal | None = None  # what the prompt still pressed at its last onset
        if prompt is None:
            return
        last = float(prompt.onset.max())
        presses = [Pedal(float(down), float(up)) for down, up in prompt.pedal if down <= last]
        self.events += [prompt[index] for index in range(len(prompt))]
        self.events += [press for press in presses if press.up <= last]
        self._held = next((press for press in presses if press.up > last), None)

    def add(self, made: Iterable[Event]) -> None:
        """Tell what a step completed. The prompt's last press ends where the first composed one begins, if not before:
        where that goes on with it, as `composing` has it, the two are one."""
        for event in made:
            if isinstance(event, Note):
                self.note_count += 1
            elif self._held is not None:
                self._tell_held(event.down)
            self.events.append(event)

    def close(self) -> None:
        """Tell what was held back, when the piece is over."""
        if self._held is not None:
            self._tell_held(self._held.up)

    def _tell_held(self, until: float) -> None:
        assert self._held is not None
        press, self._held = Pedal(self._held.down, min(self._held.up, until)), None
        if press.up > press.down:
            self.events.append(press)


def to_notes(events: Iterable[Event]) -> Notes:
    """Return the piece that the events tell. A press told later has the last word from its beginning on: the grid may
    make one press of two that nearly touched in the prompt."""
    kept: list[Event] = []
    presses: list[Pedal] = []
    for event in events:
        if isinstance(event, Note):
            kept.append(event)
            continue
        while presses and presses[-1].down >= event.down:
            presses.pop()
        if presses:
            presses[-1] = Pedal(presses[-1].down, min(presses[-1].up, event.down))
        presses.append(event)
    return Notes.from_events([*kept, *presses])


def pack(events: Sequence[Event]) -> bytes:
    """Make events (or a prompt's) small enough to keep, without losing a bit of them."""
    rows = [event if isinstance(event, Note) else (*event, _PEDAL, 0.0) for event in events]
    return zlib.compress(np.array(rows, dtype="<f8").reshape(-1, 4).tobytes(), 1)


def unpack(data: bytes) -> list[Event]:
    """Return the events that were packed, in their order."""
    rows = np.frombuffer(zlib.decompress(data), dtype="<f8").reshape(-1, 4).tolist()
    return [
        Pedal(first, second) if pitch == _PEDAL else Note(first, second, int(pitch), int(velocity))
        for first, second, pitch, velocity in rows
    ]


def events_of(notes: Notes) -> list[Event]:
    """All notes and pedal of a piece as events."""
    presses = [Pedal(float(down), float(up)) for down, up in notes.pedal]
    return [*(notes[index] for index in range(len(notes))), *presses]
