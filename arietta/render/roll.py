"""Piano rolls as SVG and PNG: what was played when, how hard, with which pedal, and where a prompt ended.

A page is laid out once, as boxes, lines and labels (`drawing`), so both forms look alike. Long pieces run over
several systems, as in a score. Same notes, same bytes.

    write_roll("piece.png", notes, title="Arietta", prompt_seconds=12.5)

Audio and scores are none of its business.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import RequestError
from ..files import write_file
from ..music.notes import Notes
from .canvas import Box, Drawing, Line, Shape, Text, drawing_png, drawing_svg

PAGE_WIDTH, MARGIN, KEYBOARD = 1200.0, 28.0, 22.0
LEFT, RIGHT = MARGIN + 26.0 + KEYBOARD, PAGE_WIDTH - MARGIN
HEADER, FOOTER = 66.0, 14.0
PEDAL_GAP, PEDAL_HEIGHT, AXIS_HEIGHT, SYSTEM_GAP = 5.0, 6.0, 18.0, 14.0
MOST_SYSTEMS = 12
LONGEST_SINGLE, LONGEST_SYSTEM = 45.0, 35.0  # seconds of a lone system, and of one among several where they are few
TICK_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800)
LABEL_SPACING = 52.0  # pixels, at least, between the labels of the time axis
BLACK_KEYS = (1, 3, 6, 8, 10)

IVORY, WHITE_ROW, BLACK_ROW = "#ffffff", "#fbfaf8", "#f1efeb"
INK, GREY, OCTAVE_LINE, SECOND_LINE, LABELLED_LINE = "#26222b", "#7a7580", "#d5d1ca", "#eeece7", "#dedad3"
MARK_INK = "#1565c0"
PROMPT_WHITE, PROMPT_BLACK, PROMPT_INK, PEDAL_INK, PEDAL_ROW = "#e4edf6", "#d8e4f0", "#4d7299", "#8b93a1", "#f4f3f0"
KEY_EDGE, EBONY = "#b9b4ac", "#3a363f"


@dataclass(frozen=True)
class _Scale:
    """How seconds and pitches become pixels: pitches [low, high], `key` pixels each."""

    low: int
    high: int
    key: float
    seconds: int
    per_second: float
    systems: int
    end: float

    @property
    def roll_height(self) -> float:
        return (self.high - self.low + 1) * self.key

    @property
    def system_height(self) -> float:
        return self.roll_height + PEDAL_GAP + PEDAL_HEIGHT + AXIS_HEIGHT


def roll_svg(
    notes: Notes, *, title: str = "", prompt_seconds: float = 0.0, marked: Collection[int] = frozenset()
) -> str:
    """Draw a piano roll as an SVG document; what begins before `prompt_seconds` is shaded as the prompt.

    Notes whose number is in `marked` stand in a blue frame.
    """
    return drawing_svg(roll_drawing(notes, title=title, prompt_seconds=prompt_seconds, marked=marked))


def roll_png(notes: Notes, *, title: str = "", prompt_seconds: float = 0.0) -> bytes:
    """Draw the same piano roll as a PNG, 2,400 pixels wide."""
    return drawing_png(roll_drawing(notes, title=title, prompt_seconds=prompt_seconds))


def write_roll(path: str | Path, notes: Notes, *, title: str = "", prompt_seconds: float = 0.0) -> None:
    """Write a piano roll, whole or not at all, as the ending of `path` says; RequestError unless .png or .svg."""
    path = Path(path)
    if path.suffix.lower() == ".svg":
        data = roll_svg(notes, title=title, prompt_seconds=prompt_seconds).encode()
    elif path.suffix.lower() == ".png":
        data = roll_png(notes, title=title, prompt_seconds=prompt_seconds)
    else:
        raise RequestError(f"{path}: a piano roll ends in .png or .svg")
    write_file(path, data, RequestError)


def pitch_name(pitch: int) -> str:
    """Name a MIDI pitch, with C4 as middle C: 60 -> C4, 61 -> C#4."""
    return ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")[pitch % 12] + str(pitch // 12 - 1)


