"""A report as a page: first in plain words, then a roll that plays, pictures, and every figure beside real music.

    report_html([TitledReport("piece", notes, report)])

One file that loads nothing (`html`). What comes from files, names above all, is escaped by `html`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...music.meter import Meter
from ...music.notes import Notes
from ...originality.search import Passage
from ...render.roll import format_onset, format_time, pitch_name
from ..likelihood import add_up
from ..reference import Reference, is_inside, rank_words_by_title
from ..report import Report
from ..structure import SCALES
from ..words import (
    MEANINGS,
    NOTHING_TO_JUDGE,
    ORIGINS,
    index_sentence,
    name_of,
    number,
    percentile_sentences,
    plain_words,
    together_sentence,
)
from .html import Markup, document, joined, rows, tag
from .plots import bars, squares, strip_plot, structure_squares
from .roll import MOST_NOTES, roll_player

LEAST_NOTES = 500  # drawn of each, of however many pieces
MOST_PASSAGES = 50
CLASSES = "C, C sharp, D, E flat, E, F, F sharp, G, A flat, A, B flat, B"
ABOUT_REAL = (
    "Real music is held-out music that was played by people: a window from somewhere in each piece of the validation "
    "and test sides of MAESTRO (measured on the instrument) and GiantMIDI-Piano (transcribed from recordings). A thin "
    "line reaches from the 5th to the 95th percentile, the broad one from the 25th to the 75th, with the median in it."
)


@dataclass(frozen=True)
class TitledReport:
    """A piece with its report, what to call it, and its metre where it has one."""

    title: str
    notes: Notes
    report: Report
    meter: Meter | None = None


def report_html(judged: Sequence[TitledReport]) -> str:
    """Write the page of one piece, or of several with an overview before them; its size is bounded."""
    # Every note is drawn and stored: a page of many pieces shares out what one piece may have.
    most = max(MOST_NOTES // max(len(judged), 1), LEAST_NOTES)
    if len(judged) == 1:
        only = judged[0]
        parts = piece_parts(only, most=most, heading="h2")
        return document(f"{only.title}: a report", tag("h1", only.title), *parts, definitions())
    title = f"{len(judged)} pieces: a report"
    sections = [
        tag("section", tag("h2", piece.title), *piece_parts(piece, most=most), id=f"piece-{position}")
        for position, piece in enumerate(judged, 1)
    ]
    return document(title, tag("h1", title), _overview(judged), _together(judged), *sections, definitions())


def piece_parts(piece: TitledReport, *, most: int = MOST_NOTES, heading: str = "h3") -> Iterator[Markup]:
    """Give the parts of a piece's report, from the plainest to the details, under headings of that rank."""
    report = piece.report
    sentences = plain_words(report)
    if not sentences:
        yield tag("p", NOTHING_TO_JUDGE)
        return
    yield tag("dl", *(joined(tag("dt", name.capitalize()), tag("dd", words)) for name, words in sentences.items()))
    yield tag(heading, "Hear and see it", class_="part")
    surprising = [surprise.note for surprise in report.surprises]
    yield roll_player(piece.notes, surprising, most=most, name=piece.title, meter=piece.meter)
    framed = "Framed notes are those that the model expected least. " if report.surprises else ""
    legend = "Darker notes are louder (brighter ones, on a dark page); thin lines are every C, the strongest middle C; "
    yield tag("p", f"{framed}{legend}the line at the bottom is the sustain pedal.", class_="small")
    yield tag(heading, "How it is like itself", class_="part")
    yield structure_pictures(piece.notes)
    yield tag(heading, "Beside real music", class_="part")
    yield from _beside(report)
    yield from _details(report)


