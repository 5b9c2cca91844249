"""Say what can be said of a piece: how likely, how surprising, how regular, how original.

examples:
  arietta judge piece.mid                                 under the usual model
  arietta judge piece.mid --style chopin --roll piece.svg its most surprising notes framed on a piano roll
  arietta judge takes/*.mid --index index                 and what they share with an indexed corpus
  arietta judge piece.mid --structure structure.svg       each moment against each other, as a picture

The likelihood is in nats a note: what a note tells the model that it did not expect; less is more as expected.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..bundle import DEFAULT_MODEL
from ..errors import RequestError
from .table import facts, table

if TYPE_CHECKING:
    from ..engine import OnnxEngine
    from ..judge import Surprise
    from ..measures import Measured
    from ..notes import Notes
    from ..passage_index import PassageIndex

NOTHING = "none"
MOST_SCORED = 20_000  # notes; of a longer piece the first so many
PLAIN = {
    "pitch_count": "{:.0f} different pitches",
    "pitch_range": "over {:.0f} semitones",
    "polyphony": "{:.1f} keys down at a time",
    "velocity": "velocity {:.0f} on average",
    "pedal": "the pedal down {:.0%} of the time",
    "scale_consistency": "{:.0%} of the notes in one scale",
    "repetition": "{:.0%} of its figures heard before",
}


@dataclass(frozen=True)
class Report:
    """What was found out about a piece; None where it was not asked for or there was nothing to ask."""

    notes: int
    seconds: float
    measured: Measured
    key: str | None
    coming_back: dict[str, float]
    loops: list[float]
    nats_per_note: float | None
    surprises: list[Surprise]
    originality: dict[str, Any] | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", metavar="FILE", nargs="+", type=Path, help="MIDI files")
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help=f"the model to judge by, a folder of one, or {NOTHING} (%(default)s)"
    )
    parser.add_argument("--style", default="any", metavar="COMPOSER", help="tell the model the composer (%(default)s)")
    parser.add_argument("--index", type=Path, metavar="INDEX", help="an index made by `arietta originality --build`")
    parser.add_argument(
        "--roll", type=Path, metavar="FILE", help="draw a piano roll with surprising notes framed (.svg)"
    )
    parser.add_argument("--structure", type=Path, metavar="FILE", help="draw how the piece is like itself (.svg)")
    parser.add_argument("--json", action="store_true", help="print all as JSON, a line a file")


def run(arguments: argparse.Namespace) -> None:
    from ..midi import read_midi
    from ..passage_index import open_index

    for drawing in (arguments.roll, arguments.structure):
        if drawing is not None and (len(arguments.paths) > 1 or drawing.suffix.lower() != ".svg"):
            raise RequestError(f"{drawing}: one piece at a time is drawn, as .svg")
    engine = _engine(arguments.model)
    index = open_index(arguments.index) if arguments.index is not None else None
    for path in arguments.paths:
        notes = read_midi(path)
        report = _report(notes, engine, arguments.style, index)
        if arguments.json:
            print(json.dumps({"file": str(path)} | _values(report), ensure_ascii=False, allow_nan=False))
        else:
            print(path)
            print("\n".join(_lines(report)))
        _draw(arguments, notes, report, engine)


def _engine(model: str) -> OnnxEngine | None:
    if model == NOTHING:
        return None
    from ..bundle import load_bundle
    from ..engine import load_engine

    return load_engine(load_bundle(model))


def _report(notes: Notes, engine: OnnxEngine | None, style: str, index: PassageIndex | None) -> Report:
    from ..loops import find_loops
    from ..measures import measure
    from ..structure import SCALES, likeness_at
    from ..tonality import find_key

    key = find_key(notes.pitch, notes.duration)
    coming_back = {f"{seconds:g}": likeness_at(notes, seconds) for seconds in SCALES}
    nats, surprising = _scored(notes, engine, style)
    return Report(
        notes=len(notes),
        seconds=notes.seconds,
        measured=measure(notes),
        key=key.name if key else None,
        coming_back={scale: value for scale, value in coming_back.items() if value is not None},
        loops=[float(notes.onset[place]) for place in find_loops(notes)],
        nats_per_note=nats,
        surprises=surprising,
        originality=_originality(notes, index),
    )


def _scored(notes: Notes, engine: OnnxEngine | None, style: str) -> tuple[float | None, list[Surprise]]:
    from ..judge import likelihood, surprises
    from ..notes import first

    if engine is None:
        return None, []
    heard = first(notes, MOST_SCORED)
    scored = likelihood(heard, engine, style=style)
    return (scored.per_note, surprises(heard, scored, engine)) if scored.note_count else (None, [])


def _originality(notes: Notes, index: PassageIndex | None) -> dict[str, Any] | None:
    if index is None:
        return None
    from ..human_baseline import standing
    from ..originality import find_passages
    from .originality import describe, sentences

    likeness = find_passages(notes, index)
    placed = standing(likeness, index)
    return describe(likeness, placed) | {"sentences": [line.strip() for line in sentences(placed)]}


def _values(report: Report) -> dict[str, Any]:
    measured = {name: value.tolist() if len(value) > 1 else float(value[0]) for name, value in report.measured.items()}
    surprising = [asdict(one) | {"note": one.note._asdict()} for one in report.surprises]
    return asdict(report) | {"measured": measured, "surprises": surprising}


def _lines(report: Report) -> Iterator[str]:
    from ..render import clock

    if not report.notes:
        yield "  It has no notes for a piano: there is nothing to judge."
        return
    plain = {"length": f"{report.notes:,} notes, {clock(report.seconds)}"}
    if report.key:
        clear = report.measured["key_clarity"][0]
        plain["key"] = f"{report.key}, {'clearly' if clear > 0.8 else 'more or less' if clear > 0.6 else 'hardly'}"
    if report.nats_per_note is not None:
        plain["likelihood"] = f"{report.nats_per_note:.2f} nats a note (its card says what held-out music has)"
    said = [words.format(report.measured[name][0]) for name, words in PLAIN.items() if name in report.measured]
    plain["music"] = "; ".join(said)
    if report.coming_back:
        scales = (f"{value:.2f} at {scale} s" for scale, value in report.coming_back.items())
        plain["comes back"] = ", ".join(scales) + " (1: every moment has its like elsewhere)"
    plain["loops"] = _loops(report.loops)
    if report.originality is not None:
        plain["shared"] = _shared(report.originality)
    yield facts(plain)
    if report.surprises:
        rows = [_surprise_row(one) for one in report.surprises]
        yield "\n" + table(["most surprising notes", "pitch", "nats", "of these for the pitch"], rows)
    numbers = [(name, value) for name, value in report.measured.items() if len(value) == 1]
    yield "\n" + table(["measure", "value"], [[name.replace("_", " "), f"{value[0]:.4g}"] for name, value in numbers])


def _loops(moments: list[float]) -> str:
    from ..render import clock

    if not moments:
        return "none: no pattern comes eight times in a row"
    times = ", ".join(clock(moment) for moment in moments[:8]) + (" and later" if len(moments) > 8 else "")
    return f"{len(moments)}, in which a pattern has come eight times in a row at {times}"


def _shared(found: dict[str, Any]) -> str:
    if not found["passages"]:
        return "no passage of 16 notes or more with the indexed corpus"
    best = found["passages"][0]["piece"]
    longest = f"{found['longest']} notes or more, of {best['composer']}: {best['title']}"
    return " ".join([f"the longest passage has {longest}; {found['share']:.0%} of all notes.", *found["sentences"]])


def _surprise_row(one: Surprise) -> list[str]:
    from ..render import pitch_name

    minutes, seconds = divmod(one.note.onset, 60)
    return [f"{minutes:.0f}:{seconds:05.2f}", pitch_name(one.note.pitch), f"{one.nats:.1f}", f"{one.pitch_nats:.1f}"]


def _draw(arguments: argparse.Namespace, notes: Notes, report: Report, engine: OnnxEngine | None) -> None:
    from ..files import write_file
    from ..notes import first, trim
    from ..render import roll_svg
    from ..structure import structure_svg

    title = arguments.paths[0].stem
    if arguments.roll is not None:
        heard = notes if engine is None else engine.bundle.codec.quantise(trim(first(notes, MOST_SCORED)))
        marked = {one.place for one in report.surprises}
        write_file(arguments.roll, roll_svg(heard, title=title, marked=marked).encode())
    if arguments.structure is not None:
        write_file(arguments.structure, structure_svg(notes, title=title).encode())
