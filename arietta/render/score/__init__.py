"""Scores: a piece on two staves, as MusicXML that notation programs open.

    write_score("piece.musicxml", notes, title="Piece", meter=read_meter("piece.mid"))

The metre is the one given (`midi.read_meter`), or found in the timing of the notes (`beats`); then hands (`hands`),
places in the bars (`grid`), voices and values (`voices`), key and names (`spelling`), and marks for tempo, loudness and
pedal. Every note is written, once, ties aside. With an exact metre bars and notes are those of the file; a score heard
from a performance is a first draft.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from ...errors import RequestError
from ...files import write_file
from ...music.beats import find_meter
from ...music.meter import LATTICE, Bar, Meter, lay_out_bars
from ...music.notes import Notes
from .engraving import engrave
from .hands import split_hands
from .musicxml import Head, Mark, Measure, score_xml
from .quantise import Positions, quantise_notes
from .spelling import signature, spell
from .voices import write_voices

VOICES, VOICES_EXACT = 2, 4
LOUDNESS = ((36, "pp"), (52, "p"), (66, "mp"), (80, "mf"), (96, "f"), (128, "ff"))  # velocity below which a mark holds
STEADY = 6  # velocities beyond a mark's bounds before it changes
PEDAL_GRID = LATTICE // 4


def musicxml(notes: Notes, *, title: str = "", meter: Meter | None = None) -> str:
    """Write a piece as a MusicXML 4.0 document, in `meter` or in the one found in its timing."""
    meter = meter or find_meter(notes)
    is_right = split_hands(notes)
    last = float(meter.quarters(notes.release).max(initial=0.0)) * LATTICE
    layout = lay_out_bars(meter, int(last) + 4 * LATTICE)
    start, end = quantise_notes(notes, meter, layout, is_right)
    layout = [bar for bar in layout if bar.start < end.max(initial=1)]
    keys = _keys(notes, meter, layout)
    names, marks = _names(notes, start, layout, keys), _marks(notes, meter, start, layout)
    most = VOICES_EXACT if meter.is_exact else VOICES
    right, left = (
        write_voices(start[hand], end[hand], notes.pitch[hand], layout, most) for hand in (is_right, ~is_right)
    )
    heads = [Head(pitch, name) for pitch, name in zip(notes.pitch.tolist(), names, strict=True)]
    upper, lower = ([heads[n] for n in np.flatnonzero(hand)] for hand in (is_right, ~is_right))
    measures = [Measure(bar, (right[n], left[n]), *keys[n], marks=tuple(marks[n])) for n, bar in enumerate(layout)]
    return score_xml(measures, (upper, lower), title)


def write_score(path: str | Path, notes: Notes, *, title: str = "", meter: Meter | None = None) -> None:
    """Write a score, whole or not at all, as the ending of `path` says: .musicxml, or .pdf, engraved.

    Raises RequestError for other endings, where the file cannot be written, and where verovio is missing for a PDF.
    """
    path = Path(path)
    if path.suffix.lower() not in (".musicxml", ".pdf"):
        raise RequestError(f"{path}: a score ends in .musicxml or .pdf")
    text = musicxml(notes, title=title, meter=meter)
    data = text.encode() if path.suffix.lower() == ".musicxml" else engrave(text)
    write_file(path, data, RequestError)


def _keys(notes: Notes, meter: Meter, layout: Sequence[Bar]) -> list[tuple[int, bool]]:
    """The key of each bar: those that the metre came with, from the bar nearest to them on, or one for all."""
    found = signature(notes.pitch, notes.duration)
    if not meter.keys:
        return [found] * len(layout)
    starts = np.array([bar.start for bar in layout])
    changes = meter.quarters([key.seconds for key in meter.keys]) * LATTICE
    owner = np.searchsorted(changes, starts + LATTICE / 2, side="right") - 1
    return [(meter.keys[max(n, 0)].sharps, meter.keys[max(n, 0)].is_minor) for n in owner.tolist()]


def _names(notes: Notes, start: Positions, layout: Sequence[Bar], keys: Sequence[tuple[int, bool]]) -> list[int]:
    """Name the notes in the order they are written, key by key."""
    names = [0] * len(notes)
    order = np.lexsort((notes.pitch, start))
    bar = np.searchsorted([bar.start for bar in layout], start[order], side="right") - 1
    begins = 0
    while begins < len(order):
        key = keys[bar[begins]]
        ends = next((n for n in range(begins, len(order)) if keys[bar[n]] != key), len(order))
        part = order[begins:ends].tolist()
        for note, name in zip(part, spell(notes.pitch[part].tolist(), key[0], is_minor=key[1]), strict=True):
            names[note] = name
        begins = ends
    return names


# Marks


def _marks(notes: Notes, meter: Meter, start: Positions, layout: Sequence[Bar]) -> list[list[Mark]]:
    """Give each bar its marks."""
    edges = np.array([bar.start for bar in layout])
    marks: list[list[Mark]] = [[] for _ in layout]
    for mark in (*_tempo(meter, layout), *_loudness(notes, start, layout), *_pedal(notes, meter)):
        if edges[0] <= mark.place <= layout[-1].start + layout[-1].length:
            side: Literal["left", "right"] = (
                "left" if mark.text == "stop" else "right"
            )  # before the bar line or after it
            marks[max(int(np.searchsorted(edges, mark.place, side=side)) - 1, 0)].append(mark)
    return marks


def _tempo(meter: Meter, layout: Sequence[Bar]) -> Iterator[Mark]:
    """One tempo for the piece: the usual length of its quarter notes."""
    places = np.arange(layout[0].start, layout[-1].start + layout[-1].length + 1, LATTICE) / LATTICE
    yield Mark(layout[0].start, "tempo", f"{60 / float(np.median(np.diff(meter.seconds(places)))):.0f}")


def _loudness(notes: Notes, start: Positions, layout: Sequence[Bar]) -> Iterator[Mark]:
    """A mark where the loudness of a bar, its neighbours taken in, leaves the bounds of the mark before."""
    edges = np.array([bar.start for bar in layout])
    owner = np.searchsorted(edges, start, side="right") - 1
    count = np.convolve(np.bincount(owner, minlength=len(edges)), [1, 2, 1])[1:-1]
    total = np.convolve(np.bincount(owner, notes.velocity, minlength=len(edges)), [1, 2, 1])[1:-1]
    low, high = 128.0, 0.0
    for edge, notes_there, sum_there in zip(edges.tolist(), count.tolist(), total.tolist(), strict=True):
        if not notes_there:
            continue
        velocity = sum_there / notes_there
        if not low - STEADY <= velocity < high + STEADY:
            number = next(n for n, (bound, _) in enumerate(LOUDNESS) if velocity < bound)
            low, high = LOUDNESS[number - 1][0] if number else 0, LOUDNESS[number][0]
            yield Mark(edge, "dynamics", LOUDNESS[number][1])


def _pedal(notes: Notes, meter: Meter) -> Iterator[Mark]:
    """Ped. where the pedal goes down and * where it is up; one too short to be written is left out."""
    places = np.rint(meter.quarters(notes.pedal) * LATTICE / PEDAL_GRID).astype(int) * PEDAL_GRID
    for down, up in places[places[:, 1] > places[:, 0]].tolist():
        yield Mark(down, "pedal", "start")
        yield Mark(up, "pedal", "stop")
