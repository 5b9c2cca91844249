"""Whether scores can be read, by programs and by people: scores of a model's takes and of performances.

    python -m benchmarks.quality.notation --model grieg --takes 200
    python -m benchmarks.quality.notation --maestro maestro-v3.0.0 --performances 100
    python -m benchmarks.quality.notation --model grieg --takes 200 --readers

Performances are drawn evenly from one side of MAESTRO's split, and their first `--notes` notes are written, as takes
of that many are; the metre is found. Of the written heads and signs it counts: `far`, the share of heads with more
than four ledger lines under the clef and the octave sign that hold; `soon`, changes of clef within two bars of the
one before, on a staff; `brief`, octave signs of less than two beats; `collisions`, pedal signs at a position that has
one, or after the last bar, or that do not go in turns.

With `--readers` each score is held against the schema of MusicXML 4.0 (lxml, with the schema of the package
`musicxml`), and read by partitura and by verovio, which has to lay it out as pages: files with complaints of each,
and files of which either finds other notes than were written. That partitura passes over metronome marks and changes of
the pedal is a limit of its own, and no complaint. These packages are not part of Arietta:
pip install lxml musicxml partitura verovio

One JSON line for each kind of score.
"""

from __future__ import annotations

import argparse
import base64
import csv
import os
import tempfile
import warnings
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from arietta.generation.request import Request
from arietta.model.bundle import load_bundle
from arietta.model.engine import load_engine
from arietta.music.midi import read_midi
from arietta.music.notes import Notes, first
from arietta.render.score import score_musicxml
from benchmarks.shared.samples import compose_all, tell

STAVES = {"G": (30, 38), "F": (18, 26)}  # lowest and highest line of a clef, in steps from C0: E4 and F5, G2 and A3
BEYOND = 9  # steps outside the lines that four ledger lines reach
FEWEST_BARS, FEWEST_BEATS = 2, 2.0
# What partitura says of signs that it knows nothing of.
UNREAD = ("ignoring direction type: metronome", 'pedal types "change" and "continue" are not supported')
# A score's text -> complaints, and how often each pitch; None from what reads no notes.
Reader = Callable[[str], tuple[list[str], Counter[int] | None]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="grieg")
    parser.add_argument("--takes", type=int, default=0, metavar="N")
    parser.add_argument("--maestro", type=Path, metavar="FOLDER")
    parser.add_argument("--split", default="test", help="a side of MAESTRO's split (default: %(default)s)")
    parser.add_argument("--performances", type=int, default=100, metavar="N")
    parser.add_argument("--notes", type=int, default=300, help="of each score (default: %(default)s)")
    parser.add_argument("--readers", action="store_true", help="ask the schema, partitura and verovio too")
    options = parser.parse_args()
    readers = {"schema": schema(), "partitura": partitura, "verovio": verovio} if options.readers else {}
    if options.takes:
        engine = load_engine(load_bundle(options.model))
        requests = [Request(options.notes, seed=seed) for seed in range(options.takes)]
        takes = [take.notes for take in compose_all(requests, engine)]
        survey(f"takes of {options.model}", takes, readers)
    if options.maestro:
        paths = drawn(options.maestro, options.split, options.performances)
        performances = [first(read_midi(path), options.notes) for path in paths]
        survey(f"performances, MAESTRO {options.split}", performances, readers)


def drawn(maestro: Path, split: str, count: int) -> list[Path]:
    """Draw so many performances of a side, evenly from the list of them."""
    with next(maestro.glob("maestro-*.csv")).open(encoding="utf-8") as lines:
        names = [row["midi_filename"] for row in csv.DictReader(lines) if row["split"] == split]
    chosen = np.linspace(0, len(names) - 1, min(count, len(names))).round().astype(int)
    return [maestro / names[index] for index in chosen]


