"""A report's page: plain words first, whatever the piece; nothing of a file becomes markup; it asks nobody anything."""

from __future__ import annotations

import hashlib
import re
import xml.etree.ElementTree as ET
from base64 import b64encode
from pathlib import Path

import numpy as np
import pytest

from arietta.evaluation.page.html import content_policy, document
from arietta.evaluation.page.piece import TitledReport, report_html
from arietta.evaluation.report import report_on
from arietta.model.engine import OnnxEngine
from arietta.music.notes import Notes, excerpt
from tests.evaluation.page.test_html import Reader
from tests.support.indexes import TUNES, indexed
from tests.support.tunes import tune

EVIL = '</title><script>alert("x")</script><img src=x onerror=alert(1)>'


def page_of(notes: Notes, title: str = "a piece", **asked: object) -> str:
    return report_html([TitledReport(title, notes, report_on(notes, **asked))])  # type: ignore[arg-type]


def text_of(page: str) -> str:
    return re.sub(r"<(style|script).*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)


def test_what_is_plain_comes_before_what_is_exact(tiny_engine: OnnxEngine, tmp_path: Path) -> None:
    page = page_of(excerpt(TUNES[3], 0, 300), engine=tiny_engine, index=indexed(tmp_path / "index"))
    order = ["Length", "Key", "Likelihood", "Loops", "Hear and see it", "like itself", "Beside real music"]
    order += ["The notes it expected least", "What it shares", "All figures", "lengths are spread", "are defined"]
    places = [page.index(words) for words in order]
    assert places == sorted(places)
    assert "300 notes or more, of Nobody: Tune 3" in page


def test_every_figure_of_the_piece_is_drawn_beside_real_music() -> None:
    page = page_of(tune(1, 300))
    assert page.count('class="strip"') >= 18
    assert "MAESTRO" in page and "GiantMIDI-Piano" in page
    assert re.search(r"\d+ of \d+ figures lie where nine in ten windows of either corpus do", page)


def test_a_page_is_well_formed() -> None:
    page = page_of(tune(1, 120)).removeprefix("<!doctype html>\n")
    page = re.sub(r"<(style|script)\b.*?</\1>", "", page, flags=re.DOTALL)
    ET.fromstring(re.sub(r"<(meta|input)([^>]*)>", r"<\1\2/>", page).replace(" hidden>", ' hidden="">'))


@pytest.mark.parametrize("count", [1, 2])
def test_names_with_markup_stay_text(count: int) -> None:
    notes = tune(1, 40)
    reader = Reader()
    reader.feed(report_html([TitledReport(EVIL, notes, report_on(notes))] * count))
    names = [name for name, _ in reader.elements]
    assert names.count("script") == count + 1  # the notes of each, and the player
    assert "img" not in names
    assert not any(key.startswith("on") for _, attributes in reader.elements for key in attributes)
    assert EVIL in reader.text


def test_the_policy_allows_what_stands_in_the_page_and_nothing_else() -> None:
    page = document("x", "y")
    for kind in ("style", "script"):
        inside = re.findall(rf"<{kind}>(.*?)</{kind}>", page, re.DOTALL)[-1]
        digest = b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in content_policy()
    assert content_policy().startswith("default-src 'none';") and "unsafe" not in content_policy()
    assert content_policy().replace("'", "&#x27;") in page
    assert not re.search(r"https?://|\bstyle=|\bon\w+=|@import|url\(", page)


def test_several_pieces_have_an_overview_and_a_section_each() -> None:
    judged = [TitledReport(f"take {seed}", tune(seed, 150), report_on(tune(seed, 150))) for seed in (1, 2, 3)]
    page = report_html(judged)
    assert page.count("<section") == 3 and page.count('href="#piece-') == 3
    assert "3 pieces: a report" in page and page.count('class="player"') == 3


def huge() -> Notes:
    rng = np.random.default_rng(0)
    onset = np.sort(rng.uniform(0, 86_390, 200_000))
    return Notes.of(onset, np.full(200_000, 0.2), rng.integers(30, 90, 200_000), rng.integers(20, 120, 200_000))


@pytest.mark.parametrize(
    ("notes", "sentence"),
    [
        (Notes.of(), "nothing to judge"),
        (tune(1, 1), "1 note,"),
        (tune(1, 3), "too short to be held against real music"),
        (Notes.of([0.0, 86_399.0], [1, 1], [60, 64], [64, 64]), "24:00:00"),
        (Notes.of([1, 1, 1], [1, 1, 1], [0, 60, 127], [1, 64, 127]), "3 notes"),
    ],
    ids=["silence", "one", "three", "a day with two notes", "a chord"],
)
def test_odd_pieces_have_pages_without_nan(notes: Notes, sentence: str, tiny_engine: OnnxEngine) -> None:
    page = page_of(notes, engine=tiny_engine)
    assert sentence in page
    assert not re.search(r"\b(nan|NaN|inf|Infinity|None)\b", text_of(page))
    assert len(page) < 300_000


def test_a_day_of_two_hundred_thousand_notes_has_a_page_of_bounded_size() -> None:
    page = page_of(huge())
    assert "The first 10,000 of 200,000 notes are drawn and played." in page
    assert len(page) < 1_500_000
    assert not re.search(r"\bnan\b|\binf\b", text_of(page))
