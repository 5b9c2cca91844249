"""The studio for everyone: without a mouse, with a screen reader, in Spanish, in the dark; and its pictures."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from arietta.serve.routes.middleware import CONTENT_POLICY
from tests.support.browser import PHONE, Studio, Visit, wait_until
from tests.support.servers import served

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "arietta" / "serve" / "studio"
PICTURES = "ARIETTA_SCREENSHOTS"  # set to 1 to take the pictures of docs/ again
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def offences(visit: Visit) -> list[str]:
    """What axe-core finds wrong with the page as it is now."""
    axe = pytest.importorskip("axe_playwright_python.base", reason="needs axe-core: pip install '.[test]'")
    visit.page.evaluate(Path(axe.AXE_FILE_PATH).read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = visit.run(
        "async (rules) => (await axe.run(document, { runOnly: rules })).violations", RULES
    )
    return [f"{one['id']}: {node['html']} {node['failureSummary']}" for one in found for node in one["nodes"]]


def focused(visit: Visit) -> str:
    """The id, or else the words, of what has the focus."""
    said: str = visit.run("() => document.activeElement.id || document.activeElement.textContent.trim()")
    return said


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


def test_what_happens_is_told_to_a_screen_reader(studio: Studio) -> None:
    visit = studio.visit()
    visit.open()
    visit.run(
        """() => {
          window.told = [];
          new MutationObserver(() => told.push(live.textContent)).observe(live, { childList: true });
        }"""
    )
    visit.compose(3000, is_awaited=False)  # long enough to be seen growing on a busy machine
    wait_until(lambda: "Finished" in " ".join(visit.run("() => told")))
    told = visit.run("() => told")
    assert told[0] == "Composing 3,000 notes."
    assert 1 <= sum("percent composed" in words for words in told) <= 4
    assert re.match(r"Finished: 3,000 notes, \d+:\d\d\.", told[-1])


def test_the_page_speaks_spanish_where_the_browser_does_or_when_asked(studio: Studio) -> None:
    page = studio.visit(locale="es-ES").open()
    assert page.get_attribute("html", "lang") == "es"
    assert page.text_content("#invitation") == "Pulsa Componer y escucha."
    visit = studio.visit()
    page = visit.open()
    page.select_option("#language", "es")
    assert page.get_by_role("button", name="Componer", exact=True).is_visible()
    visit.page.get_by_label("Duración", exact=True).fill("12")
    page.get_by_role("button", name="Componer", exact=True).click()
    visit.wait_for_text("#state", "escrita en")
    page.reload()
    visit.wait_for_text("#title", "Sin título, n.º")


def test_both_languages_say_the_same_things_and_all_that_the_page_asks_for(studio: Studio) -> None:
    visit = studio.visit()
    visit.open()
    en, es = visit.run(
        """async () => {
          const { LANGUAGES } = await import("/static/page/i18n.js");
          return [LANGUAGES.en, LANGUAGES.es];
        }"""
    )
    assert list(en) == list(es)
    places = {key: sorted(re.findall(r"\{\w+\}", words)) for key, words in en.items()}
    assert places == {key: sorted(re.findall(r"\{\w+\}", words)) for key, words in es.items()}
    text = "\n".join(path.read_text(encoding="utf-8") for path in [*STATIC.rglob("*.js"), STATIC / "index.html"])
    asked = set(
        re.findall(r"(?:\bsay(?:Count)?\(|data-say(?:-\w+)?=|relabel\([^,]+, |refuse\(|say: )\"([\w.]+)\"", text)
    )
    assert {key for key in asked if key not in en and f"{key}.one" not in en} == set()
    assert [key for key, words in en.items() if words == es[key]] == ["tempo", "key.escape"]


def test_dark_and_light_follow_the_system_until_switched_and_are_remembered(studio: Studio) -> None:
    def paper(visit: Visit) -> int:
        colour = visit.run("() => getComputedStyle(document.documentElement).backgroundColor")
        return sum(int(value) for value in re.findall(r"\d+", colour)[:3])

    visit = studio.visit(color_scheme="dark")
    page = visit.open()
    assert paper(visit) < 100
    page.get_by_role("button", name="Light or dark").click()
    assert paper(visit) > 650
    page.reload()
    assert paper(visit) > 650


@pytest.mark.parametrize(
    "options",
    [{}, {"color_scheme": "dark"}, {"viewport": PHONE, "locale": "es-ES", "color_scheme": "dark"}],
    ids=["light", "dark", "phone-spanish"],
)
def test_axe_finds_nothing_to_complain_of(studio: Studio, options: dict[str, Any]) -> None:
    visit = studio.visit(**options)
    page = visit.open()
    assert offences(visit) == []
    page.check("[name=count][value='2']")
    page.fill("#length", "60")
    page.click("#compose")
    page.wait_for_url("**/p/*")
    visit.wait_for_text("#state", "60 notas ·" if "locale" in options else "60 notes ·")
    page.click("#more summary")
    page.check("[name=beginning][value=file]")
    assert offences(visit) == []
    page.check("[name=beginning][value=phrase]")
    page.locator(".take").nth(1).get_by_role("button").last.click()
    page.click("#share")
    assert offences(visit) == []
    page.keyboard.press("?")
    assert offences(visit) == []


def test_the_roll_turns_pages_where_motion_is_unwelcome(studio: Studio) -> None:
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


def test_a_note_under_the_pointer_is_told_and_dragging_the_ruler_loops(studio: Studio) -> None:
    (piece,) = studio.server.post("/v1/pieces?wait=60", json={"notes": 200}).json()["pieces"]
    visit = studio.visit()
    page = visit.open(piece["links"]["page"])
    visit.wait_for_text("#state", "200 notes")
    box = page.locator("#roll").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 200, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + 12, steps=4)
    page.mouse.up()
    assert page.get_attribute("#loop", "aria-pressed") == "true"
    page.mouse.click(box["x"] + 290, box["y"] + 100)
    wait_until(lambda: page.text_content("#time") != "0:00")


def test_the_policy_forbids_what_the_page_does_without(studio_server: httpx.Client) -> None:
    page = studio_server.get("/", headers={"Accept": "text/html"})
    assert page.headers["content-security-policy"] == CONTENT_POLICY
    assert "unsafe" not in CONTENT_POLICY
    assert not re.search(r"<script(?![^>]*\bsrc=)|\bstyle=|\bon\w+=|<style", page.text)


@pytest.mark.parametrize("path", sorted(STATIC.rglob("*.*")), ids=lambda path: path.name)
def test_files_are_short_say_what_they_are_for_and_name_no_other_origin(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text)
    if path.suffix in (".js", ".css"):
        assert text.startswith(("/**", "/*"))
    if path.suffix == ".js":
        assert not re.search(r"\b(eval|innerHTML|document\.write|var)\b", text)


@pytest.mark.skipif(PICTURES not in os.environ, reason=f"takes the pictures of docs/ where {PICTURES} is set")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("light", {"viewport": {"width": 1440, "height": 900}}),
        ("dark", {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"}),
        ("phone", {"viewport": PHONE, "device_scale_factor": 2}),
    ],
)
def test_pictures_of_the_studio_are_taken(studio: Studio, tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    """With the models that ship, and pieces that everyone can ask for again."""
    with served(tmp_path) as process:
        asked = {"notes": 400, "style": "Frédéric Chopin", "seed": 11, "name": "Barcarolle"}
        httpx.post(
            f"{process.address}/v1/pieces?wait=60", json={"notes": 300, "style": "Franz Liszt", "seed": 3}, timeout=90
        )
        (piece,) = httpx.post(f"{process.address}/v1/pieces?wait=60", json=asked, timeout=90).json()["pieces"]
        visit = studio.visit(**options)
        visit.address = process.address
        page = visit.open(piece["links"]["page"])
        visit.wait_for_text("#state", "400 notes")
        page.fill("#position", "14")
        page.click("#play")
        wait_until(lambda: page.text_content("#time") >= "0:17")  # type: ignore[operator]
        page.mouse.move(0, 0)
        visit.run("(name) => document.querySelector(name).scrollIntoView()", ".stage" if name == "phone" else "body")
        page.screenshot(path=ROOT / "docs" / "use" / f"studio-{name}.png")
