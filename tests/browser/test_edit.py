"""The studio as a workbench: choose, change, draw, undo, return; all is stored, and nothing is overwritten."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator

from arietta.music.midi import midi_bytes, read_midi
from arietta.music.notes import Notes
from tests.support.browser import PHONE, WIDE, Studio, Visit, axe_violations, wait_until


@pytest.fixture
def piece(studio: Studio, waltz: Notes) -> dict[str, Any]:
    """An uploaded waltz of twelve notes."""
    answer = studio.server.post("/v1/uploads", content=midi_bytes(waltz), params={"name": "waltz"})
    stored: dict[str, Any] = answer.raise_for_status().json()
    return stored


def opened(studio: Studio, piece: dict[str, Any], **options: Any) -> Visit:
    visit = studio.visit(**options)
    visit.open(piece["links"]["page"])
    wait_until(lambda: visit.page.is_enabled("#select-all"))
    visit.run("() => document.querySelector('#tools').scrollIntoView()")
    return visit


def rows(studio: Studio, piece: dict[str, Any]) -> list[list[float]]:
    """The notes of the piece as the server has it now."""
    music: list[list[float]] = studio.server.get(piece["links"]["json"]).json()["notes"]
    return music


def saved(studio: Studio, piece: dict[str, Any], version: int) -> dict[str, Any]:
    """Wait until the server has the tree at that version."""
    path = f"{piece['links']['self']}/revisions"
    wait_until(lambda: studio.server.get(path).json()["version"] >= version)
    tree: dict[str, Any] = studio.server.get(path).json()
    return tree


def point_of(visit: Visit, note: list[float]) -> tuple[float, float]:
    """Where a note lies on the page, by the roll's own geometry as it is first shown."""
    box = visit.page.locator("#roll").bounding_box()
    assert box is not None
    gutter = 32 if box["width"] < 600 else 46
    row = (box["height"] - 24 - 16) / (84 - 36 + 1)
    return box["x"] + gutter + (note[0] + note[1] / 3) * 90, box["y"] + 24 + (84 - note[2] + 0.5) * row


def selection(visit: Visit) -> Locator:
    return visit.page.locator("#selection-text")


def test_everything_is_selected_transposed_undone_and_redone_with_the_keyboard_after_a_reload_too(
    studio: Studio, piece: dict[str, Any]
) -> None:
    visit, before = opened(studio, piece), rows(studio, piece)
    page = visit.page
    page.keyboard.press("Control+a")
    visit.wait_for_text("#selection-text", "12 notes selected")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Shift+ArrowRight")
    tree = saved(studio, piece, 2)
    assert [revision["cause"] for revision in tree["revisions"]] == ["upload", "transpose", "move"]
    moved = rows(studio, piece)
    assert [note[2] for note in moved] == [note[2] + 1 for note in before]
    assert [note[0] for note in moved] == pytest.approx([note[0] + 0.5 for note in before])
    page.reload()
    wait_until(lambda: page.is_enabled("#undo"))
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    saved(studio, piece, 4)
    assert rows(studio, piece) == before
    page.reload()
    wait_until(lambda: page.is_enabled("#redo"))
    page.keyboard.press("Control+y")
    page.keyboard.press("Control+Shift+Z")
    saved(studio, piece, 6)
    assert rows(studio, piece) == moved
    visit.wait_for_text("#state", "12 notes")
    visit.wait_for_text(".piece-details", "changed")


def test_notes_are_cut_pasted_duplicated_deleted_and_made_louder(studio: Studio, piece: dict[str, Any]) -> None:
    visit, before = opened(studio, piece), rows(studio, piece)
    page = visit.page
    page.get_by_role("button", name="Select all").click()
    page.get_by_role("button", name="Louder").click()
    page.get_by_role("button", name="Longer").click()
    page.keyboard.press("Control+x")
    page.keyboard.press("Control+v")
    page.keyboard.press("Control+d")
    saved(studio, piece, 5)
    assert len(rows(studio, piece)) == 24
    assert {note[3] for note in rows(studio, piece)} == {note[3] + 8 for note in before}
    page.keyboard.press("Delete")
    saved(studio, piece, 6)
    assert len(rows(studio, piece)) == 12
    assert len(read_midi(studio.server.get(piece["links"]["mid"]).content)) == 12


