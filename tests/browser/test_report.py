"""A report's page in a real browser, opened from disk: it plays, is accessible, and requests nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from arietta.evaluation.page.piece import TitledReport, report_html
from arietta.evaluation.report import report_on
from tests.support.browser import PHONE, TIMEOUT, axe_violations, wait_until
from tests.support.tunes import tune

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# Records when each string is to sound.
RECORD_STARTS = """(() => {
  window.starts = [];
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (when) { window.starts.push(when); return start.call(this, when); };
})()"""


@dataclass
class OpenPage:
    """A page opened from disk, with what it requested and what its console said."""

    page: Page
    requested: list[str]
    console: list[str]


@pytest.fixture
def open_report(browser: Browser, tmp_path: Path) -> Iterator[Any]:
    """Give a function that opens a page; in the end no page may have requested or logged anything."""
    pages: list[OpenPage] = []
    with ExitStack() as stack:

        def open_html(html: str, **options: Any) -> OpenPage:
            path = tmp_path / f"{len(pages)}.html"
            path.write_text(html, encoding="utf-8")
            context = browser.new_context(**({"viewport": {"width": 1200, "height": 900}} | options))
            stack.callback(context.close)
            context.add_init_script(RECORD_STARTS)
            context.set_default_timeout(1000 * TIMEOUT)
            report = OpenPage(context.new_page(), [], [])
            pages.append(report)
            report.page.on("console", lambda message: report.console.append(message.text))
            report.page.on("pageerror", lambda error: report.console.append(str(error)))
            report.page.on("request", lambda request: report.requested.append(request.url))
            report.page.goto(path.as_uri())
            return report

        yield open_html
        for report in pages:
            assert report.console == []
            assert [url for url in report.requested if not url.startswith("file:")] == []


@pytest.fixture(scope="module")
def html() -> str:
    notes = tune(1, 200)
    return report_html([TitledReport(f"tune {number}", notes, report_on(notes)) for number in (1, 2)])


def test_play_sounds_the_notes_in_time_and_pause_stops_them(open_report: Any, html: str) -> None:
    page = open_report(html).page
    assert page.evaluate("() => starts.length") == 0
    page.get_by_role("button", name="Play tune 1").click()
    wait_until(lambda: page.evaluate("() => starts.length") >= 6)
    times = page.evaluate("() => starts")
    assert times == sorted(times)
    wait_until(lambda: page.locator(".time").first.text_content().startswith("0:01"))
    page.get_by_role("button", name="Pause tune 1").click()
    count = page.evaluate("() => starts.length")
    page.wait_for_timeout(700)
    assert page.evaluate("() => starts.length") == count


def test_one_piece_plays_at_a_time(open_report: Any, html: str) -> None:
    page = open_report(html).page
    page.get_by_role("button", name="Play tune 1").click()
    page.get_by_role("button", name="Play tune 2").click()
    assert page.get_by_role("button", name="Play tune 1").is_visible()
    assert page.get_by_role("button", name="Pause tune 2").is_visible()


def test_clicking_the_roll_seeks_and_the_cursor_stands_there(open_report: Any, html: str) -> None:
    page = open_report(html).page
    system = page.locator(".system svg").nth(1)
    box = system.bounding_box()
    system.click(position={"x": box["width"] / 2, "y": 20})
    assert page.locator(".time").first.text_content().startswith("0:30")
    cursor = page.locator(".player").first.locator(".cursor").bounding_box()
    assert cursor["x"] == pytest.approx(box["x"] + box["width"] / 2, abs=3)


def test_all_can_be_done_with_the_keyboard(open_report: Any, html: str) -> None:
    page = open_report(html).page
    page.get_by_role("button", name="Play tune 1").focus()
    page.keyboard.press("Space")
    wait_until(lambda: page.evaluate("() => starts.length") > 0)
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
def test_axe_finds_no_violations_and_nothing_is_wider_than_the_page(open_report: Any, html: str, options: Any) -> None:
    report = open_report(html, **options)
    report.page.evaluate("() => document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    assert axe_violations(report.page) == []
    width = (options.get("viewport") or {"width": 1200})["width"]
    assert report.page.evaluate("() => document.documentElement.scrollWidth") <= width


def test_without_a_script_the_page_still_shows_everything(open_report: Any, html: str) -> None:
    page = open_report(html, java_script_enabled=False).page
    assert page.locator(".system svg").first.is_visible()
    assert not page.locator(".play").first.is_visible()
    page.locator("summary").first.click()
    assert page.locator("details table").first.is_visible()
