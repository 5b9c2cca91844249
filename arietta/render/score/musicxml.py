"""A score as MusicXML 4.0: one part, two staves, written from bars of note values.

Writes down what a `Measure` holds; the values, names, accidentals, beams and marks are decided in other modules.

    https://www.w3.org/2021/06/musicxml40/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from ...music.heading import UNKNOWN, Heading
from ...music.meter import LATTICE, Bar
from ...names import printable
from .accidentals import Head, find_accidentals
from .beams import find_beams
from .clefs import Register
from .marks import Mark
from .spelling import octave, step_and_alter
from .voices import Value

VOICES_PER_STAFF = 4  # voices are numbered through the part: 1-4 on the upper staff, 5-8 on the lower
LINES = {"G": 2, "F": 4}  # of a staff, that clefs name
OPENING = """<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">
<score-partwise version="4.0">"""

Voices = Sequence[Sequence[Value]]


@dataclass(frozen=True)
class Measure:
    """One bar: the voices of the upper and lower staff, its key's sharps, its marks, and the registers of both."""

    bar: Bar
    staves: tuple[Voices, Voices]
    sharps: int
    is_minor: bool = False
    marks: tuple[Mark, ...] = ()
    registers: tuple[Register, Register] = (Register("G"), Register("F"))


def score_xml(
    measures: Iterable[Measure],
    heads: tuple[Sequence[Head], Sequence[Head]],
    heading: Heading = UNKNOWN,
    texts: Sequence[str] = (),
) -> str:
    """Write a score as a document, `texts` beside what made it; the values of each staff index its own `heads`."""
    lines = [OPENING, *_head(heading, texts)]
    lines.append('<part-list><score-part id="P1"><part-name>Piano</part-name></score-part></part-list>')
    lines.append('<part id="P1">')
    number = 0
    rows = [None, *measures, None]
    for before, measure, after in zip(rows, rows[1:], rows[2:], strict=False):
        assert measure is not None
        implicit = ' implicit="yes"' if measure.bar.is_pickup else ""
        number += not measure.bar.is_pickup
        lines.append(f'<measure number="{number}"{implicit}>')
        lines += _attributes(measure, before)
        lines += _staves(measure, heads, [_octaves(before), _octaves(measure), _octaves(after)])
        lines += _directions(measure)
        lines.append("</measure>")
    return "\n".join([*lines, "</part>", "</score-partwise>", ""])


def _head(heading: Heading, texts: Sequence[str]) -> Iterator[str]:
    """Write whose the piece is, what made it, and `texts`."""
    title, composer = (escape(printable(words)) for words in heading)
    if title:
        yield f"<work><work-title>{title}</work-title></work>"
    creator = f'<creator type="composer">{composer}</creator>' if composer else ""
    said = "".join(
        f'<miscellaneous-field name="text">{escape(printable(text))}</miscellaneous-field>' for text in texts
    )
    miscellaneous = f"<miscellaneous>{said}</miscellaneous>" if said else ""
    yield f"<identification>{creator}<encoding><software>Arietta</software></encoding>{miscellaneous}</identification>"
    # verovio prints a title by itself, but a composer only with the words that stand on the page, and then all of them.
    for kind, justify, words in (("title", "center", title), ("composer", "right", composer)):
        if words and composer:
            place = f'justify="{justify}" valign="top"'
            yield (
                f'<credit page="1"><credit-type>{kind}</credit-type>'
                f"<credit-words {place}>{words}</credit-words></credit>"
            )


def _attributes(measure: Measure, before: Measure | None) -> Iterator[str]:
    """Write what changes with this measure: key, time signature, clefs; all of it in the first."""
    inside = f"<divisions>{LATTICE}</divisions>" if before is None else ""
    if before is None or (before.sharps, before.is_minor) != (measure.sharps, measure.is_minor):
        mode = "minor" if measure.is_minor else "major"
        inside += f"<key><fifths>{measure.sharps}</fifths><mode>{mode}</mode></key>"
    if measure.bar.signature:
        beats, unit = measure.bar.signature
        inside += f"<time><beats>{beats}</beats><beat-type>{unit}</beat-type></time>"
    if before is None:
        inside += "<staves>2</staves>"
    for staff, (clef, _) in enumerate(measure.registers):
        if before is None or before.registers[staff].clef != clef:
            inside += f'<clef number="{staff + 1}"><sign>{clef}</sign><line>{LINES[clef]}</line></clef>'
    if inside:
        yield f"<attributes>{inside}</attributes>"


def _octaves(measure: Measure | None) -> tuple[int, int]:
    """By how many octaves the notes of both staves sound higher than they stand."""
    return (0, 0) if measure is None else (measure.registers[0].octaves, measure.registers[1].octaves)


