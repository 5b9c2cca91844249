"""Gates on the layout and the names: what `tests/project/house.py` counts may only get better."""

from __future__ import annotations

from tests.project import house

MOST_MODULES = 74  # of a folder
MOST_HELPERS = 0.197
MOST_PRIVATE_WORDS = 0.052
MOST_GENERIC = 0.0184  # at 91ffd15
MOST_NAMES_TWICE = 23


def test_no_folder_has_more_modules_than_one_can_overlook() -> None:
    crowded = {folder: count for folder, count in house.modules_per_folder().items() if count > MOST_MODULES}
    assert not crowded


def test_helpers_used_once_are_the_exception() -> None:
    helpers = house.helpers_used_once()
    assert len(helpers) <= MOST_HELPERS * house.function_count(), helpers


def test_names_are_words_of_the_field() -> None:
    words = house.private_words()
    assert len(words) <= MOST_PRIVATE_WORDS * len(house.bindings()), words


def test_words_that_name_nothing_have_not_spread() -> None:
    assert len(house.generic_names()) <= MOST_GENERIC * len(house.bindings())


def test_a_public_name_stands_in_one_module() -> None:
    assert len(house.names_in_two_modules()) <= MOST_NAMES_TWICE, house.names_in_two_modules()
