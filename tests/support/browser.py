"""The studio in a real browser: Debian's Chromium, driven by Playwright, against a server of its own.

The fixtures stand in `tests/browser/conftest.py`: `studio` opens pages of it. Whatever a test does, its pages must
request nothing from another origin, break no content policy and log no error; that is checked when the test is over.
Without Chromium these tests are skipped.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

STUDIO_FOLDER = Path(__file__).parents[2] / "arietta" / "serve" / "studio"
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
TIMEOUT = 120.0  # seconds that a test waits for what takes one or two on an idle machine
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-gpu",
    "--disable-dev-shm-usage",
]
WIDE = {"width": 1100, "height": 760}
PHONE = {"width": 360, "height": 780}
# Puts a meter before the loudspeakers: `peak()` is the largest sample of the last 2048.
PEAK_METER = """(() => {
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (to, ...rest) {
    if (to instanceof AudioDestinationNode && this.context instanceof AudioContext) {
      const meter = new AnalyserNode(this.context, { fftSize: 2048 });
      connect.call(this, meter);
      const samples = new Float32Array(meter.fftSize);
      window.peak = () => { meter.getFloatTimeDomainData(samples); return Math.max(...samples.map(Math.abs)); };
    }
    return connect.call(this, to, ...rest);
  };
})()"""


@dataclass
class Visit:
    """A page of the studio, with what it requested and what its console said."""

    page: Page
    address: str
    console_errors: list[str] = field(default_factory=list)
    requested: list[str] = field(default_factory=list)
    expected_error: str = ""  # part of the errors that a test provokes

    def open(self, path: str = "/") -> Page:
        """Open a page and wait until it has what it needs."""
        self.page.goto(self.address + path)
        self.page.wait_for_selector("html[data-ready]")
        return self.page

    def run(self, script: str, argument: Any = None) -> Any:
        """Run JavaScript on the page and return what it returns."""
        return self.page.evaluate(script, argument)

    def compose(self, notes: int = 40, *, is_awaited: bool = True) -> None:
        """Ask for a piece as a musician does."""
        before = self.piece
        self.page.get_by_label("Length", exact=True).fill(str(notes))
        self.page.get_by_role("button", name="Compose", exact=True).click()
        wait_until(lambda: self.piece != before, lambda: self.page.text_content("#notice-text"))
        if is_awaited:
            self.wait_for_text("#state", f"{notes:,} notes ·")

    def wait_for_text(self, selector: str, text: str) -> None:
        """Wait until an element contains a text."""
        wait_until(lambda: text in (self.page.text_content(selector) or ""), lambda: self.page.text_content(selector))

    def begin_with(self, label: str) -> None:
        """Choose what the next piece begins with, by the label on the page."""
        self.page.get_by_label(label, exact=True).check()

    @property
    def piece(self) -> str:
        """The id of the piece on the stage."""
        return str(self.run("() => location.pathname.slice(3)"))

    def record(self) -> None:
        """Record what the page requests and what it logs as an error."""

        def record_message(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                self.console_errors.append(message.text)

        def record_request(request: Request) -> None:
            self.requested.append(request.url)

        self.page.on("console", record_message)
        self.page.on("pageerror", lambda error: self.console_errors.append(str(error)))
        self.page.on("request", record_request)

    def check(self) -> None:
        """Check what holds for every page."""
        elsewhere = [url for url in self.requested if not url.startswith((f"{self.address}/", "blob:", "data:"))]
        assert not elsewhere
        expected = self.expected_error
        logged = [text for text in self.console_errors if not expected or expected not in text]
        assert not logged, logged


@dataclass
class Studio:
    """A server, a browser, and the pages that a test opens."""

    browser: Browser
    server: httpx.Client
    stack: ExitStack

    def visit(self, **options: Any) -> Visit:
        """Open a window with its own memory; options are those of Playwright's contexts."""
        defaults = {"viewport": WIDE, "locale": "en-GB", "color_scheme": "light"}
        context = self.browser.new_context(**(defaults | options))
        self.stack.callback(context.close)
        context.add_init_script(PEAK_METER)
        context.set_default_timeout(1000 * TIMEOUT)
        visit = Visit(context.new_page(), str(self.server.base_url).rstrip("/"))
        visit.record()
        self.stack.callback(visit.check)
        return visit

    def stored_piece(self, visit: Visit) -> dict[str, Any]:
        """Fetch the piece on the stage as the server has it."""
        piece: dict[str, Any] = self.server.get(f"/v1/pieces/{visit.piece}").raise_for_status().json()
        return piece


def wait_until(condition: Callable[[], Any], describe: Callable[[], Any] = lambda: None) -> None:
    """Wait for a condition to hold; `describe` gives the message of the failure where it never does."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, describe()
        time.sleep(0.03)


def axe_violations(page: Page) -> list[str]:
    """List what axe-core finds wrong with a page as it is now."""
    axe = pytest.importorskip("axe_playwright_python.base", reason="needs axe-core: pip install '.[test]'")
    page.evaluate(Path(axe.AXE_FILE_PATH).read_text(encoding="utf-8"))
    violations = page.evaluate("async (rules) => (await axe.run(document, { runOnly: rules })).violations", AXE_RULES)
    return [
        f"{violation['id']}: {node['html']} {node['failureSummary']}"
        for violation in violations
        for node in violation["nodes"]
    ]


def show_figure(figure: str) -> None:
    """Print a measured figure; `pytest -s` shows it."""
    sys.stdout.write(f"{figure}\n")
