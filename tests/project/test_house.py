"""Gates on the layout and the names: what `tests/project/house.py` counts may only get better."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.project import house

MOST_MODULES = 12  # of a folder; a thirteenth opens a folder named for an idea
MOST_HELPERS = 0.15
MOST_PRIVATE_WORDS = 0.01
MOST_GENERIC = 0.0184  # what it was when the gate was made


def test_no_folder_has_more_modules_than_one_can_overlook() -> None:
    crowded = {folder: count for folder, count in house.modules_per_folder().items() if count > MOST_MODULES}
    assert set(crowded) <= {"arietta/cli"}, "a folder named for an idea is due"  # there a verb is a file


def test_every_module_is_tested_in_the_room_that_mirrors_its_own() -> None:
    tests = house.mirrored_tests()
    untested = [module for module in house.modules_with_code() if not any(_is_about(test, module) for test in tests)]
    assert not untested


def test_every_test_of_a_room_is_about_one_of_its_modules() -> None:
    modules = house.modules_with_code()
    assert not [test for test in house.mirrored_tests() if not any(_is_about(test, module) for module in modules)]


def _is_about(test: str, module: str) -> bool:
    return test == module or test.startswith(f"{module}_")


def test_every_docstring_begins_with_a_sentence_that_stands_alone() -> None:
    openings = house.docstring_openings()
    assert len(openings) > 1000
    broken = [f"{where}: {opening}" for where, opening in openings if not re.search(r"[.:?!]$", opening)]
    assert not broken


def test_the_definitions_of_the_counter_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "arietta").mkdir()
    (tmp_path / "arietta" / "a.py").write_text(
        "def _once():\n    return 1\n\n\ndef _twice():\n    return 2\n\n\n"
        "def total(one, item):\n    said_first = _once() + _twice() + _twice()\n    return said_first\n"
    )
    (tmp_path / "arietta" / "b.py").write_text("def total():\n    return 0\n")
    monkeypatch.setattr(house, "PACKAGE", tmp_path / "arietta")
    monkeypatch.setattr(house, "ROOT", tmp_path)
    for cached in (house.trees, house.bindings):
        cached.cache_clear()
        monkeypatch.setattr(house, cached.__name__, cached.__wrapped__)
    assert house.helpers_used_once() == ["_once"] and house.function_count() == 4
    assert [name for _, _, name in house.private_words()] == ["one", "said_first"]
    assert [name for _, _, name in house.generic_names()] == ["item"]
    assert house.names_in_two_modules() == {"total": ["arietta/a.py", "arietta/b.py"]}
    assert house.modules_per_folder() == {"arietta": 2}


def test_helpers_used_once_are_the_exception() -> None:
    helpers = house.helpers_used_once()
    assert len(helpers) <= MOST_HELPERS * house.function_count(), helpers


def test_names_are_words_of_the_field() -> None:
    words = house.private_words()
    assert len(words) <= MOST_PRIVATE_WORDS * len(house.bindings()), words


def test_words_that_name_nothing_have_not_spread() -> None:
    assert len(house.generic_names()) <= MOST_GENERIC * len(house.bindings())


def test_a_public_name_stands_in_one_module() -> None:
    assert not house.names_in_two_modules()
