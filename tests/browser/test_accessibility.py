"""The studio for everyone: with the keyboard alone, a screen reader, less motion, a phone; and what axe-core finds."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.browser import PHONE, Studio, Visit, axe_violations, wait_until


def focused(visit: Visit) -> str:
    """The id, or else the text, of what has the focus."""
    name: str = visit.run("() => document.activeElement.id || document.activeElement.textContent.trim()")
    return name


def test_all_can_be_done_with_the_keyboard_alone(studio: Studio) -> None:
    visit = studio.visit()
    page = visit.open()
    page.keyboard.press("Tab")
    assert focused(visit) == "Skip to the piece"
    reached = []
    while "compose" not in reached and len(reached) < 40:
        page.keyboard.press("Tab")
        reached.append(focused(visit))
    assert [
        name for name in ("language", "theme", "help", "style", "length", "unit", "temperature") if name not in reached
    ] == []
    page.keyboard.press("Enter")
    page.wait_for_url("**/p/*")
    visit.wait_for_text("#state", "300 notes ·")
    page.keyboard.press("m")
    assert page.input_value("#volume") == "0"
    page.locator("#play").focus()
    page.keyboard.press("Space")
    wait_until(lambda: page.get_attribute("#play", "aria-label") == "Play")
    page.keyboard.press("Home")
    page.keyboard.press(".")
    wait_until(lambda: "velocity" in (page.text_content("#live") or ""))
    page.keyboard.press("Shift+ArrowRight")
    wait_until(lambda: page.text_content("#time") >= "0:05")  # type: ignore[operator]
    page.keyboard.press("]")
    assert page.get_attribute("#loop", "aria-pressed") == "true"
    page.keyboard.press("f")
    wait_until(lambda: page.get_attribute("#favourite", "aria-pressed") == "true")
    page.keyboard.press("?")
    assert page.locator("dialog").is_visible()
    assert page.locator("#shortcut-list dt").count() == page.locator("#shortcut-list dd").count() >= 15
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.keyboard.type("lullaby?")  # letters are letters in a field
    page.keyboard.press("Enter")
    visit.wait_for_text("#title", "lullaby?")


def test_single_keys_can_be_switched_off(studio: Studio) -> None:
    visit = studio.visit()
    page = visit.open()
    page.keyboard.press("?")
    page.get_by_label("Single-key shortcuts are on").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("m")
    assert page.input_value("#volume") != "0"


def test_progress_is_announced_to_a_screen_reader(studio: Studio) -> None:
    visit = studio.visit()
    visit.open()
    visit.run(
        """() => {
          window.announced = [];
          new MutationObserver(() => announced.push(live.textContent)).observe(live, { childList: true });
        }"""
    )
    visit.compose(3000, is_awaited=False)  # long enough to be seen growing on a busy machine
    wait_until(lambda: "Finished" in " ".join(visit.run("() => announced")))
    announced = visit.run("() => announced")
    assert announced[0] == "Composing 3,000 notes."
    assert 1 <= sum("percent composed" in text for text in announced) <= 4
    assert re.match(r"Finished: 3,000 notes, \d+:\d\d\.", announced[-1])


@pytest.mark.parametrize(
    "options",
    [{}, {"color_scheme": "dark"}, {"viewport": PHONE, "locale": "es-ES", "color_scheme": "dark"}],
    ids=["light", "dark", "phone-spanish"],
)
def test_axe_finds_no_violations(studio: Studio, options: dict[str, Any]) -> None:
    visit = studio.visit(**options)
    page = visit.open()
    assert axe_violations(visit.page) == []
    page.check("[name=count][value='2']")
    page.fill("#length", "60")
    page.click("#compose")
    page.wait_for_url("**/p/*")
    visit.wait_for_text("#state", "60 notas ·" if "locale" in options else "60 notes ·")
    page.click("#more summary")
    page.check("[name=beginning][value=file]")
    assert axe_violations(visit.page) == []
    page.check("[name=beginning][value=phrase]")
    page.locator(".take").nth(1).get_by_role("button").last.click()
    page.click("#share")
    assert axe_violations(visit.page) == []
    page.keyboard.press("?")
    assert axe_violations(visit.page) == []


def test_the_roll_turns_pages_where_reduced_motion_is_preferred(studio: Studio) -> None:
    lefts = {}
    for motion in ("reduce", "no-preference"):
        visit = studio.visit(reduced_motion=motion)
        visit.open()
        lefts[motion] = visit.run(
            """async () => {
              const { Roll } = await import("/static/score/roll.js");
              const roll = new Roll(document.querySelector("#roll"));
              roll.isPaged = matchMedia("(prefers-reduced-motion: reduce)").matches;
              return Array.from({ length: 60 }, (_, i) => { roll.draw(i * 0.5); return roll.left; });
            }"""
        )
    assert len(set(lefts["reduce"])) <= 5
    assert len(set(lefts["no-preference"])) > 40


@pytest.mark.parametrize("path", ["/", "/p/"])
def test_a_phone_shows_all_without_scrolling_sideways(studio: Studio, path: str) -> None:
    visit = studio.visit(viewport=PHONE, has_touch=True, is_mobile=True)
    (piece,) = studio.server.post("/v1/pieces?wait=60", json={"notes": 30, "style": "grieg"}).json()["pieces"]
    page = visit.open(path if path == "/" else piece["links"]["page"])
    page.click("#more summary")
    for beginning in ("a file", "a phrase I play"):
        visit.begin_with(beginning)
        page.wait_for_timeout(50)
        assert visit.run("() => document.documentElement.scrollWidth") <= PHONE["width"]
