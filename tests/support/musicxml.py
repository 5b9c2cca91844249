"""Reading MusicXML back, without the code that writes it.

`read_score(text)` gives the bars and the sounding notes, ties joined; positions are exact fractions of a quarter note.
`broken_rules(text)` lists what breaks the rules of MusicXML 4.0 that its schema and its prose set.
"""

from __future__ import annotations

import os
import tempfile
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

LASTING = ("pedal", "octave-shift")  # signs that hold over bar lines
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
TYPES = {"whole": 4, "half": 2, "quarter": 1, "eighth": Fraction(1, 2), "16th": Fraction(1, 4), "32nd": Fraction(1, 8)}


@dataclass(frozen=True, order=True)
class Sounding:
    """A note as it sounds, ties joined; times in quarters from the beginning of the first bar."""

    start: Fraction
    length: Fraction
    pitch: int
    staff: int = field(compare=False, default=0)


@dataclass
class Score:
    bars: list[ET.Element]
    lengths: list[Fraction]  # of each bar, in quarters, as its signature says or as its first voice fills it
    voices: list[dict[str, Fraction]]  # of each bar: what each voice adds up to
    notes: list[Sounding]


def read_score(text: str) -> Score:
    root = ET.fromstring(text)
    bars = root.findall("./part/measure")
    score, begins, divisions = Score(bars, [], [], []), Fraction(0), 1
    open_ties: dict[tuple[str, int], tuple[Fraction, Fraction]] = {}
    for bar in bars:
        divisions = int(bar.findtext("./attributes/divisions", str(divisions)))
        sums, cursor, furthest = defaultdict(Fraction), Fraction(0), Fraction(0)
        for element in bar:
            if element.tag in ("backup", "forward"):
                step = Fraction(int(element.findtext("duration")), divisions)
                cursor += step if element.tag == "forward" else -step
            if element.tag != "note":
                continue
            length = Fraction(int(element.findtext("duration")), divisions)
            check_type(element, length)
            if element.find("chord") is None:
                sums[element.findtext("voice")] += length
                cursor += length
            if element.find("pitch") is not None:
                _sound(element, begins + cursor - length, length, open_ties, score.notes)
            furthest = max(furthest, cursor)
        assert cursor == furthest, "the bar does not end where its cursor does"
        score.voices.append(dict(sums))
        score.lengths.append(furthest)
        begins += furthest
    assert not open_ties, f"ties that end nowhere: {open_ties}"
    return score


def check_type(note: ET.Element, length: Fraction) -> None:
    """A written type, its dots and its triplet say what the duration says."""
    name = note.findtext("type")
    if name is None:
        assert note.find("rest") is not None and note.find("rest").get("measure") == "yes"
        return
    written = TYPES[name] * (Fraction(3, 2) if note.find("dot") is not None else 1)
    if note.find("time-modification") is not None:
        written *= Fraction(
            int(note.findtext("time-modification/normal-notes")), int(note.findtext("time-modification/actual-notes"))
        )
    assert written == length, f"{name} for {length}"


def _sound(
    note: ET.Element,
    start: Fraction,
    length: Fraction,
    open_ties: dict[tuple[str, int], tuple[Fraction, Fraction]],
    notes: list[Sounding],
) -> None:
    pitch = STEPS[note.findtext("pitch/step")] + int(note.findtext("pitch/alter", "0"))
    pitch += 12 * (int(note.findtext("pitch/octave")) + 1)
    key = note.findtext("voice"), pitch
    ties = {tie.get("type") for tie in note.findall("tie")}
    assert ties == {tie.get("type") for tie in note.findall("notations/tied")}
    if "stop" in ties:
        before, so_far = open_ties.pop(key)
        assert before + so_far == start, "a tie over a gap"
        start, length = before, so_far + length
    if "start" in ties:
        open_ties[key] = start, length
    else:
        notes.append(Sounding(start, length, pitch, int(note.findtext("staff"))))


def broken_rules(text: str) -> list[str]:
    """What is wrong with a score: octaves, durations, and what begins without ending or ends without beginning."""
    part = ET.fromstring(text).find("part")
    broken = list(_unpaired(part, "pedal", "pedal", "")) + list(_unpaired(part, "octave-shift", "octave-shift", ""))
    for voice in {element.text for element in part.iter("voice")}:
        broken += _unpaired(part, "tuplet", "notations/tuplet", voice)
        broken += _unpaired(part, "beam", "beam", voice)
    broken += [f"octave {o.text}" for o in part.iter("octave") if not 0 <= int(o.text) <= 9]
    broken += [f"duration {d.text}" for d in part.iter("duration") if int(d.text) <= 0]
    broken += [f"alter {a.text}" for a in part.iter("alter") if abs(int(a.text)) > 2]
    broken += [f"tempo {t.text}" for t in part.iter("per-minute") if not float(t.text) > 0]
    for number, bar in enumerate(part):  # each staff has a clef in the first bar, and changes it once in any other
        staves = [clef.get("number") for clef in bar.iter("clef")]
        broken += [f"clefs of {staves}"] if len(set(staves)) < (2 if number == 0 else len(staves)) else []
    return broken


def _unpaired(part: ET.Element, name: str, path: str, voice: str) -> Iterator[str]:
    """Signs of a kind, in one voice or in all, that are not in turns a start and a stop; beams, also over bar lines."""
    is_open: dict[str, bool] = defaultdict(bool)
    for bar in part:
        for note in bar:
            if name in LASTING:
                kinds = {"down": "start", "up": "start"}
                signs = [
                    (sign.get("number", "1"), kinds.get(sign.get("type"), sign.get("type"))) for sign in note.iter(name)
                ]
            elif note.findtext("voice") != voice:
                continue
            elif name == "beam":
                words = {"begin": "start", "end": "stop", "continue": "continue"}
                signs = [(sign.get("number"), words[sign.text]) for sign in note.findall(path) if sign.text in words]
            else:
                signs = [("1", sign.get("type")) for sign in note.findall(path)]
            for number, kind in signs:
                if is_open[number] != (kind != "start"):
                    yield f"{name} {number} {kind} in bar {bar.get('number')}"
                is_open[number] = kind != "stop"
        if name not in LASTING and any(is_open.values()):
            yield f"{name} open over the end of bar {bar.get('number')}"
    if any(is_open.values()):
        yield f"{name} open at the end"


def complaints(text: str) -> str:
    """What verovio, which engraves scores, has to say about one as it draws all of its pages; "" where nothing."""
    import verovio

    with tempfile.TemporaryFile() as errors:
        before = os.dup(2)
        os.dup2(errors.fileno(), 2)
        try:
            toolkit = verovio.toolkit()
            is_loaded = toolkit.loadData(text)
            pages = [toolkit.renderToSVG(page + 1) for page in range(toolkit.getPageCount())]
        finally:
            os.dup2(before, 2)
            os.close(before)
        errors.seek(0)
        messages = errors.read().decode()
    return messages if is_loaded and pages else messages + "not loaded"
