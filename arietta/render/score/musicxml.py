"""A score as MusicXML 4.0: one part, two staves, written from bars of note values.

What is written stands in `Measure`; which values, names and marks those are is decided elsewhere. Accidentals are
worked out here (those that differ from the signature and from what the bar has shown), and so are beams (the values
shorter than a quarter note that share a beat).

    https://www.w3.org/2021/06/musicxml40/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from ...music.meter import LATTICE, Bar
from .spelling import octave, signature_alters, step_and_alter
from .voices import Value

FLAGS = {"eighth": 1, "16th": 2, "32nd": 3}
ACCIDENTALS = {-1: "flat", 0: "natural", 1: "sharp"}
VOICES_A_STAFF = 4
HEADING = """<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">
<score-partwise version="4.0">"""

Voices = Sequence[Sequence[Value]]


@dataclass(frozen=True)
class Head:
    """A note's MIDI pitch, and the name it is written by (a place on the line of fifths)."""

    pitch: int
    name: int


@dataclass(frozen=True)
class Mark:
    """A sign at a lattice place: `kind` is tempo (`text`: quarters a minute), dynamics (mf) or pedal (start, stop)."""

    place: int
    kind: str
    text: str


@dataclass(frozen=True)
class Measure:
    """One bar: the voices of the upper and lower staff, its key's sharps, and its marks."""

    bar: Bar
    staves: tuple[Voices, Voices]
    sharps: int
    is_minor: bool = False
    marks: tuple[Mark, ...] = ()


def score_xml(measures: Iterable[Measure], heads: tuple[Sequence[Head], Sequence[Head]], title: str = "") -> str:
    """Write a score; the notes of each staff's values count in its own `heads`."""
    return "\n".join(_lines(measures, heads, title)) + "\n"


def _lines(measures: Iterable[Measure], heads: tuple[Sequence[Head], Sequence[Head]], title: str) -> Iterator[str]:
    yield HEADING
    if title:
        yield f"<work><work-title>{escape(_printable(title))}</work-title></work>"
    yield "<identification><encoding><software>Arietta</software></encoding></identification>"
    yield '<part-list><score-part id="P1"><part-name>Piano</part-name></score-part></part-list>'
    yield '<part id="P1">'
    key: tuple[int, bool] | None = None
    number = 0
    for measure in measures:
        implicit = ' implicit="yes"' if measure.bar.is_pickup else ""
        number += not measure.bar.is_pickup
        yield f'<measure number="{number}"{implicit}>'
        yield from _attributes(measure, key)
        yield from _contents(measure, heads)
        yield "</measure>"
        key = measure.sharps, measure.is_minor
    yield "</part>"
    yield "</score-partwise>"


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())


def _attributes(measure: Measure, key: tuple[int, bool] | None) -> Iterator[str]:
    inside = f"<divisions>{LATTICE}</divisions>" if key is None else ""
    if key != (measure.sharps, measure.is_minor):
        mode = "minor" if measure.is_minor else "major"
        inside += f"<key><fifths>{measure.sharps}</fifths><mode>{mode}</mode></key>"
    if measure.bar.signature:
        beats, unit = measure.bar.signature
        inside += f"<time><beats>{beats}</beats><beat-type>{unit}</beat-type></time>"
    if key is None:
        inside += "<staves>2</staves>"
        inside += "".join(
            f'<clef number="{n}"><sign>{sign}</sign><line>{line}</line></clef>' for n, sign, line in CLEFS
        )
    if inside:
        yield f"<attributes>{inside}</attributes>"


CLEFS = ((1, "G", 2), (2, "F", 4))


def _contents(measure: Measure, heads: tuple[Sequence[Head], Sequence[Head]]) -> Iterator[str]:
    is_first = True
    for staff, voices in enumerate(measure.staves):
        shown = _accidentals(voices, heads[staff], measure.sharps)
        for number, voice in enumerate(voices):
            if voice and not is_first:
                yield _move("backup", measure.bar.length)
            is_first = is_first and not voice
            beams = _beams(voice, measure.bar)
            for value in voice:
                signs = [
                    (heads[staff][note], ACCIDENTALS[shown[value.start, note]] if (value.start, note) in shown else "")
                    for note in value.notes
                ]
                yield from _notes(value, signs, beams.get(value.start, ""), (staff, number))
    yield from _marks(measure)


def _move(way: str, places: int) -> str:
    return f"<{way}><duration>{places}</duration></{way}>"


# Notes


