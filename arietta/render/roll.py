"""Piano rolls as SVG and PNG: what was played when, how hard, with which pedal, and where a prompt ended.

    write_roll("piece.png", notes, title="Arietta", prompt_seconds=12.5)

A roll is laid out once, as boxes, lines and text (`canvas`), so both forms look alike. Long pieces run over several
systems, as in a score. Same notes, same bytes. Where the music has a metre the axis counts bars, else seconds. The
notation of times and pitches for people stands here too.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import RequestError
from ..files import write_file
from ..music.meter import Meter
from ..music.notes import Notes
from .canvas import Box, Drawing, Line, Shape, Text, drawing_png, drawing_svg

# Pixels.
PAGE_WIDTH, MARGIN, KEYBOARD = 1200.0, 28.0, 22.0
LEFT, RIGHT = MARGIN + 26.0 + KEYBOARD, PAGE_WIDTH - MARGIN  # of the notes: names of octaves and keys stand before
HEADER, FOOTER = 66.0, 14.0
PEDAL_GAP, PEDAL_HEIGHT, AXIS_HEIGHT, SYSTEM_GAP = 5.0, 6.0, 18.0, 14.0
MOST_SYSTEMS = 12  # longer pieces are drawn narrower instead
LONGEST_SINGLE, LONGEST_SYSTEM = 45.0, 35.0  # seconds of a lone system, and of one among several where they are few
FEWEST_PITCHES = 29  # a melody of few notes is not blown up beyond two octaves and a bit
TICK_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800)
BAR_STEPS = (1, 2, 4, 8, 16, 32, 64, 128)  # from one bar with a number to the next
NUMBER_SPACING = 28.0  # at least, between two numbers of bars
LABEL_SPACING = 52.0  # at least, between two labels of the time axis
BLACK_KEYS = (1, 3, 6, 8, 10)

# Colours.
IVORY, WHITE_ROW, BLACK_ROW = "#ffffff", "#fbfaf8", "#f1efeb"
INK, GREY, OCTAVE_LINE, SECOND_LINE, LABELLED_LINE = "#26222b", "#7a7580", "#d5d1ca", "#eeece7", "#dedad3"
MARK_INK = "#1565c0"
PROMPT_WHITE, PROMPT_BLACK, PROMPT_INK, PEDAL_INK, PEDAL_ROW = "#e4edf6", "#d8e4f0", "#4d7299", "#8b93a1", "#f4f3f0"
KEY_EDGE, EBONY = "#b9b4ac", "#3a363f"


def roll_svg(
    notes: Notes,
    *,
    title: str = "",
    prompt_seconds: float = 0.0,
    marked: Collection[int] = frozenset(),
    meter: Meter | None = None,
) -> str:
    """Draw a piano roll as an SVG document; what begins before `prompt_seconds` is shaded as the prompt.

    Notes whose index is in `marked` stand in a blue frame. The axis counts the bars of `meter`, seconds without one.
    """
    return drawing_svg(roll_drawing(notes, title=title, prompt_seconds=prompt_seconds, marked=marked, meter=meter))


def roll_png(notes: Notes, *, title: str = "", prompt_seconds: float = 0.0, meter: Meter | None = None) -> bytes:
    """Draw the same piano roll as a PNG, 2,400 pixels wide."""
    return drawing_png(roll_drawing(notes, title=title, prompt_seconds=prompt_seconds, meter=meter))


def write_roll(
    path: str | Path, notes: Notes, *, title: str = "", prompt_seconds: float = 0.0, meter: Meter | None = None
) -> None:
    """Write a piano roll, atomically, as the ending of `path` says; RequestError unless .png or .svg."""
    path = Path(path)
    if path.suffix.lower() == ".svg":
        content = roll_svg(notes, title=title, prompt_seconds=prompt_seconds, meter=meter).encode()
    elif path.suffix.lower() == ".png":
        content = roll_png(notes, title=title, prompt_seconds=prompt_seconds, meter=meter)
    else:
        raise RequestError(f"{path}: a piano roll ends in .png or .svg")
    write_file(path, content, RequestError)


def pitch_name(pitch: int) -> str:
    """Name a MIDI pitch, with C4 as middle C: 60 -> C4, 61 -> C#4."""
    return ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")[pitch % 12] + str(pitch // 12 - 1)


