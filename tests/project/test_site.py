"""The documents build as a site without a warning, and its reference has every public name."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import arietta

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as `make site` does."""
    pytest.importorskip("mkdocs", reason="needs mkdocs: pip install '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    call = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("name", arietta.__all__)
def test_the_reference_has_every_public_name(name: str) -> None:
    home = getattr(arietta, name).__module__
    assert re.search(rf"^::: ({re.escape(home)}(\.{name})?|arietta\.{name})$", REFERENCE, re.MULTILINE), (
        f"{home}.{name}: add it to docs/reference.md"
    )


def test_every_page_is_built_and_loads_nothing_from_elsewhere(site: Path) -> None:
    sources = (ROOT / "docs").rglob("*.md")
    pages = [site / path.relative_to(ROOT / "docs").with_suffix("") / "index.html" for path in sources]
    assert all(page.is_file() or page.parent.name == "index" for page in pages)
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=\"(?:https?:)?//", text), page


def test_docstrings_stand_in_the_reference(site: Path) -> None:
    text = (site / "reference" / "index.html").read_text(encoding="utf-8")
    for words in ("if no length is given", "A finished piece with its request", "A MIDI file cannot be read"):
        assert words in text
