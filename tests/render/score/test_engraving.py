from __future__ import annotations

import re
import sys
import zlib

import pytest

from arietta.errors import RequestError
from arietta.music.notes import Notes
from arietta.render.score import score_musicxml
from arietta.render.score.engraving import HEIGHT, WIDTH, _operators, engrave, pdf

SVG = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">
<defs><g id="E0A4-x"><path transform="scale(1,-1)" d="M1 2h3v4l5 -6c1 0 2 0 3 0s1 1 2 2z" /></g></defs>
<svg viewBox="0 0 21000 29700"><g class="page-margin" transform="translate(500, 500)">{}</g></svg></svg>"""


def drawn(inside: str) -> list[str]:
    """Operators of a page with this in it, those that place the page left out."""
    lines = _operators(SVG.format(inside)).splitlines()
    assert lines[1:3] == ["q", "1 0 0 1 500 500 cm"] and lines[-1] == "Q"
    return lines[3:-1]


def streams(data: bytes) -> list[str]:
    """The drawing operators of each page of a PDF."""
    return [
        zlib.decompress(part).decode("latin-1") for part in re.findall(rb">>stream\n(.*?)\nendstream", data, re.DOTALL)
    ]


def test_a_page_fills_a4_with_its_first_line_on_top() -> None:
    scale, _, _, flipped, left, top, _ = _operators(SVG.format("")).splitlines()[0].split()
    assert float(scale) == pytest.approx(WIDTH / 21000, abs=1e-6) and float(flipped) == -float(scale)
    assert (left, top) == ("0", str(HEIGHT))


def test_a_line_is_stroked_with_its_width() -> None:
    assert drawn('<path d="M10 20 L30 40" stroke-width="13" />') == ["13 w 1 J 1 j", "10 20 m", "30 40 l", "B"]


def test_a_dashed_line_is_dashed_and_what_follows_is_not() -> None:
    lines = drawn('<path d="M1 2 L3 4" stroke-width="5" stroke-dasharray="36 72" /><path d="M0 0h1" />')
    assert lines == ["5 w 1 J 1 j", "[36 72] 0 d", "1 2 m", "3 4 l", "B", "[] 0 d", "0 0 m", "1 0 l", "f"]


def test_a_glyph_is_drawn_where_it_is_used() -> None:
    lines = drawn('<use xlink:href="#E0A4-x" transform="translate(7, 8) scale(0.5, 0.5)" />')
    assert lines[:3] == ["q", "1 0 0 1 7 8 cm", "0.5 0 0 0.5 0 0 cm"]
    assert lines[3:5] == ["q", "1 0 0 -1 0 0 cm"]
    curve = ["1 2 m", "4 2 l", "4 6 l", "9 0 l", "10 0 11 0 12 0 c", "13 0 13 1 14 2 c", "h", "f"]
    assert lines[5:] == [*curve, "Q", "Q"]


def test_polygons_are_filled_and_polylines_are_stroked() -> None:
    assert drawn('<polygon points="1,2 3,4 5,6" />') == ["1 2 m 3 4 l 5 6 l", "h f"]
    assert drawn('<polyline points="1,2 3,4" stroke-width="9" />') == ["9 w 1 J 1 j", "1 2 m 3 4 l", "S"]


def test_an_ellipse_is_four_curves_back_to_where_it_begins() -> None:
    (line,) = drawn('<ellipse cx="10" cy="20" rx="4" ry="2" />')
    assert line.startswith("14 20 m") and line.endswith("14 20 c f") and line.count(" c") == 4


def test_text_stands_upright_at_its_anchor() -> None:
    start, end = (
        drawn(f'<text x="100" y="50" text-anchor="{anchor}"><tspan font-size="1000px">ab</tspan></text>')[0]
        for anchor in ("start", "end")
    )
    assert start == "BT /F0 1000 Tf 1 0 0 -1 100 50 Tm (ab) Tj ET"
    assert "1 0 0 -1 -844 50 Tm" in end  # a and b are 444 and 500 thousandths wide


def test_letters_that_mean_something_in_pdf_are_escaped_and_unknown_ones_marked() -> None:
    (line,) = drawn('<text x="0" y="0" font-size="10px">(é\\音)</text>')
    assert "(\\(é\\\\?\\)) Tj" in line


def test_what_is_only_a_placeholder_is_not_drawn() -> None:
    assert drawn('<g class="section placeholder"><ellipse cx="1" cy="1" rx="1" ry="1" /></g>') == []


def test_a_command_that_is_not_known_is_told() -> None:
    with pytest.raises(RequestError, match="path command 'Q1 2"):
        drawn('<path d="M0 0 Q1 2 3 4" />')


def test_every_object_of_a_pdf_stands_where_its_table_says() -> None:
    data = pdf(["1 0 0 1 0 0 cm", "0 0 m"])
    assert data.startswith(b"%PDF-1.4") and data.endswith(b"%%EOF\n")
    table = int(re.search(rb"startxref\n(\d+)", data)[1])
    assert data[table : table + 4] == b"xref"
    places = [int(place) for place in re.findall(rb"(\d{10}) 00000 n", data)]
    assert len(places) == 9
    for number, place in enumerate(places, 1):
        assert data[place:].startswith(f"{number} 0 obj".encode())
    assert streams(data) == ["1 0 0 1 0 0 cm", "0 0 m"] and b"/Count 2" in data


def test_a_score_is_engraved_whole_and_always_alike(waltz: Notes) -> None:
    pytest.importorskip("verovio")
    text = score_musicxml(waltz, title="Valse (triste)")
    data = engrave(text)
    (page,) = streams(data)
    assert "(Valse \\(triste\\)) Tj" in page and "(Piano) Tj" in page
    assert page.count("q\n") == page.count("Q\n") + page.endswith("Q")
    assert engrave(text) == data


def test_long_scores_run_over_pages() -> None:
    pytest.importorskip("verovio")
    notes = Notes.of(
        [0.25 * place for place in range(1200)], [0.25] * 1200, [60 + place % 12 for place in range(1200)], [64] * 1200
    )
    assert len(streams(engrave(score_musicxml(notes)))) > 1


def test_without_verovio_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "verovio", None)
    with pytest.raises(RequestError, match=r"verovio: \S+ -m pip install -e \S+\[score\]"):
        engrave("<score-partwise/>")


def test_what_is_no_score_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("verovio")
    with pytest.raises(RequestError, match="verovio cannot read the score"):
        engrave("no score")


def test_a_page_shows_title_and_composer(waltz: Notes) -> None:
    pytest.importorskip("verovio")
    for heading in ({"title": "Waltz"}, {"title": "Waltz", "composer": "Petzold"}):
        (page,) = streams(engrave(score_musicxml(waltz, **heading)))
        shown = [word for word in ("Waltz", "Petzold") if f"({word})" in page]
        assert shown == list(heading.values())
