"""The measures of a MusicXML part: notes, signatures, marks and jumps, at positions within the measure.

Positions and lengths are counted in quarter notes, as fractions: divisions differ from part to part and may change.

    https://www.w3.org/2021/06/musicxml40/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from xml.etree.ElementTree import Element

from ...errors import ScoreError

STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
FIFTHS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
UNITS = {"whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5, "16th": 0.25, "32nd": 0.125}
# Velocities of dynamics signs, evenly from ppp to fff about a mezzo forte of 72.
LOUDNESS = {"pppp": 16, "ppp": 24, "pp": 34, "p": 48, "mp": 60, "mf": 72, "f": 86, "ff": 100, "fff": 112, "ffff": 122}
ACCENTS = {"sf": 100, "sfz": 100, "fz": 100, "rfz": 96, "sffz": 110, "fp": 86}
GRACE = Fraction(1, 8)  # of a quarter note: how long a grace note lasts, before the note it leads to
Position = Fraction


@dataclass(frozen=True)
class WrittenNote:
    """A note within a measure; `name` lies on the line of fifths (C 0, G 1), `staff` counts from 1 downwards.

    `is_tied` says that it goes on into another note, `was_tied` that it is the end of one. `grace` counts how many
    grace notes stand from here to the note they lead to; 0 for other notes.
    """

    start: Position
    length: Position
    pitch: int
    name: int
    staff: int
    voice: str
    is_tied: bool = False
    was_tied: bool = False
    grace: int = 0


@dataclass(frozen=True)
class Jumps:
    """Where playing goes from a measure: repeats, voltas, and the words and signs of D.C. and D.S. (`sound`)."""

    is_forward: bool = False
    backward: int = 0  # how often the stretch is played in all; 0 where nothing is repeated
    endings: frozenset[int] = frozenset()
    ends_ending: bool = False
    sounds: frozenset[str] = frozenset()


@dataclass
class PartMeasure:
    """A measure of one part: what it holds, by position within it. `time`, `key` and so on only where they change."""

    length: Position = Fraction(0)
    nominal: Position = Fraction(4)
    notes: list[WrittenNote] = field(default_factory=list)
    tempos: list[tuple[Position, float]] = field(default_factory=list)
    dynamics: list[tuple[Position, int]] = field(default_factory=list)
    pedal: list[tuple[Position, str]] = field(default_factory=list)
    time: tuple[int, int] | None = None
    key: tuple[int, bool] | None = None
    jumps: Jumps = Jumps()


class PartReader:
    """Reads the measures of a part in order; it carries what holds on: divisions, transposition, the last signature."""

    def __init__(self) -> None:
        self.divisions = Fraction(1)
        self.transposition = 0
        self.nominal = Fraction(4)
        self.unpitched_count = 0
        self._endings: frozenset[int] = frozenset()

    def read(self, element: Element) -> PartMeasure:
        """Read one measure; raises ScoreError where a number in it is none or makes no sense."""
        measure = PartMeasure(nominal=self.nominal)
        position, onset = Fraction(0), Fraction(0)
        for child in element:
            if child.tag == "note":
                position, onset = self._read_note(child, measure, position, onset)
            elif child.tag in ("backup", "forward"):
                step = self._duration(child)  # below 0 in files of one scanner: moves the other way
                position = max(position + (step if child.tag == "forward" else -step), Fraction(0))
            elif child.tag == "attributes":
                self._read_attributes(child, measure)
            elif child.tag in ("direction", "sound"):
                self._read_direction(child, measure, position)
            measure.length = max(measure.length, position)
        _set_graces(measure)
        measure.jumps = self._read_jumps(element)
        return measure

    def _read_note(
        self, element: Element, measure: PartMeasure, position: Position, onset: Position
    ) -> tuple[Position, Position]:
        """Add a note, unless it rests; return the position after it and its onset, which a chord shares."""
        is_grace = element.find("grace") is not None
        length = Fraction(0) if is_grace else max(self._duration(element), Fraction(0))
        if element.find("chord") is None:
            onset, position = position, position + length
        if element.find("unpitched") is not None:
            self.unpitched_count += 1
        pitch = element.find("pitch")
        if pitch is None or (element.find("cue") is not None and not length):
            return position, onset
        step, octave = (pitch.findtext("step") or "").strip(), _number(pitch.findtext("octave"), "octave")
        if step not in STEPS:
            raise ScoreError(f"a note named {step!r}, which is none of A to G")
        alter = round(_number(pitch.findtext("alter") or "0", "alter"))
        number = STEPS[step] + alter + 12 * (round(octave) + 1) + self.transposition
        ties = {tie.get("type") for tie in element.iter("tie")}
        if 0 <= number <= 127:
            measure.notes.append(
                WrittenNote(
                    onset,
                    length,
                    number,
                    FIFTHS[step] + 7 * alter,
                    round(_number(element.findtext("staff") or "1", "staff")),
                    (element.findtext("voice") or "1").strip(),
                    "start" in ties,
                    "stop" in ties,
                    int(is_grace),
                )
            )
        return position, onset

    def _duration(self, element: Element) -> Position:
        duration = _number(element.findtext("duration"), "duration")
        if not abs(duration) <= 2**20:
            raise ScoreError(f"a duration of {duration:g}")
        return Fraction(duration).limit_denominator(2**16) / self.divisions

    def _read_attributes(self, element: Element, measure: PartMeasure) -> None:
        if (divisions := element.findtext("divisions")) is not None:
            self.divisions = Fraction(_number(divisions, "divisions")).limit_denominator(2**16)
            if not 0 < self.divisions <= 2**20:
                raise ScoreError(f"divisions of {divisions} to a quarter note")
        if (chromatic := element.findtext("transpose/chromatic")) is not None:
            octaves = _number(element.findtext("transpose/octave-change") or "0", "octave-change")
            self.transposition = round(_number(chromatic, "chromatic") + 12 * octaves)
        if (fifths := element.findtext("key/fifths")) is not None:
            is_minor = (element.findtext("key/mode") or "").strip() == "minor"
            measure.key = max(-7, min(round(_number(fifths, "fifths")), 7)), is_minor
        time = element.find("time")
        if time is not None and time.find("beats") is not None:
            beats = sum(round(_number(part, "beats")) for part in (time.findtext("beats") or "").split("+"))
            unit = round(_number(time.findtext("beat-type"), "beat-type"))
            if not (0 < beats <= 64 and unit in (1, 2, 4, 8, 16, 32)):
                raise ScoreError(f"a time signature of {beats}/{unit}")
            measure.time = beats, unit
            self.nominal = measure.nominal = Fraction(4 * beats, unit)

    def _read_direction(self, element: Element, measure: PartMeasure, position: Position) -> None:
        """Read tempo, loudness and pedal of a direction, or of a sound that stands alone."""
        offset = element.findtext("offset")
        if offset is not None:
            step = Fraction(_number(offset, "offset")).limit_denominator(2**16) / self.divisions
            position = max(position + step, Fraction(0))
        sound = element if element.tag == "sound" else element.find("sound")
        tempo = sound.get("tempo") if sound is not None else None
        if tempo is None and (metronome := element.find("direction-type/metronome")) is not None:
            tempo = _read_metronome(metronome)
        if tempo is not None and (beats_per_minute := _number(tempo, "tempo")) > 0:
            measure.tempos.append((position, beats_per_minute))
        for signs in element.iterfind("direction-type/dynamics"):
            for sign in signs:
                if (velocity := LOUDNESS.get(sign.tag)) is not None:
                    measure.dynamics.append((position, velocity))
        for pedal in element.iterfind("direction-type/pedal"):
            measure.pedal.append((position, pedal.get("type", "")))

    def _read_jumps(self, element: Element) -> Jumps:
        is_forward, backward, ends = False, 0, False
        for bar_line in element.iterfind("barline"):
            repeat, ending = bar_line.find("repeat"), bar_line.find("ending")
            if repeat is not None and repeat.get("direction") == "forward":
                is_forward = True
            elif repeat is not None:
                backward = max(round(_number(repeat.get("times") or "2", "times")), 2)
            if ending is not None and ending.get("type") == "start":
                numbers = (ending.get("number") or "1").replace(",", " ").split()
                self._endings = frozenset(int(number) for number in numbers if number.isdecimal())
            ends = ends or (ending is not None and ending.get("type") in ("stop", "discontinue"))
        endings = self._endings
        if ends:
            self._endings = frozenset()
        sounds = frozenset(
            name
            for sound in element.iter("sound")
            for name in ("dacapo", "dalsegno", "segno", "coda", "tocoda", "fine")
            if sound.get(name) not in (None, "no")
        )
        return Jumps(is_forward, backward, endings, ends, sounds)


def _read_metronome(element: Element) -> str | None:
    """Give the quarters a minute of a metronome mark; None of one that compares two note values."""
    unit, per_minute = UNITS.get((element.findtext("beat-unit") or "").strip()), element.findtext("per-minute")
    if unit is None or per_minute is None:
        return None
    digits = "".join(sign if sign.isdigit() or sign == "." else " " for sign in per_minute).split()
    if not digits:
        return None
    dotted = unit * (2 - 0.5 ** len(element.findall("beat-unit-dot")))
    return str(dotted * _number(digits[0], "per-minute"))


def _set_graces(measure: PartMeasure) -> None:
    """Count the grace notes before each note, and give them their lengths and their times before it."""
    notes = measure.notes
    count = 0
    for index in reversed(range(len(notes))):
        note = notes[index]
        if not note.grace:
            count = 0
            continue
        follows = index + 1 < len(notes) and notes[index + 1].grace and notes[index + 1].start == note.start
        # Notes of one grace chord would be told by <chord>; they share a time, and their count goes on from the last.
        count = count + 1 if follows and notes[index + 1].voice == note.voice else 1
        notes[index] = WrittenNote(
            note.start, GRACE, note.pitch, note.name, note.staff, note.voice, note.is_tied, note.was_tied, count
        )


def iterate_parts(root: Element) -> Iterator[tuple[str, Element]]:
    """Give the names of the parts and their elements, in order."""
    names = {
        part.get("id"): (part.findtext("part-name") or "").strip() for part in root.iterfind("part-list/score-part")
    }
    for part in root.iterfind("part"):
        yield names.get(part.get("id"), ""), part


def _number(text: str | None, what: str) -> float:
    try:
        number = float(text or "")
    except ValueError as error:
        raise ScoreError(f"{what} is {text!r}, which is no number") from error
    if not abs(number) < 1e9:  # NaN too
        raise ScoreError(f"{what} is {text}")
    return number