def format_time(seconds: float) -> str:
    """Write a time as minutes and seconds: 75.4 -> 1:15."""
    whole = int(seconds)
    return (
        f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}" if whole >= 3600 else f"{whole // 60}:{whole % 60:02}"
    )


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
    chroma = 0.11 + 0.08 * np.sin(np.pi * share)
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
    linear = np.clip(rgb_from_cone @ (cone_from_lab @ np.stack([lightness, a, b])) ** 3, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return tuple("#" + bytes(colour).hex() for colour in np.rint(255 * encoded.T).astype(np.uint8))


# Layout


def roll_drawing(
    notes: Notes, *, title: str = "", prompt_seconds: float = 0.0, marked: Collection[int] = frozenset()
) -> Drawing:
    """Place everything on a page: heading, legend, and one system below the other."""
    scale = _choose_scale(notes)
    shapes: list[Shape] = [*_heading(notes, title), *_legend()]
    for system in range(scale.systems):
        top = HEADER + system * (scale.system_height + SYSTEM_GAP)
        shapes += _background(scale, system, top, prompt_seconds)
        shapes += _time_axis(scale, system, top)
        shapes += _prompt_edge(scale, system, top, prompt_seconds)
        shapes += _keyboard(scale, top)
        shapes += _pedal(notes, scale, system, top)
        shapes += _bars(notes, scale, system, top, marked)
    height = HEADER + scale.systems * (scale.system_height + SYSTEM_GAP) - SYSTEM_GAP + FOOTER
    return Drawing(PAGE_WIDTH, math.ceil(height), tuple(shapes))


def _choose_scale(notes: Notes) -> _Scale:
    low, high = (int(notes.pitch.min()), int(notes.pitch.max())) if len(notes) else (60, 60)
    low, high = low - 2, high + 2
    missing = max(0, 29 - (high - low + 1))
    low, high = max(0, low - missing // 2), min(127, high + (missing + 1) // 2)
    end = max(notes.seconds, 1.0)
    systems = 1 if end <= LONGEST_SINGLE else min(MOST_SYSTEMS, math.ceil(end / LONGEST_SYSTEM))
    seconds = math.ceil(end / systems)
    key = 6.0 if systems == 1 else 4.5 if systems <= 4 else 3.25
    return _Scale(low, high, key, seconds, (RIGHT - LEFT) / seconds, systems, end)


def _heading(notes: Notes, title: str) -> Iterator[Shape]:
    facts = [f"{len(notes):,} notes" if len(notes) != 1 else "1 note", format_time(notes.seconds)]
    if len(notes):
        facts.append(f"{pitch_name(int(notes.pitch.min()))} to {pitch_name(int(notes.pitch.max()))}")
    if len(notes.pedal):
        facts.append(f"{len(notes.pedal):,} pedals" if len(notes.pedal) != 1 else "1 pedal")
    yield Text(MARGIN, 32, _shorten(title) or "Piano roll", 19, INK)
    yield Text(MARGIN, 50, "   ".join(facts), 11.5)


def _shorten(title: str) -> str:
    return title if len(title) <= 80 else title[:79].rstrip() + "…"


def _legend() -> Iterator[Shape]:
    colours, width = velocity_colours(), 1.5
    left = RIGHT - width * 127
    yield Text(left - 10, 32, "velocity", 10.5, anchor="end")
    for velocity in range(1, 128):
        yield Box(left + (velocity - 1) * width, 24, width, 9, colours[velocity])
    for velocity in (1, 32, 64, 96, 127):
        yield Text(left + (velocity - 0.5) * width, 46, str(velocity), 9.5, anchor="middle")


def _background(scale: _Scale, system: int, top: float, prompt_seconds: float) -> Iterator[Shape]:
    right = _right(scale, system)
    edge = min(max(_x(scale, system, prompt_seconds), LEFT), right)
    yield from _rows(scale, top, (LEFT, edge), (PROMPT_WHITE, PROMPT_BLACK))
    yield from _rows(scale, top, (edge, right), (WHITE_ROW, BLACK_ROW))
    yield Box(LEFT, top + scale.roll_height + PEDAL_GAP, right - LEFT, PEDAL_HEIGHT, PEDAL_ROW)


def _rows(scale: _Scale, top: float, span: tuple[float, float], colours: tuple[str, str]) -> Iterator[Shape]:
    left, right = span
    if left >= right:
        return
    yield Box(left, top, right - left, scale.roll_height, colours[0])
    for pitch in range(scale.low, scale.high + 1):
        if pitch % 12 in BLACK_KEYS:
            yield Box(left, _y(scale, top, pitch), right - left, scale.key, colours[1])


def _prompt_edge(scale: _Scale, system: int, top: float, prompt_seconds: float) -> Iterator[Shape]:
    x = _x(scale, system, prompt_seconds)
    if LEFT < x < _right(scale, system):
        yield Line(x, top, x, top + scale.roll_height + PEDAL_GAP + PEDAL_HEIGHT, PROMPT_INK, 1.5)
    if prompt_seconds > 0 and system == 0:
        yield Text(LEFT + 5, top + 11, "prompt", 10, PROMPT_INK)


def _time_axis(scale: _Scale, system: int, top: float) -> Iterator[Shape]:
    start = system * scale.seconds
    bottom = top + scale.roll_height + PEDAL_GAP + PEDAL_HEIGHT
    labelled, fine = _tick_steps(scale)
    for tick in range(start, min(start + scale.seconds, math.ceil(scale.end)) + 1):
        x = _x(scale, system, tick)
        if tick % labelled == 0:
            yield Line(x, top, x, bottom + 3, LABELLED_LINE)
            text = f"{tick} s" if scale.end <= LONGEST_SINGLE else format_time(tick)
            yield Text(x, bottom + 14, text, 10, anchor="middle")
        elif tick % fine == 0:
            yield Line(x, top, x, top + scale.roll_height, SECOND_LINE)
    right = _right(scale, system)
    for pitch in range(scale.low, scale.high + 1):
        if pitch % 12 == 0:
            y = _y(scale, top, pitch) + scale.key
            yield Line(LEFT, y, right, y, OCTAVE_LINE)


def _tick_steps(scale: _Scale) -> tuple[int, int]:
    """Seconds between labelled ticks and between fine lines, so that neither crowd."""
    labelled = next((step for step in TICK_SECONDS if step * scale.per_second >= LABEL_SPACING), 3600)
    divisors = (step for step in TICK_SECONDS if labelled % step == 0 and step * scale.per_second >= LABEL_SPACING / 6)
    return labelled, next(divisors, labelled)


def _keyboard(scale: _Scale, top: float) -> Iterator[Shape]:
    """Draw the keys at the left edge, with the name of every C."""
    left = LEFT - KEYBOARD
    yield Box(left, top, KEYBOARD - 3, scale.roll_height, IVORY)
    for pitch in range(scale.low, scale.high + 1):
        y = _y(scale, top, pitch)
        if pitch % 12 in BLACK_KEYS:
            middle = y + scale.key / 2
            yield Line(left, middle, LEFT - 3, middle, KEY_EDGE)
            yield Box(left, y, (KEYBOARD - 3) * 0.62, scale.key, EBONY)
        elif pitch % 12 in (0, 5) and pitch > scale.low:
            yield Line(left, y + scale.key, LEFT - 3, y + scale.key, KEY_EDGE)
        if pitch % 12 == 0:
            is_middle = pitch == 60
            yield Text(left - 5, y + scale.key / 2 + 3.5, pitch_name(pitch), 10, INK if is_middle else GREY, "end")
    for x in (left, LEFT - 3):
        yield Line(x, top, x, top + scale.roll_height, KEY_EDGE)
    for y in (top, top + scale.roll_height):
        yield Line(left, y, LEFT - 3, y, KEY_EDGE)


def _pedal(notes: Notes, scale: _Scale, system: int, top: float) -> Iterator[Shape]:
    y = top + scale.roll_height + PEDAL_GAP
    yield Text(LEFT - 8, y + PEDAL_HEIGHT, "Ped.", 9.5, anchor="end")
    start, stop = system * scale.seconds, (system + 1) * scale.seconds
    inside = notes.pedal[(notes.pedal[:, 1] > start) & (notes.pedal[:, 0] < stop)]
    for down, up in np.clip(inside, start, stop).tolist():
        x = _x(scale, system, down)
        yield Box(x, y, max(_x(scale, system, up) - x - 0.5, 1.0), PEDAL_HEIGHT, PEDAL_INK, 1.5)


def _bars(notes: Notes, scale: _Scale, system: int, top: float, marked: Collection[int]) -> Iterator[Shape]:
    colours = velocity_colours()
    start, stop = system * scale.seconds, (system + 1) * scale.seconds
    inside = np.flatnonzero((notes.release > start) & (notes.onset < stop))
    left = LEFT + (np.maximum(notes.onset[inside], start) - start) * scale.per_second
    right = LEFT + (np.minimum(notes.release[inside], stop) - start) * scale.per_second
    width = np.maximum(right - left - 0.4, 1.5)
    columns = (inside, left, width, notes.pitch[inside], notes.velocity[inside])
    for number, x, w, pitch, velocity in zip(*(column.tolist() for column in columns), strict=True):
        if number in marked:
            yield Box(x - 2, _y(scale, top, pitch) - 1.75, w + 4, scale.key + 3.5, MARK_INK, 2.0)
        yield Box(x, _y(scale, top, pitch) + 0.25, w, scale.key - 0.5, colours[velocity], 1.0)


def _right(scale: _Scale, system: int) -> float:
    """Where a system's paper ends: the last one's at the piece's end, rounded up to a second."""
    return min(_x(scale, system, math.ceil(scale.end)), RIGHT)


def _x(scale: _Scale, system: int, seconds: float) -> float:
    return LEFT + (seconds - system * scale.seconds) * scale.per_second


def _y(scale: _Scale, top: float, pitch: int) -> float:
    return top + (scale.high - pitch) * scale.key