def _staves(
    measure: Measure, heads: tuple[Sequence[Head], Sequence[Head]], octaves: Sequence[tuple[int, int]]
) -> Iterator[str]:
    """Write the voices one after the other, each from the start of the bar; `octaves` before, in and after it.

    Octave signs stand around all voices of their staff: verovio shifts what lies between them in the file.
    """
    is_first = True
    for staff, voices in enumerate(measure.staves):
        before, here, after = (pair[staff] for pair in octaves)
        if here and before != here:
            if not is_first:
                yield _move("backup", measure.bar.length)
            yield _octave_sign("down" if here > 0 else "up", here, staff + 1)
            is_first = True
        accidentals = find_accidentals(voices, heads[staff], measure.sharps)
        for number, voice in enumerate(voices):
            if voice and not is_first:
                yield _move("backup", measure.bar.length)
            is_first = is_first and not voice
            beams = find_beams(voice, measure.bar)
            for value in voice:
                signs = [(heads[staff][note], accidentals.get((value.start, note), "")) for note in value.notes]
                voice_number = staff * VOICES_PER_STAFF + number + 1
                yield from _notes(value, signs, beams.get(value.start, ()), staff + 1, voice_number)
        if here and after != here:
            yield _octave_sign("stop", here, staff + 1)


def _octave_sign(kind: str, octaves: int, staff: int) -> str:
    """Begin (down: notes stand lower than they sound; up) or end an 8va, a 15ma or an 8vb, numbered by its staff."""
    sign = f'<octave-shift type="{kind}" number="{staff}" size="{7 * abs(octaves) + 1}"/>'
    placement = "above" if octaves > 0 else "below"
    return (
        f'<direction placement="{placement}"><direction-type>{sign}</direction-type><staff>{staff}</staff></direction>'
    )


def _notes(
    value: Value, signs: Sequence[tuple[Head, str]], beams: Sequence[str], staff: int, voice: int
) -> Iterator[str]:
    """Write a value: its rest, or its notes with their accidentals, of which the first bears beams and tuplets."""
    duration = f"<duration>{value.length}</duration>"
    kind = "" if value.fills else f"<type>{value.name}</type>" + "<dot/>" * value.dots
    ratio = "<actual-notes>3</actual-notes><normal-notes>2</normal-notes>"
    modification = f"<time-modification>{ratio}</time-modification>" if value.tuplet else ""
    tuplet = f'<tuplet type="{value.tuplet}"/>' if value.tuplet in ("start", "stop") else ""
    if not signs:
        rest = '<rest measure="yes"/>' if value.fills else "<rest/>"
        notations = f"<notations>{tuplet}</notations>" if tuplet else ""
        start = f"<note>{rest}{duration}<voice>{voice}</voice>"
        yield f"{start}{kind}{modification}<staff>{staff}</staff>{notations}</note>"
    ties = '<tie type="stop"/>' * value.was_tied + '<tie type="start"/>' * value.is_tied
    tied = ties.replace("<tie ", "<tied ")  # MusicXML says it twice: as it sounds and as it looks
    beamed = "".join(f'<beam number="{level}">{kind}</beam>' for level, kind in enumerate(beams, 1))
    for index, (head, accidental) in enumerate(signs):
        step, alter = step_and_alter(head.name)
        altered = f"<alter>{alter}</alter>" if alter else ""
        pitch = f"<pitch><step>{step}</step>{altered}<octave>{octave(head.pitch, head.name)}</octave></pitch>"
        sign = f"<accidental>{accidental}</accidental>" if accidental else ""
        inside = tied if index else tied + tuplet
        notations = f"<notations>{inside}</notations>" if inside else ""
        start = f"<note>{'<chord/>' if index else ''}{pitch}{duration}{ties}<voice>{voice}</voice>"
        yield f"{start}{kind}{sign}{modification}<staff>{staff}</staff>{'' if index else beamed}{notations}</note>"


def _directions(measure: Measure) -> Iterator[str]:
    """Write the marks after the notes, moving to the position of each and at last to the end of the bar."""
    end = measure.bar.start + measure.bar.length
    position = end
    for mark in sorted(measure.marks, key=lambda mark: mark.position):
        if mark.position != position:
            yield _move("backup" if mark.position < position else "forward", abs(mark.position - position))
        position = mark.position
        placement, staff, sound = "below", 1, ""
        if mark.kind == "tempo":
            placement, sound = "above", f'<sound tempo="{mark.text}"/>'
            sign = f"<metronome><beat-unit>quarter</beat-unit><per-minute>{mark.text}</per-minute></metronome>"
        elif mark.kind == "dynamics":
            sign = f"<dynamics><{mark.text}/></dynamics>"
        else:
            staff, sign = 2, f'<pedal type="{mark.text}" sign="yes" line="no"/>'
        direction = f"<direction-type>{sign}</direction-type><staff>{staff}</staff>{sound}"
        yield f'<direction placement="{placement}">{direction}</direction>'
    if position != end:
        yield _move("forward", end - position)


def _move(element: str, length: int) -> str:
    return f"<{element}><duration>{length}</duration></{element}>"
