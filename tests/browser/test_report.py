"""A report's page in a real browser, opened from disk: it plays, can be used by anyone, and asks nobody anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from arietta.evaluation.page.piece import TitledReport, report_html
from arietta.evaluation.report import report_on
from tests.support.browser import TIMEOUT, PHONE, wait_until
from tests.support.tunes import tune

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Counts the strings that are struck, and keeps when the first of them shall sound.
COUNT = """(() => {
  window.struck = [];
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (when) { window.struck.push(when); return start.call(this, when); };
})()"""


@dataclass
class Opened:
    """A page opened from disk, and all it asked for and complained of."""

    page: Page
    asked: list[str]
    complaints: list[str]

    def offences(self) -> list[str]:
        axe = pytest.importorskip("axe_playwright_python.base", reason="needs axe-core: pip install '.[test]'")
        self.page.evaluate(Path(axe.AXE_FILE_PATH).read_text(encoding="utf-8"))
        found = self.page.evaluate("async (rules) => (await axe.run(document, { runOnly: rules })).violations", RULES)
        return [f"{one['id']}: {node['html']} {node['failureSummary']}" for one in found for node in one["nodes"]]


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Any]:
    """Give a function that opens a page; in the end no page may have asked for, or complained of, anything."""
    made: list[Opened] = []
    with ExitStack() as stack:

        def open_page(html: str, **options: Any) -> Opened:
            path = tmp_path / f"{len(made)}.html"
            path.write_text(html, encoding="utf-8")
            context = browser.new_context(**({"viewport": {"width": 1200, "height": 900}} | options))
            stack.callback(context.close)
            context.add_init_script(COUNT)
            context.set_default_timeout(1000 * TIMEOUT)
            one = Opened(context.new_page(), [], [])
            made.append(one)
            one.page.on("console", lambda message: one.complaints.append(message.text))
            one.page.on("pageerror", lambda error: one.complaints.append(str(error)))
            one.page.on("request", lambda request: one.asked.append(request.url))
            one.page.goto(path.as_uri())
            return one

        yield open_page
        for one in made:
            assert one.complaints == []
            assert [url for url in one.asked if not url.startswith("file:")] == []


@pytest.fixture(scope="module")
def html() -> str:
    notes = tune(1, 200)
    return report_html([TitledReport(f"tune {number}", notes, report_on(notes)) for number in (1, 2)])


def test_play_sounds_the_notes_in_time_and_pause_stops_them(opened: Any, html: str) -> None:
    page = opened(html).page
    assert page.evaluate("() => struck.length") == 0
    page.get_by_role("button", name="Play tune 1").click()
    wait_until(lambda: page.evaluate("() => struck.length") >= 6)
    times = page.evaluate("() => struck")
    assert times == sorted(times)
    wait_until(lambda: page.locator(".time").first.text_content().startswith("0:01"))
    page.get_by_role("button", name="Pause tune 1").click()
    count = page.evaluate("() => struck.length")
    page.wait_for_timeout(700)
    assert page.evaluate("() => struck.length") == count


def test_one_piece_plays_at_a_time(opened: Any, html: str) -> None:
    page = opened(html).page
    page.get_by_role("button", name="Play tune 1").click()
    page.get_by_role("button", name="Play tune 2").click()
    assert page.get_by_role("button", name="Play tune 1").is_visible()
    assert page.get_by_role("button", name="Pause tune 2").is_visible()


def test_clicking_the_roll_seeks_and_the_cursor_stands_there(opened: Any, html: str) -> None:
    page = opened(html).page
    system = page.locator(".system svg").nth(1)
    box = system.bounding_box()
    system.click(position={"x": box["width"] / 2, "y": 20})
    assert page.locator(".time").first.text_content().startswith("0:30")
    cursor = page.locator(".player").first.locator(".cursor").bounding_box()
    assert cursor["x"] == pytest.approx(box["x"] + box["width"] / 2, abs=3)


def test_all_can_be_done_with_the_keyboard(opened: Any, html: str) -> None:
    page = opened(html).page
    page.get_by_role("button", name="Play tune 1").focus()
    page.keyboard.press("Space")
    wait_until(lambda: page.evaluate("() => struck.length") > 0)
    page.keyboard.press("Space")
    assert page.get_by_role("button", name="Play tune 1").is_visible()
    slider = page.get_by_label("Position in tune 1")
    slider.focus()
    page.keyboard.press("Home")
    page.keyboard.press("PageUp")
    assert float(slider.input_value()) > 1
    assert slider.get_attribute("aria-valuetext").startswith("0:0")
    page.keyboard.press("End")
    page.get_by_role("button", name="Play tune 1").press("Enter")  # begins again from the end
    wait_until(lambda: float(slider.input_value()) < 5)


@pytest.mark.parametrize(
    "options",
    [{}, {"color_scheme": "dark"}, {"viewport": PHONE, "color_scheme": "dark"}, {"viewport": PHONE}],
    ids=["light", "dark", "phone dark", "phone light"],
)
def test_axe_finds_nothing_and_nothing_is_wider_than_the_page(opened: Any, html: str, options: Any) -> None:
    one = opened(html, **options)
    one.page.evaluate("() => document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    assert one.offences() == []
    width = (options.get("viewport") or {"width": 1200})["width"]
    assert one.page.evaluate("() => document.documentElement.scrollWidth") <= width


def test_without_a_script_the_page_still_tells_all(opened: Any, html: str) -> None:
    page = opened(html, java_script_enabled=False).page
    assert page.locator(".system svg").first.is_visible()
    assert not page.locator(".play").first.is_visible()
    page.locator("summary").first.click()
    assert page.locator("details table").first.is_visible()
