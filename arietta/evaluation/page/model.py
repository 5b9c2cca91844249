"""A model's report as a page: what its takes are like beside real music, and the first three of them to play."""

from __future__ import annotations

from collections.abc import Iterator

from ..model_report import AgainstSet, ModelReport
from ..reference import PERCENTILES
from ..words import MEANINGS, model_words, name_of, number
from .html import Markup, document, joined, rows, tag
from .piece import TitledReport, definitions, details, key_of_plots, piece_parts
from .plots import strip_plot


def model_html(report: ModelReport) -> str:
    """Write the page of a model's report."""
    title = f"{report.model}: {report.takes} takes of {report.note_count} notes"
    shown = [
        tag("section", tag("h2", f"Seed {seed}"), *piece_parts(TitledReport(f"seed {seed}", notes, report_of_take)))
        for seed, notes, report_of_take in report.shown
    ]
    style = "" if report.style == "any" else f" in the style of {report.style}"
    origin = f"Composed by {report.model} ({report.bundle}){style}, seeds 1 to {report.takes}, at the usual settings; "
    return document(
        title,
        tag("h1", title),
        tag("p", f"{origin}nothing was chosen and nothing left out.", class_="small"),
        tag(
            "dl",
            *(joined(tag("dt", name.capitalize()), tag("dd", words)) for name, words in model_words(report).items()),
        ),
        *_figures(report),
        *(_against(report.against) if report.against else ()),
        *shown,
        definitions(),
    )


def _figures(report: ModelReport) -> Iterator[Markup]:
    yield tag("h2", "Every figure beside real music")
    if not report.real:
        yield tag("p", "Nothing is known of real music in windows of this length.")
        return
    yield key_of_plots(report.real, f"the takes: {report.takes} of {report.note_count} notes", is_band=True)
    lines: list[list[object]] = []
    for name in MEANINGS:
        known = [reference.figures[name] for reference in report.real if name in reference.figures]
        if name in report.bands and known:
            inside = [
                f"{report.inside[reference.corpus][name]:.0%}" for reference in report.real if name in reference.figures
            ]
            plot = strip_plot([], [*known, report.bands[name]])
            lines.append([name_of(name), number(report.bands[name][2]), plot, " / ".join(inside)])
    titles = " / ".join(reference.title for reference in report.real)
    yield rows(["Figure", "Median", "Real music and takes", f"Takes inside {titles}"], lines)
    words = (
        f"A band is of the {', '.join(map(str, PERCENTILES))}th percentile; inside is between the first and the last."
    )
    yield tag("p", words, class_="small")


def _against(against: AgainstSet) -> Iterator[Markup]:
    lines: list[list[object]] = [
        [
            name_of(name),
            f"{comparison.overlap:.3f}",
            "{:.2f}-{:.2f}".format(*comparison.overlap_interval),
            # A half of the real windows may have too few of a statistic to compare.
            f"{against.real.statistics[name].overlap:.3f}" if name in against.real.statistics else "",
        ]
        for name, comparison in against.takes.statistics.items()
    ]
    words = (
        f"Against one window of each of {against.windows} pieces of {against.name}: 1 is where the takes lie as these "
        "do (Yang and Lerch 2018); beside it one half of these pieces against the other."
    )
    table = rows(["Figure", "Overlapped area", "95 %", "Real against real"], lines)
    yield details(f"Against {against.name}, figure by figure", tag("p", words), table)