def structure_pictures(notes: Notes) -> Markup:
    """Draw each moment against each other at several scales, and say what is seen."""
    drawn = [structure_squares(notes, seconds) for seconds in SCALES]
    figures_drawn = [
        tag("figure", picture, tag("figcaption", f"windows of {seconds:.3g} s")) for seconds, picture in drawn
    ]
    words = "Each moment against each other, time to the right and down; strong colour is alike: squares are "
    return joined(
        tag("p", words + "sections, stripes repeats.", class_="small"), tag("div", *figures_drawn, class_="pictures")
    )


def figure_table(values: Mapping[str, float], real: Sequence[Reference]) -> Markup:
    """Draw each figure among real music, and say where it lies."""
    lines: list[list[object]] = []
    for name, value in values.items():
        known = {reference.title: reference.figures[name] for reference in real if name in reference.figures}
        if known:
            plot = strip_plot([value], list(known.values()))
            lines.append([name_of(name), number(value), plot, rank_words_by_title(value, known)])
    return rows(["Figure", "Here", "Among real music", "In words"], lines)


def key_of_plots(real: Sequence[Reference], here: str, *, is_band: bool = False) -> Markup:
    """Say which colour is which corpus, and which line, or third band, is `here`."""
    names = [
        (f"key c{position}", f"{reference.title}, {reference.windows} windows; ")
        for position, reference in enumerate(real)
    ]
    names.append((f"key c{len(real)}" if is_band else "key here", here))
    marks = (joined(tag("span", class_=kind, aria_hidden="true"), words) for kind, words in names)
    return tag("p", *marks, class_="small")


def _overview(judged: Sequence[TitledReport]) -> Markup:
    lines: list[list[object]] = []
    for position, piece in enumerate(judged, 1):
        report = piece.report
        shared = report.shared.overlap.longest if report.shared else None
        likely = None if report.profile.nats_per_note is None else f"{report.profile.nats_per_note:.2f}"
        link = tag("a", piece.title, href=f"#piece-{position}")
        cells = [
            f"{report.profile.note_count:,}",
            format_time(report.profile.seconds),
            report.key,
            likely,
            len(report.loops),
            shared,
            _count(report),
        ]
        lines.append([link, *("" if cell is None else cell for cell in cells)])
    names = [
        "Piece",
        "Notes",
        "Length",
        "Key",
        "Surprise (nats)",
        "Loops",
        "Longest shared",
        "Figures as in real music",
    ]
    return rows(names, lines)


def _together(judged: Sequence[TitledReport]) -> Markup | None:
    scored = [(piece.report.scored, piece.report.model) for piece in judged if piece.report.scored is not None]
    together = add_up([float(score.nll.sum()) for score, _ in scored], [score.note_count for score, _ in scored])
    sentence = together_sentence(together, scored[0][1] or "the model") if scored else ""
    return tag("p", f"{sentence}.") if sentence else None


def _count(report: Report) -> str | None:
    inside = _figures_inside(report)
    return f"{sum(inside.values())} of {len(inside)}" if inside else None


def _figures_inside(report: Report) -> dict[str, bool]:
    """Which figures lie where nine of ten windows of MAESTRO or of GiantMIDI-Piano do."""
    values = report.sample.figures if report.sample else {}
    known = {
        name: [reference.figures[name] for reference in report.real if name in reference.figures] for name in values
    }
    return {name: any(is_inside(values[name], band) for band in bands) for name, bands in known.items() if bands}


def _beside(report: Report) -> Iterator[Markup]:
    sample, real = report.sample, report.real
    if sample is None or not real:
        yield tag("p", "It is too short to be held against real music, of which windows of 300 notes were measured.")
        return
    is_inside_of = _figures_inside(report)
    outside = [name_of(name) for name, inside in is_inside_of.items() if not inside]
    inside_count = f"{len(is_inside_of) - len(outside)} of {len(is_inside_of)} figures"
    exceptions = f"; outside are {', '.join(outside)}" if outside else ""
    yield tag("p", f"{inside_count} lie where nine in ten windows of either corpus do{exceptions}.")
    own = f"the median of {sample.count} windows of it" if sample.count > 1 else "this piece"
    # In the order of MEANINGS, so that the tables of all reports are alike.
    values = {name: sample.figures[name] for name in MEANINGS if name in sample.figures}
    yield key_of_plots(real, f"{own}, beside windows of {sample.notes:,} notes")
    yield figure_table(values, real)


