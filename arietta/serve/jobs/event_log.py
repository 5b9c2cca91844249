"""The events of a piece in the order in which listeners get them: a prompt's notes, then each note and pedal composed.

The order is the same whenever the piece is composed, so a listener who was cut off goes on by number, live or years
later. `to_notes` makes of the events exactly the notes of the piece's `Take`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

import numpy as np

from ...music.notes import Note, Notes, Pedal

Event = Note | Pedal
_PEDAL = -1.0  # stands in a packed row where a note has its pitch


class EventLog:
    """The events so far; only ever appended to, so that readers in other threads may rely on what they have seen."""

    def __init__(self, prompt: Notes | None = None) -> None:
        self.events: list[Event] = []
        self.texts: list[str] = []  # of the first events, as listeners are sent them: written once for all of them
        self.note_count = 0  # composed, without the prompt's
        self._open_press: Pedal | None = None  # the one that is still down at the prompt's last onset
        if prompt is None:
            return
        # The press at the last onset may be continued by what is composed, so it is not an event yet.
        last = float(prompt.onset.max())
        presses = [Pedal(float(down), float(up)) for down, up in prompt.pedal if down <= last]
        self.events += [prompt[index] for index in range(len(prompt))]
        self.events += [press for press in presses if press.up <= last]
        self._open_press = next((press for press in presses if press.up > last), None)

    def add(self, events: Iterable[Event]) -> None:
        """Append what a step completed.

        The prompt's last press ends where the first composed one begins, if not before; a composed press that continues
        it, as the generation has it, replaces it.
        """
        for event in events:
            if isinstance(event, Note):
                self.note_count += 1
            elif self._open_press is not None:
                self._release(event.down)
            self.events.append(event)

    def close(self) -> None:
        """Append what was withheld, when the piece is over."""
        if self._open_press is not None:
            self._release(self._open_press.up)

    def _release(self, until: float) -> None:
        """Append the open press, lifted at the latest when said; one that would have no length is dropped."""
        assert self._open_press is not None
        press, self._open_press = Pedal(self._open_press.down, min(self._open_press.up, until)), None
        if press.up > press.down:
            self.events.append(press)


def to_notes(events: Iterable[Event]) -> Notes:
    """Return the piece that events make up.

    A later press overrides earlier ones from its beginning on: the codec's grid may make one press of two that nearly
    touched in the prompt.
    """
    notes: list[Event] = []
    presses: list[Pedal] = []
    for event in events:
        if isinstance(event, Note):
            notes.append(event)
            continue
        while presses and presses[-1].down >= event.down:
            presses.pop()
        if presses:
            presses[-1] = Pedal(presses[-1].down, min(presses[-1].up, event.down))
        presses.append(event)
    return Notes.from_events([*notes, *presses])


def pack(events: Sequence[Event]) -> bytes:
    """Compress events without losing a bit of them."""
    # Four float64 per event, so that times come back bit for bit.
    rows = [event if isinstance(event, Note) else (*event, _PEDAL, 0.0) for event in events]
    # Level 1 packs 10,000 random notes in 5 ms; level 9 makes them a sixth smaller and takes 25 times as long.
    return zlib.compress(np.array(rows, dtype="<f8").reshape(-1, 4).tobytes(), 1)


def unpack(data: bytes) -> list[Event]:
    """Return packed events, in their order."""
    rows = np.frombuffer(zlib.decompress(data), dtype="<f8").reshape(-1, 4).tolist()
    return [
        Pedal(first, second) if pitch == _PEDAL else Note(first, second, int(pitch), int(velocity))
        for first, second, pitch, velocity in rows
    ]


def events_of(notes: Notes) -> list[Event]:
    """Return all notes and all pedal presses of a piece as events."""
    presses = [Pedal(float(down), float(up)) for down, up in notes.pedal]
    return [*(notes[index] for index in range(len(notes))), *presses]