def survey(name: str, pieces: Sequence[Notes], readers: dict[str, Reader]) -> None:
    """Write the scores of pieces and tell what was found."""
    inspections, refused = [], Counter[str]()
    for notes in tqdm(pieces, desc=name, unit="score", mininterval=5):
        text = score_musicxml(notes, title="Made", texts=["made <again>"])
        inspections.append(Inspection.of(text))
        for reader, read in readers.items():
            complaints, pitches = read(text)
            refused[reader] += bool(complaints)
            refused[f"{reader}_notes"] += pitches is not None and pitches != Counter(notes.pitch.tolist())
            for complaint in complaints[:3]:
                print(f"{name}: {reader}: {complaint}")
    names = [label for reader in readers for label in (reader, f"{reader}_notes") if label != "schema_notes"]
    tell(
        f"notation/{name}",
        files=len(pieces),
        notes=sum(map(len, pieces)),
        heads=sum(one.heads for one in inspections),
        far=sum(one.far for one in inspections) / max(sum(one.heads for one in inspections), 1),
        clef_changes=sum(one.clef_changes for one in inspections),
        soon=sum(one.soon for one in inspections),
        octave_signs=sum(one.octave_signs for one in inspections),
        brief=sum(one.brief for one in inspections),
        pedal_signs=sum(one.pedal_signs for one in inspections),
        collisions=sum(one.collisions for one in inspections),
        **{label: refused[label] for label in names},
    )


# What a reader sees


