"""The server and the browser that the tests of this folder share, and pages that a test opens."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from arietta.model.engine import OnnxEngine
from tests.support.browser import CHROMIUM_FLAGS, TIMEOUT, Studio, Visit
from tests.support.servers import served

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    api = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install '.[test]'")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with api.sync_playwright() as playwright:  # for this folder only: its event loop would be in the way of other tests
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def studio_server(
    tiny_bundle: Path, tiny_lstm: Path, filling_engine: OnnxEngine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    data = tmp_path_factory.mktemp("studio")
    with (
        served(data, "--model", str(tiny_bundle), str(tiny_lstm), str(filling_engine.bundle.path)) as process,
        httpx.Client(base_url=process.address, timeout=TIMEOUT) as client,
    ):
        # a pipe that nobody reads fills up and stops the server; `served` reads the other one
        threading.Thread(target=process.process.stderr.read, daemon=True).start()  # type: ignore[union-attr]
        yield client


@pytest.fixture
def studio(browser: Browser, studio_server: httpx.Client) -> Iterator[Studio]:
    with ExitStack() as stack:
        yield Studio(browser, studio_server, stack)


@pytest.fixture
def modules(studio: Studio) -> Visit:
    """A page on which the studio's modules may be imported."""
    visit = studio.visit()
    visit.expected_error = "status of 404"  # browsers look for /favicon.ico beside a picture
    visit.page.goto(f"{visit.address}/static/icon.svg")
    return visit
