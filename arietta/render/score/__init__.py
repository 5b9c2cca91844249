"""Scores: a piece on two staves, as MusicXML that notation programs open, or engraved as PDF.

    write_score("piece.musicxml", notes, title="Piece", meter=read_meter("piece.mid"))

The metre is the one given (`midi.read_meter`), or found in the timing of the notes (`beats`). Then the steps, a module
each: hands (`hands`), positions in the bars (`quantise`), voices and note values (`voices`), key and names
(`spelling`), clefs and octave signs (`clefs`), marks for tempo, loudness and pedal (`marks`), and at last the text
(`accidentals`, `beams`, `musicxml`). Every note is written, once, ties aside, but for those below the lowest octave of
MusicXML: `write_score` returns how many they are, and how many come too fast for thirty-seconds. With an exact metre
bars and notes are those of the file; a score made from a performance is a first draft.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from ...errors import RequestError
from ...files import write_file
from ...music.beats import find_meter
from ...music.heading import Heading
from ...music.meter import LATTICE, Bar, Meter, lay_out_bars
from ...music.notes import Notes, select
from .accidentals import Head
from .clefs import choose_registers
from .engraving import engrave
from .hands import split_hands
from .marks import find_marks
from .musicxml import Measure, score_xml
from .quantise import Positions, find_too_fast, quantise_notes
from .spelling import LOWEST, find_signatures, spell
from .voices import write_voices

VOICES, VOICES_EXACT = 2, 4  # more voices only where the rhythm is sure: of a performance they would be guesses
UPBEAT = 0.25  # quarter notes before the first beat of a metre: what begins still earlier has bars of its own
Key = tuple[int, bool]  # sharps (flats when negative), is it minor


@dataclass(frozen=True)
class Unwritten:
    """What a score cannot show: how many notes are left out below C0, and how many come too fast for thirty-seconds."""

    too_low: int = 0
    too_fast: int = 0


def score_musicxml(
    notes: Notes, *, title: str = "", composer: str = "", meter: Meter | None = None, texts: Sequence[str] = ()
) -> str:
    """Write a piece as a MusicXML 4.0 document, in `meter` or in the one found in its timing.

    `texts`, as a MIDI file has them, stand among what the document says of itself.
    """
    return _transcribe(notes, Heading(title, composer), meter, texts)[0]


def write_score(
    path: str | Path,
    notes: Notes,
    *,
    title: str = "",
    composer: str = "",
    meter: Meter | None = None,
    texts: Sequence[str] = (),
) -> Unwritten:
    """Write a score atomically, as the ending of `path` says, .musicxml, or .pdf, engraved; return what it leaves out.

    A PDF shows its title, its composer and no `texts`. Raises RequestError for other endings, where there are no notes,
    where the file cannot be written, and where verovio is missing for a PDF.
    """
    path = Path(path)
    if path.suffix.lower() not in (".musicxml", ".pdf"):
        raise RequestError(f"{path}: a score ends in .musicxml or .pdf")
    if not len(notes):
        raise RequestError(f"{path}: the music has no notes, of which a score could be made; give music that has some")
    text, unwritten = _transcribe(notes, Heading(title, composer), meter, texts)
    write_file(path, text.encode() if path.suffix.lower() == ".musicxml" else engrave(text), RequestError)
    return unwritten


def choose_meter(notes: Notes, meter: Meter | None) -> Meter:
    """Return the metre that a piece is written in, the one given or found: of music before its first beat, led in."""
    meter = meter or find_meter(notes)
    return meter.led_in() if meter.quarters(notes.onset).min(initial=0.0) < -UPBEAT else meter


def _transcribe(notes: Notes, heading: Heading, meter: Meter | None, texts: Sequence[str]) -> tuple[str, Unwritten]:
    """Write a piece as MusicXML, step by step; also what of it could not be written."""
    all_count = len(notes)
    notes = select(notes, notes.pitch >= LOWEST)
    meter = choose_meter(notes, meter)
    is_right = split_hands(notes)
    # A quantised end may lie beyond the last release; strikes of one key at one position move on by 4.
    most_strikes = int(np.bincount(notes.pitch, minlength=1).max())
    last = meter.quarters(notes.release).max(initial=0.0)
    bars = lay_out_bars(meter, int(last * LATTICE) + 4 * LATTICE + 4 * most_strikes)
    start, end = quantise_notes(notes, meter, bars, is_right)
    end = _end_on_a_bar_line(notes, meter, (start, end), bars)
    bars = [bar for bar in bars if bar is bars[0] or bar.start < end.max(initial=0)]
    keys = _find_keys(notes, meter, start, bars)
    names = _spell_by_key(notes, start, bars, keys)
    marks = find_marks(notes, meter, start, bars)
    most = VOICES_EXACT if meter.is_exact else VOICES
    hands = is_right, ~is_right  # the upper staff and the lower
    upper, lower = (write_voices(start[hand], end[hand], notes.pitch[hand], bars, most) for hand in hands)
    heads = [Head(pitch, name) for pitch, name in zip(notes.pitch.tolist(), names, strict=True)]
    upper_heads, lower_heads = ([heads[note] for note in np.flatnonzero(hand)] for hand in hands)
    uppers = choose_registers(start[is_right], end[is_right], notes.pitch[is_right], bars)
    lowers = choose_registers(start[~is_right], end[~is_right], notes.pitch[~is_right], bars, uppers)
    measures = [
        Measure(bar, (upper[index], lower[index]), *keys[index], tuple(marks[index]), (uppers[index], lowers[index]))
        for index, bar in enumerate(bars)
    ]
    unwritten = Unwritten(all_count - len(notes), int(find_too_fast(notes, meter, start, is_right).sum()))
    return score_xml(measures, (upper_heads, lower_heads), heading, texts), unwritten


def _end_on_a_bar_line(
    notes: Notes, meter: Meter, spans: tuple[Positions, Positions], bars: Sequence[Bar]
) -> Positions:
    """Return the ends of quantised `spans`, cut at the line of a bar that only late releases open, by an eighth.

    In an exact metre no release is late: there only ends that were rounded up to such a bar are cut.
    """
    start, end = spans
    last = max((bar.start for bar in bars if bar.start < end.max(initial=0)), default=0)
    late = 1 / LATTICE if meter.is_exact else 0.5
    is_opened = start.max(initial=0) < last and meter.quarters(notes.release).max() <= last / LATTICE + late
    return np.minimum(end, last) if is_opened else end


def _find_keys(notes: Notes, meter: Meter, start: Positions, bars: Sequence[Bar]) -> list[Key]:
    """The key of each bar: those that the metre came with, from the bar nearest to them on, or those that are found."""
    starts = np.array([bar.start for bar in bars])
    if not meter.keys:
        length = meter.quarters(notes.release) - meter.quarters(notes.onset)
        return find_signatures(notes.pitch, length, np.searchsorted(starts, start, side="right") - 1, len(bars))
    changes = meter.quarters([key.seconds for key in meter.keys]) * LATTICE
    owner = np.searchsorted(changes, starts + LATTICE / 2, side="right") - 1
    return [(key.sharps, key.is_minor) for key in (meter.keys[max(index, 0)] for index in owner.tolist())]


def _spell_by_key(notes: Notes, start: Positions, bars: Sequence[Bar], keys: Sequence[Key]) -> list[int]:
    """Name the notes in the order they are written, anew from where the key changes."""
    names = [0] * len(notes)
    order = np.lexsort((notes.pitch, start))
    bar = np.searchsorted([bar.start for bar in bars], start[order], side="right") - 1
    for (sharps, is_minor), run in groupby(zip(order.tolist(), bar.tolist(), strict=True), lambda pair: keys[pair[1]]):
        indices = [note for note, _ in run]
        for note, name in zip(indices, spell(notes.pitch[indices].tolist(), sharps, is_minor=is_minor), strict=True):
            names[note] = name
    return names