def _details(report: Report) -> Iterator[Markup]:
    if report.surprises:
        yield details("The notes it expected least", _surprises(report))
    if report.shared and report.shared.overlap.passages:
        words = " ".join([*percentile_sentences(report.shared.percentiles), index_sentence(report.shared.index)])
        yield details("What it shares with the corpus", tag("p", words), _passages(report.shared.overlap.passages))
    lines: list[list[object]] = [[name_of(name), number(figure)] for name, figure in report.figures.items()]
    beats = report.profile.beats
    how = "" if beats is None else "written in the file" if beats.is_written else "found in the playing"
    origin = tag("p", f"Beats, which are quarter notes here, are {how}.", class_="small") if how else None
    yield details("All figures of the whole piece", origin, rows(["Figure", "Value"], lines))
    drawn = [_spread(name, shares) for name, shares in report.profile.all_statistics.items() if len(shares) > 1]
    if drawn:
        yield details("How pitches and lengths are spread", tag("div", *drawn, class_="pictures"))


def details(summary: str, *content: object) -> Markup:
    """Put content under a heading that opens it."""
    return tag("details", tag("summary", summary), *content)


def definitions() -> Markup:
    """Say what every figure is and after whom, and what real music is here."""
    lines: list[list[object]] = [[name_of(name), words, ORIGINS.get(name, "")] for name, words in MEANINGS.items()]
    table = rows(["Figure", "What it is", "After"], lines)
    return details("How the figures are defined", table, tag("p", ABOUT_REAL))


def _surprises(report: Report) -> Markup:
    lines: list[list[object]] = []
    for surprise in report.surprises:
        at = format_onset(surprise.note.onset)
        button = tag(
            "button",
            at,
            type="button",
            data_at=f"{surprise.note.onset:.2f}",
            aria_label=f"Play from {at}",
            disabled=True,  # until the script enables it: without one nothing can play
        )
        lines.append([pitch_name(surprise.note.pitch), button, f"{surprise.nats:.1f}", f"{surprise.pitch_nats:.1f}"])
    words = (
        "How much the note's time, pitch, length and velocity together surprised the model, and its pitch alone; in "
        "nats, of which a note that the model is sure of has none."
    )
    return joined(tag("p", words, class_="small"), rows(["Pitch", "Time", "Surprise", "Of this for the pitch"], lines))


def _passages(passages: Sequence[Passage]) -> Markup:
    lines: list[list[object]] = [
        [
            passage.piece.name,
            _span(passage.seconds),
            f"{passage.start + 1}-{passage.stop}",
            _span(passage.there_seconds),
            str(passage.shared),
            f"{passage.semitones:+d}" if passage.semitones else "same",
        ]
        for passage in passages[:MOST_PASSAGES]
    ]
    table = rows(["Work", "Here", "Notes", "There", "Same, at least", "Key"], lines)
    more = len(passages) - MOST_PASSAGES
    return joined(table, tag("p", f"And {more} shorter ones.") if more > 0 else None)


def _span(seconds: tuple[float, float]) -> str:
    return "-".join(format_time(moment) for moment in seconds)


def _spread(name: str, value: np.ndarray) -> Markup:
    """Draw a distribution as bars, or the transitions of twelve classes as squares, the darkest the commonest."""
    words = MEANINGS[name] + (f" ({CLASSES})" if name == "pitch_classes" else "")
    if len(value) == 12:
        return tag("figure", bars(value.tolist()), tag("figcaption", words))
    matrix = value.reshape(12, 12)  # all distributions have twelve classes, or the steps between twelve
    return tag(
        "figure", squares(matrix / max(float(matrix.max()), 1e-9)), tag("figcaption", f"{words}, from row to column")
    )
