"""A model's page: every figure beside real music, the first takes to be heard, and nothing that was not found out."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from arietta.evaluation.comparison import SetComparison
from arietta.evaluation.model_report import ModelReport, against_set, report_on_model
from arietta.evaluation.page.model import model_html
from arietta.evaluation.words import MEANINGS, name_of
from arietta.model.engine import OnnxEngine
from tests.evaluation.page.test_html import Reader
from tests.support.tunes import tune

TAKES, NOTES = 4, 100


@pytest.fixture(scope="module")
def report(tiny_engine: OnnxEngine) -> ModelReport:
    return report_on_model(tiny_engine, takes=TAKES, note_count=NOTES)[0]


def test_a_page_plays_three_takes_beside_every_figure_and_is_small(report: ModelReport) -> None:
    page = model_html(report)
    assert page.count('class="player"') == 3
    assert [f"Seed {seed}" in page for seed in (1, 2, 3, 4)] == [True, True, True, False]
    assert page.count('class="strip"') > 3 * 15
    assert "nothing was chosen" in page
    assert not re.search(r"\bnan\b", page)
    assert len(page) < 300_000
    assert all(words in page for words in ("MAESTRO", "GiantMIDI-Piano", f"of {TAKES} takes have a pattern"))


def test_a_figure_shows_its_median_and_the_share_inside_each_corpus(report: ModelReport) -> None:
    known = next(name for name in MEANINGS if name in report.bands and name in report.real[0].figures)
    shares = {reference.corpus: {known: 0.25 + 0.5 * index} for index, reference in enumerate(report.real)}
    page = model_html(replace(report, bands={known: (1.0, 2.0, 3.5, 4.0, 5.0)}, inside=shares, shown=[]))
    row = re.search(rf'<th scope="row">{re.escape(name_of(known))}</th>(.*?)</tr>', page)
    assert row and ">3.5" in row[1]
    shown = " / ".join(f"{0.25 + 0.5 * index:.0%}" for index, one in enumerate(report.real) if known in one.figures)
    assert f">{shown}<" in row[1]


def test_lengths_that_real_music_was_not_measured_at_are_said_to_be_unknown(report: ModelReport) -> None:
    page = model_html(replace(report, real=[], inside={}, shown=[]))
    assert "Nothing is known of real music in windows of this length." in page
    assert 'class="strip"' not in page and "Takes inside" not in page


def test_a_style_is_named_and_no_name_becomes_markup(report: ModelReport) -> None:
    assert "in the style of" not in model_html(report)
    page = model_html(replace(report, model="<img src=x>", style='<script>alert("x")</script>', shown=[]))
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert "in the style of <script>" in reader.text and "<img src=x>: 4 takes" in reader.text
    assert "img" not in [element for element, _ in reader.elements]


def test_a_set_stands_figure_by_figure_beside_its_own_halves(report: ModelReport) -> None:
    windows = [tune(seed, NOTES) for seed in range(10, 20)]
    against = against_set([tune(seed, NOTES) for seed in range(5)], windows, "tunes & airs")
    page = model_html(replace(report, shown=[], against=against))
    assert "Against one window of each of 10 pieces of tunes &amp; airs" in page
    for name, comparison in against.takes.statistics.items():
        real = against.real.statistics[name]
        row = re.search(
            rf'<th scope="row">{re.escape(name_of(name))}</th>((?:(?!</tr>).)*Overlapped area.*?)</tr>', page
        )
        assert row and f">{comparison.overlap:.3f}<" in row[1] and f">{real.overlap:.3f}<" in row[1]
    nothing_real = replace(against, real=SetComparison({}, None))
    assert "Against one window" in model_html(replace(report, shown=[], against=nothing_real))
