"""Light and dark, and the pictures of the studio in docs/."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.browser import PHONE, Studio, Visit, wait_until
from tests.support.servers import served

ROOT = Path(__file__).parents[2]


PICTURES = "ARIETTA_SCREENSHOTS"  # set to 1 to take the pictures of docs/ again


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


@pytest.mark.skipif(PICTURES not in os.environ, reason=f"takes the pictures of docs/ where {PICTURES} is set")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("light", {"viewport": {"width": 1440, "height": 900}}),
        ("dark", {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"}),
        ("phone", {"viewport": PHONE, "device_scale_factor": 2}),
        ("passage", {"viewport": {"width": 1440, "height": 900}}),
    ],
)
def test_screenshots_of_the_studio_are_taken(
    studio: Studio, tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
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
        if name == "passage":
            for key in ("[", "e", "a"):  # eight seconds from here on, written again
                page.keyboard.press(key)
            wait_until(lambda: page.is_enabled("#keep-take"))
        visit.run(
            "(name) => document.querySelector(name).scrollIntoView()", "body" if name in ("light", "dark") else ".stage"
        )
        page.screenshot(path=ROOT / "docs" / "use" / f"studio-{name}.png")