@dataclass
class Inspection:
    """Counts over the heads and signs of one score; `begun` holds when each staff's octave sign began, in quarters."""

    heads: int = 0
    far: int = 0
    clef_changes: int = 0
    soon: int = 0
    octave_signs: int = 0
    brief: int = 0
    pedal_signs: int = 0
    collisions: int = 0
    clefs: dict[str, str] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)  # staff -> the bar of its last change of clef
    octaves: Counter[str] = field(default_factory=Counter)
    begun: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> Inspection:
        """Look through a score in the order of the file, which is ours: octave signs stand around their notes."""
        inspection, begin, divisions, beat = cls(), 0.0, 1, 1.0
        pedals: list[tuple[float, str]] = []
        for number, measure in enumerate(ET.fromstring(text).iter("measure")):
            position = furthest = 0.0
            divisions = int(measure.findtext("attributes/divisions", str(divisions)))
            if (time := measure.find("attributes/time")) is not None:
                beat = _beat(int(time.findtext("beats", "4")), int(time.findtext("beat-type", "4")))
            for element in measure:
                now = begin + position
                if element.tag == "attributes":
                    inspection.read_clefs(element, number)
                elif element.tag == "direction":
                    inspection.read_octave_sign(element, now / beat)
                    pedals += [(now, sign.get("type", "")) for sign in element.iter("pedal")]
                elif element.tag == "note":
                    inspection.read_head(element)
                position += _step(element) / divisions
                furthest = max(furthest, position)
            begin += furthest
        inspection.read_pedals(pedals, begin)
        return inspection

    def read_clefs(self, attributes: ET.Element, bar: int) -> None:
        for clef in attributes.iterfind("clef"):
            staff, sign = clef.get("number", "1"), clef.findtext("sign", "G")
            if staff in self.clefs:
                self.clef_changes += 1
                self.soon += bar - self.changed.get(staff, -FEWEST_BARS) < FEWEST_BARS
                self.changed[staff] = bar
            self.clefs[staff] = sign

    def read_octave_sign(self, direction: ET.Element, beats: float) -> None:
        for sign in direction.iter("octave-shift"):
            staff, kind = direction.findtext("staff", "1"), sign.get("type")
            if kind == "stop":
                self.brief += beats - self.begun.pop(staff) < FEWEST_BEATS - 1e-6
                self.octaves[staff] = 0
            else:
                self.octave_signs += 1
                self.begun[staff] = beats
                self.octaves[staff] = (int(sign.get("size", "8")) // 7) * (1 if kind == "down" else -1)

    def read_head(self, note: ET.Element) -> None:
        if (step := note.findtext("pitch/step")) is not None:
            staff = note.findtext("staff", "1")
            place = "CDEFGAB".index(step) + 7 * (int(note.findtext("pitch/octave", "4")) - self.octaves[staff])
            low, high = STAVES[self.clefs[staff]]
            self.heads += 1
            self.far += not low - BEYOND <= place <= high + BEYOND

    def read_pedals(self, signs: list[tuple[float, str]], end: float) -> None:
        is_down, before = False, -1.0
        for now, kind in sorted(signs, key=lambda sign: sign[0]):
            self.collisions += now == before or now > end or is_down != (kind != "start")
            is_down, before = kind != "stop", now
        self.collisions += is_down
        self.pedal_signs += len(signs)


def _beat(beats: int, unit: int) -> float:
    """Quarter notes of a beat: dotted ones where threes of eighths or less are counted."""
    return 12 / unit if beats % 3 == 0 and unit >= 8 else 1.0


def _step(element: ET.Element) -> int:
    """By how many divisions an element moves the cursor."""
    if element.tag not in ("note", "forward", "backup") or element.find("chord") is not None:
        return 0
    return int(element.findtext("duration", "0")) * (-1 if element.tag == "backup" else 1)


# Readers


def schema() -> Reader:
    """Read the schema of MusicXML 4.0; the two it imports come from the package xmlschema, which musicxml needs."""
    import musicxml
    import xmlschema
    from lxml import etree

    schemas = Path(xmlschema.__file__).parent / "schemas"
    imported = {"xml.xsd": schemas / "XML" / "xml.xsd", "xlink.xsd": schemas / "XLINK" / "xlink.xsd"}

    class Resolver(etree.Resolver):  # type: ignore[misc]
        def resolve(self, url: str, _: object, context: object) -> Any:
            path = imported.get(url.rsplit("/", 1)[-1])
            return None if path is None else self.resolve_filename(str(path), context)

    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(Resolver())
    path = Path(musicxml.__file__).parent / "generate_classes" / "musicxml_4_0.xsd"
    rules = etree.XMLSchema(etree.parse(str(path), parser))

    def read(text: str) -> tuple[list[str], Counter[int] | None]:
        rules.validate(etree.fromstring(text.encode()))
        return [str(error) for error in rules.error_log], None

    return read


def partitura(text: str) -> tuple[list[str], Counter[int]]:
    """Read a score as partitura does, ties joined."""
    with warnings.catch_warnings(record=True) as said, tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("always")
        import partitura as reader

        path = Path(folder) / "score.musicxml"
        path.write_text(text, encoding="utf-8")
        pitches = reader.load_musicxml(str(path)).note_array()["pitch"].tolist()
    complaints = [str(one.message) for one in said if issubclass(one.category, UserWarning)]
    return [complaint for complaint in complaints if not complaint.startswith(UNREAD)], Counter(pitches)


def verovio(text: str) -> tuple[list[str], Counter[int]]:
    """Read a score as verovio does, and draw its pages; it tells of what is wrong on the error stream."""
    import verovio as reader

    pitches: Counter[int] = Counter()
    with tempfile.TemporaryDirectory() as folder, _error_stream() as messages:
        toolkit = reader.toolkit()
        is_loaded = toolkit.loadData(text)
        for page in range(toolkit.getPageCount() if is_loaded else 0):
            toolkit.renderToSVG(page + 1)
        if is_loaded:
            path = Path(folder) / "score.mid"
            path.write_bytes(base64.b64decode(toolkit.renderToMIDI()))
            pitches = Counter(read_midi(path).pitch.tolist())
    return messages() + ["not loaded"] * (not is_loaded), pitches


@contextmanager
def _error_stream() -> Iterator[Callable[[], list[str]]]:
    """Collect what is written to the error stream, also by code that is not Python."""
    with tempfile.TemporaryFile() as errors:
        before = os.dup(2)
        os.dup2(errors.fileno(), 2)
        lines: list[str] = []
        try:
            yield lambda: lines
        finally:
            os.dup2(before, 2)
            os.close(before)
            errors.seek(0)
            # What is no message in brackets is a progress bar that another thread draws.
            lines += [line for line in errors.read().decode(errors="replace").splitlines() if line.startswith("[")]


if __name__ == "__main__":
    main()