def format_time(seconds: float) -> str:
    """Write a time as minutes and seconds: 75.4 -> 1:15."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours}:{minutes_left:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def format_onset(seconds: float) -> str:
    """Write when a note begins, as minutes and seconds to a hundredth: 75.4 -> 1:15.40."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f}:{rest:05.2f}"


@lru_cache(maxsize=1)
def velocity_colours() -> tuple[str, ...]:
    """Colours of velocities 0-127, from pale amber to deep violet: evenly darker, so that louder reads as more.

    A path through OKLCH (Ottosson 2020, "A perceptual color space for image processing").
    """
    share = np.linspace(0, 1, 128)
    lightness = 0.87 - 0.62 * share
    chroma = 0.11 + 0.08 * np.sin(np.pi * share)  # strongest in the middle, where most notes are
    hue = np.radians(82 - 152 * share)
    a, b = chroma * np.cos(hue), chroma * np.sin(hue)
    cone_from_lab = np.array(
        [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]]
    )
    rgb_from_cone = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    # Oklab to cone responses, their cubes to linear sRGB, cut to what a screen shows, and sRGB's own gamma.
    linear = np.clip(rgb_from_cone @ (cone_from_lab @ np.stack([lightness, a, b])) ** 3, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return tuple("#" + bytes(colour).hex() for colour in np.rint(255 * encoded.T).astype(np.uint8))


def roll_drawing(
    notes: Notes,
    *,
    title: str = "",
    prompt_seconds: float = 0.0,
    marked: Collection[int] = frozenset(),
    meter: Meter | None = None,
) -> Drawing:
    """Lay out a piano roll: heading, legend, and one system below the other."""
    scale = _Scale.of(notes)
    bar_lines = None if meter is None else meter.bar_lines(notes.seconds).tolist()
    shapes: list[Shape] = [*_heading(notes, title)]
    for index in range(scale.systems):
        system = _System(scale, index)
        shapes += system.background(prompt_seconds)
        shapes += system.time_axis() if bar_lines is None else system.bar_axis(bar_lines)
        shapes += system.octave_lines()
        shapes += system.prompt_edge(prompt_seconds)
        shapes += system.keyboard()
        shapes += system.pedal(notes)
        shapes += system.bars(notes, marked)
    height = HEADER + scale.systems * (scale.system_height + SYSTEM_GAP) - SYSTEM_GAP + FOOTER
    return Drawing(PAGE_WIDTH, math.ceil(height), tuple(shapes))


def _heading(notes: Notes, title: str) -> Iterator[Shape]:
    """The title and a line of facts at the left, the colours of velocities at the right."""
    facts = [f"{len(notes):,} notes" if len(notes) != 1 else "1 note", format_time(notes.seconds)]
    if len(notes):
        facts.append(f"{pitch_name(int(notes.pitch.min()))} to {pitch_name(int(notes.pitch.max()))}")
    if len(notes.pedal):
        facts.append(f"{len(notes.pedal):,} pedals" if len(notes.pedal) != 1 else "1 pedal")
    short_title = title if len(title) <= 80 else title[:79].rstrip() + "…"  # more would run into the legend
    yield Text(MARGIN, 32, short_title or "Piano roll", 19, INK)
    yield Text(MARGIN, 50, "   ".join(facts), 11.5)
    colours, width = velocity_colours(), 1.5
    left = RIGHT - width * 127
    yield Text(left - 10, 32, "velocity", 10.5, anchor="end")
    for velocity in range(1, 128):
        yield Box(left + (velocity - 1) * width, 24, width, 9, colours[velocity])
    for velocity in (1, 32, 64, 96, 127):
        yield Text(left + (velocity - 0.5) * width, 46, str(velocity), 9.5, anchor="middle")


@dataclass(frozen=True)
class _Scale:
    """How seconds and pitches become pixels: pitches [low, high], `key` pixels each."""

    low: int
    high: int
    key: float
    seconds: int  # of a system
    per_second: float
    systems: int
    end: float

    @classmethod
    def of(cls, notes: Notes) -> _Scale:
        """Choose the scale that shows all notes, with two pitches of margin."""
        low, high = (int(notes.pitch.min()), int(notes.pitch.max())) if len(notes) else (60, 60)
        low, high = low - 2, high + 2
        missing = max(0, FEWEST_PITCHES - (high - low + 1))
        low, high = max(0, low - missing // 2), min(127, high + (missing + 1) // 2)
        end = max(notes.seconds, 1.0)
        systems = 1 if end <= LONGEST_SINGLE else min(MOST_SYSTEMS, math.ceil(end / LONGEST_SYSTEM))
        seconds = math.ceil(end / systems)
        key = 6.0 if systems == 1 else 4.5 if systems <= 4 else 3.25
        return cls(low, high, key, seconds, (RIGHT - LEFT) / seconds, systems, end)

    @property
    def roll_height(self) -> float:
        return (self.high - self.low + 1) * self.key

    @property
    def system_height(self) -> float:
        return self.roll_height + PEDAL_GAP + PEDAL_HEIGHT + AXIS_HEIGHT


class _System:
    """One system of a roll: the notes of some seconds, the pedal below them, and a time axis."""

    def __init__(self, scale: _Scale, index: int) -> None:
        self.scale = scale
        self.is_first = index == 0
        self.start, self.stop = index * scale.seconds, (index + 1) * scale.seconds
        self.top = HEADER + index * (scale.system_height + SYSTEM_GAP)
        self.bottom = self.top + scale.roll_height  # of the notes
        self.pedal_top = self.bottom + PEDAL_GAP
        # The last system ends where the piece does, rounded up to a second.
        self.right = min(self.x(math.ceil(scale.end)), RIGHT)

    def x(self, seconds: float) -> float:
        return LEFT + (seconds - self.start) * self.scale.per_second

    def y(self, pitch: int) -> float:
        """The upper edge of a pitch's row."""
        return self.top + (self.scale.high - pitch) * self.scale.key

    @property
    def pitches(self) -> range:
        return range(self.scale.low, self.scale.high + 1)

    def background(self, prompt_seconds: float) -> Iterator[Shape]:
        """Rows for white and black keys, in other colours where the prompt is."""
        edge = min(max(self.x(prompt_seconds), LEFT), self.right)
        parts = (LEFT, edge, PROMPT_WHITE, PROMPT_BLACK), (edge, self.right, WHITE_ROW, BLACK_ROW)
        for left, right, white, black in parts:
            if left < right:
                yield Box(left, self.top, right - left, self.scale.roll_height, white)
                for pitch in self.pitches:
                    if pitch % 12 in BLACK_KEYS:
                        yield Box(left, self.y(pitch), right - left, self.scale.key, black)
        yield Box(LEFT, self.pedal_top, self.right - LEFT, PEDAL_HEIGHT, PEDAL_ROW)

    def time_axis(self) -> Iterator[Shape]:
        """Labelled ticks, and fine lines between them so that neither crowd."""
        scale, bottom = self.scale, self.pedal_top + PEDAL_HEIGHT
        labelled = next((step for step in TICK_SECONDS if step * scale.per_second >= LABEL_SPACING), 3600)
        divisors = (step for step in TICK_SECONDS if labelled % step == 0)
        fine = next((step for step in divisors if step * scale.per_second >= LABEL_SPACING / 6), labelled)
        for tick in range(self.start, min(self.stop, math.ceil(scale.end)) + 1):
            x = self.x(tick)
            if tick % labelled == 0:
                yield Line(x, self.top, x, bottom + 3, LABELLED_LINE)
                text = f"{tick} s" if scale.end <= LONGEST_SINGLE else format_time(tick)
                yield Text(x, bottom + 14, text, 10, anchor="middle")
            elif tick % fine == 0:
                yield Line(x, self.top, x, self.bottom, SECOND_LINE)

    def bar_axis(self, bar_lines: Sequence[float]) -> Iterator[Shape]:
        """A line where each bar begins, and as many of their numbers as have room."""
        bottom = self.pedal_top + PEDAL_HEIGHT
        width = self.scale.per_second * (bar_lines[-1] - bar_lines[0]) / max(len(bar_lines) - 1, 1)
        step = next((step for step in BAR_STEPS if step * width >= NUMBER_SPACING), BAR_STEPS[-1])
        for index, second in enumerate(bar_lines):
            if self.start <= second < min(self.stop, self.scale.end):
                x, is_labelled = self.x(second), index % step == 0
                end = bottom + 3 if is_labelled else self.bottom
                yield Line(x, self.top, x, end, LABELLED_LINE if is_labelled else SECOND_LINE)
                if is_labelled:
                    yield Text(x, bottom + 14, str(index + 1), 10, anchor="middle")

    def octave_lines(self) -> Iterator[Shape]:
        """A line below every C."""
        for pitch in self.pitches:
            if pitch % 12 == 0:
                y = self.y(pitch) + self.scale.key
                yield Line(LEFT, y, self.right, y, OCTAVE_LINE)

    def prompt_edge(self, prompt_seconds: float) -> Iterator[Shape]:
        """A line where the prompt ends, and its name where it begins."""
        x = self.x(prompt_seconds)
        if LEFT < x < self.right:
            yield Line(x, self.top, x, self.pedal_top + PEDAL_HEIGHT, PROMPT_INK, 1.5)
        if prompt_seconds > 0 and self.is_first:
            yield Text(LEFT + 5, self.top + 11, "prompt", 10, PROMPT_INK)

    def keyboard(self) -> Iterator[Shape]:
        """The keys at the left edge, with the name of every C."""
        left, right, key = LEFT - KEYBOARD, LEFT - 3, self.scale.key
        yield Box(left, self.top, KEYBOARD - 3, self.scale.roll_height, IVORY)
        for pitch in self.pitches:
            y = self.y(pitch)
            if pitch % 12 in BLACK_KEYS:
                middle = y + key / 2
                yield Line(left, middle, right, middle, KEY_EDGE)
                yield Box(left, y, (KEYBOARD - 3) * 0.62, key, EBONY)
            elif pitch % 12 in (0, 5) and pitch > self.scale.low:  # C and F: no black key parts them from the key below
                yield Line(left, y + key, right, y + key, KEY_EDGE)
            if pitch % 12 == 0:
                is_middle = pitch == 60
                yield Text(left - 5, y + key / 2 + 3.5, pitch_name(pitch), 10, INK if is_middle else GREY, "end")
        for x in (left, right):
            yield Line(x, self.top, x, self.bottom, KEY_EDGE)
        for y in (self.top, self.bottom):
            yield Line(left, y, right, y, KEY_EDGE)

    def pedal(self, notes: Notes) -> Iterator[Shape]:
        """A bar for each time that the pedal is down."""
        yield Text(LEFT - 8, self.pedal_top + PEDAL_HEIGHT, "Ped.", 9.5, anchor="end")
        inside = notes.pedal[(notes.pedal[:, 1] > self.start) & (notes.pedal[:, 0] < self.stop)]
        for down, up in np.clip(inside, self.start, self.stop).tolist():
            x = self.x(down)
            yield Box(x, self.pedal_top, max(self.x(up) - x - 0.5, 1.0), PEDAL_HEIGHT, PEDAL_INK, 1.5)

    def bars(self, notes: Notes, marked: Collection[int]) -> Iterator[Shape]:
        """A bar for each note, coloured by its velocity; those in `marked` stand in a frame."""
        scale, colours = self.scale, velocity_colours()
        inside = np.flatnonzero((notes.release > self.start) & (notes.onset < self.stop))
        left = LEFT + (np.maximum(notes.onset[inside], self.start) - self.start) * scale.per_second
        right = LEFT + (np.minimum(notes.release[inside], self.stop) - self.start) * scale.per_second
        width = np.maximum(right - left - 0.4, 1.5)  # repeated notes do not run together, short ones can be seen
        top = self.top + (scale.high - notes.pitch[inside].astype(np.int64)) * scale.key
        columns = (inside, left, top, width, notes.velocity[inside])
        for index, x, y, w, velocity in zip(*(column.tolist() for column in columns), strict=True):
            if index in marked:
                yield Box(x - 2, y - 1.75, w + 4, scale.key + 3.5, MARK_INK, 2.0)
            yield Box(x, y + 0.25, w, scale.key - 0.5, colours[velocity], 1.0)