def test_a_note_is_clicked_heard_dragged_drawn_and_locked_with_the_pointer(
    studio: Studio, piece: dict[str, Any]
) -> None:
    visit, before = opened(studio, piece), rows(studio, piece)
    page = visit.page
    page.get_by_label("Select", exact=True).check(force=True)
    first = before[0]
    x, y = point_of(visit, first)
    page.mouse.click(x, y)
    visit.wait_for_text("#selection-text", "1 note selected")
    wait_until(lambda: visit.run("() => window.peak?.() ?? 0") > 0.005)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 90, y, steps=4)
    page.mouse.up()
    page.get_by_role("button", name="Lock").click()
    saved(studio, piece, 2)
    music = studio.server.get(piece["links"]["json"]).json()
    moved = music["notes"][music["locks"][0]]
    assert moved[2:] == first[2:] and moved[0] == pytest.approx(first[0] + 1, abs=0.03)
    page.keyboard.press("b")
    box = page.locator("#roll").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 500, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 590, box["y"] + 60, steps=3)
    page.mouse.up()
    page.mouse.move(box["x"] + 700, box["y"] + box["height"] - 6)
    page.mouse.down()
    page.mouse.move(box["x"] + 790, box["y"] + box["height"] - 6, steps=3)
    page.mouse.up()
    tree = saved(studio, piece, 4)
    assert [revision["cause"] for revision in tree["revisions"]][-2:] == ["add", "pedal"]
    music = studio.server.get(piece["links"]["json"]).json()
    assert len(music["notes"]) == 13 and any(note[1] == pytest.approx(1, abs=0.05) for note in music["notes"])
    assert music["pedal"][-1][1] - music["pedal"][-1][0] == pytest.approx(1, abs=0.05)


def test_a_lasso_and_the_ruler_select_and_loop_plays_what_was_selected(studio: Studio, piece: dict[str, Any]) -> None:
    visit = opened(studio, piece)
    page = visit.page
    page.keyboard.press("v")
    box = page.locator("#roll").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 60, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 5, box["y"] + box["height"] - 30, steps=3)
    page.mouse.up()
    visit.wait_for_text("#selection-text", "12 notes selected")
    page.mouse.move(box["x"] + 46, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 46 + 135, box["y"] + 10, steps=3)
    page.mouse.up()
    wait_until(lambda: "12 notes" not in (selection(visit).text_content() or "12 notes"))
    assert page.get_attribute("#loop", "aria-pressed") == "false"
    page.keyboard.press("l")
    assert page.get_attribute("#loop", "aria-pressed") == "true"
    page.keyboard.press("Escape")
    assert page.is_hidden("#selection")


def test_a_version_is_named_and_returned_to(studio: Studio, piece: dict[str, Any]) -> None:
    visit, before = opened(studio, piece), rows(studio, piece)
    page = visit.page
    page.keyboard.press("Control+a")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    saved(studio, piece, 2)
    page.click("#versions summary")
    page.get_by_role("button", name="Name version 2").click()
    page.keyboard.type("two lower")
    page.keyboard.press("Enter")
    wait_until(lambda: "two lower" in (page.text_content("#version-list") or ""))
    page.locator("#version-list .piece-open").last.click()
    tree = saved(studio, piece, 3)
    assert (tree["head"], tree["revisions"][2]["name"]) == (0, "two lower")
    assert rows(studio, piece) == before


def test_two_windows_never_overwrite_each_other(studio: Studio, piece: dict[str, Any]) -> None:
    first, second = opened(studio, piece), opened(studio, piece)
    second.expected_error = "409 (Conflict)"
    for visit in (first, second):
        visit.page.keyboard.press("Control+a")
    first.page.keyboard.press("ArrowUp")
    saved(studio, piece, 1)
    changed = rows(studio, piece)
    second.page.keyboard.press("ArrowDown")
    second.wait_for_text("#notice-text", "changed in another window")
    assert rows(studio, piece) == changed
    second.page.get_by_role("button", name="Load it again").click()
    wait_until(lambda: second.page.is_enabled("#undo"))


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_the_transport_is_always_in_view_and_axe_finds_nothing(
    studio: Studio, piece: dict[str, Any], viewport: dict[str, int]
) -> None:
    visit = opened(studio, piece, viewport=viewport)
    page = visit.page
    page.keyboard.press("Control+a")
    page.keyboard.press("ArrowUp")
    page.click("#versions summary")
    page.click("#more summary")
    for place in ("() => scrollTo(0, 0)", "() => scrollTo(0, document.body.scrollHeight)"):
        visit.run(place)
        assert page.locator("#play").is_visible()
        box = page.locator("#play").bounding_box()
        assert box is not None and 0 <= box["y"] < viewport["height"] - box["height"] + 1
    lines = visit.run("() => document.querySelector('.transport').clientHeight / 60")
    assert lines < (1.4 if viewport == PHONE else 2)
    assert visit.run("() => document.documentElement.scrollWidth") <= viewport["width"]
    assert axe_violations(page) == []
