"""Links, files and "How it was made": what others can do with a piece."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.browser import Studio, Visit, wait_until


def test_a_shared_link_shows_the_piece_and_its_request_which_composes_it_again(studio: Studio) -> None:
    asked = {"notes": 17, "style": "chopin", "seed": 7, "temperature": 1.07, "top_p": 0.9}
    (piece,) = studio.server.post("/v1/pieces?wait=60", json=asked).json()["pieces"]
    visit = studio.visit()
    page = visit.open(piece["links"]["page"])
    visit.wait_for_text("#title", "After Chopin, no. 7")
    visit.wait_for_text("#state", "17 notes ·")
    how_made = page.text_content("#how-made") or ""
    assert all(text in how_made for text in ("Frédéric Chopin", "17 notes", "bold (1.07)", "Seed7", "Modeltiny"))
    page.get_by_role("button", name="Use these settings again").click()
    visit.compose(17)
    again = studio.stored_piece(visit)
    assert again["request"] == piece["request"] | {"style": "Frédéric Chopin"}
    notes = [studio.server.get(link).json() for link in (piece["links"]["json"], again["links"]["json"])]
    assert notes[0] == notes[1]


def test_a_link_that_others_cannot_open_says_so(studio: Studio) -> None:
    visit = studio.visit(permissions=["clipboard-read", "clipboard-write"])
    page = visit.open()
    visit.compose(12)
    page.click("#share")
    visit.wait_for_text("#toast-text", "It opens on this machine alone")
    assert visit.run("() => navigator.clipboard.readText()") == f"{visit.address}/p/{visit.piece}"
    names = ["localhost", "127.0.0.1", "[::1]", "studio.local", "192.168.0.7"]
    is_loopback = """async (names) => names.map((await import("/static/takes/share.js")).isLoopback)"""
    assert visit.run(is_loopback, names) == [True, True, True, False, False]


def test_a_link_to_a_piece_that_is_gone_says_so(studio: Studio) -> None:
    visit = studio.visit()
    visit.expected_error = "404 (Not Found)"
    visit.open("/p/0123456789abcdef")
    visit.wait_for_text("#notice-text", "This piece is no longer stored here.")


@pytest.mark.parametrize(
    ("locale", "longest", "is_inside", "text"),
    [
        ("en-GB", 0, True, "Originalityno long passage in common with the music that the model learned from"),
        ("en-GB", 20, True, "shares 20 notes with Liszt: Waltz, no more than pieces by people share with each other"),
        ("en-GB", 61, False, "shares 61 notes with Liszt: Waltz, more than pieces by people"),
        ("es-ES", 61, False, "Originalidadcomparte 61 notas con Liszt: Waltz, más que las obras de personas entre sí"),
    ],
)
def test_originality_is_explained_in_plain_words(
    studio: Studio, locale: str, longest: int, is_inside: bool, text: str
) -> None:
    (piece,) = studio.server.post("/v1/pieces?wait=60", json={"notes": 5, "seed": 1}).json()["pieces"]
    originality = {
        "longest": longest,
        "share": 0.2,
        "is_inside": is_inside,
        "work": "Liszt: Waltz" if longest else None,
    }
    visit = studio.visit(locale=locale)
    visit.page.route(
        re.compile(r"/v1/pieces/[0-9a-f]+$"),
        lambda route: route.fulfill(json=piece | {"figures": piece["figures"] | {"originality": originality}}),
    )
    visit.open(piece["links"]["page"])
    visit.wait_for_text("#how-made", text)


def test_the_midi_file_can_be_dragged_into_a_daw(studio: Studio) -> None:
    visit = studio.visit()
    visit.open()
    visit.compose(16)
    carried = visit.run(
        """() => {
          const dataTransfer = new DataTransfer();
          const link = document.querySelector("#files [data-kind=mid]");
          link.dispatchEvent(new DragEvent("dragstart", { dataTransfer, bubbles: true }));
          return [link.draggable, dataTransfer.getData("DownloadURL"), dataTransfer.getData("text/uri-list")];
        }"""
    )
    address = f"{visit.address}/v1/pieces/{visit.piece}.mid"
    assert carried == [True, f"audio/midi:{visit.page.text_content('#title')}.mid:{address}", address]


def test_the_studio_leads_to_the_report_in_its_language(studio: Studio) -> None:
    visit = studio.visit(locale="es-ES")
    (piece,) = studio.server.post("/v1/pieces?wait=60", json={"notes": 40}).json()["pieces"]
    page = visit.open(piece["links"]["page"])
    wait_until(lambda: page.get_attribute("#report", "href") == piece["links"]["html"])
    link = page.get_by_role("link", name="Informe")
    with page.context.expect_page() as opening:
        link.click()
    report = opening.value
    report.wait_for_selector(".controls:not([hidden])")  # its script ran, under its policy
    report.click(".play")
    wait_until(lambda: report.text_content(".play") == "Pause")
    report.close()


def test_what_a_piece_was_asked_to_be_and_what_it_is_are_told_apart(modules: Visit) -> None:
    pieces: list[dict[str, Any]] = [
        {"state": "done", "request": {"seconds": 60}, "figures": {"notes": 290, "seconds": 59}},
        {"state": "done", "request": {"notes": 9, "prompt_notes": 40}, "figures": {"notes": 9, "seconds": 12}},
        {
            "state": "done",
            "request": {"verb": "vary", "passage": {"from": 2, "to": 9, "given_notes": 30}},
            "figures": {"notes": 12, "seconds": 20},
        },
        {"state": "cancelled", "request": {"seconds": 60}, "progress": {"done": 7, "whole": 60, "unit": "seconds"}},
        {"state": "composing", "request": {"notes": 60}, "progress": {"done": 7, "whole": 60, "unit": "notes"}},
        {
            "state": "composing",
            "request": {},
            "progress": {"done": 7, "whole": 32, "unit": "seconds", "take": 3, "takes": 8},
        },
    ]
    lines = modules.run("""async (pieces) => pieces.map((await import("/static/takes/status.js")).sizeLine)""", pieces)
    assert lines == [
        "290 notes · 0:59",
        "9 notes after 40 given · 0:12",
        "12 new notes · 42 notes · 0:20",
        "7 of 60 seconds",
        "7 of 60 notes",
        "take 3 of 8",
    ]
