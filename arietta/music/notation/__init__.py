"""Scores in MusicXML, read as they are played: notes at their written places, in their metre, keys and tempos.

    score = read_score("minuet.musicxml")      # or .mxl, or .xml
    score.notes                                # in seconds, by the tempos that the score gives
    score.meter                                # its bars, keys and tempos

Read are notes of all pitched parts, ties, repeats and voltas, tempos, dynamics signs, pedal marks and grace notes, a
thirty-second each before the note they lead to. Signs that tell how to play and not what (trills, arpeggios,
articulation, hairpins) are not played. `document` reads the file, `measures` what stands in it, `repeats` its order,
and `unfolding` what measures in that order make.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from ...errors import ScoreError
from ..heading import UNKNOWN, Heading
from ..meter import Floats, Meter
from ..notes import Bytes, Notes, next_strike
from .document import ANEW, read_document
from .measures import PartMeasure, PartReader, WrittenNote, iterate_parts
from .repeats import play_order
from .unfolding import find_velocities, join_ties, lay_meter, pair_pedal_marks

MOST_NOTES = 200_000  # played; the longest of 150 piano scores has 21,000
# A bar that is no multiple of 1/16 or 1/3 of a quarter note lasts so long only because its tuplets are rounded, if it
# is nearer than this to what its signature says.
PARTS, ROUNDED = 48, Fraction(1, 4)


@dataclass(frozen=True)
class Score:
    """A written piece: columns [N] in order of (start, pitch), positions and lengths float64 in quarter notes.

    `name` int64 lies on the line of fifths (C 0, G 1), `staff` int64 counts from 1 downwards within a part, `voice`
    int64 through all voices of all parts; `pedal` float64 [P, 2] are positions. `meter` has bars, keys and tempos;
    `remarks` say what was merged or left out.
    """

    start: Floats
    length: Floats
    pitch: Bytes
    velocity: Bytes
    name: NDArray[np.int64]
    staff: NDArray[np.int64]
    voice: NDArray[np.int64]
    pedal: Floats
    meter: Meter
    heading: Heading = UNKNOWN
    remarks: tuple[str, ...] = ()

    @property
    def notes(self) -> Notes:
        """The notes in seconds; a key struck twice at once is one note, the longer; a strike ends what it repeats."""
        order = np.lexsort((-self.length, self.pitch, self.start))
        same = (np.diff(self.start[order], prepend=-1.0) == 0) & (
            np.diff(self.pitch[order].astype(int), prepend=-1) == 0
        )
        chosen = order[~same]
        onset, release = self.meter.seconds(self.start[chosen]), self.meter.seconds((self.start + self.length)[chosen])
        notes = Notes.of(onset, release - onset, self.pitch[chosen], self.velocity[chosen])
        length = np.minimum(notes.release, next_strike(notes)) - notes.onset
        return Notes.of(notes.onset, length, notes.pitch, notes.velocity, self.meter.seconds(self.pedal))


def read_score(source: str | Path | bytes, *, name: str | None = None) -> Score:
    """Read a path or the bytes of a score; `name` stands for it in messages.

    Raises ScoreError, naming the file and the reason, where it cannot be opened, is no MusicXML, declares entities, is
    larger than 32 MB (unpacked, too), or where its measures make no sense.
    """
    name = name or ("the score" if isinstance(source, bytes) else str(source))
    root = read_document(source, name)
    try:
        readers = [(part_name, PartReader(), part) for part_name, part in iterate_parts(root)]
        parts = [[reader.read(measure) for measure in part.iterfind("measure")] for _, reader, part in readers]
        score = _play([part for part in parts if part])
    except ScoreError as error:
        raise ScoreError(f"{name}: {error}{ANEW}") from error
    heading = Heading.read(root.findtext("work/work-title") or root.findtext("movement-title"), _composer(root))
    pitched = [
        part_name or "without a name"
        for (part_name, _, _), part in zip(readers, parts, strict=True)
        if any(measure.notes for measure in part)
    ]
    remarks = [f"Parts were merged into one piano: {', '.join(pitched)}."] if len(pitched) > 1 else []
    if pitched and root.find("part/measure/attributes/time") is None:
        remarks.append("It has no time signature: its bars are as long as its measures.")
    if count := sum(reader.unpitched_count for _, reader, _ in readers):
        remarks.append(f"Percussion was left out: {count:,} notes.")
    return replace(score, heading=heading, remarks=tuple(remarks))


def _composer(root: Element) -> str:
    """The first who is said to have composed it; a creator of no kind is taken for him."""
    creators = root.findall("identification/creator")
    return next((creator.text or "" for creator in creators if creator.get("type", "composer") == "composer"), "")


def _play(parts: Sequence[Sequence[PartMeasure]]) -> Score:
    """Play the measures of all parts side by side, in the order that their repeats make."""
    count = max((len(part) for part in parts), default=0)
    columns = [[part[index] for part in parts if index < len(part)] for index in range(count)]
    # Jumps of the first part: notation programs write them into every part, or into the first alone.
    order = play_order([column[0].jumps for column in columns])
    lengths = [_bar_length(column) for column in columns]
    begins = [Fraction(0)]
    for index in order:
        begins.append(begins[-1] + lengths[index])
    if sum(len(measure.notes) for index in order for measure in columns[index]) > MOST_NOTES:
        raise ScoreError(f"it has more than {MOST_NOTES:,} notes")
    played: list[WrittenNote] = []
    velocities: list[int] = []
    numbers: dict[tuple[int, str], int] = {}  # of the voices, each by its part and its name there
    voices: list[int] = []
    for number in range(len(parts)):
        measures = [
            (begin, parts[number][index])
            for begin, index in zip(begins, order, strict=False)
            if index < len(parts[number])
        ]
        notes = join_ties(measures)
        played += notes
        velocities += find_velocities(notes, measures)
        voices += [numbers.setdefault((number, note.voice), len(numbers)) for note in notes]
    timed = [(begin, columns[index]) for begin, index in zip(begins, order, strict=False)]
    order_by_time = sorted(range(len(played)), key=lambda note: (played[note].start, played[note].pitch))
    chosen = [played[note] for note in order_by_time]
    return Score(
        np.array([float(note.start) for note in chosen]),
        np.array([float(note.length) for note in chosen]),
        np.array([note.pitch for note in chosen], dtype=np.uint8),
        np.array([velocities[note] for note in order_by_time], dtype=np.uint8),
        np.array([note.name for note in chosen], dtype=np.int64),
        np.array([note.staff for note in chosen], dtype=np.int64),
        np.array([voices[note] for note in order_by_time], dtype=np.int64),
        pair_pedal_marks(timed, begins[-1]),
        lay_meter(timed, [lengths[index] for index in order]),
    )


def _bar_length(column: Sequence[PartMeasure]) -> Fraction:
    """How long a bar of all parts lasts: as its signature says where it holds nothing, or but for rounding as much."""
    length, nominal = max(measure.length for measure in column), column[0].nominal
    is_rounded = PARTS % length.denominator > 0 and abs(length - nominal) < ROUNDED
    return nominal if not length or is_rounded else length
