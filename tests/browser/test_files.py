"""The files of the studio as they stand in the package: short, explained, all in use, and without circles."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from arietta.serve.routes.middleware import CONTENT_POLICY
from tests.support.browser import STUDIO_FOLDER


def test_the_content_policy_forbids_inline_code_and_the_page_has_none(studio_server: httpx.Client) -> None:
    page = studio_server.get("/", headers={"Accept": "text/html"})
    assert page.headers["content-security-policy"] == CONTENT_POLICY
    assert "unsafe" not in CONTENT_POLICY
    assert not re.search(r"<script(?![^>]*\bsrc=)|\bstyle=|\bon\w+=|<style", page.text)


@pytest.mark.parametrize("path", sorted(STUDIO_FOLDER.rglob("*.*")), ids=lambda path: path.name)
def test_a_file_is_short_says_what_it_is_for_and_names_no_other_origin(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text)
    if path.suffix in (".js", ".css"):
        assert text.startswith(("/**", "/*"))
    if path.suffix == ".js":
        assert not re.search(r"\b(eval|innerHTML|document\.write|var)\b", text)


IMPORT = re.compile(r'^import\b[^"]*?"(\.{1,2}/[^"]+)";', re.MULTILINE)
# What a folder's modules may import, beside their own folder: a module at the top is a folder of its own.
FOLDERS = {
    "api.js": set[str](),
    "page": {"api.js"},
    "sound": {"page"},
    "score": {"api.js", "page"},
    "form": {"api.js", "page", "score", "sound"},
    "takes": {"api.js", "page", "score"},
    "edit": {"api.js", "page", "score", "takes"},
    "passage": {"api.js", "page", "score", "takes", "edit"},
    "app.js": {"api.js", "page", "score", "sound", "form", "takes", "edit", "passage"},
}


def imports() -> dict[str, set[str]]:
    """The modules of the studio, each with those that it imports, as paths from the studio's folder."""
    folder = STUDIO_FOLDER.resolve()
    return {
        path.relative_to(folder).as_posix(): {
            (path.parent / name).resolve().relative_to(folder).as_posix()
            for name in IMPORT.findall(path.read_text(encoding="utf-8"))
        }
        for path in folder.rglob("*.js")
    }


def test_every_module_is_imported_and_every_import_is_a_module() -> None:
    graph = imports()
    imported = set().union(*graph.values())
    assert imported | {"app.js"} == set(graph)


def test_no_module_imports_itself_through_others() -> None:
    graph = imports()
    while leaves := {module for module, needs in graph.items() if not needs & set(graph)}:
        graph = {module: needs for module, needs in graph.items() if module not in leaves}
    assert graph == {}


def test_imports_between_folders_go_one_way() -> None:
    upward = [
        (module, needed)
        for module, needs in imports().items()
        for needed in needs
        if (folder := module.split("/")[0]) != (source := needed.split("/")[0]) and source not in FOLDERS[folder]
    ]
    assert upward == []