def _notes(value: Value, signs: Sequence[tuple[Head, str]], beams: str, where: tuple[int, int]) -> Iterator[str]:
    staff, number = where
    voice = f"<voice>{staff * VOICES_A_STAFF + number + 1}</voice>"
    duration = f"<duration>{value.length}</duration>"
    if not signs:
        kind = "" if value.fills else _type(value)
        rest = '<rest measure="yes"/>' if value.fills else "<rest/>"
        notations = _notations(value, is_first=True)
        yield f"<note>{rest}{duration}{voice}{kind}<staff>{staff + 1}</staff>{notations}</note>"
    for place, (head, accidental) in enumerate(signs):
        chord = "<chord/>" if place else ""
        ties = '<tie type="stop"/>' * value.was_tied + '<tie type="start"/>' * value.is_tied
        sign = f"<accidental>{accidental}</accidental>" if accidental else ""
        kind = _type(value, sign)
        end = f"<staff>{staff + 1}</staff>{'' if place else beams}{_notations(value, is_first=not place)}"
        yield f"<note>{chord}{_pitch(head)}{duration}{ties}{voice}{kind}{end}</note>"


def _pitch(head: Head) -> str:
    step, alter = step_and_alter(head.name)
    altered = f"<alter>{alter}</alter>" if alter else ""
    return f"<pitch><step>{step}</step>{altered}<octave>{octave(head.pitch, head.name)}</octave></pitch>"


def _type(value: Value, accidental: str = "") -> str:
    triplet = "<actual-notes>3</actual-notes><normal-notes>2</normal-notes>"
    modification = f"<time-modification>{triplet}</time-modification>" if value.tuplet else ""
    return f"<type>{value.name}</type>" + "<dot/>" * value.dots + accidental + modification


def _notations(value: Value, *, is_first: bool) -> str:
    inside = '<tied type="stop"/>' * (value.was_tied and bool(value.notes))
    inside += '<tied type="start"/>' * (value.is_tied and bool(value.notes))
    if is_first and value.tuplet in ("start", "stop"):
        inside += f'<tuplet type="{value.tuplet}"/>'
    return f"<notations>{inside}</notations>" if inside else ""


def _accidentals(voices: Voices, heads: Sequence[Head], sharps: int) -> dict[tuple[int, int], int]:
    """Find which heads show an accidental: (start, note) -> semitones."""
    signature, shown = signature_alters(sharps), {}
    state: dict[tuple[str, int], int] = {}
    for value in sorted((value for voice in voices for value in voice), key=lambda value: value.start):
        for note in value.notes:
            head = heads[note]
            step, alter = step_and_alter(head.name)
            line = step, octave(head.pitch, head.name)
            if not value.was_tied and state.get(line, signature[step]) != alter:
                shown[value.start, note] = alter
            if not value.was_tied:
                state[line] = alter
    return shown


# Beams


def _beams(voice: Sequence[Value], bar: Bar) -> dict[int, str]:
    """Write the beams of each value that has some, by its start."""
    groups: list[list[Value]] = [[]]
    for value in voice:
        last = groups[-1][-1] if groups[-1] else None
        if value.name not in FLAGS or not value.notes:
            groups.append([])
            continue
        if last and _beat(last, bar) != _beat(value, bar):
            groups.append([])
        groups[-1].append(value)
    return {value.start: text for group in groups if len(group) > 1 for value, text in _beamed(group)}


def _beat(value: Value, bar: Bar) -> int:
    return (value.start - bar.start) // bar.beat


def _beamed(group: Sequence[Value]) -> Iterator[tuple[Value, str]]:
    counts = [FLAGS[value.name] for value in group]
    for place, (value, count) in enumerate(zip(group, counts, strict=True)):
        before = counts[place - 1] if place else 0
        after = counts[place + 1] if place + 1 < len(counts) else 0
        kinds = {(True, True): "continue", (True, False): "end", (False, True): "begin"}
        hook = "backward hook" if before else "forward hook"
        levels = (kinds.get((before >= level, after >= level), hook) for level in range(1, count + 1))
        yield value, "".join(f'<beam number="{level}">{kind}</beam>' for level, kind in enumerate(levels, 1))


# Marks


def _marks(measure: Measure) -> Iterator[str]:
    """Write the marks after the notes, each at its place."""
    place = measure.bar.start + measure.bar.length
    for mark in sorted(measure.marks, key=lambda mark: mark.place):
        if mark.place != place:
            yield _move("backup" if mark.place < place else "forward", abs(mark.place - place))
        place = mark.place
        yield _mark(mark)
    end = measure.bar.start + measure.bar.length
    if place != end:
        yield _move("forward", end - place)


def _mark(mark: Mark) -> str:
    if mark.kind == "tempo":
        sign = f"<metronome><beat-unit>quarter</beat-unit><per-minute>{mark.text}</per-minute></metronome>"
        sound = f'<sound tempo="{mark.text}"/>'
        return (
            f'<direction placement="above"><direction-type>{sign}</direction-type><staff>1</staff>{sound}</direction>'
        )
    if mark.kind == "dynamics":
        sign = f"<dynamics><{mark.text}/></dynamics>"
        return f'<direction placement="below"><direction-type>{sign}</direction-type><staff>1</staff></direction>'
    sign = f'<pedal type="{mark.text}" sign="yes" line="no"/>'
    return f'<direction placement="below"><direction-type>{sign}</direction-type><staff>2</staff></direction>'
