"""A piano roll for a page, with what its player needs: systems of SVG, one below the other, and the notes as numbers.

A system is as wide as its page and stretched to it, so letters stand beside it and not in it. Notes are drawn as they
were played and sound as long as the pedal holds them. Without the page's script and style (`pages`) it is a picture.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ...music.meter import Meter
from ...music.notes import Note, Notes, Seconds, first, fold_pedal
from ...render.roll import BLACK_KEYS, format_time
from .html import Markup, joined, tag

SECONDS, LONE_SECONDS = 20, 30  # of a system, and of a lone one
MOST_SYSTEMS = 60  # of longer pieces they are longer
MOST_NOTES = 10_000  # of a longer piece the first so many are drawn and played
HUNDREDTHS = 100  # units of a second across
LOUDNESS = np.array([40, 56, 70, 86])  # velocities at which the next of five colours begins
PEDAL_ROWS = 3
LEAST_ROWS = 30


def roll_player(
    notes: Notes, marked: Sequence[Note] = (), *, most: int = MOST_NOTES, name: str, meter: Meter | None = None
) -> Markup:
    """Draw the first `most` notes, frame those of `marked`, and give them to the page's player; "" of no notes.

    With a metre each bar begins with a line, and each system with the number of its first bar.
    """
    drawn = first(notes, most)
    if not len(drawn):
        return Markup()
    end = drawn.seconds
    # A short piece is one system; a long one has longer systems, so that the page does not grow without end.
    seconds = max(math.ceil(end), 1) if end <= LONE_SECONDS else max(SECONDS, math.ceil(end / MOST_SYSTEMS))
    frame = _Frame(drawn, seconds, np.zeros(0) if meter is None else meter.bar_lines(end))
    systems = [
        tag("div", tag("span", frame.label(start), class_="at"), frame.system(drawn, marked, start), class_="system")
        for start in range(0, max(math.ceil(end), 1), seconds)
    ]
    cut = len(notes) - len(drawn)
    notice = f"The first {len(drawn):,} of {len(notes):,} notes are drawn and played." if cut else None
    return tag(
        "div",
        _controls(name, end),
        tag("div", *systems, class_="roll", tabindex=0, role="group", aria_label=f"Piano roll of {name}"),
        tag("p", notice, class_="small") if notice else None,
        tag("script", Markup(_numbers(drawn)), type="application/json"),
        class_="player",
        data_seconds=seconds,
        data_end=f"{end:.2f}",
    )


def _controls(name: str, end: float) -> Markup:
    slider = tag("input", type="range", min=0, max=f"{end:.2f}", step="0.01", value=0, aria_label=f"Position in {name}")
    return tag(
        "div",
        tag("button", "Play", type="button", class_="play", aria_label=f"Play {name}"),
        slider,
        tag("span", f"0:00 / {format_time(end)}", class_="time"),
        class_="controls",
        hidden=True,  # until the script shows them: without one nothing can play
    )


def _numbers(notes: Notes) -> str:
    """Onsets and sounding lengths in ms, pitches and velocities, a list each."""
    # The player has no pedal: a note sounds as long as the pedal holds it.
    sounding = fold_pedal(notes)
    columns = np.rint(sounding.onset * 1000), np.rint(sounding.duration * 1000), sounding.pitch, sounding.velocity
    return json.dumps([column.astype(int).tolist() for column in columns], separators=(",", ":"))


class _Frame:
    """Where pitches and times lie in every system of a piece."""

    def __init__(self, notes: Notes, seconds: int, bar_lines: Seconds) -> None:
        low, high = int(notes.pitch.min()) - 1, int(notes.pitch.max()) + 1
        missing = max(LEAST_ROWS - (high - low + 1), 0)
        self.low, self.high = low - missing // 2, high + (missing + 1) // 2
        self.seconds, self.width = seconds, seconds * HUNDREDTHS
        self._bar_lines = bar_lines
        self.lanes = self._lines("lane", (pitch for pitch in self._pitches() if pitch % 12 in BLACK_KEYS))
        self.octaves = self._lines("octave", (pitch for pitch in self._pitches() if pitch % 12 == 0 and pitch != 60))
        self.middle = self._lines("middle", (pitch for pitch in self._pitches() if pitch == 60))

    def system(self, notes: Notes, marked: Sequence[Note], start: int) -> Markup:
        height = self.high - self.low + 1 + PEDAL_ROWS
        frames = [self._mark(note, start) for note in marked if start <= note.onset < start + self.seconds]
        lines = (self.lanes, self.octaves, self.middle, self._bars(start))
        drawn = joined(*lines, *self._notes(notes, start), *frames)
        return tag(
            "svg",
            tag("g", drawn, self._pedal(notes, start), transform="translate(0 .5)"),
            viewBox=f"0 0 {self.width} {height}",
            preserveAspectRatio="none",
            aria_hidden="true",
        )

    def label(self, start: int) -> str:
        """When a system begins, and which bar is the first that begins in it."""
        bar = int(np.searchsorted(self._bar_lines, start))
        is_there = bar < len(self._bar_lines) and self._bar_lines[bar] < start + self.seconds
        return f"{format_time(start)}, bar {bar + 1}" if is_there else format_time(start)

    def _bars(self, start: int) -> Markup:
        inside = self._bar_lines[(self._bar_lines >= start) & (self._bar_lines < start + self.seconds)]
        left, height = np.rint((inside - start) * HUNDREDTHS).astype(int).tolist(), self.high - self.low + 1
        return tag("path", class_="bar", d="".join(f"M{x} 0v{height}" for x in left)) if left else Markup()

    def _pitches(self) -> range:
        return range(self.low, self.high + 1)

    def _lines(self, kind: str, pitches: Iterable[int]) -> Markup:
        path = "".join(f"M0 {self.high - pitch}h{self.width}" for pitch in pitches)
        return tag("path", class_=kind, d=path) if path else Markup()

    def _notes(self, notes: Notes, start: int) -> Iterator[Markup]:
        inside = (notes.release > start) & (notes.onset < start + self.seconds)
        left, wide = self._spans(notes.onset[inside], notes.release[inside], start)
        row = self.high - notes.pitch[inside].astype(int)
        loud = np.searchsorted(LOUDNESS, notes.velocity[inside], side="right")
        # One path per colour: thousands of elements would make a page slow to scroll.
        for degree in range(len(LOUDNESS) + 1):
            chosen = loud == degree
            columns = (column[chosen].tolist() for column in (left, row, wide))
            path = "".join(f"M{x} {y}h{w}" for x, y, w in zip(*columns, strict=True))
            if path:
                yield tag("path", class_=f"v{degree}", d=path)

    def _pedal(self, notes: Notes, start: int) -> Markup:
        inside = notes.pedal[(notes.pedal[:, 1] > start) & (notes.pedal[:, 0] < start + self.seconds)]
        left, wide = self._spans(inside[:, 0], inside[:, 1], start)
        row = self.high - self.low + 2
        path = "".join(f"M{x} {row}h{w}" for x, w in zip(left.tolist(), wide.tolist(), strict=True))
        return tag("path", class_="pedal", d=path) if path else Markup()

    def _spans(self, begin: np.ndarray, end: np.ndarray, start: int) -> tuple[np.ndarray, np.ndarray]:
        left = np.clip((begin - start) * HUNDREDTHS, 0, self.width)
        right = np.clip((end - start) * HUNDREDTHS, 0, self.width)
        return left.astype(int), np.maximum(right - left, self.width / 400).astype(int) + 1

    def _mark(self, note: Note, start: int) -> Markup:
        # A frame stands out a little on all sides, and a very short note still gets a visible one.
        wide = max(note.duration * HUNDREDTHS, self.width / 200)
        left = (note.onset - start) * HUNDREDTHS - self.width / 400
        x, width = round(left), round(wide + self.width / 200)
        return tag("rect", class_="mark", x=x, y=f"{self.high - note.pitch - 1.4:g}", width=width, height="2.8")
